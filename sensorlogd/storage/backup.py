"""A copy of the log while it is being written: consistent, complete up to a moment, proven readable, on the disk.

SQLite's backup API on a read-only connection, in one step, so that one read transaction spans it: what is committed
meanwhile is not in the copy, and never half. Reading neither locks nor checkpoints; the WAL grows by what is written
while the copy runs and shrinks again after it.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sensorlogd.storage import inspection


class BackupError(Exception):
    """No backup was made; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Backup:
    """``readings``: how many are in it, counted in the copy. ``last_us``: the newest."""

    path: Path
    bytes: int
    readings: int
    last_us: int | None


def copy(source: sqlite3.Connection, target: Path, tell: Callable[[int, int], None] = lambda done, total: None) -> Backup:
    """Copy ``source`` to ``target``, which is complete or not there. ``tell``: pages done, pages in all.

    Raises BackupError, sqlite3.Error, OSError.
    """
    temporary = target.with_name(f".{target.name}.part")
    with contextlib.suppress(FileNotFoundError):
        temporary.unlink()
    try:
        room = _free_bytes(target.parent)
        needed = source.execute("PRAGMA page_count").fetchone()[0] * source.execute("PRAGMA page_size").fetchone()[0]
        if needed > room:
            raise BackupError(f"{target.parent}: {needed:,} bytes are needed, {room:,} are free")
        with contextlib.closing(sqlite3.connect(temporary, isolation_level=None)) as conn:
            source.execute("BEGIN")
            try:
                source.execute("SELECT count(*) FROM meta").fetchone()  # here the snapshot is taken
                source.backup(conn, pages=2_000, progress=lambda _, left, total: tell(total - left, total))
            finally:
                source.execute("ROLLBACK")
            conn.execute("PRAGMA journal_mode = DELETE").fetchone()  # one file, whoever opens it
            found = _prove(conn, temporary)
        _sync(temporary)
        temporary.replace(target)
        _sync(target.parent)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()
        raise
    return Backup(target, target.stat().st_size, *found)


def _prove(conn: sqlite3.Connection, path: Path) -> tuple[int, int | None]:
    """Read all of the copy. Raises BackupError if it is not sound."""
    wrong = next((line for (line,) in conn.execute("PRAGMA quick_check(1)") if line != "ok"), None)
    if wrong is not None:
        raise BackupError(f"the copy is not sound ({wrong}): the log itself may be damaged, see 'sensorlogd db check'")
    return inspection.counted(conn)["readings"], inspection.facts(conn, path)["last_us"]


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _free_bytes(folder: Path) -> int:
    stat = os.statvfs(folder)
    return stat.f_bavail * stat.f_frsize
