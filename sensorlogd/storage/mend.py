"""Mending what is stored: readings that are flagged or recalibrated afterwards, and how that is taken back.

A mend is one series over one range. It is done in slices, each a transaction that changes some readings, remembers what
they were, and marks their minutes dirty, so that roll-ups follow; ``mend.at_us`` says how far it has got, so a crash
costs nothing and the same call goes on. Undoing restores time by time exactly what was there, in slices too.

What it was before lies in ``mended``: for each slice, compressed, the times, values and qualities as arrays of 64 bits.
"""

from __future__ import annotations

import math
import sqlite3
import zlib
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sensorlogd.quality import FLAG_MASK, Test
from sensorlogd.storage.append import MINUTE_US, Frontier, mark_dirty

SLICE_ROWS = 1_000

Reading = tuple[int, float | None, int]
_SELECT = {
    "history": "SELECT ts, value, quality FROM history WHERE series_id = ? AND ts >= ? AND ts < ? ORDER BY ts LIMIT ?",
    "recent": "SELECT ts, value, quality FROM recent WHERE series_id = ? AND ts >= ? AND ts < ? ORDER BY ts LIMIT ?",
}


class MendError(Exception):
    """It cannot be done; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Change:
    """``quality``: the flag that readings get; None: they keep theirs. Values become value * scale + offset."""

    quality: int | None = None
    scale: float = 1.0
    offset: float = 0.0

    def apply(self, value: float | None, quality: int) -> tuple[float | None, int]:
        """Raises MendError for a result that is no number."""
        if self.quality is not None:
            quality = (quality & ~FLAG_MASK) | self.quality | int(Test.OPERATOR)
        if value is not None and (self.scale, self.offset) != (1.0, 0.0):
            changed = value * self.scale + self.offset
            if not math.isfinite(changed):
                raise MendError(f"{value!r} * {self.scale!r} + {self.offset!r} is no number that can be stored")
            value = changed
        return value, quality


@dataclass(frozen=True, slots=True)
class Mend:
    """A row of ``mend``."""

    id: int
    made_us: int
    series: int
    since_us: int
    until_us: int
    change: Change
    note: str
    readings: int
    done_us: int | None
    undone_us: int | None

    def tell(self) -> str:
        """What it does, in words."""
        from sensorlogd.quality import describe

        if self.change.quality is not None:
            return f"flagged {describe(self.change.quality)}"
        return f"recalibrated by * {self.change.scale!r} + {self.change.offset!r}"


def begin(conn: sqlite3.Connection, series: int, since_us: int, until_us: int, change: Change, note: str, now_us: int) -> int:
    """Note a mend; the caller owns the transaction. Returns its id."""
    row = conn.execute("SELECT cut_us FROM retention_cut WHERE series_id = ? AND tier = 0", (series,)).fetchone()
    if row is not None:
        since_us = max(since_us, row[0])  # what has expired is not there to be mended
    cursor = conn.execute(
        'INSERT INTO mend(made_us, series_id, since_us, until_us, quality, scale, "offset", note, at_us)'
        " VALUES (?,?,?,?,?,?,?,?,?)",
        (now_us, series, since_us, until_us, change.quality, change.scale, change.offset, note, since_us),
    )
    assert cursor.lastrowid is not None
    return cursor.lastrowid


_MENDS = (
    'SELECT id, made_us, series_id, since_us, until_us, quality, scale, "offset", note, readings, done_us, undone_us FROM mend'
)


def all_mends(conn: sqlite3.Connection, series: int | None = None) -> list[Mend]:
    """Newest first; of one series, if it is given."""
    rows = conn.execute(f"{_MENDS} WHERE ?1 IS NULL OR series_id = ?1 ORDER BY id DESC", (series,))
    return [_mend(row) for row in rows]


def find(conn: sqlite3.Connection, identity: int) -> Mend:
    """Raises MendError."""
    row = conn.execute(f"{_MENDS} WHERE id = ?", (identity,)).fetchone()
    if row is None:
        raise MendError(f"there is no mend {identity}; --list shows all")
    return _mend(row)


def _mend(row: tuple[Any, ...]) -> Mend:
    identity, made, series, since, until, quality, scale, offset, note, readings, done, undone = row
    return Mend(identity, made, series, since, until, Change(quality, scale, offset), note, readings, done, undone)


def step(conn: sqlite3.Connection, frontier: Frontier, identity: int, now_us: int) -> tuple[int, bool]:
    """One slice; the caller owns the transaction. (readings changed, whether more is to do)."""
    mend = find(conn, identity)
    if mend.done_us is not None or mend.undone_us is not None:
        return 0, False
    (at,) = conn.execute("SELECT at_us FROM mend WHERE id = ?", (identity,)).fetchone()
    moved = frontier.moved_until_us
    table, end = ("history", min(mend.until_us, moved)) if at < moved else ("recent", mend.until_us)
    rows: list[Reading] = conn.execute(_SELECT[table], (mend.series, at, end, SLICE_ROWS)).fetchall()
    at = rows[-1][0] + 1 if len(rows) == SLICE_ROWS else end
    if rows:
        _remember(conn, identity, rows)
        _write(conn, frontier, mend.series, [(ts, *mend.change.apply(value, quality)) for ts, value, quality in rows])
    more = at < mend.until_us
    conn.execute(
        "UPDATE mend SET at_us = ?, readings = readings + ?, done_us = ? WHERE id = ?",
        (at, len(rows), None if more else now_us, identity),
    )
    return len(rows), more


def check_undo(conn: sqlite3.Connection, identity: int) -> Mend:
    """Raises MendError if it was undone, or if something later stands on it."""
    mend = find(conn, identity)
    (kept,) = conn.execute("SELECT coalesce(sum(n), 0) FROM mended WHERE mend_id = ?", (identity,)).fetchone()
    if mend.undone_us is not None:
        if kept:
            return mend  # it was begun and not finished
        raise MendError(f"mend {identity} was taken back already")
    for later in all_mends(conn, mend.series):
        overlaps = later.since_us < mend.until_us and mend.since_us < later.until_us
        if later.id > identity and overlaps and later.undone_us is None:
            raise MendError(f"mend {later.id} was made after {identity} over the same time; take it back first")
    if kept == 0 and mend.readings:
        raise MendError(f"mend {identity} cannot be taken back: the unit was converted since")
    return mend


def undo_step(conn: sqlite3.Connection, frontier: Frontier, identity: int, now_us: int) -> tuple[int, bool]:
    """Take back one slice, the newest first; the caller owns the transaction. (readings restored, whether more is to do)."""
    mend = find(conn, identity)
    conn.execute(
        "UPDATE mend SET undone_us = coalesce(undone_us, ?1), done_us = coalesce(done_us, ?1) WHERE id = ?2", (now_us, identity)
    )
    row = conn.execute(
        "SELECT first_ts, n, before FROM mended WHERE mend_id = ? ORDER BY first_ts DESC LIMIT 1", (identity,)
    ).fetchone()
    if row is None:
        return 0, False
    first, n, before = row
    _write(conn, frontier, mend.series, _unpack(before, n))
    conn.execute("DELETE FROM mended WHERE mend_id = ? AND first_ts = ?", (identity, first))
    return n, True


def _write(conn: sqlite3.Connection, frontier: Frontier, series: int, rows: Sequence[Reading]) -> None:
    """Give readings other values, wherever they are; those that have expired meanwhile stay away."""
    keyed = [(value, quality, series, ts) for ts, value, quality in rows]
    first, last = rows[0][0], rows[-1][0]
    for table in ("history", "recent"):
        # A block that is being moved lies in both tables.
        until = frontier.copying[1] if frontier.copying is not None else frontier.moved_until_us
        if (table == "history" and first < until) or (table == "recent" and last >= frontier.moved_until_us):
            conn.executemany(f"UPDATE {table} SET value = ?, quality = ? WHERE series_id = ? AND ts = ?", keyed)
    conn.executemany("UPDATE latest SET value = ?, quality = ? WHERE series_id = ? AND ts = ?", keyed[-1:])
    minutes = {ts - ts % MINUTE_US for ts, *_ in rows if ts < frontier.edge_us}
    mark_dirty(conn, frontier, [(series, minute) for minute in sorted(minutes)])


def _remember(conn: sqlite3.Connection, identity: int, rows: Sequence[Reading]) -> None:
    conn.execute("INSERT INTO mended VALUES (?,?,?,?)", (identity, rows[0][0], len(rows), _pack(rows)))


def _pack(rows: Sequence[Reading]) -> bytes:
    times, values, qualities = zip(*rows, strict=True)
    steps = array("q", (after - before for before, after in zip((0, *times), times, strict=False)))
    numbers = array("d", (math.nan if value is None else value for value in values))  # a stored value is never NaN
    return zlib.compress(steps.tobytes() + numbers.tobytes() + array("q", qualities).tobytes(), 6)


def _unpack(packed: bytes, n: int) -> list[Reading]:
    raw = zlib.decompress(packed)
    steps, values, qualities = array("q"), array("d"), array("q")
    steps.frombytes(raw[: 8 * n])
    values.frombytes(raw[8 * n : 16 * n])
    qualities.frombytes(raw[16 * n :])
    rows: list[Reading] = []
    ts = 0
    for step_us, value, quality in zip(steps, values, qualities, strict=True):
        ts += step_us
        rows.append((ts, None if math.isnan(value) else value, quality))
    return rows
