"""Roll-ups: what a row says is what its readings say, however they were cut and merged."""

from __future__ import annotations

import itertools
import json
import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensorlogd.counters import rise
from sensorlogd.notation.microseconds import MINUTE_US
from sensorlogd.storage.rollups import resolutions, rollup
from sensorlogd.storage.rollups.rollup import RollUp, Rules
from tests.storage import truth

T0 = 1_750_000_020_000_000
HEARTBEAT = 10_000_000
RULES = [
    Rules("gauge", HEARTBEAT),
    Rules("angle", HEARTBEAT),
    Rules("state", HEARTBEAT),
    Rules("counter", HEARTBEAT),
    Rules("counter", HEARTBEAT, dip=0.0),
    Rules("counter", HEARTBEAT, wrap=65536),
    Rules("counter", HEARTBEAT, wrap=1000, dip=0.5),
    Rules("counter", HEARTBEAT, zero=30.0),
    Rules("counter", HEARTBEAT, zero=-30.0),
]
Rows = list[tuple[int, float | None, int]]


def _steps(kind: str) -> st.SearchStrategy[float]:
    """From one value to the next: counters rise, wobble, wrap and begin again; states come back."""
    if kind == "state":
        return st.sampled_from([0.0, 1.0, -1.0, 2.0, 0.5])
    if kind == "counter":
        return st.one_of(
            st.integers(0, 300), st.integers(-30, 30), st.sampled_from([-(10**6), -64000, -65530, -900, -500, 0])
        ).map(float)
    return st.integers(-(10**12), 10**12).map(lambda n: n / 1000)


def _values(kind: str, steps: list[float]) -> list[float]:
    if kind != "counter":
        return steps
    values, value = [], 65000.0
    for step in steps:
        value = max(value + step, 0.0)
        values.append(value)
    return values


@st.composite
def histories(draw: st.DrawFn) -> tuple[Rules, Rows]:
    """Readings of a series within two minutes: any flags, gaps longer and shorter than the heartbeat."""
    rules = draw(st.sampled_from(RULES))
    times = sorted(draw(st.sets(st.integers(0, 1200), min_size=1, max_size=40)))
    values = _values(rules.kind, draw(st.lists(_steps(rules.kind), min_size=len(times), max_size=len(times))))
    flags = draw(st.lists(st.sampled_from([1, 1, 1, 2, 3, 3 | 32, 4 | 16, 9]), min_size=len(times), max_size=len(times)))
    return rules, [
        (T0 + at * 100_000, None if flag & 15 == 9 else value, flag) for at, value, flag in zip(times, values, flags, strict=True)
    ]


def of(rows: Rows, rules: Rules = RULES[0]) -> RollUp:
    times, values, qualities = zip(*rows, strict=True)
    return rollup.of(times, values, qualities, rules)


def close(a: float | None, b: float | Fraction | None, scale: float = 1.0) -> bool:
    if a is None or b is None:
        return a is None and b is None
    return math.isclose(a, float(b), rel_tol=1e-9, abs_tol=1e-9 * scale)


def equal(rollup: RollUp, expected: RollUp, scale: float) -> None:
    """Counts, times and extremes exactly, sums and means within 1e-9 (of the largest value where they cancel)."""
    exact = (
        "n", "min", "max", "first_ts", "first", "last_ts", "last", "covered_us", "resets", "transitions", "states", "second",
        "last_but_one",
    )  # fmt: skip
    for name in (*exact, *RollUp._fields[15:20]):
        assert getattr(rollup, name) == getattr(expected, name), name
    n = max(rollup.n, 1)
    for name, size in [("mean", 1), ("m2", scale * n), ("integral", 60), ("increase", n), ("sin_sum", 1), ("cos_sum", 1)]:
        assert close(getattr(rollup, name), getattr(expected, name), scale * size), name


def largest(rows: Rows) -> float:
    return max((abs(v) for _, v, _ in rows if v is not None), default=1.0) or 1.0


