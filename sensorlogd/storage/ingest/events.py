"""What happened to sensors, clock, database and daemon: one row an event, the newest hundred thousand kept."""

from __future__ import annotations

import sqlite3

from sensorlogd.event_kinds import Kind
from sensorlogd.storage.file.transaction import transaction

KEEP = 100_000
_TRIM_SLICE = 2_000


def record(conn: sqlite3.Connection, ts_us: int, kind: Kind, sensor: str | None, detail: str) -> None:
    """Store one event; the caller owns the transaction. ``detail`` is cut at 4000 characters."""
    detail = detail.encode("utf-8", "backslashreplace").decode()[:4000]
    conn.execute("INSERT INTO event(ts, kind, sensor, detail) VALUES (?,?,?,?)", (ts_us, kind, sensor, detail))


def trim(conn: sqlite3.Connection, keep: int = KEEP) -> bool:
    """Delete one slice of the oldest events beyond ``keep``, in its own transaction. True if more remain."""
    newest = conn.execute("SELECT max(id) FROM event").fetchone()[0]
    if newest is None:
        return False
    oldest = conn.execute("SELECT min(id) FROM event").fetchone()[0]
    below = newest - keep + 1
    if oldest >= below:
        return False
    with transaction(conn):
        conn.execute("DELETE FROM event WHERE id < ?", (min(below, oldest + _TRIM_SLICE),))
    return bool(oldest + _TRIM_SLICE < below)
