"""Rewrite a database without unused pages (VACUUM). The caller holds its lock, and no other program reads or writes it.

SQLite writes a copy into a temporary file, keeps the old pages in a rollback journal, and overwrites: cut off at any
moment, the journal brings the old content back when the file is next opened for writing.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from sensorlogd.storage.file.connecting import connect_to_read, connect_to_write


class NoRoom(Exception):
    """There is too little free disk; the text says how much is needed."""


def bytes_to_write(path: Path) -> int:
    """About how much ``vacuum`` writes: a copy of what is used, the old pages into the journal, and the copy over them. Raises
    sqlite3.Error."""
    with closing(connect_to_read(path, timeout_s=2.0)) as conn:
        pages, free, size = (
            conn.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
        )
    return int((2 * (pages - free) + pages) * size)


def vacuum(path: Path) -> None:
    """Raises NoRoom, sqlite3.Error."""
    folder = path.resolve().parent
    with closing(connect_to_write(path, timeout_s=2.0)) as conn:
        conn.execute("PRAGMA journal_mode = DELETE").fetchone()  # what a WAL holds goes into the file first
        used = conn.execute("PRAGMA page_count").fetchone()[0] - conn.execute("PRAGMA freelist_count").fetchone()[0]
        needed = used * conn.execute("PRAGMA page_size").fetchone()[0] + path.stat().st_size  # the copy, and the journal
        stat = os.statvfs(folder)
        if needed > stat.f_bavail * stat.f_frsize:
            raise NoRoom(
                f"writing {path} anew needs {needed / 1e6:,.1f} MB of free disk, {stat.f_bavail * stat.f_frsize / 1e6:,.1f} MB"
                " are free; without that, free space inside it is used again by new readings, and the running daemon can"
                " give it back in slices"
            )
        # The copy stands beside the database: a /tmp in memory or of a small card is no place for it.
        conn.execute(f"PRAGMA temp_store_directory = '{str(folder).replace(chr(39), chr(39) * 2)}'")
        conn.execute("PRAGMA synchronous = FULL")
        conn.execute("VACUUM")


def give_back(conn: sqlite3.Connection, pages: int) -> tuple[int, int]:
    """Shorten the file by at most ``pages`` free pages, in the caller's transaction. Returns (free pages before, free pages
    now)."""
    (free,) = conn.execute("PRAGMA freelist_count").fetchone()
    conn.execute(f"PRAGMA incremental_vacuum({pages})").fetchall()
    (left,) = conn.execute("PRAGMA freelist_count").fetchone()
    return free, left
