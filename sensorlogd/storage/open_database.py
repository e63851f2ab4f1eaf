"""One opened database file, with everything that is known about it: it is all made at the opening and discarded at the close.

Owned by the writer thread. ``token`` names this opening and no other: what was computed for an earlier one (roll-ups, a slice
of a mend) is refused by it. This module decides nothing about errors: it raises them, and ``daemon.writing.recovery.failures``
decides.
"""

from __future__ import annotations

import contextlib
import itertools
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sensorlogd.event_kinds import Kind
from sensorlogd.storage import meta, watermarks
from sensorlogd.storage.file import epoch
from sensorlogd.storage.file.connecting import (
    CHECKPOINT_PAGES,
    close_cleanly,
    connect_as_writer,
    connect_to_read,
    connect_to_write,
    use_wal,
)
from sensorlogd.storage.file.file_watch import FileWatch
from sensorlogd.storage.file.transaction import rollback, transaction
from sensorlogd.storage.file.wal_watch import WalWatch
from sensorlogd.storage.maintenance.scrub import Scrub
from sensorlogd.storage.maintenance.upkeep import Upkeep
from sensorlogd.storage.schema.check import ensure_schema
from sensorlogd.storage.series import catalog
from sensorlogd.storage.watermarks import Frontier

_tokens = itertools.count(1)

CHECKPOINT_FRAMES = CHECKPOINT_PAGES


@dataclass(slots=True)
class OpenDatabase:
    """One opened file and all that is known of it. ``newest``: series -> the newest arrival that the table ``latest`` does not
    have yet. ``is_new``: there was no log here."""

    path: Path
    conn: sqlite3.Connection
    upkeep: Upkeep
    epoch: int
    is_new: bool = False
    frontier: Frontier = field(default_factory=Frontier)
    catalog: catalog.Catalog = field(default_factory=catalog.Catalog)
    newest: dict[int, tuple[int, float | None, int]] = field(default_factory=dict)
    token: int = field(default_factory=lambda: next(_tokens))
    scrub: Scrub = field(default_factory=Scrub)
    wal: WalWatch = field(init=False)
    wal_is_held: bool = False  # the last checkpoint could not copy everything, because another program still reads older pages
    _closed: bool = False
    _guard: sqlite3.Connection | None = None
    _file: FileWatch | None = None
    _generation: bytes = b""  # the generation of the WAL that is known to hold page 1

    def __post_init__(self) -> None:
        self.wal = WalWatch(self.path)

    # ---- the file --------------------------------------------------------------------------------------------------

    def guard(self) -> None:
        """Hold a second, read-only connection. Closing the last connection copies the WAL into the file and deletes it by
        name; with this one open the writer's can be closed without touching what lies there now."""
        self._guard = connect_to_read(self.path, timeout_s=1.0)
        self._guard.execute("SELECT count(*) FROM sqlite_schema").fetchone()

    def know_file(self) -> None:
        """Remember which file this is, how long it is, and which its side files are. Raises OSError."""
        self._file = FileWatch(self.path, self.epoch, self.wal)

    def sides(self) -> list[Path]:
        """Its own WAL and WAL index, as far as they still lie under their names."""
        return [] if self._file is None else self._file.sides()

    def check_file(self) -> None:
        """Raises what ``FileWatch.check`` raises if the file is not the one that was opened any more."""
        if self._file is not None:
            self._file.check(self.conn)

    def check_for_damage(self, for_s: float) -> None:
        """Read on in what is stored, see ``scrub``. Raises sqlite3.Error."""
        if self._guard is not None:
            self.scrub.read_on(self._guard, for_s)

    def remember_newest(self, newest: Mapping[int, tuple[int, float | None, int]]) -> None:
        """``newest`` in place of what it was; called once a transaction that changed it is committed."""
        self.newest = dict(newest)

    # ---- transactions and the WAL ----------------------------------------------------------------------------------

    def transaction(self) -> contextlib.AbstractContextManager[sqlite3.Connection]:
        """All or nothing. Raises sqlite3.Error, and whatever is raised inside."""
        return transaction(self.conn)

    def rollback(self) -> None:
        """Roll back the transaction, if SQLite has not done so by itself. Raises nothing."""
        rollback(self.conn)

    def checkpoint_if_due(self) -> None:
        """Copy the WAL into the file once it is long, and begin it anew with page 1 (see ``epoch``). Raises sqlite3.Error."""
        frames = self.wal.frames()
        if frames and self.wal.generation != self._generation:
            self.put_page_one()  # the WAL began anew without page 1: another program checkpointed it, or writing page 1 failed
        if frames >= CHECKPOINT_FRAMES:
            self.check_file()  # raises if another file lies at the path: the WAL must not be copied into it
            self.checkpoint()

    def checkpoint(self) -> None:
        """PASSIVE: waits for nobody; what a reader still needs stays for the next time. Raises sqlite3.Error."""
        _, frames, copied = self.conn.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        self.wal_is_held = copied < frames
        if not self.wal_is_held:
            self.put_page_one()  # the first frame of the WAL as it begins anew
            if self._file is not None:
                self._file.copied()

    def put_page_one(self) -> None:
        """Into the WAL, which is begun by that if there is none. Raises sqlite3.Error."""
        epoch.repeat(self.conn, self.epoch)
        self.wal.frames()
        self._generation = self.wal.generation

    # ---- the end ---------------------------------------------------------------------------------------------------

    def close_cleanly(self) -> None:
        """One file without a WAL if nobody reads, then closed. Raises sqlite3.Error."""
        self._closed = True
        self._drop_guard()
        try:
            close_cleanly(self.conn)
        finally:
            self._drop_file()

    def let_go(self) -> None:
        """Close without touching what lies at the path: the files may be moved, exchanged, damaged. Raises nothing;
        idempotent."""
        if self._closed:
            return
        self._closed = True
        self.rollback()
        with contextlib.suppress(sqlite3.Error):
            self.conn.close()
        self._drop_guard()
        self._drop_file()

    def _drop_file(self) -> None:
        """Let go of the file, after the connections are closed: see ``file_watch``."""
        self.wal.close()
        if self._file is not None:
            self._file.close()

    def _drop_guard(self) -> None:
        if self._guard is not None:
            with contextlib.suppress(sqlite3.Error):
                self._guard.close()
            self._guard = None


