"""The spike test: the outlier is flagged, its successor is not; and one reading's delay loses none."""

from __future__ import annotations

import itertools
import math
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sensorlogd.batch import Batch
from sensorlogd.quality import describe
from tests.daemon.sensing.test_treatment import HEARTBEAT, START, S, readings, treatment

Row = tuple[int, float | None, str]


def stored(options: dict[str, Any], values: list[float], cuts: set[int] | None = None, step_us: int = S) -> list[Row]:
    """What is stored of ``values``, cut into batches, and flushed."""
    treater = treatment(x=options)
    found = []
    for a, b in _pieces(len(values), cuts or set()):
        batch = Batch([START + n * step_us for n in range(a, b)], {"x": list(values[a:b])}, device_time=True)
        found += readings(treater.process(batch))
    found += readings(treater.flush())
    assert treater.flush() is None
    return [(ts, value, describe(quality)) for ts, value, quality in found]


def _pieces(n: int, cuts: set[int]) -> list[tuple[int, int]]:
    edges = sorted({0, n, *(cut for cut in cuts if cut < n)})
    return list(itertools.pairwise(edges))


def words(options: dict[str, Any], values: list[float], **how: Any) -> list[str]:
    return [quality for _, _, quality in stored(options, values, **how)]


def test_the_outlier_is_flagged_and_not_its_successor() -> None:
    assert words({"spike": 5}, [20, 20.1, 85, 20.2, 20.1]) == ["good", "good", "suspect:spike", "good", "good"]


def test_an_outlier_is_nobodys_neighbour() -> None:
    """Of 20, 85, 20, 85 the 20 in the middle does not stand alone between two that agree."""
    assert words({"spike": 5}, [20, 85, 20, 85, 20, 20]) == ["good", "suspect:spike", "good", "suspect:spike", "good", "good"]


def test_a_step_and_a_pair_of_outliers_are_no_spikes() -> None:
    assert set(words({"spike": 5}, [20, 20, 40, 40, 41])) == {"good"}
    assert set(words({"spike": 5}, [20, 20, 40, 40, 20, 20])) == {"good"}


def test_a_spike_is_no_neighbour_of_the_other_tests() -> None:
    """With ``max_rate`` alone both sides of it are suspect; here neither the jump nor the return counts."""
    assert words({"spike": 5, "max_rate": "1/s", "valid": [0, 50]}, [20, 85, 20, 20]) == [
        "good", "fail:gross_range+spike", "good", "good",
    ]  # fmt: skip


def test_neighbours_too_far_away_say_nothing() -> None:
    assert set(words({"spike": 5}, [20, 85, 20], step_us=HEARTBEAT + 1)) == {"good"}


def test_readings_without_value_are_no_neighbours() -> None:
    assert words({"spike": 5}, [20, 85, math.nan, 20]) == ["good", "good", "missing", "good"]


def test_scale_and_curve_come_first() -> None:
    assert words({"spike": 5, "scale": 0.1}, [200, 240, 200]) == ["good", "good", "good"]


@given(
    st.lists(st.sampled_from([20.0, 21.0, 19.5, 85.0, -40.0, math.nan, math.inf]), min_size=1, max_size=30),
    st.sets(st.integers(1, 29), max_size=6),
    st.sampled_from([{}, {"valid": [0, 50]}, {"max_rate": "3/s"}, {"stuck_after": "3s"}]),
)
def test_any_cutting_gives_the_same_and_nothing_is_lost(values: list[float], cuts: set[int], more: dict[str, Any]) -> None:
    options = {"spike": 5} | more
    whole = stored(options, values)
    assert stored(options, values, cuts) == whole
    assert [ts for ts, *_ in whole] == [START + n * S for n in range(len(values))]
    assert [value for _, value, _ in whole] == [value if math.isfinite(value) else None for value in values]
    for at, (_, value, quality) in enumerate(whole):
        if "spike" in quality:
            before = [v for _, v, q in whole[:at] if "spike" not in q][-1]
            after = whole[at + 1][1]
            assert value is not None
            assert before is not None
            assert after is not None
            assert abs(before - after) <= 5 < min(abs(value - before), abs(value - after))
