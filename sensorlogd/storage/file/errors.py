"""What goes wrong with a database file: SQLite's errors by kind, and why one cannot be used as a log."""

from __future__ import annotations

import sqlite3
from enum import Enum
from pathlib import Path


class Failure(Enum):
    """What kind of trouble an sqlite3.Error means, told by its code and never by its text."""

    BUSY = "busy"
    FULL = "full"
    IOERR = "ioerr"
    READONLY = "readonly"
    CORRUPT = "corrupt"
    NOTADB = "notadb"
    CONSTRAINT = "constraint"
    OTHER = "other"


_FAILURES = {
    sqlite3.SQLITE_BUSY: Failure.BUSY,
    sqlite3.SQLITE_LOCKED: Failure.BUSY,
    sqlite3.SQLITE_FULL: Failure.FULL,
    sqlite3.SQLITE_IOERR: Failure.IOERR,
    sqlite3.SQLITE_CANTOPEN: Failure.IOERR,
    sqlite3.SQLITE_NOMEM: Failure.IOERR,
    sqlite3.SQLITE_PROTOCOL: Failure.BUSY,
    sqlite3.SQLITE_READONLY: Failure.READONLY,
    sqlite3.SQLITE_PERM: Failure.READONLY,
    sqlite3.SQLITE_AUTH: Failure.READONLY,
    sqlite3.SQLITE_CORRUPT: Failure.CORRUPT,
    sqlite3.SQLITE_NOTADB: Failure.NOTADB,
    sqlite3.SQLITE_CONSTRAINT: Failure.CONSTRAINT,
    sqlite3.SQLITE_MISMATCH: Failure.CONSTRAINT,
    sqlite3.SQLITE_TOOBIG: Failure.CONSTRAINT,
}


def classify(error: sqlite3.Error) -> Failure:
    """The kind of failure, by the primary result code (the low byte of ``sqlite_errorcode``)."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        return Failure.OTHER
    return _FAILURES.get(code & 0xFF, Failure.OTHER)


class DatabaseError(Exception):
    """Root of why a file cannot be used as a log; the text says what was found and what to do."""


class ForeignDatabase(DatabaseError):
    """A database of some other program, or a file that was never one: refused, never moved, never written."""


class NewerSchema(DatabaseError):
    """Written by a newer release: refused."""


class DatabaseCorrupt(DatabaseError):
    """Not an SQLite file, or a damaged one."""


class DatabaseUnavailable(DatabaseError):
    """Cannot be opened or changed now (locked, read-only, full, forbidden)."""


_HINTS = {
    Failure.BUSY: "another program holds it; close it there (`fuser -v FILE` names it)",
    Failure.FULL: "the disk is full; make room",
    Failure.READONLY: "check owner and mode of the file and its folder, and that the file system is not mounted read-only",
    Failure.IOERR: "check owner and mode of the file and its folder, and the disk (`dmesg`)",
}


def explain(path: Path, error: sqlite3.Error) -> str:
    """A sentence for whoever reads the log: which file, what happened, what to do."""
    hint = _HINTS.get(classify(error))
    return f"{path}: {error}; {hint}" if hint else f"{path}: {error}"
