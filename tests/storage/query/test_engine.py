"""Every answer equals a plain computation from the readings, in any zone, from whatever roll-ups there are."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sensorlogd.notation.microseconds import HOUR_US, MINUTE_US
from sensorlogd.storage.maintenance.retention import Retention, RetentionPlan
from sensorlogd.storage.query import engine, stream
from sensorlogd.storage.query.aggregates import AGGREGATES, aggregate
from sensorlogd.storage.query.engine import Query
from sensorlogd.storage.query.grid import LADDER, Step, for_points
from sensorlogd.storage.rollups.edge import set_edge
from sensorlogd.storage.rollups.snapshot import Snapshot
from tests.storage import truth
from tests.storage.rollups.test_compute import HEARTBEAT, T0, Machine, _edge, _readings, _step

GAUGE = (
    "count",
    "mean",
    "min",
    "max",
    "first",
    "last",
    "sum",
    "stddev",
    "rms",
    "range",
    "delta",
    "twmean",
    "coverage",
    "median",
    "p95",
)
COUNTER = ("increase", "rate", "resets", "count", "min")
STATE = ("transitions", "states", "count", "twmean", "last")
ANGLE = {"mean": "direction", "resultant": "resultant", "stddev": "spread", "delta": "turn", "max": "max", "coverage": "coverage"}
OF_KIND = {
    "gauge": dict(zip(GAUGE, GAUGE, strict=True)),
    "counter": dict(zip(COUNTER, COUNTER, strict=True)),
    "state": dict(zip(STATE, STATE, strict=True)),
    "angle": ANGLE,
}
FLAGS = {"good": 1, "not_evaluated": 2, "suspect": 3, "fail": 4, "missing": 9}  # aggregate -> the flag that it counts
STEPS = ("7s", "90s", "5min", "15min", "30min", "1h", "2h", "6h", "24h", "1d", "2d", "1w", "1mo", "1y")
ZONES = ("UTC", "Europe/Berlin", "Asia/Kathmandu", "America/St_Johns", "Australia/Lord_Howe")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def ask(machine: Machine, channel: str, query: Query) -> engine.Answer:
    machine.conn.execute("BEGIN")
    try:
        answer = engine.buckets(Snapshot.of(machine.conn, machine.zone), machine.ids["s", channel], query)
        answer.rows = iter(list(answer.rows))
        return answer
    finally:
        machine.conn.execute("ROLLBACK")


def _slots(width: int, since: int, until: int, tz: ZoneInfo) -> Iterator[tuple[int, int]]:
    """Quarter of an hour by quarter: those that lie in the same part of the local day, if the step is one of two hours and more; else those
    that lie in the same one of the local clock, while it differs as much from UTC.

    Where it differs by whole hours, a step that is no part of a day is that of UTC.
    """
    quarter = 15 * MINUTE_US
    first = since - since % quarter - 30 * 4 * quarter
    found: list[tuple[tuple[int, int], int]] = []
    for at in range(first, until + 30 * 4 * quarter, quarter):
        ahead = (EPOCH + timedelta(microseconds=at)).astimezone(tz).utcoffset() or timedelta()
        shift = ahead // timedelta(microseconds=1)
        if width >= 2 * HOUR_US and 24 * HOUR_US % width == 0:
            key: tuple[int, int] = (0, (at + shift) // width)
        else:
            shift = shift % width if shift % HOUR_US else 0
            key = (shift, (at + shift) // width)
        if not found or found[-1][0] != key:
            found.append((key, at))
    for (_, start), (_, end) in pairwise(found):
        if start < until and end > since:
            yield start, end


def local_edges(step: str, since: int, until: int, zone: str) -> list[tuple[int, int]]:
    """The buckets by plain calendar arithmetic."""
    unit = step.lstrip("0123456789")
    count = int(step[: -len(unit)])
    if unit in ("s", "min", "h"):
        width = count * {"s": 1_000_000, "min": MINUTE_US, "h": HOUR_US}[unit]
        if HOUR_US // 2 <= width <= 24 * HOUR_US:
            return list(_slots(width, since, until, ZoneInfo(zone)))
        starts = range(since - since % width, until, width)
        return [(start, start + width) for start in starts]
    tz = ZoneInfo(zone)

    def us(year: int, month: int, day: int) -> int:
        return int((datetime(year, month, day, tzinfo=tz).astimezone(UTC) - EPOCH) / timedelta(microseconds=1))

    first = (EPOCH + timedelta(microseconds=since)).astimezone(tz).date()
    edges = []
    if unit == "mo":
        at = (first.year, first.month)
        while us(*at, 1) < until:
            following = (at[0] + 1, 1) if at[1] == 12 else (at[0], at[1] + 1)
            edges.append((us(*at, 1), us(*following, 1)))
            at = following
        return edges
    if unit == "y":
        return [(us(first.year, 1, 1), us(first.year + 1, 1, 1))]
    days = count * (7 if unit == "w" else 1)
    day = first - timedelta(days=(first.toordinal() - 1) % days)
    while us(day.year, day.month, day.day) < until:
        following_day = day + timedelta(days=days)
        edges.append((us(day.year, day.month, day.day), us(following_day.year, following_day.month, following_day.day)))
        day = following_day
    return edges


def close(name: str, found: Any, expected: Any) -> None:
    if name == "states":
        assert found == pytest.approx(expected)
    elif name == "spread" and expected is not None and expected < 1e-3:
        assert found < 1e-2  # the logarithm of what is nearly one has few digits
    elif name == "direction":
        assert found is None or abs((found - expected + 180) % 360 - 180) < 1e-6
    elif isinstance(expected, float) and found is not None:
        assert math.isclose(found, expected, rel_tol=1e-9, abs_tol=1e-6), (name, found, expected)
    else:
        assert found == expected, (name, found, expected)


def check(machine: Machine, channel: str, step: str, since: int, until: int, names: dict[str, str]) -> None:
    """``names``: aggregate -> what it is called in the truth."""
    answer = ask(machine, channel, Query(since, until, Step.parse(step), None, tuple(names), machine.zone))
    rows = {row.start_us: row for row in answer.rows}
    raw = machine.raw(machine.ids["s", channel])
    for start, end in local_edges(step, since, until, machine.zone):
        expected = truth.bucket(raw, max(start, since), min(end, until), HEARTBEAT)
        row = rows.pop(start, None)
        assert (row is None) == (expected is None), (step, start, row, expected)
        if row is not None and expected is not None:
            assert row.readings == expected["count"]
            for name, value in zip(names.values(), row.values, strict=True):
                close(name, value, expected[name])
    assert not rows


def check_flags(machine: Machine, channel: str, step: str, since: int, until: int) -> None:
    """Readings are counted by flag, those of buckets in which all have failed, too."""
    answer = ask(machine, channel, Query(since, until, Step.parse(step), None, tuple(FLAGS), machine.zone))
    raw = machine.raw(machine.ids["s", channel])
    expected = {}
    for start, end in local_edges(step, since, until, machine.zone):
        inside = [quality & 15 for ts, _, quality in raw if max(start, since) <= ts < min(end, until)]
        if inside:
            expected[start] = tuple(inside.count(flag) for flag in FLAGS.values())
    assert {row.start_us: row.values for row in answer.rows} == expected


@pytest.mark.parametrize("kind", OF_KIND)  # not drawn: each gets as many examples in every run
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    st.lists(_readings, min_size=2, max_size=4),
    st.lists(_step, min_size=2, max_size=8),
    st.sampled_from(ZONES),
    st.sampled_from(STEPS),
    _edge,
    _edge,
    st.booleans(),
)
def test_answers_equal_raw_whatever_happened(
    tmp_path: Path,
    fresh: Path,
    kind: str,
    first: list[Any],
    history: list[Any],
    zone: str,
    step: str,
    border: int,
    other: int,
    whole: bool,
) -> None:
    """Late data, crashes, moves and restarts before; any kind, any step, any range, borders inside buckets."""
    machine = Machine(tmp_path, fresh, zone, kind)
    try:
        for action in [*(("store", readings) for readings in first), *history]:
            if action[0] == "store":
                machine.store(action[1])
            elif action[0] == "move":
                machine.move(action[1], T0 + 4 * 24 * HOUR_US)
            elif action[0] == "roll_up":
                machine.roll_up(action[1], action[2], crash_after=action[3])
                if action[3] is not None:
                    machine.restart()
            else:
                machine.restart()
        since, until = min(border, other) + 17, max(border, other) + 4242
        if whole and Step.parse(step).about_us >= 15 * MINUTE_US:
            since, until = T0, T0 + 3 * 24 * HOUR_US
        check(machine, "gauge", step, since, until, OF_KIND[kind])
        check(machine, "counter", step, since, until, dict(zip(COUNTER, COUNTER, strict=True)))
        check_flags(machine, "gauge", step, since, until)
    finally:
        machine.close()


@settings(max_examples=200)
@given(st.sampled_from(STEPS), st.sampled_from(ZONES), st.integers(-3_000_000_000, 6_000_000_000))
def test_every_instant_is_in_one_bucket(step: str, zone: str, second: int) -> None:
    """Buckets tile the line: each begins where the one before ended, wherever one looks from."""
    ts = second * 1_000_000 + 1
    parsed = Step.parse(step)
    start, end = parsed.bucket(ts, zone)
    assert start <= ts < end
    assert parsed.bucket(start, zone) == parsed.bucket(end - 1, zone) == (start, end)
    assert parsed.bucket(end, zone)[0] == end


@pytest.mark.parametrize(
    ("zone", "day", "step", "begin"),
    [
        ("Europe/Berlin", "2026-07-01", "6h", "00:00+02:00 06:00+02:00 12:00+02:00 18:00+02:00"),
        ("Europe/Berlin", "2026-03-29", "12h", "00:00+01:00 12:00+02:00"),  # 11 hours, and 12
        ("Europe/Berlin", "2026-03-29", "2h", "00:00+01:00 03:00+02:00 04:00+02:00"),  # there is no 02:00
        ("Europe/Berlin", "2026-10-25", "2h", "00:00+02:00 02:00+02:00 04:00+01:00"),  # three hours from 02:00 on
        ("America/New_York", "2026-01-15", "8h", "00:00-05:00 08:00-05:00 16:00-05:00"),
        ("America/Havana", "2026-03-08", "6h", "01:00-04:00 06:00-04:00"),  # the day begins at 01:00
        ("Asia/Kathmandu", "2026-01-15", "3h", "00:00+05:45 03:00+05:45"),
        ("Australia/Lord_Howe", "2026-04-05", "12h", "00:00+11:00 12:00+10:30"),
        ("Pacific/Apia", "2011-12-29", "12h", "00:00-10:00 12:00-10:00 00:00+14:00"),  # the 30th was left out
        ("Europe/Berlin", "2026-07-01", "24h", "00:00+02:00 00:00+02:00"),
        ("UTC", "2026-07-01", "6h", "00:00+00:00 06:00+00:00 12:00+00:00"),
    ],
)
def test_parts_of_the_local_day(zone: str, day: str, step: str, begin: str) -> None:
    """What ``--every 6h`` means to whoever asks in a zone."""
    since = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(zone), hour=1 if "Havana" in zone else 0)
    us = (since.astimezone(UTC) - EPOCH) // timedelta(microseconds=1)
    edges = [start for start, _ in Step.parse(step).edges(us, us + 50 * HOUR_US, zone)]
    shown = [(EPOCH + timedelta(microseconds=at)).astimezone(ZoneInfo(zone)).isoformat() for at in edges]
    words = begin.split()
    assert [text[11:16] + text[-6:] for text in shown[: len(words)]] == words


@pytest.mark.parametrize("until", [0, -1_000_000])
def test_a_range_without_anything_in_it_is_refused_with_its_ends(until: int) -> None:
    """Whoever asks sees which two times were understood."""
    with pytest.raises(
        ValueError, match=r"begins at 1970-01-01T00:00:00.*, which is not before its end, (1970|1969)-.*earlier begin"
    ):
        Query(0, until, max_points=10)


@given(st.integers(1, 5000), st.integers(1_000, 20 * 365 * 86_400_000_000), st.integers(0, 10**15))
def test_a_picture_never_has_more_points_than_asked_for(points: int, span: int, since: int) -> None:
    """The ladder rounds up, and its finer neighbour would have been too many (but for the range's place in the grid)."""
    step = for_points(since, since + span, points, "Europe/Berlin")
    count = sum(1 for _ in step.edges(since, since + span, "Europe/Berlin"))
    assert count <= points or step is LADDER[-1]


def test_zooming_and_scrolling_show_the_same_buckets(tmp_path: Path, fresh: Path) -> None:
    """With max_points a range grows to whole buckets, so that a bucket says the same wherever the window ends."""
    machine = Machine(tmp_path, fresh, "UTC")
    machine.store([(T0 + n * MINUTE_US, float(n), 1) for n in range(600)])
    wide = ask(machine, "gauge", Query(T0 + 17, T0 + 6 * HOUR_US + 5, None, 30))
    shifted = ask(machine, "gauge", Query(T0 + 7 * MINUTE_US, T0 + 6 * HOUR_US + 8 * MINUTE_US, None, 30))
    machine.close()
    assert str(wide.step) == str(shifted.step) == "15min"
    ours, theirs = ({row.start_us: row for row in answer.rows} for answer in (wide, shifted))
    assert len(ours.keys() & theirs.keys()) == 25
    assert all(ours[start] == theirs[start] for start in ours.keys() & theirs.keys())


def test_the_answer_says_where_it_comes_from(tmp_path: Path, fresh: Path) -> None:
    """From roll-ups alone, with readings at the borders, or from readings."""
    machine = Machine(tmp_path, fresh, "UTC")
    machine.store([(T0 + n * MINUTE_US, float(n), 1) for n in range(24 * 60)])
    machine.roll_up(T0 + 23 * HOUR_US, [])

    def of(since: int, until: int, step: str) -> tuple[str, str]:
        answer = ask(machine, "gauge", Query(since, until, Step.parse(step)))
        return answer.source, answer.resolution

    assert of(T0, T0 + 4 * HOUR_US, "2h") == ("rollups", "1h")
    assert of(T0 + 5, T0 + 4 * HOUR_US, "30min") == ("rollups+readings", "15min")
    assert of(T0, T0 + 24 * HOUR_US, "1h") == ("rollups+readings", "1h")
    assert of(T0, T0 + HOUR_US, "10s") == ("readings", "raw")
    assert of(T0 + 23 * HOUR_US, T0 + 24 * HOUR_US, "15min") == ("readings", "raw")
    machine.close()


@pytest.mark.parametrize(
    ("fill", "expected"),
    [
        ("none", [(0, 5.0), (3, 8.0)]),
        ("null", [(0, 5.0), (1, None), (2, None), (3, 8.0), (4, None)]),
        ("previous", [(0, 5.0), (1, 5.0), (2, 5.0), (3, 8.0), (4, 8.0)]),
        ("linear", [(0, 5.0), (1, 6.0), (2, 7.0), (3, 8.0), (4, None)]),
    ],
)
def test_fills(tmp_path: Path, fresh: Path, fill: engine.Fill, expected: list[tuple[int, float | None]]) -> None:
    """Hours 1, 2 and 4 are empty; only what is asked for invents values, and the count says 0."""
    machine = Machine(tmp_path, fresh, "UTC")
    machine.store([(T0 + 60, 5.0, 1), (T0 + 3 * HOUR_US + 60, 8.0, 1)])
    answer = ask(machine, "gauge", Query(T0, T0 + 5 * HOUR_US, Step.parse("1h"), None, ("mean",), "UTC", fill))
    machine.close()
    rows = list(answer.rows)
    assert [((row.start_us - T0) // HOUR_US, row.values[0]) for row in rows] == expected
    assert [row.readings for row in rows if (row.start_us - T0) // HOUR_US in (1, 2, 4)] in ([], [0, 0, 0])


def test_previous_looks_before_the_range(tmp_path: Path, fresh: Path) -> None:
    """The value that held when the range began."""
    machine = Machine(tmp_path, fresh, "UTC")
    machine.store([(T0 + 60, 5.0, 1)])
    answer = ask(
        machine, "gauge", Query(T0 + 2 * HOUR_US, T0 + 4 * HOUR_US, Step.parse("1h"), None, ("last", "count"), "UTC", "previous")
    )
    machine.close()
    assert [row.values for row in answer.rows] == [(5.0, 0), (5.0, 0)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((5, 5, Step.parse("1h")), "is not before its end"),
        ((0, 10**15, Step(1000)), "at most 1,000,000"),
        ((0, 10**15, None), "either a step or max_points"),
        ((0, 10**15, None, 0), "at least 1"),
        ((-(10**17), 0, Step.parse("1h")), "outside 0001-01-03T00:00:00Z to 9999-12-30T00:00:00Z"),
        ((0, 1, Step.parse("1h"), None, ("meen",)), "did you mean 'mean'"),
        ((0, 1, Step.parse("1h"), None, ()), "no aggregate"),
    ],
)
def test_what_cannot_be_answered_says_why(tmp_path: Path, fresh: Path, arguments: Any, message: str) -> None:
    """One line each."""
    machine = Machine(tmp_path, fresh, "UTC")
    try:
        with pytest.raises(ValueError, match=message):
            list(ask(machine, "gauge", Query(*arguments)).rows)
    finally:
        machine.close()


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_readings, st.integers(1, 9), st.integers(0, 3))
def test_pages_put_together_are_the_whole(tmp_path: Path, fresh: Path, stored: Any, size: int, moves: int) -> None:
    """Keyset paging over two series gives every reading once, in order."""
    machine = Machine(tmp_path, fresh, "UTC")
    machine.store(stored)
    machine.move(moves, T0 + 4 * 24 * HOUR_US)
    machine.conn.execute("BEGIN")
    snapshot = Snapshot.of(machine.conn, "UTC")
    series = [machine.ids["s", "gauge"], machine.ids["s", "counter"]]
    whole = list(stream.points(snapshot, series, T0, T0 + 4 * 24 * HOUR_US))
    paged: list[stream.Point] = []
    while True:
        after = (paged[-1].ts_us, paged[-1].series) if paged else None
        page = list(itertools.islice(stream.points(snapshot, series, T0, T0 + 4 * 24 * HOUR_US, after), size))
        if not page:
            break
        paged += page
    machine.close()
    assert paged == whole == sorted(whole)
    assert len(whole) == 2 * len({ts for ts, *_ in stored})


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.floats(0, 359.9), min_size=1, max_size=60), st.sampled_from(["10min", "1h", "6h"]), st.integers(0, 6))
def test_angles_have_circular_means(tmp_path: Path, fresh: Path, angles: list[float], step: str, hours: int) -> None:
    """Direction and resultant length from roll-ups and readings alike; 350 and 10 degrees are north, not south."""
    machine = Machine(tmp_path, fresh, "UTC", kind="angle")
    machine.store([(T0 + n * 7 * MINUTE_US, angle, 1) for n, angle in enumerate(angles)])
    machine.roll_up(T0 + hours * HOUR_US, [])
    raw = machine.raw(machine.ids["s", "gauge"])
    rows = list(ask(machine, "gauge", Query(T0, T0 + 8 * HOUR_US, Step.parse(step), None, ("mean", "resultant"))).rows)
    machine.close()
    assert rows
    for row in rows:
        expected = truth.bucket(raw, row.start_us, Step.parse(step).bucket(row.start_us, "UTC")[1], HEARTBEAT)
        assert expected is not None
        direction, length = row.values
        assert length == pytest.approx(expected["resultant"], abs=1e-9)
        if length > 1e-6:  # where there is a direction
            assert abs((direction - expected["direction"] + 180) % 360 - 180) < 1e-6


