"""The verb ``gaps``: silences by series, the longest first."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from sensorlogd.batch import Block, Column
from sensorlogd.notation import times
from sensorlogd.notation.microseconds import HOUR_US
from sensorlogd.storage.file.connecting import close_cleanly
from sensorlogd.storage.ingest.append import append
from sensorlogd.storage.maintenance.retention import Retention, RetentionPlan
from sensorlogd.storage.series import catalog
from sensorlogd.storage.watermarks import Frontier
from tests.cli.running import run
from tests.connections import connect_writer
from tests.storage.rollups import test_compute as compute
from tests.storage.rollups.test_compute import HEARTBEAT, Machine

T0 = 1_900_000_000_000_000
S = 1_000_000


@pytest.fixture
def path(fresh: Path, tmp_path: Path) -> Path:
    """A series of a heartbeat of 5 s, a reading a second for 100 s, but for 20 to 40, 50 to 58 (failed) and 70 to 73; and one without readings."""
    target = Path(shutil.copy(fresh, tmp_path / "log.db"))
    conn = connect_writer(target)
    conn.execute("BEGIN IMMEDIATE")
    series = [catalog.SeriesSpec("t", "°C", heartbeat_us=5 * S), catalog.SeriesSpec("never")]
    known = catalog.sync(conn, [catalog.SensorSpec("lab", "simulated", series=series)], T0)
    seconds = [n for n in range(101) if not (20 < n < 40 or 70 < n < 73)]
    values: list[float | None] = [float(n) for n in seconds]
    flags = [4 | 16 if 50 < n < 58 else 1 for n in seconds]
    append(conn, [Block("lab", [Column("t", [T0 + n * S for n in seconds], values, flags)])], known.ids, Frontier())
    conn.execute("COMMIT")
    close_cleanly(conn)
    return target


def gaps(path: Path, *options: str, since: int = 0, until: int = 103, check: int = 0) -> list[Any]:
    """(began, ended, seconds) with times in seconds from T0."""
    span = ["--since", times.format_time(T0 + since * S), "--until", times.format_time(T0 + until * S)]
    done = run("gaps", "lab.t", "--db", str(path), *span, *options, "--format", "json", check=check)
    return [(_at(row["time"]), _at(row["until"]), row["seconds"]) for row in json.loads(done.stdout or "[]")]


def _at(text: str | None) -> float | None:
    return None if text is None else (times.parse_time(text, 0) - T0) / S


def test_the_longest_gap_is_first(path: Path) -> None:
    """Longer than the heartbeat, or than is asked; a failed reading ends none; the one that goes on has no end."""
    assert gaps(path) == [(20, 40, 20), (50, 58, 8)]
    assert gaps(path, "--limit", "1") == [(20, 40, 20)]
    assert gaps(path, "--longer", "2s") == [(20, 40, 20), (50, 58, 8), (100, None, 3), (70, 73, 3)]
    assert gaps(path, "--longer", "3s") == [(20, 40, 20), (50, 58, 8)]
    assert gaps(path, until=120) == [(100, None, 20), (20, 40, 20), (50, 58, 8)]
    assert gaps(path, "--longer", "1min") == []


def test_what_lies_outside_the_range_is_cut_off(path: Path) -> None:
    """Before the first reading nothing is known: it is no gap."""
    assert gaps(path, since=30, until=56) == [(30, 40, 10), (50, None, 6)]
    assert gaps(path, since=-500) == gaps(path)
    assert gaps(path, since=-500, until=-400, check=3) == []


def test_a_series_that_is_not_configured_any_more_is_not_silent(path: Path) -> None:
    """Its gaps are those between its readings."""
    conn = connect_writer(path)
    conn.execute("UPDATE series SET retired_us = ?", (T0 + 1000 * S,))
    close_cleanly(conn)
    assert gaps(path, until=500) == [(20, 40, 20), (50, 58, 8)]
    assert "lab,t," in run("gaps", "--db", str(path), "--since", "2030-01", "--until", "2031", "--format", "csv").stdout


def test_words_that_cannot_be_meant_are_refused(path: Path) -> None:
    for wrong in (["--longer", "soon"], ["--since", "now", "--until", "-1h"], ["no.such"]):
        assert "sensorlogd: " in run("gaps", "--db", str(path), *wrong, check=2).stderr


def test_gaps_are_shown_where_readings_have_expired(fresh: Path, tmp_path: Path) -> None:
    """Roll-ups know of them; in a log without them nothing changes."""
    machine = Machine(tmp_path, fresh, "UTC")
    begin, silent, end = compute.T0, compute.T0 + 5 * HOUR_US, compute.T0 + 80 * HOUR_US
    machine.store([(ts, 1.0, 1) for ts in range(begin, end, HEARTBEAT) if not silent < ts < silent + 9 * HOUR_US])
    machine.move(600, end)
    machine.roll_up(end, [])

    def shown(*options: str) -> str:
        span = ["--since", str(begin - HOUR_US), "--until", str(end)]
        return run("gaps", "s.gauge", "--db", str(machine.path), *span, *options, "--format", "csv").stdout

    before = shown()
    assert "32400" in before
    retention = Retention("UTC")
    retention.use_plan(RetentionPlan({0: 24 * HOUR_US}))
    while retention.step(machine.conn, machine.frontier, end):
        pass
    assert machine.raw(machine.ids["s", "gauge"])[0][0] > silent + 9 * HOUR_US
    assert shown() == before
    assert "32400" not in shown("--longer", "1min")
    machine.close()
