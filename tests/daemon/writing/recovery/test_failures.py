"""The one policy, as a table: which error in which state means what."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from sensorlogd.daemon.writing.recovery.failures import (
    BUSY_IS_NORMAL_S,
    LONGEST_DELAY_S,
    REOPEN_EVERY,
    STRANGE_LIMIT,
    DamageFound,
    Failing,
    LowSpace,
    Remedy,
    decide,
)
from sensorlogd.storage.file.errors import DatabaseCorrupt, DatabaseUnavailable, ForeignDatabase, NewerSchema
from sensorlogd.storage.file.file_watch import FileCut, FileGone, WalGone
from sensorlogd.storage.file.holder import LockHeld
from tests.daemon.writing.rig import sqlite_error

FIRST = Failing()
LONG = Failing(count=2, for_s=BUSY_IS_NORMAL_S)
FOURTH = Failing(count=REOPEN_EVERY, for_s=3.0)
STRANGE = Failing(count=STRANGE_LIMIT, for_s=3.0)
AT_START = Failing(was_open=False)
LOOKS_ON = Failing(sets_aside=False)
A_JOB = Failing(own_faults=True)
HERE = Path("log.db")
BLOCKED, GONE_AWAY = "database_blocked", "database_unavailable"

TRY, HOLD, REOPEN, RESCUE, ASIDE, REFUSE, BACK = Remedy


def code(number: int) -> Exception:
    return sqlite_error(number)


TABLE = [
    (LowSpace(HERE, 1, 2), FIRST, HOLD, "disk_low"),
    (FileGone(HERE, removed=True), FIRST, RESCUE, "database_removed"),
    (FileGone(HERE, removed=False), FIRST, RESCUE, "database_replaced"),
    (WalGone(HERE, is_saved=True), FIRST, REOPEN, "wal_removed"),
    (WalGone(HERE, is_saved=False), FIRST, HOLD, "wal_removed"),
    (ForeignDatabase("x"), AT_START, REFUSE, None),
    (ForeignDatabase("x"), FIRST, REOPEN, GONE_AWAY),
    (NewerSchema("x"), AT_START, REFUSE, None),
    (NewerSchema("x"), FIRST, REOPEN, GONE_AWAY),
    (DatabaseCorrupt("x"), FIRST, ASIDE, "corrupt"),
    (DatabaseCorrupt("x"), AT_START, ASIDE, "corrupt"),
    (DatabaseCorrupt("x"), LOOKS_ON, REOPEN, GONE_AWAY),
    (DamageFound("x"), AT_START, ASIDE, "corrupt"),
    (DamageFound("x", only_side_files=True), LOOKS_ON, REOPEN, GONE_AWAY),
    (FileCut("x"), FIRST, ASIDE, "corrupt"),
    (DatabaseUnavailable("x"), AT_START, REOPEN, GONE_AWAY),
    (PermissionError("x"), FIRST, REOPEN, GONE_AWAY),
    (LockHeld(HERE, 5, "x"), FIRST, REOPEN, GONE_AWAY),
    (OSError(24, "too many open files"), AT_START, REOPEN, GONE_AWAY),
    (code(sqlite3.SQLITE_BUSY), FIRST, TRY, None),
    (code(sqlite3.SQLITE_BUSY_SNAPSHOT), FIRST, TRY, None),
    (code(sqlite3.SQLITE_BUSY), LONG, HOLD, BLOCKED),
    (code(sqlite3.SQLITE_LOCKED), FIRST, TRY, None),
    (code(sqlite3.SQLITE_PROTOCOL), FIRST, TRY, None),
    (code(sqlite3.SQLITE_PROTOCOL), LONG, HOLD, BLOCKED),
    (code(sqlite3.SQLITE_FULL), FIRST, HOLD, BLOCKED),
    (code(sqlite3.SQLITE_FULL), FOURTH, HOLD, BLOCKED),
    (code(sqlite3.SQLITE_FULL), A_JOB, HOLD, BLOCKED),
    (code(sqlite3.SQLITE_IOERR), FIRST, HOLD, BLOCKED),
    (code(sqlite3.SQLITE_IOERR_FSYNC), FOURTH, REOPEN, BLOCKED),
    (code(sqlite3.SQLITE_CANTOPEN), FIRST, HOLD, BLOCKED),
    (code(sqlite3.SQLITE_CANTOPEN), FOURTH, REOPEN, BLOCKED),
    (code(sqlite3.SQLITE_READONLY), FIRST, HOLD, BLOCKED),
    (code(sqlite3.SQLITE_READONLY_DBMOVED), FOURTH, REOPEN, BLOCKED),
    (code(sqlite3.SQLITE_PERM), FOURTH, REOPEN, BLOCKED),
    (code(sqlite3.SQLITE_CORRUPT), FIRST, ASIDE, "corrupt"),
    (code(sqlite3.SQLITE_CORRUPT_INDEX), A_JOB, ASIDE, "corrupt"),
    (code(sqlite3.SQLITE_CORRUPT), LOOKS_ON, REOPEN, GONE_AWAY),
    (code(sqlite3.SQLITE_NOTADB), FIRST, ASIDE, "corrupt"),
    (code(sqlite3.SQLITE_CONSTRAINT), FIRST, BACK, None),
    (code(sqlite3.SQLITE_CONSTRAINT), A_JOB, BACK, None),
    (code(sqlite3.SQLITE_MISUSE), FIRST, BACK, None),
    (sqlite3.ProgrammingError("no code"), FIRST, BACK, None),
    (sqlite3.InterfaceError("no code"), STRANGE, BACK, None),
    (code(sqlite3.SQLITE_ERROR), A_JOB, BACK, None),
    (code(sqlite3.SQLITE_ERROR), FIRST, HOLD, BLOCKED),
    (code(sqlite3.SQLITE_ERROR), FOURTH, REOPEN, BLOCKED),
    (code(sqlite3.SQLITE_ERROR), STRANGE, ASIDE, "corrupt"),
    (sqlite3.OperationalError("no code"), STRANGE, ASIDE, "corrupt"),
    (ValueError("ours"), FIRST, BACK, None),
    (ValueError("ours"), A_JOB, BACK, None),
    (MemoryError(), FIRST, HOLD, BLOCKED),
    (MemoryError(), A_JOB, BACK, None),
]


def _name(value: object) -> str | None:
    if isinstance(value, Exception):
        return f"{type(value).__name__}-{getattr(value, 'sqlite_errorname', '') or getattr(value, 'sqlite_errorcode', '')}"
    return None


@pytest.mark.parametrize(("error", "state", "remedy", "event"), TABLE, ids=_name)
def test_what_an_error_means(error: Exception, state: Failing, remedy: Remedy, event: str | None) -> None:
    """Told by type and code; ``event`` None: nobody is told under a kind of its own."""
    verdict = decide(error, state)
    assert verdict.remedy is remedy
    assert event is not None or remedy in (TRY, BACK, REFUSE)
    if event is not None:
        assert verdict.event == event


@pytest.mark.parametrize("error", [row[0] for row in TABLE], ids=_name)
def test_nothing_waits_longer_than_two_seconds(error: Exception) -> None:
    """However long it has been failing; and whatever is held waits a moment, so that nothing spins."""
    delays = [decide(error, Failing(count=count, for_s=count * 2.0)).delay_s for count in (1, 2, 3, 5, 8, 13, 100, 10**6)]
    assert max(delays) <= LONGEST_DELAY_S == 2.0
    assert delays == sorted(delays) or isinstance(error, sqlite3.Error)
    for count in (1, 2, 3, 50):
        verdict = decide(error, Failing(count=count, for_s=100.0))
        if verdict.remedy in (Remedy.TRY_AGAIN, Remedy.HOLD, Remedy.REOPEN):
            assert verdict.delay_s >= 0.1


@pytest.mark.parametrize("error", [row[0] for row in TABLE if not isinstance(row[0], MemoryError)], ids=_name)
def test_people_are_told_what_was_raised(error: Exception) -> None:
    assert str(error) in decide(error, Failing()).reason


def test_text_decides_nothing() -> None:
    """A message that sounds like damage is no damage: SQLite's words change with its version and its language."""
    for text in ("database disk image is malformed", "database is locked", "disk full"):
        assert decide(sqlite_error(sqlite3.SQLITE_READONLY, text), FIRST).remedy is HOLD


def test_damage_while_only_looking_on_says_what_to_do() -> None:
    """A verb without a daemon sets nothing aside; it says who does."""
    verdict = decide(sqlite_error(sqlite3.SQLITE_CORRUPT), LOOKS_ON)
    assert verdict.remedy is not ASIDE
    assert "start the daemon" in verdict.reason
