"""Opening a log read-only, without changing, waiting for, or misreading anything.

What lies beside the file decides: with a WAL the file alone is the past, with a rollback journal it is half of a change,
and an empty file makes SQLite delete the WAL. So the sides are examined before a fallback is taken, and said in words.
"""

from __future__ import annotations

import os
import sqlite3
import stat
import time
from contextlib import closing
from pathlib import Path

from sensorlogd.storage.file import epoch
from sensorlogd.storage.file.connecting import connect_to_read, connect_to_write
from sensorlogd.storage.file.content import holds_text
from sensorlogd.storage.file.epoch import FoundFile
from sensorlogd.storage.file.errors import Failure, classify
from sensorlogd.storage.file.holder import holder
from sensorlogd.storage.file.identity import APPLICATION_ID, REVISION, side

BUSY_WITHIN_S = 2.0


class LogError(Exception):
    """Root of what is wrong with a log, or with what is asked of it; the text says where, what, and what to do."""


class LogUnavailable(LogError):
    """The log cannot be read; the text says why and what to do."""


class LogDamaged(LogUnavailable):
    """SQLite finds the file damaged; what is read of it can be anything."""


def open_reader(path: Path, *, any_thread: bool = False) -> sqlite3.Connection:
    """A connection that only reads. ``any_thread``: another thread may close it. Raises LogUnavailable."""
    _check_file(path)
    try:
        return _connect(path, any_thread)
    except sqlite3.Error as error:
        return _connect_unchanging(path, error, any_thread)


_NAME_THE_LOG = "name the file that the daemon writes, e.g. sensorlogd.db"


def damaged(path: Path, error: object) -> str:
    """What to say of a database that SQLite finds damaged, or takes for none."""
    if holds_text(path):
        configuration = " (a configuration is given with -c)" if path.suffix in (".yaml", ".yml") else ""
        return f"{path} is a text file, not a database; {_NAME_THE_LOG}{configuration}"
    cure = "if it was a log, start or restart the daemon: it sets the file aside and salvages it"
    return f"{path} is a damaged database ({error}); {cure}"


def no_database(path: Path) -> str:
    """What to say of a database that is not there, whether a configuration or the command line names it."""
    return f"{path}: no such database; is the name right, and has the daemon run, which makes it?"


def interrupted(path: Path) -> bool:
    """Whether a change of the file was cut off in the middle, so that its rollback journal must be played back first."""
    try:
        with open(side(path, "-journal"), "rb") as file:
            return file.read(1) not in (b"", b"\0")  # a journal that is done with is removed, emptied, or begins with zeros
    except FileNotFoundError:
        return False
    except OSError:
        return True


