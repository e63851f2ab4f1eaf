"""The file was taken away under the open database: what is open is copied into an incident before it is let go.

As long as the connection is open the removed file and its WAL are still there, without a name. The WAL lies under the name
that the newcomer's would have, so it must go, or SQLite would apply it to a file it does not belong to; unless the newcomer
brought a WAL of its own, which is then left.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

from sensorlogd.storage.maintenance import incidents
from sensorlogd.storage.open_database import OpenDatabase

logger = logging.getLogger(__name__)

PAGES_AT_ONCE = 5_000


class NoRescue(Exception):
    """The open database cannot be copied now; the text says why. Its content is not lost as long as it stays open."""


def rescue(db: OpenDatabase, now_us: int, *, removed: bool, min_free: int, beat: Callable[[], None] = lambda: None) -> str:
    """Copy the open database into an incident. Returns a clause for people. The copy of a removed file is salvaged into its
    successor; that of a replaced file is only kept, because whoever put another file there wanted that one. ``beat``: called after
    every PAGES_AT_ONCE pages.

    Raises NoRescue; nothing is changed then. Raises OSError if a side file cannot be removed: the incident is complete by then, and
    another call makes another one."""
    reason = _reason(db, removed)
    with contextlib.suppress(sqlite3.Error):  # a file that only got another name is whole then
        db.conn.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    try:
        incident = incidents.keep(
            db.path, now_us, reason, lambda target: _copy_database(db.conn, target, min_free, beat), is_wanted=removed
        )
    except (sqlite3.Error, OSError) as error:
        raise NoRescue(f"what was open cannot be copied: {error}") from error
    for side in db.sides():
        side.unlink(missing_ok=True)
    return f"what was open is kept in {incident.folder}" + (", and comes back into a fresh one" if removed else "")


def give_up(db: OpenDatabase, now_us: int, why: Exception, *, removed: bool) -> str:
    """Keep only the write-ahead log, because there is no room for a copy and no time left. Returns a clause for people. Raises
    OSError."""
    logger.error("database: %s; given up", why)
    if not db.sides():
        return f"{why}; given up"
    left = incidents.set_aside(db.path, now_us, _reason(db, removed), only_side_files=True)
    return f"{why}; given up, only its write-ahead log is kept in {left.folder}"


def _reason(db: OpenDatabase, removed: bool) -> str:
    return f"{db.path} was {'removed' if removed else 'replaced by another file'} while running"


def _copy_database(conn: sqlite3.Connection, target: Path, min_free: int, beat: Callable[[], None]) -> None:
    """Raises sqlite3.Error, OSError."""
    needed = conn.execute("PRAGMA page_count").fetchone()[0] * conn.execute("PRAGMA page_size").fetchone()[0]
    found = os.statvfs(target.parent)
    if found.f_bavail * found.f_frsize < needed + min_free:
        raise OSError(f"{needed:,} bytes are needed, {found.f_bavail * found.f_frsize:,} are free")
    with contextlib.closing(sqlite3.connect(target, isolation_level=None)) as copy:
        conn.backup(copy, pages=PAGES_AT_ONCE, progress=lambda status, left, total: beat())
        copy.execute("PRAGMA journal_mode = DELETE").fetchone()