@given(histories())
def test_a_row_equals_exact_arithmetic(history: tuple[Rules, Rows]) -> None:
    """Compared with fractions, which do not round, and with the definitions written out once more."""
    rules, rows = history
    found = of(rows, rules)
    used = [(ts, Fraction(value)) for ts, value, q in rows if q & 15 not in (4, 9) and value is not None]
    flags = [q & 15 for *_, q in rows]
    assert (found.n_good, found.n_not_evaluated, found.n_suspect, found.n_fail, found.n_missing) == tuple(
        flags.count(flag) for flag in (1, 2, 3, 4, 9)
    )
    assert found.n == len(used)
    assert found.readings == len(rows)
    if not used:
        assert set(found[1:15]) == {None}
        assert found[20:] == (None,) * 4
        return
    values = [value for _, value in used]
    scale = float(max(map(abs, values))) or 1.0
    mean = sum(values) / len(values)
    assert close(found.mean, mean, scale)
    assert close(found.m2, sum((v - mean) ** 2 for v in values), scale * scale)
    assert (found.min, found.max) == (float(min(values)), float(max(values)))
    assert [found.first_ts, found.first] == [used[0][0], values[0]]
    assert [found.last_ts, found.last] == [used[-1][0], values[-1]]
    steps = [min(b[0] - a[0], HEARTBEAT) for a, b in itertools.pairwise(used)]
    assert found.covered_us == sum(steps)
    assert close(found.integral, sum(v * step for v, step in zip(values, steps, strict=False)) / 10**6, scale * 60)
    pairs = list(itertools.pairwise(values))
    if rules.kind == "counter":
        rises = truth.rises([float(value) for value in values], rules.wrap, rules.dip, rules.zero)
        assert close(found.increase, sum(Fraction(rise) for rise, _ in rises), scale)
        assert found.resets == sum(reset for _, reset in rises)
    else:
        assert (found.increase, found.resets) == (None, None)
    if rules.kind == "state":
        held = {float(value): sum(s for v, s in zip(values, steps, strict=False) if v == value) for value in values}
        assert found.states is not None
        assert {float(key): us for key, us in json.loads(found.states).items()} == {v: us for v, us in held.items() if us}
        assert found.transitions == sum(a != b for a, b in pairs)
    else:
        assert (found.transitions, found.states) == (None, None)


@given(histories(), st.lists(st.integers(0, 40), max_size=4))
def test_merged_parts_equal_the_whole(history: tuple[Rules, Rows], cuts: list[int]) -> None:
    """An hour from minutes is the hour from readings, however it is cut, and whichever parts are merged first."""
    rules, rows = history
    edges = sorted({0, len(rows), *(cut for cut in cuts if cut < len(rows))})
    parts = [of(rows[a:b], rules) for a, b in itertools.pairwise(edges)]
    whole = of(rows, rules)
    equal(rollup.merge_all(parts, rules), whole, largest(rows))
    from_left, from_right = parts[0], parts[-1]
    for part in parts[1:]:
        from_left = rollup.merge(from_left, part, rules)
    for part in reversed(parts[:-1]):
        from_right = rollup.merge(part, from_right, rules)
    equal(from_left, whole, largest(rows))
    equal(from_right, whole, largest(rows))


