"""The statements of the mover, and others that move or delete all readings of a span. The caller owns the transaction and decides
how much is done at once. What the steps mean stands in ``maintenance/mover.py``.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

from sensorlogd.notation.microseconds import BEGINNING_US, END_US
from sensorlogd.storage import meta, watermarks
from sensorlogd.storage.reading_tables.readings import Reading
from sensorlogd.storage.reading_tables.storing import Border

_COPY = (
    "INSERT INTO history(series_id, ts, value, quality) SELECT series_id, ts, value, quality FROM recent"
    " WHERE ts >= ? AND ts < ? AND series_id >= ? AND series_id <= ? ORDER BY series_id, ts ON CONFLICT DO NOTHING"
)
_COUNT = "SELECT count(*), max(ts) FROM (SELECT ts FROM recent WHERE ts >= ? AND ts < ? ORDER BY ts LIMIT ?)"
_AFTER = "SELECT ts FROM recent WHERE ts >= ? AND ts < ? ORDER BY ts LIMIT 1 OFFSET ?"
# Where each series has at most ?3 rows from there on; NULL where all of them have fewer.
_NEWEST = (
    "SELECT max((SELECT ts FROM history WHERE series_id = series.id AND ts >= ?1 AND ts < ?2 ORDER BY ts DESC LIMIT 1 OFFSET ?3))"
    " FROM series"
)
# What readers see is right: below ``moved_until_us`` that is the row of ``history``.
_BRING_BACK = (
    "INSERT INTO recent(series_id, ts, value, quality) SELECT series_id, ts, value, quality FROM history"
    " WHERE series_id IN (SELECT id FROM series) AND ts >= ? AND ts < ? ORDER BY ts, series_id"
    " ON CONFLICT DO UPDATE SET value = excluded.value, quality = excluded.quality"
)
_TAKE_AWAY = "DELETE FROM history WHERE series_id IN (SELECT id FROM series) AND ts >= ? AND ts < ?"
_OLDEST = "SELECT ts FROM history WHERE series_id = ? AND ts < ? ORDER BY ts LIMIT 1"
# A reading of the new series at the same instant gives way (see ``corrections/conversion.py``).
_COPY_CARRIED = (
    "INSERT INTO {into}(series_id, ts, value, quality) SELECT :new, ts, value * :factor + :shift, quality FROM {table}"
    " WHERE series_id = :old AND ts >= :since AND ts < :until"
    " ON CONFLICT DO UPDATE SET value = excluded.value, quality = excluded.quality"
)
# What gives way is the same but for rounding, or it differs by more than that. ``IS NOT``: a value may be NULL.
_DIFFERING = (
    "SELECT ts, carried, quality FROM (SELECT old.ts, old.value * :factor + :shift AS carried, old.quality, new.value AS there"
    " FROM {table} AS old CROSS JOIN {table} AS new ON new.series_id = :new AND new.ts = old.ts"
    " WHERE old.series_id = :old AND old.ts >= :since AND old.ts < :until)"
    " WHERE carried IS NOT there AND NOT coalesce(abs(carried - there) <= 1e-9 * (abs(carried) + abs(there)), 0)"
)
_DELETE_CARRIED = "DELETE FROM {table} WHERE series_id = :old AND ts >= :since AND ts < :until"


# ---- the border --------------------------------------------------------------------------------------------------------


def begin(conn: sqlite3.Connection, until_us: int) -> None:
    """Store where the block ends that is copied from now on."""
    meta.put(conn, watermarks.MOVING_UNTIL, str(until_us))


def advance(conn: sqlite3.Connection, until_us: int) -> None:
    """Store that the block is copied: from this commit on readers find it in ``history``."""
    set_border(conn, until_us)
    meta.remove(conn, [watermarks.MOVING_UNTIL])


def set_border(conn: sqlite3.Connection, until_us: int) -> None:
    """Store another border between settled and fresh. Readings between the two must be where they belong then."""
    meta.put(conn, watermarks.MOVED_UNTIL, str(until_us))


# ---- a block -----------------------------------------------------------------------------------------------------------


def oldest(conn: sqlite3.Connection, moved_until_us: int) -> int | None:
    """When the oldest fresh reading is."""
    first: int | None = conn.execute("SELECT min(ts) FROM recent WHERE ts >= ?", (moved_until_us,)).fetchone()[0]
    return first


def count(conn: sqlite3.Connection, since_us: int, until_us: int, limit: int) -> tuple[int, int | None]:
    """(how many are fresh in a span, at most ``limit``; when the last of them is)."""
    counted: tuple[int, int | None] = conn.execute(_COUNT, (since_us, until_us, limit)).fetchone()
    return counted


def end_of(conn: sqlite3.Connection, since_us: int, until_us: int, rows: int) -> int | None:
    """The time of the fresh reading that follows the first ``rows`` of a span; None: there are no more."""
    row = conn.execute(_AFTER, (since_us, until_us, rows)).fetchone()
    return None if row is None else row[0]


def copy(conn: sqlite3.Connection, span: tuple[int, int], first: int, last: int) -> int:
    """Settle the fresh readings of a span of series ``first`` to ``last``; what is settled already is left alone. Returns how
    many were copied."""
    return max(conn.execute(_COPY, (*span, first, last)).rowcount, 0)


def is_left_over(conn: sqlite3.Connection, moved_until_us: int) -> bool:
    """Whether readings that are settled still lie where they were fresh."""
    return conn.execute("SELECT 1 FROM recent WHERE ts < ? LIMIT 1", (moved_until_us,)).fetchone() is not None


def end_of_left_over(conn: sqlite3.Connection, moved_until_us: int, rows: int) -> int | None:
    """As ``end_of``, of what is left over."""
    return end_of(conn, BEGINNING_US, moved_until_us, rows)


def delete_left_over(conn: sqlite3.Connection, until_us: int) -> None:
    """Delete rows of ``recent`` older than ``until_us``, of all series together."""
    conn.execute("DELETE FROM recent WHERE ts < ?", (until_us,))


def newest_settled(conn: sqlite3.Connection, since_us: int, until_us: int, each: int) -> int | None:
    """The instant after which each series has at most ``each`` settled readings up to ``until_us``; None: none has more."""
    row = conn.execute(_NEWEST, (since_us, until_us, each)).fetchone()
    return None if row[0] is None else int(row[0])


def bring_back(conn: sqlite3.Connection, since_us: int, until_us: int) -> None:
    """What is settled in a span that ends at the border is fresh again, and the border falls."""
    conn.execute(_BRING_BACK, (since_us, until_us))
    conn.execute(_TAKE_AWAY, (since_us, until_us))
    set_border(conn, since_us)


# ---- what expires ------------------------------------------------------------------------------------------------------


def oldest_settled(conn: sqlite3.Connection, series: int, before_us: int, skipped: int | None = None) -> int | None:
    """When the oldest settled reading of a series is, or the one after ``skipped`` of them; None: there is none before
    ``before_us``."""
    if skipped is None:
        row = conn.execute(_OLDEST, (series, before_us)).fetchone()
    else:
        row = conn.execute(f"{_OLDEST} OFFSET ?", (series, before_us, skipped)).fetchone()
    return None if row is None else row[0]


def delete_before(conn: sqlite3.Connection, series: int, cut_us: int) -> int:
    """Delete the settled readings of a series before ``cut_us``. Returns how many there were."""
    return conn.execute("DELETE FROM history WHERE series_id = ? AND ts < ?", (series, cut_us)).rowcount


# ---- from one series to another ----------------------------------------------------------------------------------------


class Carry(NamedTuple):
    """Readings of series ``old`` become readings of series ``new``, each value times ``factor`` plus ``shift``."""

    old: int
    new: int
    factor: float
    shift: float


class Carried(NamedTuple):
    """What a move from one series to another has done. ``rows``: how many readings were moved, all of them from ``since_us`` on.
    ``until_us``: how far it has got. ``differing``: those of them that took the place of another value, in order of time."""

    rows: int
    since_us: int
    until_us: int
    differing: Sequence[Reading] = ()


def carry_settled(conn: sqlite3.Connection, border: Border, move: Carry, limit: int) -> Carried | None:
    """Move the ``limit`` oldest settled readings of a series to another one. None: there are none."""
    first = oldest_settled(conn, move.old, border.moved_until_us)
    if first is None:
        return None
    until = oldest_settled(conn, move.old, border.moved_until_us, limit)
    until = border.moved_until_us if until is None else until
    return _carry_span(conn, move, "history", first, until)


def carry_fresh(conn: sqlite3.Connection, border: Border, move: Carry, since_us: int, limit: int) -> Carried:
    """Move fresh readings of a series from ``since_us`` on to another one, passing over about ``limit`` fresh readings of all
    series. In the result ``until_us`` is END_US when nothing is left to pass over."""
    since = max(since_us, border.moved_until_us)
    row = conn.execute("SELECT ts FROM recent WHERE ts >= ? ORDER BY ts LIMIT 1 OFFSET ?", (since, limit)).fetchone()
    until = END_US if row is None else row[0] + 1
    if border.copying is not None:  # readings of the block that is being copied are, or are going to be, in both tables
        begin, end = max(since, border.copying[0]), min(until, border.copying[1])
        conn.execute(_COPY_CARRIED.format(table="recent", into="history"), move._asdict() | {"since": begin, "until": end})
        conn.execute(_DELETE_CARRIED.format(table="history"), {"old": move.old, "since": begin, "until": end})
    return _carry_span(conn, move, "recent", since, until)


def _carry_span(conn: sqlite3.Connection, move: Carry, table: str, since_us: int, until_us: int) -> Carried:
    """Move what a series has in one table, to another series in the same table."""
    span = {"since": since_us, "until": until_us}
    differing = sorted(conn.execute(_DIFFERING.format(table=table), move._asdict() | span))
    conn.execute(_COPY_CARRIED.format(table=table, into=table), move._asdict() | span)
    moved = conn.execute(_DELETE_CARRIED.format(table=table), {"old": move.old} | span).rowcount
    return Carried(moved, since_us, until_us, differing)
