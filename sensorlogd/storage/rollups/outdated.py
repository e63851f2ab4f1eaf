"""Roll-ups that have to be computed again in bulk, because the settings of their series changed or because somebody requested it.

A row of table ``stale`` says: buckets of this series, of ``tier`` and coarser, that end after ``from_us`` do not count.
Queries answer for them from what is finer, in the end from readings; the aggregator computes them anew from ``from_us``
on and advances it. One row for years of roll-ups, where dirty marks would be one a minute.

``generation`` grows each time a row is marked again: what was computed before that does not clear it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping

from sensorlogd.notation.microseconds import BEGINNING_US, HOUR_US
from sensorlogd.storage.rollups.resolutions import DAY, FIXED, MINUTE

_MARK = (
    "INSERT INTO stale(series_id, tier, from_us, generation) VALUES (?,?,?,?) ON CONFLICT(series_id, tier) DO UPDATE SET"
    " from_us = min(from_us, excluded.from_us), generation = max(generation + 1, excluded.generation)"
)


def mark(conn: sqlite3.Connection, series: Iterable[int], now_us: int, since_us: int = BEGINNING_US) -> None:
    """Mark as outdated all roll-ups of these series from ``since_us`` on, except those whose readings have expired."""
    mark_each(conn, dict.fromkeys(series, since_us), now_us)


def mark_each(conn: sqlite3.Connection, since_us: Mapping[int, int], now_us: int) -> None:
    """As ``mark``, each series from an instant of its own."""
    cuts = dict(conn.execute(f"SELECT series_id, cut_us - cut_us % {HOUR_US} FROM retention_cut WHERE tier = 0").fetchall())
    conn.executemany(
        _MARK, [(series_id, MINUTE, max(since, cuts.get(series_id, since)), now_us) for series_id, since in since_us.items()]
    )


def mark_days(conn: sqlite3.Connection, now_us: int) -> None:
    """Mark as outdated the days of all series, as far back as anything is kept from which they can be computed."""
    oldest: dict[int, int] = {}
    tiers = (0, *FIXED)  # 0: readings
    cuts = {(series, tier): cut for series, tier, cut in conn.execute("SELECT series_id, tier, cut_us FROM retention_cut")}
    for (series,) in conn.execute("SELECT id FROM series").fetchall():
        oldest[series] = min(cuts.get((series, tier), BEGINNING_US) for tier in tiers)
    conn.executemany(_MARK, [(series, DAY, since_us, now_us) for series, since_us in oldest.items()])


def advance(conn: sqlite3.Connection, series: int, tier: int, generation: int, until_us: int | None) -> None:
    """Buckets that end at or before ``until_us`` are right again; None: all are. Unless they have become outdated again since."""
    key = (series, tier, generation)
    if until_us is None:
        conn.execute("DELETE FROM stale WHERE series_id = ? AND tier = ? AND generation = ?", key)
    else:
        conn.execute(
            "UPDATE stale SET from_us = max(from_us, ?) WHERE series_id = ? AND tier = ? AND generation = ?", (until_us, *key)
        )


def any_outdated(conn: sqlite3.Connection) -> bool:
    """Whether any series has roll-ups that do not count."""
    return conn.execute("SELECT 1 FROM stale LIMIT 1").fetchone() is not None


def anything_left(conn: sqlite3.Connection) -> bool:
    """Whether anything waits to be computed again: minutes that are dirty, roll-ups that do not count."""
    return conn.execute("SELECT 1 FROM dirty UNION ALL SELECT 1 FROM stale LIMIT 1").fetchone() is not None