def open_file(
    path: Path,
    make_upkeep: Callable[[], Upkeep],
    safe_us: Callable[[sqlite3.Connection], int],
    beat: Callable[[], None] = lambda: None,
) -> OpenDatabase:
    """Open (and if need be create or upgrade) the log at ``path``; what ``epoch.examine`` finds wrong has been dealt with.

    ``safe_us``: what time it is; called with the connection, because the file says what time was believed last. ``beat``: as
    ``ensure_schema``. Raises what ``ensure_schema`` does, sqlite3.Error, OSError.
    """
    is_new = not path.exists() or path.stat().st_size == 0
    ensure_schema(path, beat)
    conn = connect_as_writer(path)
    opened = None
    try:
        opened = OpenDatabase(path, conn, make_upkeep(), epoch.renew(conn), is_new)
        use_wal(conn)
        opened.put_page_one()
        opened.guard()
        opened.know_file()
        opened.upkeep.recover(conn, opened.frontier, safe_us(conn))
    except BaseException:
        if opened is None:
            conn.close()
        else:
            opened.let_go()
        raise
    return opened


def zone_if_alone(path: Path) -> str | None:
    """The zone of the stored days, read under an exclusive lock: somebody who does not know of the lock file may have the
    database open, an older release perhaps. None: it has no zone yet. Raises sqlite3.Error, BUSY if somebody has it open."""
    with contextlib.closing(connect_to_write(path, timeout_s=0.5)) as conn:
        conn.execute("PRAGMA locking_mode = EXCLUSIVE").fetchone()
        conn.execute("BEGIN EXCLUSIVE")
        zone = meta.get(conn, watermarks.DAY_ZONE)
        conn.execute("ROLLBACK")
    return zone


def use_specs(opened: OpenDatabase, specs: Sequence[catalog.SensorSpec], now_us: int) -> list[tuple[Kind, str | None, str]]:
    """Make the catalog know the configured sensors. Returns what changed, as (kind of event, sensor, detail). Its own transaction.
    Raises sqlite3.Error."""
    with opened.transaction() as conn:
        synced = catalog.sync(conn, specs, now_us)
    opened.catalog = synced
    opened.upkeep.use_catalog(opened.conn, opened.frontier)
    return list(synced.notes)
