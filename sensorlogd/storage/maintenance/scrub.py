"""Read the whole file now and then, a little at a time: otherwise a damaged page that no query touches is found months later.

What is found is what SQLite itself notices when it reads a page that is malformed. Small tables are read whole at each check,
large ones from where the last check ended. The connection is one that is open anyway, and forgets its pages first. Not one
opened anew by the name of the file: if another file lies there by now, its ``-shm`` may still be that of the open one, and
closing a second descriptor of it drops the locks of this process; the next who opens it cuts it, and the daemon ends by SIGBUS.
"""

from __future__ import annotations

import sqlite3
import time
from typing import Any

from sensorlogd.storage.reading_tables import KEYS

# Read whole at each check, their indexes, too.
SMALL = (
    "alembic_version", "sensor", "series", "meta", "retention_cut", "daemon_status", "work", "sensor_status", "calibration",
    "alarm",
)  # fmt: skip
# table -> its key, in the order of which it is read
LARGE = {
    **KEYS,
    "rollup": ("series_id", "resolution", "start"),
    "mended": ("mend_id", "first_ts"),
    "event": ("id",),
    "event INDEXED BY event_ts": ("ts", "id"),
    "mend": ("id",),
    "dirty": ("series_id", "start"),
    "stale": ("series_id", "tier"),
    "latest": ("series_id",),
    "alarm_change": ("id",),
    "alarm_change INDEXED BY alarm_change_ts": ("ts", "id"),
    "notification": ("id",),
    "notification INDEXED BY notification_state": ("state", "id"),
    "notification INDEXED BY sqlite_autoindex_notification_1": ("identity",),
}
ROWS_AT_ONCE = 2_000


class ReportedDamage(sqlite3.DatabaseError):
    """Damage that SQLite names in the report of quick_check instead of raising an error."""

    sqlite_errorcode = sqlite3.SQLITE_CORRUPT


class Scrub:
    """Reads all tables of one opening again and again, a little at a time, to find damage. ``rounds``: how often all of it has
    been read."""

    def __init__(self) -> None:
        self.rounds = 0
        self._table = 0
        self._after: tuple[Any, ...] | None = None  # the key of the row read last

    def read_on(self, conn: sqlite3.Connection, for_s: float) -> None:
        """Read on for about ``for_s``, or until all has been read once. Raises sqlite3.Error: CORRUPT or NOTADB is damage."""
        until = time.monotonic() + for_s
        conn.execute("PRAGMA shrink_memory")  # from the disk, not from memory
        conn.execute("PRAGMA cell_size_check = ON")  # an error for a malformed cell, instead of wrong values
        for table in SMALL:
            line = conn.execute("SELECT quick_check FROM pragma_quick_check(?)", (table,)).fetchall()[0][0]
            if line != "ok":
                raise ReportedDamage(f"table {table}: {str(line).splitlines()[-1]}")
        rounds = self.rounds
        while True:
            self._read_next_rows(conn)
            if time.monotonic() >= until or self.rounds != rounds:
                return

    def _read_next_rows(self, conn: sqlite3.Connection) -> None:
        """Read the next ROWS_AT_ONCE rows of a table. After its last row the next table follows; after the last table a
        round is over."""
        table = tuple(LARGE)[self._table]
        key = LARGE[table]
        names, parameters = ", ".join(key), ", ".join("?" * len(key))
        columns = names if "INDEXED" in table else "*"  # reads the index alone, not the table
        where = "" if self._after is None else f"WHERE ({names}) > ({parameters})"
        rows = conn.execute(
            f"SELECT {names} FROM (SELECT {columns} FROM {table} {where} ORDER BY {names} LIMIT {ROWS_AT_ONCE})"
            f" ORDER BY {', '.join(f'{name} DESC' for name in key)} LIMIT 1",
            self._after or (),
        ).fetchall()  # nothing stays begun: it would hold a snapshot
        self._after = rows[0] if rows else None
        if not rows:
            self._table = (self._table + 1) % len(LARGE)
            self.rounds += self._table == 0
