"""What a client is told when the database does not let a question be answered."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from sensorlogd.web.workers.failures import refusal_of


def error_with(code: int, text: str = "what SQLite says") -> sqlite3.OperationalError:
    error = sqlite3.OperationalError(text)
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    ("code", "status", "kind", "words"),
    [
        (sqlite3.SQLITE_INTERRUPT, 422, "takes_too_long", "not found within 3 s"),
        (sqlite3.SQLITE_BUSY, 503, "busy", "another program has locked"),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, 503, "busy", "another program has locked"),
        (sqlite3.SQLITE_FULL, 503, "log_unavailable", "the disk is full"),
        (sqlite3.SQLITE_IOERR_READ, 503, "log_unavailable", "cannot be read from its disk"),
        (sqlite3.SQLITE_CANTOPEN, 503, "log_unavailable", "cannot be read from its disk"),
        (sqlite3.SQLITE_READONLY_RECOVERY, 503, "log_unavailable", "may not use"),
        (sqlite3.SQLITE_CORRUPT, 503, "log_unavailable", "is damaged"),
        (sqlite3.SQLITE_CORRUPT_INDEX, 503, "log_unavailable", "is damaged"),
        (sqlite3.SQLITE_NOTADB, 503, "log_unavailable", "is damaged"),
    ],
)
def test_errors_of_the_database_are_told_apart_by_their_code(made: Path, code: int, status: int, kind: str, words: str) -> None:
    """What it is, what to do, and damage only where SQLite says damage."""
    found = refusal_of(error_with(code), made, 3.0)
    assert found is not None
    assert (found.status, found.body["code"]) == (status, kind)
    assert words in found.body["message"]
    assert ("damaged" in found.body["message"]) == (code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB))
    assert ("db check" in found.body["hint"]) == ("damaged" in found.body["message"])
    assert found.headers


def test_a_mistake_of_ours_is_not_taken_for_damage(made: Path) -> None:
    """Of a sound file; neither a wrong statement nor any other exception."""
    with closing(sqlite3.connect(made)) as conn, pytest.raises(sqlite3.Error) as raised:
        conn.execute("SELECT no_such_column FROM series")
    assert refusal_of(raised.value, made, 3.0) is None
    assert refusal_of(sqlite3.ProgrammingError("closed"), made, 3.0) is None
    assert refusal_of(KeyError("x"), made, 3.0) is None


def test_a_text_that_is_not_utf_8_is_damage(made: Path) -> None:
    """Python's ``sqlite3`` has no code for it, and the check of the file does not look at texts."""
    with closing(sqlite3.connect(made)) as conn, pytest.raises(sqlite3.Error) as raised:
        conn.execute("SELECT CAST(x'ff' AS TEXT)").fetchone()
    found = refusal_of(raised.value, made, 3.0)
    assert found is not None
    assert "is damaged" in found.body["message"]
