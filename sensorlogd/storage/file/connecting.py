"""Connections to a file that is there: none of them ever creates one, whatever its name is made of. Transactions begin and end
where the caller says so.

``connect_to_read`` and ``connect_to_write`` read nothing yet: what the file holds, and whether SQLite takes it at all, shows with the
first statement. ``connect_as_writer`` is the daemon's connection that writes, ``connect_as_aggregator`` that of the process which
computes roll-ups; ``file.reader`` opens a log for whoever asks questions.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from sensorlogd.storage.file.errors import Failure, classify
from sensorlogd.storage.file.identity import PAGE_SIZE

# A checkpoint every this many WAL pages. Larger means fewer bytes written to the card (a page that changes in every
# commit is written back once per checkpoint), at the price of a WAL of that size: 2000 pages of 2 KiB are 4 MB.
CHECKPOINT_PAGES = 2000


def connect_to_read(
    path: Path, *, timeout_s: float = 5.0, unchanging: bool = False, any_thread: bool = False
) -> sqlite3.Connection:
    """A connection that cannot write. ``timeout_s``: how long a lock is waited for. ``unchanging``: nobody writes the file, so
    neither locks nor what lies beside it are looked at. ``any_thread``: another thread may close it. Raises sqlite3.Error."""
    return sqlite3.connect(
        _uri(path, "immutable=1" if unchanging else "mode=ro"),
        uri=True,
        isolation_level=None,
        timeout=timeout_s,
        check_same_thread=not any_thread,
    )


def connect_to_write(path: Path, *, timeout_s: float, cached_statements: int = 128) -> sqlite3.Connection:
    """A connection that may write; ``timeout_s`` as above. Raises sqlite3.Error."""
    return sqlite3.connect(
        _uri(path, "mode=rw"), uri=True, isolation_level=None, timeout=timeout_s, cached_statements=cached_statements
    )


def connect_as_writer(path: Path) -> sqlite3.Connection:
    """The one connection that writes, for the thread that calls: in whatever journal mode the file is, and without checkpoints of
    its own. Raises sqlite3.Error."""
    conn = connect_to_write(path, timeout_s=1.0, cached_statements=64)
    try:
        conn.execute("PRAGMA synchronous = FULL")
        conn.execute("PRAGMA wal_autocheckpoint = 0")
        conn.execute(f"PRAGMA journal_size_limit = {2 * CHECKPOINT_PAGES * PAGE_SIZE}")
        conn.execute("PRAGMA temp_store = MEMORY")
        conn.execute("PRAGMA mmap_size = 0")
        conn.execute("PRAGMA cache_size = -8000")
        conn.execute("PRAGMA foreign_keys = ON")  # only series have one: readings cost nothing more
        conn.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except BaseException:
        conn.close()
        raise
    return conn


def use_wal(conn: sqlite3.Connection) -> None:
    """Switch to WAL mode: from now on commits go into a write-ahead log. Raises sqlite3.Error."""
    conn.execute("PRAGMA journal_mode = WAL").fetchone()
    conn.execute("SELECT count(*) FROM sqlite_schema").fetchone()  # now the -shm shows that it is open


def connect_as_aggregator(path: Path) -> sqlite3.Connection:
    """A connection for a process that only reads, and says itself when a transaction begins. Raises sqlite3.Error, OSError."""
    if not path.stat().st_size:  # SQLite would delete the WAL beside an empty file, and it is all that is left
        raise OSError(f"{path} is empty")
    conn = connect_to_read(path)
    conn.execute("PRAGMA query_only = 1")
    return conn


def close_cleanly(conn: sqlite3.Connection) -> None:
    """Close, and leave a single file without a WAL behind if no other program has the database open."""
    try:
        conn.execute("PRAGMA busy_timeout = 200")
        conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        conn.execute("PRAGMA journal_mode = DELETE").fetchone()
    except sqlite3.OperationalError as error:
        # A reader is still there: the WAL stays, and with it everything that was committed.
        if classify(error) is not Failure.BUSY:
            raise
    finally:
        conn.close()


def _uri(path: Path, mode: str) -> str:
    return f"{path.absolute().as_uri()}?{mode}"
