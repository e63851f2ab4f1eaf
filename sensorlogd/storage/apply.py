"""Store roll-ups: the writer's side of the edge protocol. The caller owns the transaction; all may be repeated safely."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from sensorlogd.storage.compute import Key, Mark, Row
from sensorlogd.storage.rollup import RollUp
from sensorlogd.storage.tiers import DAY

_COLUMNS = ("series_id", "resolution", "start", *RollUp._fields)
_SIZES = (128, 32, 8, 1)  # rows a statement: few statements, and all fit the statement cache
_UPSERT = {
    size: f"INSERT INTO rollup({', '.join(_COLUMNS)}) VALUES "
    + ",".join(["(" + ",".join("?" * len(_COLUMNS)) + ")"] * size)
    + " ON CONFLICT(series_id, resolution, start) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in RollUp._fields)
    for size in _SIZES
}
_SET = "INSERT INTO meta(key, value) VALUES (?,?) ON CONFLICT(key) DO UPDATE SET value = excluded.value"


def apply_rows(conn: sqlite3.Connection, rows: Sequence[Row]) -> None:
    """Insert or replace roll-ups."""
    at = 0
    for size in _SIZES:
        while len(rows) - at >= size:
            conn.execute(_UPSERT[size], [value for row in rows[at : at + size] for value in row])
            at += size


def delete_rows(conn: sqlite3.Connection, keys: Sequence[Key]) -> None:
    """Remove roll-ups of buckets in which nothing is left."""
    conn.executemany("DELETE FROM rollup WHERE series_id = ? AND resolution = ? AND start = ?", keys)


def clear_marks(conn: sqlite3.Connection, marks: Sequence[Mark]) -> None:
    """Remove dirty marks, unless a reading that arrived after the snapshot has renewed them."""
    conn.executemany("DELETE FROM dirty WHERE series_id = ? AND start = ? AND generation <= ?", marks)


def edge(conn: sqlite3.Connection) -> int:
    """The stored edge: every bucket that ends at or before it is rolled up (or marked dirty)."""
    row = conn.execute("SELECT value FROM meta WHERE key = 'edge_us'").fetchone()
    return int(row[0]) if row else 0


def set_edge(conn: sqlite3.Connection, edge_us: int) -> None:
    """Advance the edge; the last step of a run."""
    conn.execute(_SET, ("edge_us", str(edge_us)))


def pull_back_edge(conn: sqlite3.Connection, edge_us: int) -> None:
    """The wall clock is behind the edge: buckets from here on are computed again, from readings until then."""
    set_edge(conn, edge_us)


def use_day_zone(conn: sqlite3.Connection, zone: str) -> None:
    """Days in another zone are other buckets: drop those of the old zone and mark what they came from, so that the
    aggregator builds the new ones. Days whose readings have expired keep what can be merged from finer tiers."""
    row = conn.execute("SELECT value FROM meta WHERE key = 'day_zone'").fetchone()
    if row is not None and row[0] == zone:
        return
    if row is not None:
        (generation,) = conn.execute("SELECT coalesce(max(generation), 0) + 1 FROM dirty").fetchone()
        # One mark an hour that has data is enough: healing a minute heals the day around it.
        conn.execute(
            "INSERT INTO dirty(series_id, start, generation) SELECT series_id, start, ? FROM rollup WHERE resolution = 3600 AND true"
            " ON CONFLICT(series_id, start) DO UPDATE SET generation = excluded.generation",
            (generation,),
        )
        conn.execute("DELETE FROM rollup WHERE resolution = ?", (DAY,))
    conn.execute(_SET, ("day_zone", zone))
