"""Gaps are what a plain look at the readings finds, from whatever roll-ups there are."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sensorlogd.notation.microseconds import HOUR_US, MINUTE_US
from sensorlogd.storage.maintenance.retention import Retention, RetentionPlan
from sensorlogd.storage.query.gaps import Gap
from sensorlogd.storage.query.log_reader import LogReader
from sensorlogd.storage.rollups import resolutions
from tests.storage import truth
from tests.storage.rollups.test_compute import HEARTBEAT, T0, Machine


def plainly(readings: list[truth.Reading], since: int, until: int, least: int) -> list[Gap]:
    """Reading by reading."""
    times = [ts for ts, _ in truth.usable(readings)]
    if not times or times[0] >= since:
        times.insert(0, since)
    found = [Gap(a, b) for a, b in pairwise(times) if b - a > least and a < until and b >= since]
    return found + [Gap(a, None) for a in times[-1:] if a < until and until - a > least]


def found(machine: Machine, since: int, until: int, least: int) -> list[Gap]:
    with LogReader.open(machine.path) as log:
        (series,) = log.series(["s.gauge"])
        return list(log.gaps(series, since, until, least))


SHORT_US = 10_000_000
PAUSES = [beat + more for beat in (SHORT_US, HEARTBEAT) for more in (-1, 0, 1)] + [1_000_000, 7 * MINUTE_US, 3 * HOUR_US + 5]
BESIDE = st.sampled_from([-HOUR_US, -1, 0, 1, MINUTE_US, HOUR_US])


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    pauses=st.integers(1, 60).flatmap(lambda n: st.lists(st.sampled_from(PAUSES), min_size=n, max_size=n)),  # often many
    bad=st.sets(st.integers(0, 60)),
    edge=st.integers(0, 48),
    begin=st.tuples(st.integers(0, 30), BESIDE),  # a reading, and how far from it
    end=st.tuples(st.integers(0, 60), BESIDE),
    least=st.sampled_from([0, HEARTBEAT + 1, HOUR_US]),
    heartbeat=st.sampled_from([SHORT_US, HEARTBEAT]),
)
def test_gaps_are_those_of_the_readings(
    tmp_path: Path,
    fresh: Path,
    pauses: list[int],
    bad: set[int],
    edge: int,
    begin: tuple[int, int],
    end: tuple[int, int],
    least: int,
    heartbeat: int,
) -> None:
    """Wherever the range lies, and however far roll-ups have got; what failed or is missing does not end a gap."""
    machine = Machine(tmp_path, fresh, "UTC")
    machine.conn.execute("UPDATE series SET heartbeat_us = ?", (heartbeat,))
    times = [T0 + sum(pauses[:n]) for n in range(len(pauses))]
    machine.store([(ts, 1.0, (4, 9)[n % 2] if n in bad else 1) for n, ts in enumerate(times)])
    machine.roll_up(T0 + edge * HOUR_US, [])
    since, until = sorted(times[min(at, len(times) - 1)] + beside for at, beside in (begin, end))
    expected = plainly(machine.raw(machine.ids["s", "gauge"]), since, until + 1, max(least, heartbeat))
    assert found(machine, since, until + 1, least) == expected
    machine.close()


@pytest.mark.parametrize("edge", [0, 1, 48])
def test_gaps_within_an_hour_and_a_minute_are_found(tmp_path: Path, fresh: Path, edge: int) -> None:
    """Where roll-ups only say that one is there, or there are none yet."""
    machine = Machine(tmp_path, fresh, "UTC")
    for heartbeat in (SHORT_US, HEARTBEAT):
        machine.conn.execute("UPDATE series SET heartbeat_us = ?", (heartbeat,))
        begin = T0 if heartbeat == SHORT_US else T0 + 3 * HOUR_US
        times = [begin + n * (heartbeat + 1) for n in range(3)]
        machine.store([(ts, 1.0, 1) for ts in times])
        machine.roll_up(T0 + edge * HOUR_US, [])
        assert found(machine, begin, times[-1] + 1, 0)[-2:] == [Gap(*pair) for pair in pairwise(times)]
    machine.close()


def test_gaps_are_known_when_the_readings_have_expired(tmp_path: Path, fresh: Path) -> None:
    """Minutes and hours tell where they were; a series that was never silent has none."""
    machine = Machine(tmp_path, fresh, "UTC")
    silent = (T0 + 5 * HOUR_US + 7 * MINUTE_US, T0 + 30 * HOUR_US)
    machine.store(
        [(ts, 1.0, 1) for ts in range(T0, T0 + 80 * HOUR_US, HEARTBEAT) if not silent[0] < ts < silent[1]],
    )
    end = T0 + 80 * HOUR_US
    machine.move(600, end)
    machine.roll_up(end, [])
    ranges = [
        (T0, end),
        (T0 + 6 * HOUR_US + 5, end),
        (T0 + 5 * HOUR_US, silent[0] + HOUR_US),
        (T0 + 31 * HOUR_US + 5, T0 + 40 * HOUR_US + 5),
    ]
    before = [found(machine, *span, 0) for span in ranges]
    retention = Retention("UTC")
    retention.use_plan(RetentionPlan({0: 24 * HOUR_US}))
    while retention.step(machine.conn, machine.frontier, end):
        pass
    assert min(ts for ts, *_ in machine.raw(machine.ids["s", "gauge"])) > silent[1]
    assert before == [found(machine, *span, 0) for span in ranges]
    assert [len(gaps) for gaps in before] == [1, 1, 1, 0]
    retention.use_plan(RetentionPlan(dict.fromkeys((0, *resolutions.FIXED), 24 * HOUR_US)))
    while retention.step(machine.conn, machine.frontier, end):
        pass
    assert not any(found(machine, since, end, 0) for since, _ in ranges)  # days know of readings, and not when they were
    machine.close()
