"""Upsert readings that come from elsewhere (an import): by (series, time), compared with what is there.

A reading that is stored already is counted as ``same``. Another value or flag for a time that has a reading is counted as
``differing``, or, if the caller asks for that, replaces the reading, whose original is then kept as a mend keeps it. The rest is
as for a late reading: below the edge its minute becomes dirty, below a retention cut it is refused. So is what retention would
expire now: it would be stored, and be gone at the next round.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from sensorlogd.notation.microseconds import MINUTE_US
from sensorlogd.storage.corrections import conversion, mend_state, replacing
from sensorlogd.storage.corrections.replacing import Replace
from sensorlogd.storage.ingest import decimals, latest
from sensorlogd.storage.reading_tables import storing
from sensorlogd.storage.rollups import outdated
from sensorlogd.storage.watermarks import Frontier


class UpsertError(Exception):
    """Nothing was stored; the text says why."""


class Busy(UpsertError):
    """Earlier work on the same readings has to finish first. Nothing was stored; try again later."""


@dataclass(slots=True)
class UpsertCounts:
    """What happened to the readings. ``mend``: where what was replaced is kept."""

    new: int = 0
    same: int = 0
    differing: int = 0  # another value or flag is stored for that time; it stayed
    replaced: int = 0
    too_old: int = 0  # older than the retention cut, or than what retention keeps now
    mend: int | None = None

    def add(self, other: UpsertCounts) -> None:
        for name in COUNTS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.mend = self.mend if other.mend is None else other.mend


Stored = tuple[float | None, int]  # value, quality
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
    kept_from_us: int | None = None,
) -> UpsertCounts:
    """Store readings of one series, in any order; the caller owns the transaction. Repeating it changes nothing.

    ``kept_from_us``: from when on retention keeps readings of this series (``Retention.kept_from_us``); None: it keeps all that its
    stored cut leaves.

    First each reading is compared with what is stored, then the originals of what it is to replace are kept, then it is replaced.

    Raises UpsertError if the series is not there any more or is being converted to another unit; Busy while a conversion into
    this series waits, and, if ``replace`` is given, while a mend or its undoing does.
    """
    _refuse_changing_series(conn, series, is_replacing=replace is not None)
    found = _Found(conn, frontier, series, kept_from_us, is_replacing=replace is not None)
    for ts, value, quality in zip(times, values, qualities, strict=True):
        found.store_one(ts, value, quality)
    counts = found.counts
    counts.mend = None if replace is None else replace.mend
    if found.originals and replace is not None:
        rows = [(ts, *stored) for ts, stored in sorted(found.originals.items())]
        counts.mend = replacing.keep_originals(conn, series, replace, rows, now_us)
    for ts, (value, quality) in found.replacements.items():
        storing.change_one(conn, frontier, series, ts, value, quality)
    outdated.mark_minutes(conn, frontier, [(series, minute) for minute in sorted(found.minutes)])
    if found.newest is not None:
        latest.save_imported(conn, series, found.newest, now_us)
        decimals.learn(conn, [(series, decimals.spread(values))])
    return counts


class _Found:
    """What the readings of one call meet. New ones are stored as they come; what others are to replace is only noted, because their
    originals have to be kept first."""

    def __init__(
        self, conn: sqlite3.Connection, frontier: Frontier, series: int, kept_from_us: int | None, *, is_replacing: bool
    ) -> None:
        self.counts = UpsertCounts()
        self.originals: dict[int, Stored] = {}  # time -> what is stored and is to be replaced
        self.replacements: dict[int, Stored] = {}  # time -> what it is to be
        self.minutes: set[int] = set()  # that are dirty now
        self.newest: tuple[int, float | None, int] | None = None
        self._conn = conn
        self._frontier = frontier
        self._series = series
        self._is_replacing = is_replacing
        self._cut_us = max((cut for cut in (frontier.cuts_us.get(series), kept_from_us) if cut is not None), default=None)

    def store_one(self, ts: int, value: float | None, quality: int) -> None:
        """Store a reading, or note what is to become of the one that is there."""
        if self._cut_us is not None and ts < self._cut_us:
            self.counts.too_old += 1
            return
        if storing.insert(self._conn, self._frontier, self._series, ts, value, quality):
            self.counts.new += 1
        else:
            stored = self.replacements.get(ts) or storing.find(self._conn, self._frontier, self._series, ts)
            if stored == (value, quality):
                self.counts.same += 1
                return
            if not self._is_replacing or stored is None:
                self.counts.differing += 1
                return
            self.originals.setdefault(ts, stored)
            self.replacements[ts] = value, quality
            self.counts.replaced += 1
        if ts < self._frontier.edge_us:
            self.minutes.add(ts - ts % MINUTE_US)
        if self.newest is None or ts >= self.newest[0]:
            self.newest = ts, value, quality


def _refuse_changing_series(conn: sqlite3.Connection, series: int, *, is_replacing: bool) -> None:
    """Raises UpsertError or Busy, see ``upsert``."""
    if conn.execute("SELECT 1 FROM series WHERE id = ?", (series,)).fetchone() is None:
        raise UpsertError("the series is not there any more: its unit was converted meanwhile; import again")
    if conversion.is_old(conn, series):
        raise UpsertError("the series is being converted to another unit; import again when that is done")
    if is_replacing and (waits := mend_state.what_waits(conn, series)):
        raise Busy(waits)
    if series in conversion.held(conn):
        # What the conversion carries over is written over what it meets: a reading of this import would be lost.
        raise Busy("its unit is being converted")
