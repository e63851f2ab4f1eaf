"""A database of the release before is upgraded: killed at any moment it is the old one or the new one, with the same answers."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from sensorlogd.storage.corrections import mend_rows, originals
from sensorlogd.storage.file.identity import REVISION
from sensorlogd.storage.migrations.upgrade import upgrade
from sensorlogd.storage.schema.check import ensure_schema
from tests.faults.test_database_trouble import configuration
from tests.faults.test_database_trouble import database as database_of
from tests.rig import Daemon

FORMER = "0003"
T0 = 1_700_000_000_000_000
MINUTE = 60_000_000


@pytest.fixture(scope="module")
def former(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of the release before: two series, moved and unmoved readings, roll-ups, mends (one interrupted), events."""
    path = tmp_path_factory.mktemp("former") / "log.db"
    upgrade(path, FORMER)
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        conn.execute("BEGIN")
        conn.execute("INSERT INTO sensor(id, name, driver, created_us) VALUES (1, 's', 'simulated', ?)", (T0,))
        for series, channel in ((1, "a"), (2, "b")):
            conn.execute(
                "INSERT INTO series(id, sensor_id, channel, unit, kind, heartbeat_us, created_us) VALUES (?,1,?,'°C','gauge',?,?)",
                (series, channel, MINUTE, T0),
            )
            rows = [(series, T0 + n * 1_000_000, n / 7 + series, 1) for n in range(3_000)]
            conn.executemany("INSERT INTO history(series_id, ts, value, quality) VALUES (?,?,?,?)", rows[:2_000])
            conn.executemany("INSERT INTO recent(series_id, ts, value, quality) VALUES (?,?,?,?)", rows[2_000:])
            conn.execute("INSERT INTO latest VALUES (?,?,?,?,?)", (*[series, rows[-1][1], rows[-1][2], 1], T0))
            conn.executemany(
                "INSERT INTO rollup(series_id, resolution, start, n, mean, m2, min, max, first_ts, first, last_ts, last)"
                " VALUES (?,60,?,60,1.5,0,1,2,?,1,?,2)",
                [(series, T0 + n * MINUTE, T0 + n * MINUTE, T0 + n * MINUTE + 59_000_000) for n in range(-50, 0)],
            )
        conn.execute("INSERT INTO meta VALUES ('moved_until_us', ?)", (str(T0 + 2_000_000_000),))
        conn.execute("INSERT INTO meta VALUES ('edge_us', ?)", (str(T0 - T0 % MINUTE),))
        kept = [(ts, value, 1) for ts, value in conn.execute("SELECT ts, value FROM history WHERE series_id = 1 LIMIT 100")]
        for identity, done in ((1, T0), (2, None)):
            conn.execute(
                'INSERT INTO mend(id, made_us, series_id, since_us, until_us, quality, scale, "offset", note, at_us, readings, done_us)'
                " VALUES (?,?,?,?,?,4,1,0,'x',?,100,?)",
                (identity, T0, identity, T0, T0 + 100_000_000, T0 + 100_000_000 if done else T0 + 50_000_000, done),
            )
        conn.execute("INSERT INTO mended VALUES (1, ?, 100, ?)", (kept[0][0], originals.pack(kept)))
        conn.execute("UPDATE history SET quality = 68 WHERE series_id = 1 AND ts < ?", (T0 + 100_000_000,))
        conn.execute("INSERT INTO event(ts, kind, detail) VALUES (?, 'started', 'x')", (T0,))
        conn.execute("INSERT INTO retention_cut VALUES (1, 0, ?)", (T0 - MINUTE,))
        conn.execute("COMMIT")
    return path


def answers(path: Path) -> list[Any]:
    """What the two views and the small tables say, with raw SQL that every release understands."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as conn:
        asked = (
            "SELECT * FROM readings ORDER BY channel, ts",
            "SELECT * FROM rollups ORDER BY channel, start",
            "SELECT kind, detail FROM event WHERE kind = 'started' AND detail = 'x'",
            "SELECT * FROM retention_cut ORDER BY series_id",
            "SELECT id, series_id, at_us, readings, done_us, undone_us FROM mend ORDER BY id",
            "SELECT * FROM mended",
        )
        return [conn.execute(sql).fetchall() for sql in asked]


def revision(path: Path) -> str:
    with closing(sqlite3.connect(path)) as conn:  # plays back what a kill has left
        return str(conn.execute("SELECT version_num FROM alembic_version").fetchone()[0])


def test_an_upgrade_killed_at_any_moment_leaves_the_old_or_the_new(former: Path, tmp_path: Path) -> None:
    """SIGKILL after ever longer times: the revision is one of the two, the answers the same, and the next start goes on."""
    before = answers(former)
    seen = set()
    path = tmp_path / "log.db"
    command = [sys.executable, "-m", "sensorlogd.storage.migrations", str(path)]
    shutil.copy(former, path)
    began = time.monotonic()
    subprocess.run(command, check=True)
    whole = time.monotonic() - began
    for step in range(12):
        shutil.copy(former, path)
        child = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        try:
            child.wait(whole * (0.5 + step * 0.05) if step < 11 else None)  # the last one is let be
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        found = revision(path)
        seen.add(found)
        assert found in (FORMER, REVISION)
        assert answers(path) == before
        ensure_schema(path)
        assert revision(path) == REVISION
        assert answers(path) == before
    assert REVISION in seen


def test_what_the_release_before_left_half_done_can_be_ended(former: Path, tmp_path: Path) -> None:
    """A daemon upgrades the file; the finished mend is taken back to the bit, the interrupted one resumed."""
    config, path = configuration(tmp_path), database_of(tmp_path)
    path.parent.mkdir()
    shutil.copy(former, path)
    with Daemon(config, tmp_path / "data") as daemon:
        daemon.wait_ready()
        assert daemon.ask("undo", id=1)["ok"]
        assert daemon.ask("resume", id=2)["ok"]
        daemon.commit()
        assert daemon.stop() == 0
    ensure_schema(path)
    with closing(sqlite3.connect(path)) as conn:
        first = conn.execute(
            "SELECT DISTINCT quality FROM readings WHERE channel = 'a' AND ts < ?", (T0 + 100_000_000,)
        ).fetchall()
        states = {mended.id: mended.done_us is not None for mended in mend_rows.all_mends(conn)}
        waiting = conn.execute("SELECT count(*) FROM work WHERE state = 'waiting'").fetchone()[0]
    assert waiting in (0, 1, 2)
    if not waiting:
        assert first == [(1,)]
        assert states == {1: True, 2: True}
