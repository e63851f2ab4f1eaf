"""Failures of a question: which kind an exception is, and the error that the client is given."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from sensorlogd.storage.file import reader
from sensorlogd.web.workers.refusal import ApiError


def too_long(seconds: float) -> ApiError:
    """The error for a question that took this long and was ended."""
    return ApiError(
        422,
        "takes_too_long",
        f"the answer was not found within {seconds:g} s",
        hint="ask for fewer series, a shorter range or longer steps",
        headers={"Retry-After": "60"},
    )


def is_interrupt(error: BaseException) -> bool:
    """Whether SQLite ended the query because it was told to."""
    return isinstance(error, sqlite3.OperationalError) and error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT


def is_damage(error: Exception, database: Path) -> bool:
    """Whether the error may come from a damaged database, whose content can raise any error where it is read."""
    return isinstance(error, sqlite3.DatabaseError) or reader.found_damage(database) is not None


def unreadable(error: Exception) -> ApiError:
    """The error for a database that is damaged, or that SQLite cannot read for another reason."""
    return ApiError(
        503,
        "log_unavailable",
        f"the database cannot be read: {error}",
        hint="'sensorlogd db check' tells more",
        headers={"Retry-After": "5"},
    )