@given(histories())
def test_minutes_at_once_equal_each_minute_alone(history: tuple[Rules, Rows]) -> None:
    """What is computed by column for many buckets is what each gives by itself, to the last bit."""
    rules, rows = history
    found = rollup.by_width(*zip(*rows, strict=True), rules, MINUTE_US)  # type: ignore[arg-type, call-arg]  # three columns
    expected = [
        (minute * MINUTE_US, of(list(group), rules)) for minute, group in itertools.groupby(rows, lambda row: row[0] // MINUTE_US)
    ]
    assert found == expected


@pytest.mark.parametrize(
    ("before", "after", "wrap", "dip", "expected"),
    [
        (100, 130, None, 0.1, (30, 0)),  # it rose
        (100, 95, None, 0.1, (-5, 0)),  # a wobble
        (100, 90, None, 0.1, (-10, 0)),  # just so
        (100, 89, None, 0.1, (89, 1)),  # a reset
        (100, 95, None, 0.0, (95, 1)),  # no wobble is tolerated
        (65000, 100, 65536, 0.1, (636, 0)),  # went on at 0
        (65000, 100, None, 0.1, (100, 1)),
        (65000, 64000, 65536, 0.1, (-1000, 0)),  # a wobble of one that wraps
        (30000, 5, 65536, 0.1, (5, 1)),  # fell by less than half its range: began again
        (1_065_000, 1_000_100, 65536, 0.1, (636, 0)),  # with an offset: it goes on at that
        (-1_000, -65_000, 65536, 0.1, (1_536, 0)),
        (70000, 5, 65536, 0.1, (5, 1)),  # was never below wrap: no wrap
        (0, 0, None, 0.1, (0, 0)),
    ],
)
def test_falls_of_a_counter(before: float, after: float, wrap: float | None, dip: float, expected: tuple[float, int]) -> None:
    """Wobble, wrap or reset."""
    assert rise(before, after, Rules("counter", HEARTBEAT, wrap, dip)) == expected


@pytest.mark.parametrize(
    ("values", "wrap", "expected"),
    [
        ((200, 201, 0, 201, 202), None, (2, 0)),
        ((200, 201, -3461, 201, 202), None, (2, 0)),
        ((1000, 0, 1001), None, (1, 0)),
        ((1000, 0, 950), None, (-50, 0)),  # made good but for a wobble
        ((1000, 0, 899), None, (899, 1)),  # not made good: it began again
        ((1000, 0, 0, 1001), None, (1001, 1)),  # two of them
        ((1000, 5, 1001, 3, 1002), None, (2, 0)),
        ((65530, 0, 65531), 65536, (1, 0)),  # no going round
        ((65530, 5, 20), 65536, (26, 0)),
        ((1000, 0), None, (0, 1)),  # nothing tells as yet
    ],
)
def test_a_single_fall_that_is_made_good_is_a_glitch(
    values: tuple[int, ...], wrap: float | None, expected: tuple[float, int]
) -> None:
    """No reset, and no increase but that of its neighbours; in one piece and in parts of any size."""
    rules = Rules("counter", HEARTBEAT, wrap)
    rows: Rows = [(T0 + n * 1_000_000, float(value), 1) for n, value in enumerate(values)]
    for sizes in itertools.product((1, 2, 3, 9), repeat=len(rows)):
        parts, at = [], 0
        for size in sizes:
            if at < len(rows):
                parts.append(of(rows[at : at + size], rules))
            at += size
        found = rollup.merge_all(parts, rules)
        assert (found.increase, found.resets) == expected, sizes


@given(st.lists(st.sampled_from([0, 1, 50, 100, 105, 200, -7]), min_size=1, max_size=14), st.data())
def test_glitches_at_any_seam(values: list[int], data: st.DataObject) -> None:
    """Parts, and parts of parts, merged in any grouping equal the whole."""
    rules = Rules("counter", HEARTBEAT)
    rows: Rows = [(T0 + n * 1_000_000, float(value), 1) for n, value in enumerate(values)]
    parts = [of([row], rules) for row in rows]
    while len(parts) > 1:
        at = data.draw(st.integers(0, len(parts) - 2))
        count = data.draw(st.integers(2, 4))
        parts[at : at + count] = [rollup.merge_all(parts[at : at + count], rules)]
    equal(parts[0], of(rows, rules), 200)


@given(st.lists(st.integers(9_000, 11_000), min_size=2, max_size=50))
def test_wobbles_add_up(values: list[int]) -> None:
    """However often a counter dips and recovers, it rose by what lies between its first and its last value."""
    values = [*itertools.accumulate(values, lambda level, value: max(level + 50, level * value // 10_000))]
    found = of([(T0 + n * 1_000_000, float(value), 1) for n, value in enumerate(values)], Rules("counter", HEARTBEAT))
    assert (found.increase, found.resets) == (values[-1] - values[0], 0)


@given(st.lists(st.tuples(st.integers(0, 99), st.integers(1, 5)), min_size=1, max_size=300), st.integers(0, 300))
def test_more_states_than_are_kept(readings: list[tuple[int, int]], cut: int) -> None:
    """The lowest 64 by name, the time of all others in one sum; merged parts still equal the whole."""
    times = itertools.accumulate(length * 1_000_000 for _, length in readings)
    rows: Rows = [(T0 + at, float(value), 1) for at, (value, _) in zip(times, readings, strict=True)]
    rules = Rules("state", HEARTBEAT)
    whole = of(rows, rules)
    assert whole.states is not None
    states = json.loads(whole.states)
    assert len(states) <= 65
    assert sum(states.values()) == whole.covered_us
    if 0 < cut < len(rows):
        equal(rollup.merge(of(rows[:cut], rules), of(rows[cut:], rules), rules), whole, 100)


def test_variance_does_not_cancel() -> None:
    """Readings that differ in the ninth digit: sums of squares would give nonsense here."""
    values: list[float | None] = [1e9 + n / 10 for n in range(10)]
    rows = [(T0 + n * 1_000_000, value, 1) for n, value in enumerate(values)]
    parts = [of(rows[:3]), of(rows[3:7]), of(rows[7:])]
    merged = rollup.merge_all(parts, RULES[0])
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
    assert found.m2 is None
    merged = rollup.merge(found, of([(T0 + 5, math.inf, 1), (T0 + 6, -math.inf, 1)]), RULES[0])
    assert (merged.n, merged.mean, merged.m2, merged.integral, merged.max) == (5, None, None, None, math.inf)


# ---- resolutions -----------------------------------------------------------------------------------------------------


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
    found = resolutions.bucket(_utc(at), resolutions.DAY, zone)
    assert found == (_utc(start), _utc(end))
    assert found[1] - found[0] == hours * 3_600_000_000


@given(
    st.integers(0, 4_000_000_000),
    st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kathmandu", "America/Santiago", "Australia/Lord_Howe"]),
)
def test_days_tile_time(second: int, zone: str) -> None:
    """Every instant is in exactly one day, and the next day begins where it ends."""
    ts = second * 1_000_000
    start, end = resolutions.bucket(ts, resolutions.DAY, zone)
    assert start <= ts < end
    assert resolutions.bucket(end, resolutions.DAY, zone)[0] == end
    assert resolutions.bucket(end - 1, resolutions.DAY, zone) == (start, end)


def test_a_day_is_merged_from_a_resolution_that_fits_it() -> None:
    """Hours in Berlin, quarters in Kathmandu, readings where nothing fits."""
    assert (
        resolutions.children(
            *resolutions.bucket(_utc("2026-07-01T12:00+00:00"), resolutions.DAY, "Europe/Berlin"), resolutions.DAY
        )
        == resolutions.HOUR
    )
    assert (
        resolutions.children(
            *resolutions.bucket(_utc("2026-07-01T12:00+00:00"), resolutions.DAY, "Asia/Kathmandu"), resolutions.DAY
        )
        == resolutions.QUARTER
    )
    assert resolutions.children(1, 86_400_000_001, resolutions.DAY) is None
