"""A copy of the log while it is being written: consistent, complete up to a moment, proven readable, on the disk.

SQLite's backup API on a read-only connection, some pages at a time, all inside one read transaction that is begun before: what is
committed meanwhile is not in the copy, and never half. Reading neither locks nor checkpoints; the WAL grows by what is written
while the copy runs and shrinks again after it.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sensorlogd.storage.file import epoch
from sensorlogd.storage.file.errors import Failure, classify
from sensorlogd.storage.file.identity import side
from sensorlogd.storage.ingest import status
from sensorlogd.storage.maintenance import inspection

_WRITING = frozenset(
    (
        sqlite3.SQLITE_IOERR_WRITE,
        sqlite3.SQLITE_IOERR_FSYNC,
        sqlite3.SQLITE_IOERR_DIR_FSYNC,
        sqlite3.SQLITE_IOERR_TRUNCATE,
        sqlite3.SQLITE_IOERR_DELETE,
    )
)


class BackupError(Exception):
    """No backup was made; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup that was made. ``readings``: how many are in it, counted in the copy. ``last_us``: the newest."""

    path: Path
    bytes: int
    readings: int
    last_us: int | None


def copy(source: sqlite3.Connection, target: Path, progress: Callable[[int, int], None] = lambda done, total: None) -> Backup:
    """Copy ``source`` to ``target``, which is complete or not there. ``progress``: pages done, pages in all.

    The copy is a database of its own: its epoch (``user_version``) is another one, so that no WAL of the source is ever taken for
    the copy's. It knows that it is a backup, see ``status.note_backup``. Raises BackupError if the target cannot be written or the copy is not sound, sqlite3.Error of the source."""
    temporary = target.with_name(f".{target.name}.part")
    try:
        _create_empty(source, target, temporary)
        found = _copy_and_check(source, temporary, progress)
        _sync_to_disk(temporary)
        temporary.replace(target)
        _sync_to_disk(target.parent)
        return Backup(target, target.stat().st_size, *found)
    except OSError as error:
        raise BackupError(f"{error.filename2 or error.filename or target}: {error.strerror or error}") from error
    finally:
        for left in (temporary, side(temporary, "-journal")):
            with contextlib.suppress(OSError):
                left.unlink()


def _create_empty(source: sqlite3.Connection, target: Path, temporary: Path) -> None:
    """Create ``temporary``, empty. Raises OSError; BackupError if there is not enough room for the copy."""
    temporary.unlink(missing_ok=True)
    os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o644))
    room = _free_bytes(target.parent)
    needed = source.execute("PRAGMA page_count").fetchone()[0] * source.execute("PRAGMA page_size").fetchone()[0]
    if needed > room:
        raise BackupError(f"{target.parent}: {needed:,} bytes are needed, {room:,} are free; make room, or name another disk")


def _copy_and_check(source: sqlite3.Connection, temporary: Path, progress: Callable[[int, int], None]) -> tuple[int, int | None]:
    """How many readings the copy has, and when the newest was. Raises BackupError, and sqlite3.Error of the source."""
    with contextlib.closing(sqlite3.connect(temporary, isolation_level=None)) as conn:
        source.execute("BEGIN")
        try:
            source.execute("SELECT count(*) FROM sqlite_schema").fetchone()  # here the snapshot is taken
            (of_source,) = source.execute("PRAGMA user_version").fetchone()
            source.backup(conn, pages=2_000, progress=lambda _, left, total: progress(total - left, total))
        except sqlite3.Error as error:
            if _is_of_target(error):
                raise _cannot_be_written(temporary, error) from error
            raise
        finally:
            source.execute("ROLLBACK")
        try:
            conn.execute("PRAGMA journal_mode = DELETE").fetchone()  # one file, whoever opens it
            conn.execute(f"PRAGMA user_version = {_other_epoch(of_source)}")
            status.note_backup(conn, time.time_ns() // 1000)
            return _check_copy(conn, temporary)
        except sqlite3.Error as error:
            if classify(error) in (Failure.CORRUPT, Failure.NOTADB):
                raise _not_sound(error) from error
            raise _cannot_be_written(temporary, error) from error


def _other_epoch(of_source: int) -> int:
    """A new epoch, another one than the file has that is copied."""
    while (drawn := epoch.new()) == of_source:
        pass
    return drawn


def _is_of_target(error: sqlite3.Error) -> bool:
    """The source is only read: whatever goes wrong with writing is the target's."""
    code = getattr(error, "sqlite_errorcode", 0)
    return code in _WRITING or code & 0xFF in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN)


def _cannot_be_written(temporary: Path, error: sqlite3.Error) -> BackupError:
    hint = "the disk is full; make room" if classify(error) is Failure.FULL else f"it cannot be written there: {error}"
    return BackupError(f"{temporary.parent}: {hint}")


def _not_sound(fault: object) -> BackupError:
    return BackupError(f"the copy is not sound ({fault}): the database itself may be damaged, see 'sensorlogd db check'")


def _check_copy(conn: sqlite3.Connection, path: Path) -> tuple[int, int | None]:
    """Read all of the copy. Raises BackupError if it is not sound."""
    wrong = next((line for (line,) in conn.execute("PRAGMA quick_check(1)") if line != "ok"), None)
    if wrong is not None:
        raise _not_sound(str(wrong).splitlines()[-1])
    return inspection.counted(conn)["readings"], inspection.facts(conn, path)["last_us"]


def _sync_to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _free_bytes(folder: Path) -> int:
    stat = os.statvfs(folder)
    return stat.f_bavail * stat.f_frsize
