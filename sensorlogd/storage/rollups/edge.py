"""The writer's side of the edge protocol: up to where buckets are rolled up, and in which zone days are. The caller owns the
transaction; all may be repeated safely.
"""

from __future__ import annotations

import sqlite3

from sensorlogd.notation.microseconds import MINUTE_US
from sensorlogd.storage import meta, watermarks
from sensorlogd.storage.reading_tables import survey
from sensorlogd.storage.rollups import outdated


def stored_edge(conn: sqlite3.Connection) -> int:
    """The stored edge: every bucket that ends at or before it is rolled up (or marked dirty)."""
    return watermarks.stored(conn).edge_us


def set_edge(conn: sqlite3.Connection, edge_us: int) -> None:
    """Advance the edge; the last step of a run."""
    meta.put(conn, watermarks.EDGE, str(edge_us))


def take_edge(conn: sqlite3.Connection, edge_us: int, most_us: int) -> tuple[int, int]:
    """(the stored edge, where this run's is to be): at most ``most_us`` of readings are closed, empty time is leapt over.

    A stored edge ahead of ``edge_us`` (the wall clock was set back) is pulled back: what lies between is computed again in
    time, and from readings until then.
    """
    stored = stored_edge(conn)
    if edge_us < stored:
        set_edge(conn, edge_us)
        return edge_us, edge_us
    if edge_us - stored > most_us:
        first = survey.first_between(conn, stored, edge_us)
        edge_us = min(edge_us, (edge_us if first is None else first) + most_us)
    return stored, edge_us - edge_us % MINUTE_US


def use_day_zone(conn: sqlite3.Connection, zone: str, now_us: int) -> None:
    """Note the zone of days. If it has changed, the days are other buckets, so those whose readings are kept are marked to be
    computed again."""
    stored = meta.get(conn, watermarks.DAY_ZONE)
    if stored == zone:
        return
    if stored is not None:
        outdated.mark_days(conn, now_us)
    meta.put(conn, watermarks.DAY_ZONE, zone)
