"""What other programs do to a log that is being written, in good faith: none of it is damage, and nothing is lost."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from tests.faults.test_database_trouble import assert_whole, configuration, database, events, values
from tests.rig import Daemon, until

PATIENT_S = 20.0

IN_GOOD_FAITH = {
    "vacuum": ["VACUUM"],
    "analyze": ["ANALYZE", "PRAGMA optimize"],
    "reindex": ["REINDEX"],
    "a table, an index and a view of one's own": [
        "CREATE TABLE IF NOT EXISTS _replica_lock (id INTEGER)",
        "INSERT INTO _replica_lock VALUES (1)",
        "CREATE INDEX IF NOT EXISTS mine ON event (kind, ts)",
        "CREATE VIEW IF NOT EXISTS seen AS SELECT count(*) FROM latest",
    ],
    "a checkpoint that empties": ["PRAGMA wal_checkpoint(TRUNCATE)"],
    "a checkpoint that restarts": ["PRAGMA wal_checkpoint(RESTART)"],
    "a check": ["PRAGMA integrity_check"],
    "free pages": ["PRAGMA incremental_vacuum"],
    "another journal, which is refused": ["PRAGMA journal_mode = DELETE"],
    "a lock for a moment": ["BEGIN EXCLUSIVE", "COMMIT"],
}


def more_than(path: Path, count: int) -> bool:
    return len(values(path)) > count


@pytest.mark.parametrize("what", IN_GOOD_FAITH)
def test_it_goes_on_as_before(tmp_path: Path, what: str) -> None:
    """Ten times while it runs; then it starts again and goes on in the same file."""
    config, path = configuration(tmp_path), database(tmp_path)
    done_so_often = 0
    for start in range(2):
        with Daemon(config, tmp_path / "data") as daemon:
            daemon.wait_ready()
            until(partial(more_than, path, 20), "readings")
            for _ in range(10 if start == 0 else 1):
                with contextlib.closing(sqlite3.connect(path, timeout=PATIENT_S, isolation_level=None)) as conn:
                    for statement in IN_GOOD_FAITH[what]:
                        with contextlib.suppress(sqlite3.OperationalError):  # locked: that is its business, not the daemon's
                            conn.execute(statement).fetchall()
                            done_so_often += 1
                before = len(values(path))
                until(partial(more_than, path, before), "readings to go on")
            assert daemon.stop() == 0
        if start == 0:
            assert_whole(sorted(values(path), key=lambda value: value or 0))
    assert done_so_often or what == "another journal, which is refused"
    found = events(path)
    assert not {"corrupt", "foreign_wal", "salvaged", "database_replaced", "database_removed", "wal_removed"} & set(found), found
    checked = subprocess.run(
        [sys.executable, "-m", "sensorlogd", "db", "check", "--db", str(path)], capture_output=True, text=True, timeout=120
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
