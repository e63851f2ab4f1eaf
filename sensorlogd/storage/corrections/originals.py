"""The values and flags that readings had before somebody changed them (table ``mended``), and how readings get other values.

A row holds one slice of a mend: times, values and qualities as arrays of 64 bits, compressed with zlib. The slices of one mend
ascend in time and hold each reading once, so every reading gets its original back in whatever order the slices are taken back.
"""

from __future__ import annotations

import math
import sqlite3
import zlib
from array import array
from collections.abc import Iterable, Sequence

from sensorlogd.notation.microseconds import BEGINNING_US, MINUTE_US
from sensorlogd.storage import cuts
from sensorlogd.storage.ingest import latest
from sensorlogd.storage.reading_tables import storing
from sensorlogd.storage.reading_tables.readings import Reading
from sensorlogd.storage.rollups import outdated
from sensorlogd.storage.watermarks import Frontier


def remember(conn: sqlite3.Connection, mend: int, rows: Sequence[Reading]) -> None:
    """Keep what these readings are, in order of time, before they are changed; in the transaction that changes them."""
    conn.execute("INSERT INTO mended VALUES (?,?,?,?)", (mend, rows[0][0], len(rows), pack(rows)))


def bring_back(conn: sqlite3.Connection, mend: int, slices: Iterable[tuple[int, int, bytes]]) -> None:
    """Store slices (first time, readings, packed) of another file for ``mend``, except those that are there."""
    conn.executemany("INSERT INTO mended VALUES (?,?,?,?) ON CONFLICT DO NOTHING", [(mend, *row) for row in slices])


def newest(conn: sqlite3.Connection, mend: int) -> list[Reading]:
    """The readings of the newest slice that is kept for ``mend``; empty if none is left."""
    row = conn.execute("SELECT n, before FROM mended WHERE mend_id = ? ORDER BY first_ts DESC LIMIT 1", (mend,)).fetchone()
    return [] if row is None else unpack(row[1], row[0])


def forget(conn: sqlite3.Connection, mend: int, rows: Sequence[Reading]) -> None:
    """Delete the slice that holds ``rows``, after it was taken back."""
    conn.execute("DELETE FROM mended WHERE mend_id = ? AND first_ts = ?", (mend, rows[0][0]))


def forget_some(conn: sqlite3.Connection, series: int, slices: int) -> int:
    """Delete originals of all mends of a series, which then cannot be taken back any more. Returns how many slices were deleted,
    at most ``slices``."""
    query = "SELECT mend_id, first_ts FROM mended WHERE mend_id IN (SELECT id FROM mend WHERE series_id = ?) LIMIT ?"
    found = conn.execute(query, (series, slices)).fetchall()
    conn.executemany("DELETE FROM mended WHERE mend_id = ? AND first_ts = ?", found)
    return len(found)


def kept(conn: sqlite3.Connection, mend: int) -> int:
    """How many readings of ``mend`` have an original that is kept."""
    (readings,) = conn.execute("SELECT coalesce(sum(n), 0) FROM mended WHERE mend_id = ?", (mend,)).fetchone()
    return int(readings)


def any_kept(conn: sqlite3.Connection, mend: int) -> bool:
    """Whether any reading of ``mend`` has an original that is kept."""
    return conn.execute("SELECT 1 FROM mended WHERE mend_id = ? LIMIT 1", (mend,)).fetchone() is not None


def write(
    conn: sqlite3.Connection, frontier: Frontier, series: int, rows: Sequence[Reading], *, some_are_lost: bool = False
) -> bool:
    """Give readings, in order of time, other values, wherever they are; those that have expired meanwhile stay away.

    The minutes of what has expired are not marked: nothing is left from which their roll-ups could be computed, and while they
    wait for that, days would be answered without them. Returns whether roll-ups have to follow. The caller owns the transaction.
    Raises ReadingsMissing, see ``storing.change``.
    """
    cut_us = frontier.cuts_us.get(series)
    storing.change(conn, frontier, series, rows, cut_us=cut_us, some_are_lost=some_are_lost)
    latest.change(conn, series, rows)
    since_us = BEGINNING_US if cut_us is None else cuts.kept_from(cut_us)
    minutes = {ts - ts % MINUTE_US for ts, *_ in rows if since_us <= ts < frontier.edge_us}
    outdated.mark_minutes(conn, frontier, [(series, minute) for minute in sorted(minutes)])
    return bool(minutes)


def pack(rows: Sequence[Reading]) -> bytes:
    """Encode readings, in order of time, as the module describes."""
    times, values, qualities = zip(*rows, strict=True)
    steps = array("q", (after - before for before, after in zip((0, *times), times, strict=False)))
    numbers = array("d", (math.nan if value is None else value for value in values))  # a stored value is never NaN
    return zlib.compress(steps.tobytes() + numbers.tobytes() + array("q", qualities).tobytes(), 6)


def unpack(packed: bytes, n: int) -> list[Reading]:
    """What ``pack`` was given. Raises ValueError, zlib.error if it does not hold ``n`` readings."""
    raw = zlib.decompress(packed)
    if len(raw) != 24 * n:
        raise ValueError(f"the originals of {n} readings are {len(raw)} bytes, not {24 * n}")
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