def size_of(path: Path) -> int:
    """The size of the file in bytes; 0 if there is none."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _check_file(path: Path) -> None:
    """Raises LogUnavailable for what SQLite must not see: beside an empty file it deletes the WAL, and with it all that is
    left."""
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise LogUnavailable(no_database(path)) from None
    except OSError as error:
        raise LogUnavailable(
            f"{path}: {error.strerror}; check the name, and owner and mode of the folders that lead to it"
        ) from error
    if not stat.S_ISREG(status.st_mode):
        raise LogUnavailable(f"{path} is not a file, so it is not a sensorlogd database")
    if size_of(side(path, "-wal")) and not _is_held(path):
        refuse_foreign_sides(path)
    if status.st_size == 0:
        refuse_foreign_sides(path)
        raise LogUnavailable(f"{path} is empty: not a sensorlogd database, or not one yet")


def refuse_foreign_sides(path: Path) -> None:
    """Raises LogUnavailable if the WAL beside the file is not to be applied to it: SQLite would delete it beside a file that is
    empty or gone, and make one broken file of two sound ones if it belongs to another. For a file that nobody writes."""
    try:
        found = epoch.examine(Path(os.path.realpath(path)))
    except OSError:
        return  # opening says why
    wal = size_of(side(path, "-wal"))
    if found is FoundFile.EMPTIED:
        raise LogUnavailable(
            f"{path} is damaged: the database is empty or gone, its WAL beside it ({wal:,} bytes) is not; leave it,"
            " the daemon sets both aside at its start"
        )
    if found is FoundFile.FOREIGN_WAL:
        raise LogUnavailable(
            f"{path}: the WAL beside the database ({wal:,} bytes) belongs to another file (was a backup copied over it?); leave"
            " it, the daemon sets it aside at its start"
        )


def _is_held(path: Path) -> bool:
    try:
        return holder(path) is not None
    except OSError:
        return True


def undo_interrupted(path: Path) -> None:
    """Play back the rollback journal of a change that was cut off. For the holder of the database's lock. Raises
    sqlite3.Error."""
    with closing(connect_to_write(path, timeout_s=BUSY_WITHIN_S)) as conn:
        conn.execute("SELECT count(*) FROM sqlite_schema").fetchone()


def _connect(path: Path, any_thread: bool, *, unchanging: bool = False) -> sqlite3.Connection:
    """Raises sqlite3.Error, LogUnavailable."""
    conn = connect_to_read(path, timeout_s=BUSY_WITHIN_S, unchanging=unchanging, any_thread=any_thread)
    try:
        conn.execute("PRAGMA query_only = 1")
        _check_schema(conn, path)
    except BaseException:
        conn.close()
        raise
    return conn


def _check_schema(conn: sqlite3.Connection, path: Path) -> None:
    """Raises LogUnavailable for a database of another program or another schema, LogDamaged for one without, sqlite3.Error."""
    (application,) = conn.execute("PRAGMA application_id").fetchone()
    if application != APPLICATION_ID:
        if holds_text(path):  # so short that SQLite takes it for an empty database
            raise LogUnavailable(damaged(path, "no database"))
        raise LogUnavailable(f"{path} is not a sensorlogd database (application_id {application:#x}); {_NAME_THE_LOG}")
    row = conn.execute("SELECT version_num FROM alembic_version").fetchone()
    if row is None:
        raise LogDamaged(damaged(path, "its schema has no version"))
    revision = str(row[0])
    if revision > REVISION:
        raise LogUnavailable(f"{path} has schema {revision}, this release knows {REVISION}; use the sensorlogd that wrote it")
    if revision < REVISION:
        raise LogUnavailable(f"{path} has the older schema {revision}; start the daemon once, it upgrades the file")


def _connect_unchanging(path: Path, error: sqlite3.Error, any_thread: bool) -> sqlite3.Connection:
    """A file in WAL mode cannot be opened read-only in a folder we may not write, unless it is known not to change."""
    failure = classify(error)
    if failure in (Failure.CORRUPT, Failure.NOTADB):
        raise (LogUnavailable if holds_text(path) else LogDamaged)(damaged(path, error)) from error
    if not os.access(path, os.R_OK):
        raise LogUnavailable(f"{path}: permission denied; join the group that owns it (ls -l {path})") from error
    if failure is Failure.BUSY:
        raise LogUnavailable(f"{path}: another program has locked the database; try again") from error
    if interrupted(path):
        raise LogUnavailable(
            f"{path}: the database was interrupted in the middle of a change; start the daemon, or run any verb that"
            " changes something ('sensorlogd db compact'): that undoes the half of it"
        ) from error
    if not _is_held(path) and not size_of(side(path, "-wal")):
        try:
            return _connect(path, any_thread, unchanging=True)
        except sqlite3.Error as again:
            if classify(again) in (Failure.CORRUPT, Failure.NOTADB):
                raise LogDamaged(damaged(path, again)) from again
    raise LogUnavailable(
        f"{path}: {error}; the database has a WAL, or is being written (the daemon crashed or runs as another user):"
        " run this as that user, or start the daemon"
    ) from error


def found_damage(path: Path, within_s: float = 5.0) -> str | None:
    """The first fault that SQLite finds in a log within this time, None if there is none or the log cannot be opened."""
    end = time.monotonic() + within_s
    try:
        with closing(open_reader(path)) as conn:
            conn.set_progress_handler(lambda: time.monotonic() > end, 100_000)
            (line,) = conn.execute("PRAGMA quick_check(1)").fetchone()
    except LogUnavailable:
        return None
    except sqlite3.Error as error:
        return str(error) if classify(error) in (Failure.CORRUPT, Failure.NOTADB) else None
    return None if line == "ok" else str(line).splitlines()[-1]
