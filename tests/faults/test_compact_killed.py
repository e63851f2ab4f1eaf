"""``db compact`` without a daemon, ended at any moment: the old content is there, at once or after the next change."""

from __future__ import annotations

import os
import random
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from sensorlogd.cli import database_changes
from sensorlogd.storage.file import reader
from sensorlogd.storage.maintenance import compact
from sensorlogd.storage.query.log_reader import LogReader, LogUnavailable
from sensorlogd.storage.schema.check import ensure_schema
from sensorlogd.storage.series import catalog
from tests.connections import connect_writer

READINGS = 60_000
COMMAND = [sys.executable, "-m", "sensorlogd", "db", "compact", "--db"]


@pytest.fixture(scope="module")
def holed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of which half was deleted: several megabytes, so that writing it anew takes a while."""
    path = tmp_path_factory.mktemp("holed") / "log.db"
    ensure_schema(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        conn.execute("BEGIN")
        catalog.sync(conn, [catalog.SensorSpec("s", "simulated", series=[catalog.SeriesSpec("x")])], 1)
        conn.execute(
            "WITH RECURSIVE n(v) AS (SELECT 0 UNION ALL SELECT v + 1 FROM n WHERE v < ?)"
            " INSERT INTO recent(series_id, ts, value, quality) SELECT 1, v * 1000000, random(), 1 FROM n",
            (2 * READINGS - 1,),
        )
        conn.execute("DELETE FROM recent WHERE ts / 1000000 % 2 = 1")
        conn.execute("COMMIT")
    return path


def copy_of(holed: Path, folder: Path) -> Path:
    path = folder / "log.db"
    path.write_bytes(holed.read_bytes())
    return path


def count(path: Path) -> int:
    with LogReader.open(path) as log:
        return int(log.conn.execute("SELECT count(*) FROM readings").fetchone()[0])


def assert_nothing_is_lost(path: Path) -> bool:
    """True if it was interrupted half way: then a reader says so, and whoever may write brings all of it back."""
    try:
        assert count(path) == READINGS
        half = False
    except LogUnavailable as error:
        assert "interrupted in the middle of a change" in str(error)
        half = True
        with database_changes.readable(path) as log:
            assert log.conn.execute("PRAGMA quick_check").fetchone() == ("ok",)
    assert count(path) == READINGS
    return half


def test_killed_at_any_moment_all_readings_are_there(holed: Path, tmp_path: Path) -> None:
    """Moments are drawn from its whole duration; a number that fails is shown."""
    began = time.monotonic()
    subprocess.run([*COMMAND, str(copy_of(holed, tmp_path))], check=True, capture_output=True)
    takes = time.monotonic() - began
    seed = random.randrange(1 << 32)
    rng = random.Random(seed)
    for turn in range(8):
        path = copy_of(holed, tmp_path)
        with subprocess.Popen([*COMMAND, str(path)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
            try:
                process.wait(rng.uniform(0.3, 1.1) * takes)
            except subprocess.TimeoutExpired:
                process.kill()
        try:
            assert_nothing_is_lost(path)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}, turn {turn}: {error}") from error
        for left in tmp_path.glob("log.db-*"):
            left.unlink()


def test_killed_while_it_overwrites_the_journal_brings_all_of_it_back(holed: Path, tmp_path: Path) -> None:
    """The moment that matters: old pages are being overwritten. Any verb that changes something undoes it first."""
    for _ in range(20):
        path = copy_of(holed, tmp_path)
        with subprocess.Popen([*COMMAND, str(path)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            while not reader.interrupted(path) and process.poll() is None:
                time.sleep(0.0005)
            process.kill()
        if reader.interrupted(path) and path.read_bytes() != holed.read_bytes():
            break
        for left in tmp_path.glob("log.db-*"):
            left.unlink()
    else:
        pytest.fail("not once was it met while it overwrote")
    assert assert_nothing_is_lost(path)
    done = subprocess.run([*COMMAND, str(path)], capture_output=True, text=True, check=True)
    assert "before" in done.stdout
    assert count(path) == READINGS
    assert path.stat().st_size < holed.stat().st_size * 0.8


def test_compacting_keeps_what_marks_the_file(holed: Path, tmp_path: Path) -> None:
    """Whose it is, its page size, its vacuum mode, its epoch; and what only the WAL holds is in it afterwards."""
    path = copy_of(holed, tmp_path)
    pragmas = ("application_id", "page_size", "auto_vacuum", "user_version")
    with closing(connect_writer(path)) as conn:
        conn.execute("PRAGMA user_version = 4711")
        before = [conn.execute(f"PRAGMA {name}").fetchone() for name in pragmas]
        conn.execute("INSERT INTO meta(key, value) VALUES ('x', 'in the WAL')")
        content, wal = path.read_bytes(), Path(f"{path}-wal").read_bytes()
    path.write_bytes(content)
    Path(f"{path}-wal").write_bytes(wal)
    compact.vacuum(path)
    with closing(sqlite3.connect(path)) as conn:
        assert [conn.execute(f"PRAGMA {name}").fetchone() for name in pragmas] == before
        assert conn.execute("SELECT value FROM meta WHERE key = 'x'").fetchone() == ("in the WAL",)
        assert conn.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    assert [entry.name for entry in tmp_path.iterdir()] == ["log.db"]


def test_without_room_for_a_second_copy_nothing_is_begun(holed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = copy_of(holed, tmp_path)

    class Full:
        f_bavail, f_frsize = 100, 4096

    monkeypatch.setattr(os, "statvfs", lambda folder: Full)
    with pytest.raises(compact.NoRoom, match=r"needs [\d.]+ MB of free disk, 0.4 MB are free; .* the running daemon"):
        compact.vacuum(path)
    assert path.read_bytes() == holed.read_bytes()
