"""Place readings that come from elsewhere (an import): by (series, time), compared with what is there.

The same reading again is nothing new. Another value or flag at a time that is taken is told, and replaces what is there
only if that is asked for; what was there is then kept like a mend's. Everything else is as for a late reading: below the
edge its minute becomes dirty, below a retention cut it is refused.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from sensorlogd.storage.corrections import conversion, replacing
from sensorlogd.storage.corrections import mend as mending
from sensorlogd.storage.ingest.append import INSERT_ONE, MINUTE_US, Frontier, mark_dirty

_FIND = {table: f"SELECT value, quality FROM {table} WHERE series_id = ? AND ts = ?" for table in ("recent", "history")}
_UPDATE = {table: f"UPDATE {table} SET value = ?, quality = ? WHERE series_id = ? AND ts = ?" for table in ("recent", "history")}
_LATEST = (
    "INSERT INTO latest(series_id, ts, value, quality, arrived_us) VALUES (?,?,?,?,?) ON CONFLICT(series_id) DO UPDATE SET"
    " ts = excluded.ts, value = excluded.value, quality = excluded.quality, arrived_us = excluded.arrived_us"
    " WHERE excluded.ts >= latest.ts"
)


class PlaceError(Exception):
    """Nothing was placed; the text says why."""


class Busy(PlaceError):
    """Not yet: earlier work on the same readings comes first. Try again."""


@dataclass(frozen=True, slots=True)
class Replace:
    """``mend``: what this import has kept so far (``Placed.mend``). ``note``: what is imported, for people."""

    mend: int | None = None
    note: str = ""


@dataclass(slots=True)
class Placed:
    """What became of the readings. ``mend``: where what was replaced is kept."""

    new: int = 0
    same: int = 0
    differing: int = 0  # another value or flag is stored for that time; it stayed
    replaced: int = 0
    too_old: int = 0  # older than the retention cut
    mend: int | None = None

    def add(self, other: Placed) -> None:
        for name in COUNTS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.mend = self.mend if other.mend is None else other.mend


COUNTS = ("new", "same", "differing", "replaced", "too_old")


def place(
    conn: sqlite3.Connection,
    frontier: Frontier,
    series: int,
    times: Sequence[int],
    values: Sequence[float | None],
    qualities: Sequence[int],
    now_us: int,
    *,
    replace: Replace | None = None,
) -> Placed:
    """Store readings of one series, in any order; the caller owns the transaction. Repeating it changes nothing.

    Raises Busy while a mend, its undoing or a conversion of these readings waits and they may be replaced; PlaceError for
    a series that is not there any more.
    """
    _check(conn, series, is_replacing=replace is not None)
    placed = Placed(mend=None if replace is None else replace.mend)
    cut = frontier.cuts_us.get(series)
    marks: set[int] = set()
    before: dict[int, tuple[float | None, int]] = {}
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
        elif (stored := conn.execute(_FIND[tables[0]], (series, ts)).fetchone()) == (value, quality):
            placed.same += 1
            continue
        elif replace is None:
            placed.differing += 1
            continue
        else:
            before.setdefault(ts, stored)
            for table in tables:
                conn.execute(_UPDATE[table], (value, quality, series, ts))
            placed.replaced += 1
        if ts < frontier.edge_us:
            marks.add(ts - ts % MINUTE_US)
        if newest is None or ts >= newest[0]:
            newest = (ts, value, quality)
    if before and replace is not None:
        rows = [(ts, *stored) for ts, stored in sorted(before.items())]
        placed.mend = replacing.keep(conn, series, replace.mend, rows, replace.note, now_us)
    mark_dirty(conn, frontier, [(series, minute) for minute in sorted(marks)])
    if newest is not None:
        conn.execute(_LATEST, (series, *newest, now_us))
    return placed


def _check(conn: sqlite3.Connection, series: int, *, is_replacing: bool) -> None:
    if conn.execute("SELECT 1 FROM series WHERE id = ?", (series,)).fetchone() is None:
        raise PlaceError("the series is not there any more: its unit was converted meanwhile; import again")
    if conversion.is_old(conn, series):
        raise PlaceError("the series is being converted to another unit; import again when that is done")
    if is_replacing and (waits := mending.is_waiting(conn, series)):
        raise Busy(waits)
