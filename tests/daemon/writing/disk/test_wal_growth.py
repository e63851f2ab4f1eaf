"""A write-ahead log that somebody holds: told once, named, and told when it is over."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from sensorlogd.daemon.writing.disk import wal_growth
from sensorlogd.storage.file import opened_file
from tests.daemon.writing.rig import Rig


def test_a_reader_that_stays_is_told_and_so_is_its_end(
    make: Callable[..., Rig], path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Readings are stored all the time; the WAL grows for as long as the reader stays, and shrinks after it."""
    monkeypatch.setattr(opened_file, "CHECKPOINT_FRAMES", 30)
    monkeypatch.setattr(wal_growth, "REPORT_FROM_FRAMES", 60)
    monkeypatch.setattr(wal_growth, "holders", lambda database: [(os.getpid(), "a test")])
    rig = make(block_rows=10**6)
    rig.turn(3)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM recent").fetchone()
        for _ in range(40):
            rig.put(50)
            rig.turn(6, 0.4)
        held = rig.writer.wal()
        assert held["wal_held_by"] == f"pid {os.getpid()} (a test)"
        assert held["wal_bytes"] > 60 * 2048
        assert rig.kinds().count("wal_held") == 1
    for _ in range(20):
        rig.put(50)
        rig.turn(6, 0.4)
    assert rig.writer.wal()["wal_held_by"] == ""
    rig.turn_until(rig.is_idle, "rest")
    assert [kind for kind in rig.kinds() if kind.startswith("wal_")] == ["wal_held", "wal_released"]
    assert rig.writer._log.db is not None
    assert rig.writer._log.db.wal.frames() < 60
