"""The newest arrival of every series, kept in a small table so that ``latest`` needs no scan.

Written every few seconds rather than with every commit, because it would cost a page write per commit on an SD card.
Readers lay the readings of ``recent`` from ``meta.latest_written_us`` on over it, so their answer is current.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

_UPSERT = (
    "INSERT INTO latest(series_id, ts, value, quality, arrived_us) VALUES (?,?,?,?,?) "
    "ON CONFLICT(series_id) DO UPDATE SET ts = excluded.ts, value = excluded.value, quality = excluded.quality, "
    "arrived_us = excluded.arrived_us"
)
_WRITTEN = "INSERT INTO meta(key, value) VALUES ('latest_written_us', ?) ON CONFLICT(key) DO UPDATE SET value = excluded.value"


def save(conn: sqlite3.Connection, newest: Mapping[int, tuple[int, float | None, int]], now_us: int, back_us: int) -> None:
    """Store ``newest`` (series id -> ts, value, quality); the caller owns the transaction.

    ``back_us``: how far back of ``now_us`` readers must look for readings that were stamped before this call but are
    committed after it.
    """
    rows = [(series, ts, value, quality, now_us) for series, (ts, value, quality) in sorted(newest.items())]
    conn.executemany(_UPSERT, rows)
    conn.execute(_WRITTEN, (str(now_us - back_us),))
