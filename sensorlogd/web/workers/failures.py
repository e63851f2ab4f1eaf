"""Failures of a question: which kind an exception is, and the error that the client is given."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from sensorlogd.storage.file import reader
from sensorlogd.storage.file.errors import Failure, classify
from sensorlogd.web.refusal import ApiError
from sensorlogd.web.workers.damage import is_damaged_page

TOO_LONG, UNAVAILABLE = "takes_too_long", "log_unavailable"  # codes of errors
# What SQLite says of a file that is sound -> the code, what it means, what to do.
_TROUBLES = {
    Failure.BUSY: ("busy", "another program has locked the database", "ask again; 'fuser -v FILE' names the program"),
    Failure.FULL: (UNAVAILABLE, "the disk is full", "make room where the database or its temporary files are"),
    Failure.IOERR: (
        UNAVAILABLE,
        "the database cannot be read from its disk",
        "check owner and mode of the file and its folder, and the disk (dmesg)",
    ),
    Failure.READONLY: (
        UNAVAILABLE,
        "this process may not use the database",
        "check owner and mode of the file and its folder, and that the file system is not mounted read-only",
    ),
}


def too_long(seconds: float) -> ApiError:
    """The error for a question that took this long and was ended."""
    return ApiError(
        422,
        TOO_LONG,
        f"the answer was not found within {seconds:g} s",
        hint="ask for fewer series, a shorter range or longer steps",
        headers={"Retry-After": "60"},
    )


def refusal_of(error: Exception, database: Path, seconds: float) -> ApiError | None:
    """The error for the client of a question that was ended after ``seconds``, or that the database did not let answer. None for any
    other exception: a fault of this program.

    SQLite's codes tell the kinds apart. Any code can fail on the content of a damaged file, so the file is looked at before an
    exception is taken for a fault.
    """
    if isinstance(error, sqlite3.Error):
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_INTERRUPT:
            return too_long(seconds)
        trouble = _TROUBLES.get(classify(error))
        if trouble is not None:
            code, meaning, hint = trouble
            return ApiError(503, code, f"{meaning}: {error}", hint=hint, headers={"Retry-After": "5"})
    if _is_damage(error) or reader.found_damage(database) is not None:
        return ApiError(
            503,
            UNAVAILABLE,
            f"the database is damaged: {error}",
            hint="'sensorlogd db check' tells more",
            headers={"Retry-After": "5"},
        )
    return None


def _is_damage(error: Exception) -> bool:
    """Whether SQLite says so; or Python's ``sqlite3`` that a text in the file is not UTF-8, for which it has no code."""
    if not isinstance(error, sqlite3.DatabaseError):
        return False
    return is_damaged_page(error) or (isinstance(error, sqlite3.OperationalError) and not hasattr(error, "sqlite_errorcode"))
