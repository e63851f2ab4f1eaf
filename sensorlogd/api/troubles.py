"""The exceptions that reading a log raises; each says where, what, and what to do."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sensorlogd.storage.file import reader
from sensorlogd.storage.file.errors import Failure, classify
from sensorlogd.storage.file.reader import LogDamaged, LogError, LogUnavailable


class LogClosed(LogError):
    """The log has been closed."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path}: this log has been closed; open it again with sensorlogd.open()")


class LogLocked(LogUnavailable):
    """Another process has locked the log for the moment; a later try may succeed."""


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn errors of SQLite into LogDamaged, LogLocked or LogUnavailable."""
    try:
        yield
    except sqlite3.Error as error:
        raise _log_error(path, error) from error
    except (LogError, ValueError, ImportError, MemoryError):
        raise
    except Exception as error:
        # A damaged file can make any code fail: check the file before this is taken for a mistake of ours.
        fault = reader.found_damage(path)
        if fault is None:
            raise
        raise LogDamaged(reader.damaged(path, fault)) from error


def _log_error(path: Path, error: sqlite3.Error) -> LogUnavailable:
    """The error to raise for what SQLite says: LogDamaged, LogLocked, or another LogUnavailable."""
    failure = classify(error)
    if failure in (Failure.CORRUPT, Failure.NOTADB):
        return LogDamaged(reader.damaged(path, error))
    if failure is Failure.BUSY:
        return LogLocked(f"{path}: another program has locked the database; try again")
    return LogUnavailable(f"{path}: the database cannot be read: {error}")
