"""Place readings that come from elsewhere (an import): by (series, time), compared with what is there.

The same reading again is nothing new. Another value or flag at a time that is taken is told, and replaces what is there
only if that is asked for. Everything else is as for a late reading: below the edge its minute becomes dirty, below a
retention cut it is refused.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from sensorlogd.storage.append import INSERT_ONE, MINUTE_US, Frontier, mark_dirty

_FIND = {table: f"SELECT value, quality FROM {table} WHERE series_id = ? AND ts = ?" for table in ("recent", "history")}
_UPDATE = {table: f"UPDATE {table} SET value = ?, quality = ? WHERE series_id = ? AND ts = ?" for table in ("recent", "history")}
_LATEST = (
    "INSERT INTO latest(series_id, ts, value, quality, arrived_us) VALUES (?,?,?,?,?) ON CONFLICT(series_id) DO UPDATE SET"
    " ts = excluded.ts, value = excluded.value, quality = excluded.quality, arrived_us = excluded.arrived_us"
    " WHERE excluded.ts >= latest.ts"
)


@dataclass(slots=True)
class Placed:
    """What became of the readings."""

    new: int = 0
    same: int = 0
    differing: int = 0  # another value or flag is stored for that time; it stayed
    replaced: int = 0
    too_old: int = 0  # older than the retention cut

    def add(self, other: Placed) -> None:
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


def place(
    conn: sqlite3.Connection,
    frontier: Frontier,
    series: int,
    times: Sequence[int],
    values: Sequence[float | None],
    qualities: Sequence[int],
    now_us: int,
    *,
    replace: bool = False,
) -> Placed:
    """Store readings of one series, in any order; the caller owns the transaction. Repeating it changes nothing."""
    placed = Placed()
    cut = frontier.cuts_us.get(series)
    marks: set[int] = set()
    newest: tuple[int, float | None, int] | None = None
    for ts, value, quality in zip(times, values, qualities, strict=True):
        if cut is not None and ts < cut:
            placed.too_old += 1
            continue
        tables = frontier.tables(ts)
        if conn.execute(INSERT_ONE[tables[0]], (series, ts, value, quality)).rowcount == 1:
            for table in tables[1:]:
                conn.execute(INSERT_ONE[table], (series, ts, value, quality))
            placed.new += 1
        elif conn.execute(_FIND[tables[0]], (series, ts)).fetchone() == (value, quality):
            placed.same += 1
            continue
        elif not replace:
            placed.differing += 1
            continue
        else:
            for table in tables:
                conn.execute(_UPDATE[table], (value, quality, series, ts))
            placed.replaced += 1
        if ts < frontier.edge_us:
            marks.add(ts - ts % MINUTE_US)
        if newest is None or ts >= newest[0]:
            newest = (ts, value, quality)
    mark_dirty(conn, frontier, [(series, minute) for minute in sorted(marks)])
    if newest is not None:
        conn.execute(_LATEST, (series, *newest, now_us))
    return placed
