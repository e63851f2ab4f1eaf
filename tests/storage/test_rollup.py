"""Roll-ups: what a row says is what its readings say, however they were cut and merged."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensorlogd.storage import rollup, tiers
from sensorlogd.storage.rollup import RollUp

T0 = 1_750_000_020_000_000
HEARTBEAT = 10_000_000

_reading = st.tuples(
    st.integers(0, 600).map(lambda n: n * 100_000),
    st.integers(-(10**12), 10**12).map(lambda n: n / 1000),
    st.sampled_from([1, 1, 1, 2, 3, 3 | 32, 4 | 16, 9]),
)
_readings = st.lists(_reading, min_size=1, max_size=40, unique_by=lambda r: r[0]).map(
    lambda rows: [(T0 + ts, None if q & 15 == 9 else value, q) for ts, value, q in sorted(rows)]
)


def of(rows: list[tuple[int, float | None, int]], kind: str = "gauge") -> RollUp:
    times, values, qualities = zip(*rows, strict=True)
    return rollup.of(times, values, qualities, kind, HEARTBEAT)


def close(a: float | None, b: float | Fraction | None, scale: float = 1.0) -> bool:
    if a is None or b is None:
        return a is None and b is None
    return math.isclose(a, float(b), rel_tol=1e-9, abs_tol=1e-9 * scale)


@given(_readings, st.sampled_from(["gauge", "counter", "angle"]))
def test_a_row_equals_exact_arithmetic(rows: list[tuple[int, float | None, int]], kind: str) -> None:
    """Compared with fractions, which do not round."""
    found = of(rows, kind)
    used = [(ts, Fraction(value)) for ts, value, q in rows if q & 15 not in (4, 9) and value is not None]
    flags = [q & 15 for *_, q in rows]
    assert (found.n_good, found.n_not_evaluated, found.n_suspect, found.n_fail, found.n_missing) == tuple(
        flags.count(flag) for flag in (1, 2, 3, 4, 9)
    )
    assert found.n == len(used)
    assert found.readings == len(rows)
    if not used:
        assert found.mean is None
        assert found.min is None
        return
    values = [value for _, value in used]
    scale = float(max(map(abs, values))) or 1.0
    mean = sum(values) / len(values)
    assert close(found.mean, mean, scale)
    assert close(found.m2, sum((v - mean) ** 2 for v in values), scale * scale)
    assert (found.min, found.max) == (float(min(values)), float(max(values)))
    assert (found.first_ts, found.first, found.last_ts, found.last) == (used[0][0], values[0], used[-1][0], values[-1])
    steps = [min(b[0] - a[0], HEARTBEAT) for a, b in itertools.pairwise(used)]
    assert found.covered_us == sum(steps)
    assert close(found.integral, sum(v * step for v, step in zip(values, steps, strict=False)) / 10**6, scale * 60)
    if kind == "counter":
        pairs = list(itertools.pairwise(values))
        assert close(found.increase, sum(b - a if b >= a else b for a, b in pairs), scale)
        assert found.resets == sum(b < a for a, b in pairs)
    else:
        assert found.increase is None


@given(_readings, st.lists(st.integers(0, 40), max_size=4), st.sampled_from(["gauge", "counter", "angle"]))
def test_merged_parts_equal_the_whole(rows: list[tuple[int, float | None, int]], cuts: list[int], kind: str) -> None:
    """An hour from minutes is the hour from readings: counts and extremes exactly, sums within 1e-9."""
    edges = sorted({0, len(rows), *(cut for cut in cuts if cut < len(rows))})
    parts = [of(rows[a:b], kind) for a, b in itertools.pairwise(edges)]
    whole, merged = of(rows, kind), rollup.merge_all(parts, HEARTBEAT)
    scale = max((abs(v) for _, v, _ in rows if v is not None), default=1.0) or 1.0
    for name in ("n", "min", "max", "first_ts", "first", "last_ts", "last", "covered_us", "resets"):
        assert getattr(merged, name) == getattr(whole, name), name
    assert merged[15:] == whole[15:]
    assert close(merged.mean, whole.mean, scale)
    assert close(merged.m2, whole.m2, scale * scale * len(rows))
    assert close(merged.integral, whole.integral, scale * 60)
    assert close(merged.increase, whole.increase, scale * len(rows))
    assert close(merged.sin_sum, whole.sin_sum)
    assert close(merged.cos_sum, whole.cos_sum)


def test_variance_does_not_cancel() -> None:
    """Readings that differ in the ninth digit: sums of squares would give nonsense here."""
    values: list[float | None] = [1e9 + n / 10 for n in range(10)]
    rows = [(T0 + n * 1_000_000, value, 1) for n, value in enumerate(values)]
    parts = [of(rows[:3]), of(rows[3:7]), of(rows[7:])]
    merged = rollup.merge_all(parts, HEARTBEAT)
    assert merged.m2 is not None
    assert merged.m2 / merged.n == pytest.approx(0.0825, rel=1e-6)


def test_a_gap_counts_one_heartbeat_only() -> None:
    """A value holds until the next reading, but no longer than the heartbeat."""
    found = of([(T0, 2.0, 1), (T0 + 1_000_000, 4.0, 1), (T0 + 100_000_000, 0.0, 1)])
    assert found.covered_us == 1_000_000 + HEARTBEAT
    assert found.integral == pytest.approx(2.0 * 1 + 4.0 * 10)


def test_huge_values_do_not_break_anything() -> None:
    """Near the end of what a double holds a sum overflows: it is left out, not raised."""
    found = of([(T0, 1.7e308, 1), (T0 + 1, 1.7e308, 1), (T0 + 2, -1.7e308, 1)])
    assert found.max == 1.7e308
    assert found.mean is not None
    assert math.isfinite(found.mean)


# ---- tiers -------------------------------------------------------------------------------------------------------------


def _utc(text: str) -> int:
    from datetime import datetime

    return int(datetime.fromisoformat(text).timestamp()) * 1_000_000


@pytest.mark.parametrize(
    ("zone", "at", "start", "end", "hours"),
    [
        ("Europe/Berlin", "2026-03-29T12:00+00:00", "2026-03-28T23:00+00:00", "2026-03-29T22:00+00:00", 23),
        ("Europe/Berlin", "2026-10-25T12:00+00:00", "2026-10-24T22:00+00:00", "2026-10-25T23:00+00:00", 25),
        ("Europe/Berlin", "2026-07-01T22:30+00:00", "2026-07-01T22:00+00:00", "2026-07-02T22:00+00:00", 24),
        ("Asia/Kathmandu", "2026-07-01T18:14+00:00", "2026-06-30T18:15+00:00", "2026-07-01T18:15+00:00", 24),
        ("Asia/Kathmandu", "2026-07-01T18:15+00:00", "2026-07-01T18:15+00:00", "2026-07-02T18:15+00:00", 24),
        # Midnight does not exist on this day: it begins at 01:00.
        ("America/Santiago", "2026-09-06T12:00+00:00", "2026-09-06T04:00+00:00", "2026-09-07T03:00+00:00", 23),
    ],
)
def test_days_are_calendar_days(zone: str, at: str, start: str, end: str, hours: int) -> None:
    """23, 24 and 25 hours; +05:45; a day without a midnight."""
    found = tiers.bucket(_utc(at), tiers.DAY, zone)
    assert found == (_utc(start), _utc(end))
    assert found[1] - found[0] == hours * 3_600_000_000


@given(
    st.integers(0, 4_000_000_000),
    st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kathmandu", "America/Santiago", "Australia/Lord_Howe"]),
)
def test_days_tile_time(second: int, zone: str) -> None:
    """Every instant is in exactly one day, and the next day begins where it ends."""
    ts = second * 1_000_000
    start, end = tiers.bucket(ts, tiers.DAY, zone)
    assert start <= ts < end
    assert tiers.bucket(end, tiers.DAY, zone)[0] == end
    assert tiers.bucket(end - 1, tiers.DAY, zone) == (start, end)


def test_a_day_is_merged_from_a_tier_that_fits_it() -> None:
    """Hours in Berlin, quarters in Kathmandu, readings where nothing fits."""
    assert tiers.children(*tiers.bucket(_utc("2026-07-01T12:00+00:00"), tiers.DAY, "Europe/Berlin"), tiers.DAY) == tiers.HOUR
    assert tiers.children(*tiers.bucket(_utc("2026-07-01T12:00+00:00"), tiers.DAY, "Asia/Kathmandu"), tiers.DAY) == tiers.QUARTER
    assert tiers.children(1, 86_400_000_001, tiers.DAY) is None
