"""The newest arrival of every series, kept in a small table so that ``latest`` needs no scan.

Written every few seconds rather than with every commit, because it would cost a page write per commit on an SD card.
Queries therefore read the table and then the fresh readings from ``Marks.latest_written_us`` on, so their answer is current.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Mapping

from sensorlogd.storage import meta, watermarks
from sensorlogd.storage.stages import storing
from sensorlogd.storage.stages.readings import Reading

# Many rows a statement: executemany would hand the GIL to busy threads at every row (see append.py).
_SIZES = tuple(1 << power for power in range(8, -1, -1))
_UPSERT = {
    size: "INSERT INTO latest(series_id, ts, value, quality, arrived_us) VALUES "
    + ",".join(["(?,?,?,?,?)"] * size)
    + " ON CONFLICT(series_id) DO UPDATE SET ts = excluded.ts, value = excluded.value, quality = excluded.quality, "
    "arrived_us = excluded.arrived_us"
    for size in _SIZES
}


def save(conn: sqlite3.Connection, newest: Mapping[int, tuple[int, float | None, int]], now_us: int, back_us: int) -> None:
    """Store ``newest`` (series id -> ts, value, quality); the caller owns the transaction.

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


def saved(conn: sqlite3.Connection, series: Collection[int]) -> dict[int, Reading]:
    """The newest reading of each of these as it was saved: those of the last seconds may be missing."""
    rows = conn.execute("SELECT series_id, ts, value, quality FROM latest")
    return {identity: (ts, value, quality) for identity, ts, value, quality in rows if identity in series}


def renew(conn: sqlite3.Connection, newest: dict[int, tuple[int, float | None, int]], series: Iterable[int]) -> None:
    """Correct ``newest`` (arrivals that are not saved yet) after stored readings of these series were changed or moved away."""
    for identity in series:
        if identity in newest:
            ts = newest[identity][0]
            found = storing.find_anywhere(conn, identity, ts)
            if found is None:
                del newest[identity]
            else:
                newest[identity] = (ts, *found)
