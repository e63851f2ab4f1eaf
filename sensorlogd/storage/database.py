"""The database file: whether it is sensorlogd's, whether its schema is current, and how the writer opens it.

One SQLite file, application_id 0x534C4F47 ("SLOG"), created from ``fresh.sql`` and upgraded by Alembic migrations. Alembic and
SQLAlchemy cost 25 MB and half a second, so they run in a child process and only when there is something to upgrade; the
daemon itself looks at two numbers with plain sqlite3.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from sensorlogd.processes import interrupts
from sensorlogd.processes.module_command import module_command
from sensorlogd.storage import creation, meta, watermarks
from sensorlogd.storage.file.connecting import connect_to_read, connect_to_write

if TYPE_CHECKING:
    import subprocess

APPLICATION_ID = 0x534C4F47  # "SLOG"
REVISION = "0007"

# A checkpoint every so many WAL pages. Larger means fewer bytes written to the card (a page that changes in every
# commit is written back once per checkpoint), at the price of a WAL of that size: 2000 pages of 2 KiB are 4 MB.
CHECKPOINT_PAGES = 2000
PAGE_SIZE = 2048
BEAT_EVERY_S = 1.0  # while an upgrade is waited for

_children: set[subprocess.Popen[str]] = set()  # upgrades under way


class Failure(Enum):
    """What kind of trouble an sqlite3.Error means, told by its code and never by its text."""

    BUSY = "busy"
    FULL = "full"
    IOERR = "ioerr"
    READONLY = "readonly"
    CORRUPT = "corrupt"
    NOTADB = "notadb"
    CONSTRAINT = "constraint"
    OTHER = "other"


_FAILURES = {
    sqlite3.SQLITE_BUSY: Failure.BUSY,
    sqlite3.SQLITE_LOCKED: Failure.BUSY,
    sqlite3.SQLITE_FULL: Failure.FULL,
    sqlite3.SQLITE_IOERR: Failure.IOERR,
    sqlite3.SQLITE_CANTOPEN: Failure.IOERR,
    sqlite3.SQLITE_NOMEM: Failure.IOERR,
    sqlite3.SQLITE_PROTOCOL: Failure.BUSY,
    sqlite3.SQLITE_READONLY: Failure.READONLY,
    sqlite3.SQLITE_PERM: Failure.READONLY,
    sqlite3.SQLITE_AUTH: Failure.READONLY,
    sqlite3.SQLITE_CORRUPT: Failure.CORRUPT,
    sqlite3.SQLITE_NOTADB: Failure.NOTADB,
    sqlite3.SQLITE_CONSTRAINT: Failure.CONSTRAINT,
    sqlite3.SQLITE_MISMATCH: Failure.CONSTRAINT,
    sqlite3.SQLITE_TOOBIG: Failure.CONSTRAINT,
}


def classify(error: sqlite3.Error) -> Failure:
    """The kind of failure, by the primary result code (the low byte of ``sqlite_errorcode``)."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        return Failure.OTHER
    return _FAILURES.get(code & 0xFF, Failure.OTHER)


class DatabaseError(Exception):
    """Root of what this module raises; the text says what was found and what to do."""


class ForeignDatabase(DatabaseError):
    """An SQLite file of some other program: refused, never moved, never written."""


class NewerSchema(DatabaseError):
    """Written by a newer release: refused."""


class DatabaseCorrupt(DatabaseError):
    """Not an SQLite file, or a damaged one."""


class DatabaseUnavailable(DatabaseError):
    """Cannot be opened or changed now (locked, read-only, full, forbidden)."""


_HINTS = {
    Failure.BUSY: "another program holds it; close it there (`fuser -v FILE` names it)",
    Failure.FULL: "the disk is full; make room",
    Failure.READONLY: "check owner and mode of the file and its folder, and that the file system is not mounted read-only",
    Failure.IOERR: "check owner and mode of the file and its folder, and the disk (`dmesg`)",
}


def explain(path: Path, error: sqlite3.Error) -> str:
    """A sentence for whoever reads the log: which file, what happened, what to do."""
    hint = _HINTS.get(classify(error))
    return f"{path}: {error}; {hint}" if hint else f"{path}: {error}"


def ensure_schema(path: Path, beat: Callable[[], None] = lambda: None) -> None:
    """Make ``path`` a database of the current schema: created when missing or empty, upgraded when older. ``beat``: called about every
    second while an upgrade is under way.

    Raises ForeignDatabase, NewerSchema, DatabaseCorrupt or DatabaseUnavailable.
    """
    try:
        if not _has_content(path) and creation.create(path, PAGE_SIZE):
            return
        with contextlib.closing(connect_to_write(path, timeout_s=2.0)) as conn:
            revision, written_by = _revision_of(path, conn)
    except sqlite3.Error as error:
        if classify(error) in (Failure.CORRUPT, Failure.NOTADB):
            raise DatabaseCorrupt(f"{path} cannot be read as a database: {error}") from error
        raise DatabaseUnavailable(explain(path, error)) from error
    if revision == REVISION:
        return
    if revision is not None and revision > REVISION:
        raise NewerSchema(
            f"{path} has schema {revision}, this sensorlogd knows only up to {REVISION}; install sensorlogd"
            f" {written_by or 'of a newer release'}, which wrote it, or a newer one"
        )
    _migrate_in_child(path, beat)


