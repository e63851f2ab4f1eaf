"""What happened to sensors, clock, database and daemon: one row an event, the newest hundred thousand kept.

All access to the table is here, but for the salvage of a damaged file."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from sensorlogd.event_kinds import Kind
from sensorlogd.storage.file.transaction import transaction

KEEP = 100_000
_TRIM_SLICE = 2_000
_BETWEEN = (
    "SELECT id, ts, kind, sensor, detail FROM event WHERE (?1 IS NULL OR ts >= ?1) AND (?2 IS NULL OR ts < ?2)"
    " AND (?3 IS NULL OR kind GLOB ?3) AND (?4 IS NULL OR sensor GLOB ?4) AND (?5 IS NULL OR id > ?5)"
    " AND (?6 IS NULL OR id < ?6)"
    " ORDER BY id DESC LIMIT ?7"
)


@dataclass(frozen=True, slots=True)
class Event:
    """A row of ``event``. ``kind``: as stored, which may be one of a newer release."""

    id: int
    ts_us: int
    kind: str
    sensor: str | None
    detail: str


def record(conn: sqlite3.Connection, ts_us: int, kind: Kind, sensor: str | None, detail: str) -> None:
    """Store one event; the caller owns the transaction. ``detail`` is cut at 4000 characters."""
    detail = detail.encode("utf-8", "backslashreplace").decode()[:4000]
    conn.execute("INSERT INTO event(ts, kind, sensor, detail) VALUES (?,?,?,?)", (ts_us, kind, sensor, detail))


def count(conn: sqlite3.Connection) -> int:
    """How many events are stored."""
    (stored,) = conn.execute("SELECT count(*) FROM event").fetchone()
    return int(stored)


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


def between(
    conn: sqlite3.Connection,
    since_us: int | None,
    until_us: int | None,
    kind: str | None,
    sensor: str | None,
    *,
    after: int | None,
    before: int | None,
    limit: int,
) -> list[Event]:
    """The newest first. ``kind``, ``sensor``: globs; ``after``, ``before``: ids that bound it, both left out; None: no bound. Ids
    of events that were brought back from a damaged file are 0 or less. Raises sqlite3.Error."""
    bounds = (since_us, until_us, kind, sensor, after, before, limit)
    return [Event(*row) for row in conn.execute(_BETWEEN, bounds).fetchall()]