def test_what_is_no_number_for_a_direction_is_left_empty(tmp_path: Path, fresh: Path) -> None:
    """The median of 350 and 10 degrees is not south, and filling goes the shorter way round."""
    machine = Machine(tmp_path, fresh, "UTC", kind="angle")
    machine.store([(T0, 350.0, 1), (T0 + 2 * HOUR_US, 10.0, 1)])
    answer = ask(
        machine, "gauge", Query(T0, T0 + 3 * HOUR_US, Step.parse("3h"), None, ("mean", "median", "sum", "twmean", "delta"))
    )
    [row] = answer.rows
    assert row.values == (pytest.approx(0, abs=1e-9), None, None, None, pytest.approx(20))
    assert answer.notes == ["median, sum, twmean: says nothing about directions, left empty; mean, stddev and resultant do"]
    filled = ask(machine, "gauge", Query(T0, T0 + 3 * HOUR_US, Step.parse("1h"), None, ("mean",), fill="linear"))
    assert [row.values[0] for row in filled.rows] == [pytest.approx(350), pytest.approx(0, abs=1e-9), pytest.approx(10)]
    machine.close()


def test_every_aggregate_is_compared_with_the_truth() -> None:
    """A new one is found here by itself only if somebody names it."""
    missing = set(AGGREGATES) - {name for names in OF_KIND.values() for name in names} - set(FLAGS)
    assert not missing, (
        f"{missing}: say in tests/storage/truth.py what is right, and name it in GAUGE, COUNTER, STATE or ANGLE above"
    )


