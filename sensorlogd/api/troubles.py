"""What can go wrong while a log is read, as exceptions that say where, what, and what to do."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sensorlogd.storage.database import Failure, classify
from sensorlogd.storage.file import opening
from sensorlogd.storage.file.opening import LogDamaged, LogError, LogUnavailable


class LogClosed(LogError):
    """The log has been closed; ask one that is open."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path}: this log has been closed; open it again with sensorlogd.open()")


class LogLocked(LogUnavailable):
    """Somebody else has it for himself just now; it may be tried again."""


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Raises LogDamaged, LogLocked or LogUnavailable for what SQLite says."""
    try:
        yield
    except sqlite3.Error as error:
        raise _translated(path, error) from error
    except (LogError, ValueError, ImportError, MemoryError):
        raise
    except Exception as error:
        # What is read of a damaged file can be anything: is it that, or a mistake of ours?
        fault = opening.found_damage(path)
        if fault is None:
            raise
        raise LogDamaged(opening.damaged(path, fault)) from error


def _translated(path: Path, error: sqlite3.Error) -> LogUnavailable:
    failure = classify(error)
    if failure in (Failure.CORRUPT, Failure.NOTADB):
        return LogDamaged(opening.damaged(path, error))
    if failure is Failure.BUSY:
        return LogLocked(f"{path}: another program has locked the database; try again")
    return LogUnavailable(f"{path}: the database cannot be read: {error}")
