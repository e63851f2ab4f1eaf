"""Whether a write-ahead log belongs to the file it lies beside.

SQLite applies any valid ``-wal`` to the file of its name. After a backup was copied over a database whose WAL was left lying
there, that makes one broken file of two sound ones. So every file has an epoch, a random number in ``user_version`` (bytes
60 to 63 of page 1): new at each start of the daemon and in each backup, and changed only while the file stands alone,
without a WAL. The daemon sees to it that page 1 is among the first frames of every WAL. A WAL whose page 1 names another
epoch is of another file.

0 is no epoch: a file of an older release, of which nothing is known.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import stat
from enum import Enum
from pathlib import Path

from sensorlogd.storage.file import wal_file
from sensorlogd.storage.file.content import MAGIC

_AT = slice(60, 64)


class FoundFile(Enum):
    """What lies at the path of the database, judged from its bytes before SQLite opens it."""

    NOTHING = "nothing"  # neither a file nor a log
    EMPTY = "empty"  # a file of zero bytes, alone
    USABLE = "usable"  # a file, and if there is a WAL nothing speaks against it
    EMPTIED = "emptied"  # a file of zero bytes, or none, beside a WAL with something in it: SQLite would delete the WAL
    FOREIGN_WAL = "foreign wal"  # the WAL belongs to another file


def new() -> int:
    """A random epoch, 1 to 2^31 - 1."""
    import secrets  # late: verbs that read import this module, and draw nothing

    return secrets.randbelow((1 << 31) - 1) + 1


def examine(path: Path) -> FoundFile:
    """What lies at ``path``; not to be called while this process has the file open (closing it here would drop SQLite's locks).
    Raises OSError."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise OSError(errno.EINVAL, "not a file", str(path))  # opening a pipe would wait for its other end
        with path.open("rb") as file:
            head = file.read(100)
        there = True
    except FileNotFoundError:
        head, there = b"", False
    first = wal_file.first_page_one(_wal_path(path)) if _has_frames(path) else None
    if not head:
        if _has_frames(path):
            return FoundFile.EMPTIED
        return FoundFile.EMPTY if there else FoundFile.NOTHING
    if first is not None and head.startswith(MAGIC):  # otherwise the file is damaged, and the WAL may hold the only sound pages
        file_epoch, wal_epoch = head[_AT], first[_AT]
        if file_epoch != wal_epoch and any(file_epoch) and any(wal_epoch):
            return FoundFile.FOREIGN_WAL
    return FoundFile.USABLE


def _wal_path(path: Path) -> Path:
    return Path(os.path.realpath(path) + "-wal")  # SQLite follows a link, and puts it beside what that points to


def _has_frames(path: Path) -> bool:
    try:
        return _wal_path(path).stat().st_size > 32
    except FileNotFoundError:
        return False


def renew(conn: sqlite3.Connection) -> int:
    """Give the file a new epoch, and remove its WAL. Returns the epoch that the file has then: the former one if somebody else
    has the file open or the WAL cannot be removed. Raises sqlite3.Error."""
    conn.execute("PRAGMA busy_timeout = 100")
    try:
        (mode,) = conn.execute("PRAGMA journal_mode = DELETE").fetchone()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
            raise
        mode = "wal"
    finally:
        conn.execute("PRAGMA busy_timeout = 1000")
    path = Path(conn.execute("PRAGMA database_list").fetchone()[2])
    if mode == "delete" and not _has_frames(path):  # in a folder that takes no change the WAL stays, and names the old epoch
        epoch = new()
        conn.execute(f"PRAGMA user_version = {epoch}")
        return epoch
    return int(conn.execute("PRAGMA user_version").fetchone()[0])


def repeat(conn: sqlite3.Connection, epoch: int) -> None:
    """Put page 1 into a WAL that begins anew. A transaction of its own. Raises sqlite3.Error."""
    if epoch:
        conn.execute(f"PRAGMA user_version = {epoch}")
