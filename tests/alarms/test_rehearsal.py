"""What would have been is what was: a rehearsal over stored readings finds what the judge found when they came."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from sensorlogd.alarms.rehearsal import rehearse
from sensorlogd.batch import Block, Column
from sensorlogd.storage.ingest.append import append
from sensorlogd.storage.query.log_reader import LogReader
from sensorlogd.storage.series import catalog
from sensorlogd.storage.watermarks import Frontier
from tests.alarms.rig import NOW_US, Bench, S, plan_of
from tests.connections import connect_writer

ALARMS = {
    "hot": {"series": "s.x", "when": "> 30", "clear": "< 28", "for": "20s"},
    "warm": {"series": "s.x", "when": "mean(1min) > 25"},
    "silent": {"series": "s.x", "when": "missing", "for": "5s"},
    "fast": {"series": "s.x", "when": "rate > 10/min"},
}
READINGS = [(at, 20.0 + (at // 100 % 2) * 15 + at % 7) for at in range(0, 2000, 5) if not 700 <= at < 900]


@pytest.fixture
def log(fresh: Path, tmp_path: Path) -> Path:
    path = Path(shutil.copy(fresh, tmp_path / "log.db"))
    conn = connect_writer(path)
    conn.execute("BEGIN IMMEDIATE")
    known = catalog.sync(
        conn, [catalog.SensorSpec("s", "simulated", series=[catalog.SeriesSpec("x", heartbeat_us=10 * S)])], NOW_US
    )
    times = [NOW_US + at * S for at, _ in READINGS]
    append(conn, [Block("s", [Column("x", times, [value for _, value in READINGS], 1)])], known.ids, Frontier())
    conn.execute("COMMIT")
    conn.close()
    return path


def test_a_rehearsal_finds_what_was(log: Path) -> None:
    """As often, and for as long."""
    bench = Bench(ALARMS)
    for second in range(2001):
        bench.batch(second, [reading for reading in READINGS if reading[0] == second])
    with LogReader.open(log) as opened:
        found = {rehearsed.name: rehearsed for rehearsed in rehearse(opened, plan_of(ALARMS), NOW_US, NOW_US + 2000 * S)}
    assert found.keys() == ALARMS.keys()
    for name, outcome in found.items():
        mine = [change for change in bench.judge.found.changes if change.alarm.name == name]
        raised = [change.ts_us for change in mine if change.kind == "raised"]
        ended = [change.ts_us for change in mine if change.kind == "returned"]
        assert outcome.raised == len(raised), name
        assert outcome.raised > 0, name
        assert outcome.last_us == raised[-1]
        ends = [*ended, NOW_US + 2000 * S][: len(raised)]
        assert outcome.in_alarm_us == sum(ends) - sum(raised), name


def test_of_what_is_not_stored_nothing_is_said(log: Path) -> None:
    """A series without readings in that time."""
    with LogReader.open(log) as opened:
        assert list(rehearse(opened, plan_of(ALARMS), NOW_US + 9000 * S, NOW_US + 9001 * S)) == []