def test_readings_are_counted_by_their_flags(tmp_path: Path, fresh: Path) -> None:
    """Those that failed or are missing too, and where there are no others; from readings and from roll-ups."""
    machine = Machine(tmp_path, fresh, "UTC")
    flags = [tuple(FLAGS.values())[n // 3 % 5] | 16 for n in range(300)]
    stored = [(T0 + n * 11 * MINUTE_US, float(n), flag) for n, flag in enumerate(flags)]
    machine.store(stored)
    until = T0 + 60 * HOUR_US
    for edge in (T0, T0 + 17 * HOUR_US, until):
        machine.roll_up(edge, [])
        for hours in (1, 6):
            step = hours * HOUR_US
            rows = ask(machine, "gauge", Query(T0, until, Step.parse(f"{hours}h"), None, tuple(FLAGS))).rows
            found = {row.start_us: row.values for row in rows}
            for start in range(T0 - T0 % step, until, step):
                inside = [flag & 15 for ts, _, flag in stored if max(start, T0) <= ts < min(start + step, until)]
                expected = tuple(inside.count(flag) for flag in FLAGS.values())
                assert found.pop(start, (0,) * len(FLAGS)) == expected, (edge, hours, start)
            assert not found
    machine.close()


def test_numbers_at_the_edge_of_a_double_are_no_error(tmp_path: Path, fresh: Path) -> None:
    """What a double cannot hold is empty; everything else is told."""
    machine = Machine(tmp_path, fresh, "UTC")
    machine.store([(T0 + n * 7 * MINUTE_US, (-1) ** n * 1.7e308, 1) for n in range(40)])
    names = ("mean", "stddev", "rms", "sum", "twmean", "min", "max", "range", "delta", "increase", "rate", "median", "count")
    for edge in (T0, T0 + 3 * HOUR_US):
        machine.roll_up(edge, [])
        for step in ("10min", "1h", "6h"):
            rows = list(ask(machine, "gauge", Query(T0, T0 + 5 * HOUR_US, Step.parse(step), None, names)).rows)
            assert sum(row.readings for row in rows) == 40
            for row in rows:
                assert row.values[5] in (-1.7e308, 1.7e308)
                assert row.readings > 0
    machine.close()


def test_roll_ups_of_another_kind_are_no_error(tmp_path: Path, fresh: Path) -> None:
    """A channel that became an angle, a counter or a state when its readings had expired: what its old roll-ups do not say is empty."""
    names = ("mean", "resultant", "stddev", "increase", "resets", "transitions", "states", "twmean", "max")
    for kind in ("angle", "counter", "state"):
        machine = Machine(tmp_path, fresh, "UTC")
        machine.store([(T0 + n * 7 * MINUTE_US, float(n), 1) for n in range(100)])
        machine.roll_up(T0 + 6 * HOUR_US, [])
        machine.conn.execute("UPDATE series SET kind = ?", (kind,))
        [row] = ask(machine, "gauge", Query(T0, T0 + 12 * HOUR_US, Step.parse("12h"), None, names)).rows
        assert row.values[-1] == 99.0
        assert row.values[names.index("increase")] is None
        assert row.values[names.index("states")] is None
        machine.close()


def test_answers_about_readings_that_have_expired(tmp_path: Path, fresh: Path) -> None:
    """Roll-ups that were kept answer exactly as the readings did, in steps they nest in; what only readings could tell is said."""
    machine = Machine(tmp_path, fresh, "Asia/Kathmandu")
    stored = [(T0 + n * 7 * MINUTE_US + n, float((n * 37) % 101), 4 if n % 11 == 0 else 1) for n in range(700)]
    machine.store(stored)
    end = T0 + 4 * 24 * HOUR_US
    machine.move(600, end)
    machine.roll_up(T0 + 80 * HOUR_US, [])
    names = ("count", "mean", "min", "max", "first", "last", "sum", "stddev", "range", "delta", "twmean", "coverage", "increase")
    asked = {
        step: list(ask(machine, channel, Query(T0, end, Step.parse(step), None, names, machine.zone)).rows)
        for step in ("1min", "15min", "1h", "6h", "1d", "2d")
        for channel in ("counter",)
    }
    retention = Retention(machine.zone)
    retention.use_plan(RetentionPlan({0: 24 * HOUR_US}))
    while retention.step(machine.conn, machine.frontier, end):
        pass
    cut = machine.frontier.cuts_us[machine.ids["s", "counter"]]
    assert T0 + 24 * HOUR_US < cut < T0 + 80 * HOUR_US
    assert min(ts for ts, *_ in machine.raw(machine.ids["s", "counter"])) >= cut - cut % HOUR_US
    for edge in (T0 + 80 * HOUR_US, T0 + 5 * HOUR_US):  # the latter: the clock was set back since
        set_edge(machine.conn, edge)
        for step, before in asked.items():
            after = list(ask(machine, "counter", Query(T0, end, Step.parse(step), None, names, machine.zone)).rows)
            assert [row.start_us for row in after] == [row.start_us for row in before]
            for old, new in zip(before, after, strict=True):
                for name, a, b in zip(names, old.values, new.values, strict=True):
                    close(name, b, a)
    answer = ask(machine, "counter", Query(T0, end, Step.parse("90s"), None, ("mean",), machine.zone))
    assert answer.rows
    assert any("have expired; steps of whole minutes are answered from roll-ups" in note for note in answer.notes)
    picture = ask(machine, "counter", Query(T0, T0 + HOUR_US, None, 3600, ("mean", "max"), machine.zone))
    assert str(picture.step) == "1min"
    assert [row.values[1] for row in picture.rows] == [value for ts, value, flag in stored if ts < T0 + HOUR_US and flag == 1]
    machine.close()


@pytest.mark.parametrize(
    ("zone", "day", "begins", "ends", "hours"),
    [
        ("Europe/Berlin", "2026-03-29", "2026-03-28T23:00", "2026-03-29T22:00", 23),  # clocks go from 02:00 to 03:00
        ("Europe/Berlin", "2026-03-30", "2026-03-29T22:00", "2026-03-30T22:00", 24),
        ("Europe/Berlin", "2026-10-25", "2026-10-24T22:00", "2026-10-25T23:00", 25),  # 02:00 to 03:00 comes twice
        ("Europe/Berlin", "2026-10-26", "2026-10-25T23:00", "2026-10-26T23:00", 24),
        ("Asia/Kathmandu", "2026-03-29", "2026-03-28T18:15", "2026-03-29T18:15", 24),  # +05:45: days begin at a quarter past
        ("Asia/Kathmandu", "2026-10-25", "2026-10-24T18:15", "2026-10-25T18:15", 24),
    ],
)
@pytest.mark.parametrize("rolled_up_in", ["Europe/Berlin", "Asia/Kathmandu", None])
def test_a_day_is_the_day_of_the_zone(
    tmp_path: Path, fresh: Path, zone: str, day: str, begins: str, ends: str, hours: int, rolled_up_in: str | None
) -> None:
    """A reading every quarter of an hour, each the number of its quarter: count, sum, first and last of one local day, spelled out."""

    def us(text: str) -> int:
        return int((datetime.fromisoformat(f"{text}+00:00") - EPOCH) / timedelta(microseconds=1))

    quarter = 15 * MINUTE_US
    start, end = us(begins), us(ends)
    origin = start - 40 * quarter
    machine = Machine(tmp_path, fresh, rolled_up_in or "UTC")
    machine.store([(origin + n * quarter, float(n), 1) for n in range(40 + 4 * 25 + 40)])
    if rolled_up_in is not None:
        machine.roll_up(end + 20 * quarter, [])
    wanted = Query(start - HOUR_US, end + HOUR_US, Step.parse("1d"), None, ("count", "sum", "first", "last", "coverage"), zone)
    rows = {row.start_us: row.values for row in ask(machine, "gauge", wanted).rows}
    machine.close()
    n = 4 * hours
    first, last = 40.0, 40.0 + n - 1
    assert rows[start] == (n, n * (first + last) / 2, first, last, 1.0)
    midnight = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(zone))
    assert us(begins) == int((midnight.astimezone(UTC) - EPOCH) / timedelta(microseconds=1))
    assert sorted(rows)[1:] == [start, end]  # the hours around it belong to the days before and after


def test_a_counter_that_began_again_is_told_from_a_misread_when_the_readings_have_expired(tmp_path: Path, fresh: Path) -> None:
    """What follows the last reading of a bucket is the next one that there was, not the next one that is still there."""
    machine = Machine(tmp_path, fresh, "UTC")
    times = range(T0, T0 + 80 * HOUR_US, 10 * MINUTE_US)
    again = 10 * 6 - 1  # the last reading of an hour
    machine.store([(ts, float(1000 + n if n < again else n - again if n < 200 else 9 * n), 1) for n, ts in enumerate(times)])
    end = T0 + 80 * HOUR_US
    machine.move(600, end)
    machine.roll_up(end, [])
    wanted = Query(T0, T0 + 10 * HOUR_US, Step.parse("1h"), None, ("increase", "resets"))
    before = list(ask(machine, "counter", wanted).rows)
    retention = Retention(machine.zone)
    retention.use_plan(RetentionPlan({0: 24 * HOUR_US}))
    while retention.step(machine.conn, machine.frontier, end):
        pass
    assert list(ask(machine, "counter", wanted).rows) == before
    assert before[-1].values == (5, 1)
    machine.close()


@pytest.mark.parametrize("name", ["increase", "rate", "resets", "transitions", "states"])
def test_what_is_none_for_a_gauge_reads_no_columns(name: str) -> None:
    """Its unit and digits stay, so that the answer looks as for any other series."""
    of_gauge, found = aggregate(name, "gauge"), AGGREGATES[name]
    assert of_gauge.needs == ()
    assert (of_gauge.unit, of_gauge.digits) == (found.unit, found.digits)
    assert found.needs
