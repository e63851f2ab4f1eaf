"""The law of counters: an offset changes nothing of what one rose by, and an alarm counts what a query does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensorlogd.counters import Counter, Unbroken, is_glitch, rise
from sensorlogd.quality import Flag
from sensorlogd.storage.rollups import rollup

SHOWN = st.integers(0, 70_000).map(float)
LAWS = st.builds(Counter, st.sampled_from([None, 65_536.0, 1000.0]), st.sampled_from([0.0, 0.1, 0.5]), st.just(0.0))


@pytest.mark.parametrize(
    ("before", "after", "zero", "expected"),
    [
        (12_400.0, 12_345.0, 12_345.0, (0.0, 1)),  # a meter of 12,345 at the beginning, whose pulses begin again
        (12_400.0, 12_347.0, 12_345.0, (2.0, 1)),
        (12_400.0, 12_399.0, 12_345.0, (-1.0, 0)),  # a wobble, by what was counted
        (500.0, -500.0, -500.0, (0.0, 1)),
        (500.0, 3.0, 12_345.0, (3.0, 1)),  # from the time before the offset
        (20_000.0, 3.0, 12_345.0, (3.0, 1)),
    ],
)
def test_a_counter_with_an_offset_begins_again_at_that(
    before: float, after: float, zero: float, expected: tuple[float, int]
) -> None:
    assert rise(before, after, Counter(None, 0.1, zero)) == expected


@given(SHOWN, SHOWN, SHOWN, LAWS, st.integers(-1_000_000, 1_000_000))
def test_an_offset_changes_nothing(a: float, b: float, c: float, law: Counter, zero: int) -> None:
    """What lies ``zero`` higher rises by the same, and is a glitch where it was one."""
    moved = law._replace(zero=float(zero))
    assert rise(a + zero, b + zero, moved) == rise(a, b, law)
    assert is_glitch(a + zero, b + zero, c + zero, moved) == is_glitch(a, b, c, law)


@given(st.lists(st.sampled_from([0, 1, 50, 100, 105, 200, 65_535, -7]), min_size=1, max_size=14), LAWS)
def test_unbroken_is_the_increase_of_a_query(values: list[int], law: Counter) -> None:
    """Once it is known what the last fall was."""
    unbroken = Unbroken(law)
    for value in (*values, values[-1]):
        risen = unbroken.add(float(value))
    times = list(range(0, (len(values) + 1) * 1_000_000, 1_000_000))
    shown = [float(value) for value in (*values, values[-1])]
    whole = rollup.of(times, shown, [int(Flag.GOOD)] * len(shown), rollup.Rules("counter", 60_000_000, law.wrap, law.dip))
    assert risen == whole.increase


GOOD, FAIL = int(Flag.GOOD), int(Flag.FAIL)


@pytest.mark.parametrize(
    ("values", "flags", "increase", "resets"),
    [
        ([200, 201, 0, 0, 201, 202], [GOOD] * 6, 203, 1),
        ([200, 201, 0, 0, 201, 202], [GOOD, GOOD, FAIL, FAIL, GOOD, GOOD], 2, 0),
        ([200, 201, 5000, 202, 203], [GOOD] * 5, 5003, 1),
        ([200, 201, 5000, 202, 203], [GOOD, GOOD, FAIL, GOOD, GOOD], 3, 0),
        ([20_000, 20_001, 21_000, 20_002], [GOOD] * 4, 2, 0),
    ],
)
def test_what_the_law_cannot_tell_from_a_reset(values: list[float], flags: list[int], increase: float, resets: int) -> None:
    """The figures of docs/data-model.md; readings that failed are left out."""
    times = list(range(0, len(values) * 1_000_000, 1_000_000))
    whole = rollup.of(times, values, flags, rollup.Rules("counter", 60_000_000, None, 0.1))
    assert (whole.increase, whole.resets) == (increase, resets)


def test_a_fall_counts_once_it_is_known_what_it_was() -> None:
    """A glitch counts nothing at any time; a reset counts with the reading after it."""
    unbroken = Unbroken(Counter())
    assert [unbroken.add(value) for value in (200.0, 201.0, 0.0, 201.0, 202.0)] == [0, 1, 1, 1, 2]
    assert [unbroken.add(value) for value in (3.0, 5.0, 6.0)] == [2, 7, 8]
