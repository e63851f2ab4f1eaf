"""The table ``latest``: the newest arrival of every series, kept so that nobody has to scan for it. All access is here.

Written every few seconds rather than with every commit, because it would cost a page write per commit on an SD card.
Queries therefore read the table and then the readings from ``Watermarks.latest_written_us`` on, so their answer is current: the
fresh ones, and where the mover has gone past that time the newest settled one of each series.

Which of two readings is the newer one depends on where they come from, so each origin has an operation of its own. The caller
of those that write owns the transaction.
"""

from __future__ import annotations

import sqlite3
from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from sensorlogd.notation.microseconds import SECOND_US
from sensorlogd.storage import meta, watermarks
from sensorlogd.storage.reading_tables import storing
from sensorlogd.storage.reading_tables.readings import Reading, Readings
from sensorlogd.storage.reading_tables.storing import SeriesFirst

_INTO = "INSERT INTO latest(series_id, ts, value, quality, arrived_us) "
_REPLACE = (
    " ON CONFLICT(series_id) DO UPDATE SET ts = excluded.ts, value = excluded.value, quality = excluded.quality,"
    " arrived_us = excluded.arrived_us"
)
# Many rows a statement: executemany would hand the GIL to busy threads at every row (see append.py).
_SIZES = tuple(1 << power for power in range(8, -1, -1))
_UPSERT = {size: _INTO + "VALUES " + ",".join(["(?,?,?,?,?)"] * size) + _REPLACE for size in _SIZES}
_IMPORTED = f"{_UPSERT[1]} WHERE excluded.ts >= latest.ts"
_SALVAGED = f"{_UPSERT[1]} WHERE excluded.ts > latest.ts AND excluded.arrived_us >= latest.arrived_us"
_CARRY = (
    f"{_INTO}SELECT :new, ts, value * :factor + :shift, quality, arrived_us FROM latest WHERE series_id = :old"
    f"{_REPLACE} WHERE excluded.arrived_us > latest.arrived_us AND excluded.ts > latest.ts"
)
_ALL = "SELECT series_id, ts, value, quality FROM latest"


# ---- read --------------------------------------------------------------------------------------------------------------


def saved(conn: sqlite3.Connection, series: Collection[int] | None = None) -> dict[int, Reading]:
    """The newest reading of each of these series, or of all, as it was saved: those of the last seconds may be missing."""
    rows = conn.execute(_ALL)
    return {identity: (ts, value, quality) for identity, ts, value, quality in rows if series is None or identity in series}


def saved_or_settled(conn: sqlite3.Connection, series: Collection[int]) -> dict[int, Reading]:
    """The newest reading of each of these series, those that are fresh now left out unless they were saved."""
    found = saved(conn, series)
    for identity, ts, value, quality in Readings.of(conn).last_settled_of_each(watermarks.stored(conn).latest_written_us):
        if identity in series and (identity not in found or found[identity][0] <= ts):
            found[identity] = (ts, value, quality)
    return found


def arrived_since(conn: sqlite3.Connection) -> Iterator[SeriesFirst]:
    """The readings that may have arrived after ``saved`` was written, of each series in order of time; of those that are settled
    since then only the newest of each series."""
    since_us = watermarks.stored(conn).latest_written_us
    readings = Readings.of(conn)
    yield from readings.last_settled_of_each(since_us)
    yield from readings.fresh_from(since_us)


def newest(conn: sqlite3.Connection, now_us: int) -> dict[int, Reading]:
    """The newest arrival of each series, as far as that can be known: what was saved, and of the readings since then the one of the
    latest time that is not more than a second after ``now_us``. A reading dated tomorrow does not hide what came after it; it counts
    only where there is nothing else."""
    found = saved(conn)
    latest_us = now_us + SECOND_US
    for series, ts, value, quality in arrived_since(conn):
        known = found.get(series)
        if known is None or known[0] <= ts <= latest_us or known[0] > latest_us:
            found[series] = (ts, value, quality)
    return found


def unsaved(conn: sqlite3.Connection, now_us: int) -> dict[int, Reading]:
    """What ``newest`` knows and ``saved`` does not: what was stored in the last seconds before a kill or a power failure."""
    known = saved(conn)
    return {series: reading for series, reading in newest(conn, now_us).items() if known.get(series) != reading}


def is_saved(conn: sqlite3.Connection, series: int) -> bool:
    """Whether any reading of the series was ever saved here."""
    return conn.execute("SELECT 1 FROM latest WHERE series_id = ?", (series,)).fetchone() is not None


# ---- write -------------------------------------------------------------------------------------------------------------


def save(conn: sqlite3.Connection, newest: Mapping[int, Reading], now_us: int, back_us: int) -> None:
    """Store what sensors sent last: series id -> reading, whatever its time.

    ``back_us``: how far back of ``now_us`` readers must look for readings that were stamped before this call but are
    committed after it.
    """
    flat = [item for series, reading in sorted(newest.items()) for item in (series, *reading, now_us)]
    start = 0
    for size in _SIZES:
        while len(flat) - start >= 5 * size:
            conn.execute(_UPSERT[size], flat[start : start + 5 * size])
            start += 5 * size
    meta.put(conn, watermarks.LATEST_WRITTEN, str(now_us - back_us))


def save_imported(conn: sqlite3.Connection, series: int, reading: Reading, now_us: int) -> None:
    """Store an imported reading, unless a reading of a later time is known."""
    conn.execute(_IMPORTED, (series, *reading, now_us))


def save_salvaged(conn: sqlite3.Connection, rows: Iterable[SeriesFirst], set_aside_us: int) -> None:
    """Store readings of a damaged file, which all arrived before it was set aside, unless a later one or one that arrived
    later is known."""
    conn.executemany(_SALVAGED, [(*row, min(row[1], set_aside_us - 1)) for row in rows])


def change(conn: sqlite3.Connection, series: int, rows: Sequence[Reading]) -> None:
    """Readings of the series, in order of time, have other values and flags now: if the newest is among them, it has, too."""
    found = conn.execute("SELECT ts FROM latest WHERE series_id = ?", (series,)).fetchone()
    if found is not None:
        index = bisect_left(rows, found[0], key=lambda row: row[0])
        keyed = [(value, quality, series, ts) for ts, value, quality in rows[index : index + 1]]
        conn.executemany("UPDATE latest SET value = ?, quality = ? WHERE series_id = ? AND ts = ?", keyed)


def carry(conn: sqlite3.Connection, old: int, new: int, factor: float, shift: float) -> None:
    """Hand the newest reading of series ``old`` on to ``new``, its value times ``factor`` plus ``shift``, unless a newer one
    has arrived there. The time decides, too: after a restart a reading of ``old`` is saved long after it arrived."""
    conn.execute(_CARRY, {"old": old, "new": new, "factor": factor, "shift": shift})
    forget(conn, old)


def forget(conn: sqlite3.Connection, series: int) -> None:
    """Delete what is saved of a series."""
    conn.execute("DELETE FROM latest WHERE series_id = ?", (series,))


# ---- what is not saved yet ---------------------------------------------------------------------------------------------


def renew(conn: sqlite3.Connection, newest: dict[int, Reading], series: Iterable[int]) -> None:
    """Correct ``newest`` (arrivals that are not saved yet) after stored readings of these series were changed or moved away."""
    for identity in series:
        if identity in newest:
            ts = newest[identity][0]
            found = storing.find_anywhere(conn, identity, ts)
            if found is None:
                del newest[identity]
            else:
                newest[identity] = (ts, *found)
