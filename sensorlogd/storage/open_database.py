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
from pathlib import Path

from sensorlogd.event_kinds import Kind
from sensorlogd.storage import meta, watermarks
from sensorlogd.storage.file.connecting import connect_to_write
from sensorlogd.storage.file.opened_file import OpenedFile
from sensorlogd.storage.ingest import latest
from sensorlogd.storage.maintenance.scrub import Scrub
from sensorlogd.storage.maintenance.upkeep import Upkeep
from sensorlogd.storage.schema.check import ensure_schema
from sensorlogd.storage.series.catalog import Catalog, SensorSpec, sync
from sensorlogd.storage.watermarks import Frontier

_tokens = itertools.count(1)

Newest = Mapping[int, tuple[int, float | None, int]]  # series -> (time, value, quality)


class OpenDatabase(OpenedFile):
    """One opened file and all that is known of it. ``is_new``: there was no log here."""

    def __init__(
        self, path: Path, make_upkeep: Callable[[], Upkeep], safe_us: Callable[[sqlite3.Connection], int], *, is_new: bool
    ) -> None:
        """Open a file that has the schema; see ``open_file``. Raises sqlite3.Error, OSError, and what the callables raise; nothing
        is left open then."""
        super().__init__(path)
        try:
            self.token = next(_tokens)
            self.is_new = is_new
            self.frontier = Frontier()
            self.upkeep = make_upkeep()
            self._scrub = Scrub()
            self._catalog = Catalog()
            now_us = safe_us(self.conn)
            self.upkeep.recover(self.conn, self.frontier, now_us)
            # Saved with the next ones: once ``latest`` is written again nobody looks for them among the readings any more.
            self._newest: Newest = latest.unsaved(self.conn, now_us)
        except BaseException:
            self.let_go()
            raise

    @property
    def catalog(self) -> Catalog:
        """The configured sensors and their series; empty until ``use_specs``."""
        return self._catalog

    @property
    def newest(self) -> Newest:
        """The newest arrival of each series that the table ``latest`` does not have yet."""
        return self._newest

    def replace_newest(self, newest: Newest) -> None:
        """What ``newest`` is from here on, because a commit has changed it."""
        self._newest = newest

    def use_specs(self, specs: Sequence[SensorSpec], now_us: int) -> list[tuple[Kind, str | None, str]]:
        """Make the catalog know the configured sensors. Returns what changed, as (kind of event, sensor, detail). Its own
        transaction. Raises sqlite3.Error."""
        with self.transaction() as conn:
            synced = sync(conn, specs, now_us)
        self._catalog = synced
        self.upkeep.use_catalog(self.conn, self.frontier)
        return list(synced.notes)

    def check_for_damage(self, for_s: float) -> None:
        """Read on in what is stored, see ``scrub``. Raises sqlite3.Error."""
        self._scrub.read_on(self.reading_conn, for_s)


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
    return OpenDatabase(path, make_upkeep, safe_us, is_new=is_new)


def zone_if_alone(path: Path) -> str | None:
    """The zone of the stored days, read under an exclusive lock: somebody who does not know of the lock file may have the
    database open, an older release perhaps. None: it has no zone yet. Raises sqlite3.Error, BUSY if somebody has it open."""
    with contextlib.closing(connect_to_write(path, timeout_s=0.5)) as conn:
        conn.execute("PRAGMA locking_mode = EXCLUSIVE").fetchone()
        conn.execute("BEGIN EXCLUSIVE")
        zone = meta.get(conn, watermarks.DAY_ZONE)
        conn.execute("ROLLBACK")
    return zone