def _has_content(path: Path) -> bool:
    """Whether the file is there and not empty. Raises DatabaseUnavailable if it is no file, cannot be looked at, or its
    folder is missing."""
    try:
        status = path.stat()
    except FileNotFoundError:
        if not path.parent.is_dir():
            raise DatabaseUnavailable(f"{path}: the folder {path.parent} does not exist; create it") from None
        return False
    except OSError as error:
        raise DatabaseUnavailable(f"{path}: {error.strerror}; check owner and mode of its folder") from error
    if not stat.S_ISREG(status.st_mode):
        raise DatabaseUnavailable(f"{path} is not a file; name another one under storage.url")
    return status.st_size > 0


def _revision_of(path: Path, conn: sqlite3.Connection) -> tuple[str | None, str | None]:
    """The Alembic revision, and the release that wrote last. (None, None) for a database without anything in it."""
    (application,) = conn.execute("PRAGMA application_id").fetchone()
    tables = {name for (name,) in conn.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    if application == 0 and not tables:
        return None, None  # a migration that was cut off before its commit
    if application != APPLICATION_ID:
        raise ForeignDatabase(
            f"{path} is a database of another program (application_id {application:#x}, tables "
            f"{', '.join(sorted(tables)[:5]) or 'none'}); it is left as it is; name another file under storage.url"
        )
    if "alembic_version" not in tables:
        raise DatabaseCorrupt(f"{path} has lost the table that says which schema it has (alembic_version)")
    row = conn.execute("SELECT version_num FROM alembic_version").fetchone()
    if row is None:
        raise DatabaseCorrupt(f"{path} no longer says which schema it has: the table alembic_version is empty")
    written_by = None
    if "daemon_status" in tables:
        found = conn.execute("SELECT value FROM daemon_status WHERE key = 'version'").fetchone()
        with contextlib.suppress(ValueError, TypeError):
            written_by = str(json.loads(found[0])) if found else None
    return str(row[0]), written_by


def _migrate_in_child(path: Path, beat: Callable[[], None]) -> None:
    """Create or upgrade the database in a process of its own, and wait for its end, however long it takes. Raises DatabaseCorrupt,
    DatabaseUnavailable."""
    import subprocess

    command, environment = module_command("sensorlogd.storage.migrations", str(path))
    try:
        with interrupts.blocked():
            child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace",
                env=environment,
            )  # fmt: skip
    except OSError as error:
        raise DatabaseUnavailable(
            f"{path}: the process that creates or upgrades it could not be started: {error}; check free memory, the limit of"
            f" processes, and that {command[0]} is still there"
        ) from error
    _children.add(child)
    with child:
        try:
            said = _said_at_the_end(child, beat)
        except BaseException:
            child.kill()  # SQLite undoes what it has begun
            raise
        finally:
            _children.discard(child)
    if child.returncode == 0:
        return
    lines = [line for line in said.strip().splitlines() if line.strip()] or [f"exit status {child.returncode}"]
    if child.returncode == 3:
        raise DatabaseCorrupt(lines[-1])
    if child.returncode == 4:
        raise DatabaseUnavailable(lines[-1])
    raise DatabaseUnavailable(f"{path}: could not be created or upgraded: {lines[-1]}")


def _said_at_the_end(child: subprocess.Popen[str], beat: Callable[[], None]) -> str:
    import subprocess

    while True:
        try:
            return child.communicate(timeout=BEAT_EVERY_S)[1]
        except subprocess.TimeoutExpired:  # what it has said so far is kept
            beat()


def end_children() -> None:
    """Kill the upgrades that are under way, for a process that ends without waiting; SQLite undoes what they have begun."""
    for child in list(_children):
        child.kill()


def connect_writer(path: Path, checkpoint_pages: int = CHECKPOINT_PAGES) -> sqlite3.Connection:
    """The one connection that writes; for the thread that calls. Raises sqlite3.Error."""
    conn = connect_for_writing(path)
    try:
        use_wal(conn)
        conn.execute(f"PRAGMA wal_autocheckpoint = {checkpoint_pages}")
    except BaseException:
        conn.close()
        raise
    return conn


def connect_snapshots(path: Path) -> sqlite3.Connection:
    """A connection for a process that only reads, and says itself when a transaction begins. Raises sqlite3.Error, OSError."""
    if not path.stat().st_size:  # SQLite would delete the WAL beside an empty file, and it is all that is left
        raise OSError(f"{path} is empty")
    conn = connect_to_read(path)
    conn.execute("PRAGMA query_only = 1")
    return conn


def zone_if_alone(path: Path) -> str | None:
    """The zone of the stored days, read under an exclusive lock: somebody who does not know of the lock file may have the
    database open, an older release perhaps. None: it has no zone yet. Raises sqlite3.Error, BUSY if somebody has it open."""
    with closing(connect_to_write(path, timeout_s=0.5)) as conn:
        conn.execute("PRAGMA locking_mode = EXCLUSIVE").fetchone()
        conn.execute("BEGIN EXCLUSIVE")
        zone = meta.get(conn, watermarks.DAY_ZONE)
        conn.execute("ROLLBACK")
    return zone


def use_wal(conn: sqlite3.Connection) -> None:
    """Switch to WAL mode: from now on commits go into a write-ahead log. Raises sqlite3.Error."""
    conn.execute("PRAGMA journal_mode = WAL").fetchone()
    conn.execute("SELECT count(*) FROM sqlite_schema").fetchone()  # now the -shm shows that it is open


def connect_for_writing(path: Path) -> sqlite3.Connection:
    """As ``connect_writer``, in whatever journal mode the file is, and without checkpoints of its own."""
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


def file_identity(file: Path | int | os.stat_result) -> tuple[int, int]:
    """(device, inode) of a name, a descriptor or what is known of a file: to notice that it was removed or replaced. Raises
    OSError."""
    found = file if isinstance(file, os.stat_result) else os.stat(file)
    return found.st_dev, found.st_ino
