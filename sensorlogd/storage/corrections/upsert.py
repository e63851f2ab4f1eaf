"""Upsert readings that come from elsewhere (an import): by (series, time), compared with what is there.

A reading that is stored already is counted as ``same``. Another value or flag for a time that has a reading is counted as
``differing``, or, if the caller asks for that, replaces the reading, whose original is then kept as a mend keeps it. The rest is
as for a late reading: below the edge its minute becomes dirty, below a retention cut it is refused.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from sensorlogd.notation.microseconds import MINUTE_US
from sensorlogd.storage.corrections import conversion, replacing
from sensorlogd.storage.corrections import mend as mending
from sensorlogd.storage.ingest import decimals, latest
from sensorlogd.storage.reading_tables import storing
from sensorlogd.storage.rollups import outdated
from sensorlogd.storage.watermarks import Frontier


class UpsertError(Exception):
    """Nothing was stored; the text says why."""


class Busy(UpsertError):
    """Earlier work on the same readings has to finish first. Nothing was stored; try again later."""


@dataclass(frozen=True, slots=True)
class Replace:
    """An import that replaces what is stored. ``mend``: what this import has kept so far (``UpsertCounts.mend``). ``note``: what
    is imported, for people. ``kind``: of the mend that keeps what was replaced."""

    mend: int | None = None
    note: str = ""
    kind: str = mending.REPLACE


@dataclass(slots=True)
class UpsertCounts:
    """What became of the readings. ``mend``: where what was replaced is kept."""

    new: int = 0
    same: int = 0
    differing: int = 0  # another value or flag is stored for that time; it stayed
    replaced: int = 0
    too_old: int = 0  # older than the retention cut
    mend: int | None = None

    def add(self, other: UpsertCounts) -> None:
        for name in COUNTS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.mend = self.mend if other.mend is None else other.mend


COUNTS = ("new", "same", "differing", "replaced", "too_old")


def upsert(
    conn: sqlite3.Connection,
    frontier: Frontier,
    series: int,
    times: Sequence[int],
    values: Sequence[float | None],
    qualities: Sequence[int],
    now_us: int,
    *,
    replace: Replace | None = None,
) -> UpsertCounts:
    """Store readings of one series, in any order; the caller owns the transaction. Repeating it changes nothing.

    Raises UpsertError if the series is not there any more or is being converted to another unit; Busy while a conversion into
    this series waits, and, if ``replace`` is given, while a mend or its undoing does.
    """
    _refuse_changing_series(conn, series, is_replacing=replace is not None)
    upserted = UpsertCounts(mend=None if replace is None else replace.mend)
    cut = frontier.cuts_us.get(series)
    marks: set[int] = set()
    before: dict[int, tuple[float | None, int]] = {}
    newest: tuple[int, float | None, int] | None = None
    for ts, value, quality in zip(times, values, qualities, strict=True):
        if cut is not None and ts < cut:
            upserted.too_old += 1
            continue
        if storing.insert(conn, frontier, series, ts, value, quality):
            upserted.new += 1
        elif (stored := storing.find(conn, frontier, series, ts)) == (value, quality):
            upserted.same += 1
            continue
        elif replace is None or stored is None:
            upserted.differing += 1
            continue
        else:
            before.setdefault(ts, stored)
            storing.change_one(conn, frontier, series, ts, value, quality)
            upserted.replaced += 1
        if ts < frontier.edge_us:
            marks.add(ts - ts % MINUTE_US)
        if newest is None or ts >= newest[0]:
            newest = (ts, value, quality)
    if before and replace is not None:
        rows = [(ts, *stored) for ts, stored in sorted(before.items())]
        upserted.mend = replacing.keep(conn, series, replace.mend, rows, replace.kind, replace.note, now_us)
    outdated.mark_minutes(conn, frontier, [(series, minute) for minute in sorted(marks)])
    if newest is not None:
        latest.save_imported(conn, series, newest, now_us)
        decimals.learn(conn, [(series, decimals.spread(values))])
    return upserted


def _refuse_changing_series(conn: sqlite3.Connection, series: int, *, is_replacing: bool) -> None:
    """Raises UpsertError or Busy, see ``upsert``."""
    if conn.execute("SELECT 1 FROM series WHERE id = ?", (series,)).fetchone() is None:
        raise UpsertError("the series is not there any more: its unit was converted meanwhile; import again")
    if conversion.is_old(conn, series):
        raise UpsertError("the series is being converted to another unit; import again when that is done")
    if is_replacing and (waits := mending.what_waits(conn, series)):
        raise Busy(waits)
    if series in conversion.held(conn):
        # What the conversion carries over is written over what it meets: a reading of this import would be lost.
        raise Busy("its unit is being converted")
