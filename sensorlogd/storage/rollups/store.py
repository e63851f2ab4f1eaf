"""Store roll-ups: the writer's side of the edge protocol. The caller owns the transaction; all may be repeated safely."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from sensorlogd.storage.rollups import outdated
from sensorlogd.storage.rollups.compute import MINUTE_US, Advance, Key, Mark, Row
from sensorlogd.storage.rollups.rollup import RollUp

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


def take_edge(conn: sqlite3.Connection, edge_us: int, most_us: int) -> tuple[int, int]:
    """(the stored edge, where this run's is to be): at most ``most_us`` of readings are closed, empty time is leapt over.

    A stored edge ahead of ``edge_us`` (the wall clock was set back) is pulled back: what lies between is computed again in
    time, and from readings until then.
    """
    stored = edge(conn)
    if edge_us < stored:
        set_edge(conn, edge_us)
        return edge_us, edge_us
    if edge_us - stored > most_us:
        edge_us = min(edge_us, _first_from(conn, stored, edge_us) + most_us)
    return stored, edge_us - edge_us % MINUTE_US


def _first_from(conn: sqlite3.Connection, since_us: int, until_us: int) -> int:
    """When the first reading in [since, until) is; ``until_us`` if there is none."""
    first_of_each = "SELECT (SELECT min(ts) FROM history WHERE series_id = series.id AND ts >= ?1 AND ts < ?2) FROM series"
    firsts = conn.execute(
        f"{first_of_each} UNION ALL SELECT min(ts) FROM recent WHERE ts >= ?1 AND ts < ?2", (since_us, until_us)
    ).fetchall()
    return min((first for (first,) in firsts if first is not None), default=until_us)


def advance_stale(conn: sqlite3.Connection, advances: Sequence[Advance]) -> None:
    """What was stale up to there is right again, unless it was made stale anew after the snapshot."""
    for advance in advances:
        outdated.advance(conn, *advance)


def use_day_zone(conn: sqlite3.Connection, zone: str, now_us: int) -> None:
    """Days in another zone are other buckets: those that can be made from what is kept are made anew."""
    row = conn.execute("SELECT value FROM meta WHERE key = 'day_zone'").fetchone()
    if row is not None and row[0] == zone:
        return
    if row is not None:
        outdated.mark_days(conn, now_us)
    conn.execute(_SET, ("day_zone", zone))
