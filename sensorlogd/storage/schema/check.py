"""Whether a file is a log of the current schema, and how it becomes one: created from ``fresh.sql``, upgraded by Alembic migrations.

Alembic and SQLAlchemy cost 25 MB and half a second, so they run in a child process and only when there is something to upgrade; the
daemon itself looks at two numbers with plain sqlite3.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import stat
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from sensorlogd.processes import interrupts
from sensorlogd.processes.module_command import module_command
from sensorlogd.storage.file.connecting import connect_to_write
from sensorlogd.storage.file.errors import (
    DatabaseCorrupt,
    DatabaseUnavailable,
    Failure,
    ForeignDatabase,
    NewerSchema,
    classify,
    explain,
)
from sensorlogd.storage.file.identity import APPLICATION_ID, PAGE_SIZE, REVISION
from sensorlogd.storage.schema import creation

if TYPE_CHECKING:
    import subprocess

BEAT_EVERY_S = 1.0  # while an upgrade is waited for

_children: set[subprocess.Popen[str]] = set()  # upgrades under way


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
    """Create or upgrade the database in a process of its own, and wait for its end. Raises DatabaseCorrupt,
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
