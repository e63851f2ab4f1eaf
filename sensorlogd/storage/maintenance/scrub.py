"""Reading everything once in a while, a little at a time: a damaged page that nobody asks for is else found months later.

Through a connection of its own each time, because one that stays open goes on from memory. What is found is what SQLite finds
when it reads a page: that it is none. Small tables are read whole at each look, large ones from where the last look ended.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from pathlib import Path
from typing import Any

SMALL = ("sensor", "series", "meta", "retention_cut", "daemon_status", "work", "sensor_status", "calibration")
# table -> its key, in the order of which it is read
LARGE = {
    "history": ("series_id", "ts"),
    "recent": ("ts", "series_id"),
    "rollup": ("series_id", "resolution", "start"),
    "mended": ("mend_id", "first_ts"),
    "event": ("id",),
    "mend": ("id",),
    "dirty": ("series_id", "start"),
    "stale": ("series_id", "tier"),
    "latest": ("series_id",),
}
ROWS_AT_ONCE = 2_000


class Scrub:
    """Of one opening. ``rounds``: how often all of it has been read."""

    def __init__(self) -> None:
        self.rounds = 0
        self._table = 0
        self._after: tuple[Any, ...] | None = None  # the key of the row read last

    def look(self, path: Path, for_s: float) -> None:
        """Read on for about so long. Raises sqlite3.Error: CORRUPT or NOTADB is damage."""
        until = time.monotonic() + for_s
        uri = f"{path.absolute().as_uri()}?mode=ro"
        with contextlib.closing(sqlite3.connect(uri, uri=True, isolation_level=None, timeout=1.0)) as conn:
            conn.execute("PRAGMA cell_size_check = ON")  # rather an error than nonsense
            for table in SMALL:
                conn.execute(f"SELECT * FROM {table}").fetchall()
            rounds = self.rounds
            while time.monotonic() < until and self.rounds == rounds:
                self._some(conn)

    def _some(self, conn: sqlite3.Connection) -> None:
        table = tuple(LARGE)[self._table]
        key = LARGE[table]
        names, marks = ", ".join(key), ", ".join("?" * len(key))
        where = "" if self._after is None else f"WHERE ({names}) > ({marks})"
        row = conn.execute(
            f"SELECT {names} FROM (SELECT * FROM {table} {where} ORDER BY {names} LIMIT {ROWS_AT_ONCE})"
            f" ORDER BY {', '.join(f'{name} DESC' for name in key)} LIMIT 1",
            self._after or (),
        ).fetchone()
        self._after = row
        if row is None:
            self._table = (self._table + 1) % len(LARGE)
            self.rounds += self._table == 0
