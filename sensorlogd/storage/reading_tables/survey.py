"""Questions about the whole file: the first reading, the last, how many there are, whether there is any.

What the mover has left behind is counted only where the answer says so; the first and the last are not changed by it.
"""

from __future__ import annotations

import sqlite3


def exists(conn: sqlite3.Connection, series: int) -> bool:
    """Whether there is any reading of a series. What is fresh comes last: it has to be read through."""
    return any(
        conn.execute(f"SELECT 1 FROM {table} WHERE series_id = ? LIMIT 1", (series,)).fetchone()
        for table in ("history", "recent")
    )


def count(conn: sqlite3.Connection, series: int) -> int:
    """About how many readings of a series there are: what is being moved just now counts twice."""
    (settled,) = conn.execute("SELECT count(*) FROM history WHERE series_id = ?", (series,)).fetchone()
    (fresh,) = conn.execute("SELECT count(*) FROM recent WHERE series_id = ?", (series,)).fetchone()
    return int(settled + fresh)


def count_all(conn: sqlite3.Connection, moved_until_us: int) -> tuple[int, int]:
    """(settled, fresh) readings of all series. Reads the whole file: seconds for a gigabyte."""
    (settled,) = conn.execute("SELECT count(*) FROM history WHERE ts < ?", (moved_until_us,)).fetchone()
    (fresh,) = conn.execute("SELECT count(*) FROM recent WHERE ts >= ?", (moved_until_us,)).fetchone()
    return int(settled), int(fresh)


def extent(conn: sqlite3.Connection) -> tuple[int | None, int | None]:
    """When the first and the last reading of all series is."""
    (first,) = conn.execute(
        "SELECT min(ts) FROM (SELECT (SELECT min(ts) FROM history WHERE series_id = series.id) AS ts FROM series"
        " UNION ALL SELECT min(ts) FROM recent)"
    ).fetchone()
    (last,) = conn.execute(
        "SELECT max(ts) FROM (SELECT (SELECT max(ts) FROM history WHERE series_id = series.id) AS ts FROM series"
        " UNION ALL SELECT max(ts) FROM recent)"
    ).fetchone()
    return first, last


def first_fresh(conn: sqlite3.Connection) -> int | None:
    """When the first one that has not been moved is, or one that was and is left over."""
    first: int | None = conn.execute("SELECT min(ts) FROM recent").fetchone()[0]
    return first


def first_between(conn: sqlite3.Connection, since_us: int, until_us: int) -> int | None:
    """When the first reading of any series in [since, until) is."""
    first_of_each = "SELECT (SELECT min(ts) FROM history WHERE series_id = series.id AND ts >= ?1 AND ts < ?2) FROM series"
    firsts = conn.execute(
        f"{first_of_each} UNION ALL SELECT min(ts) FROM recent WHERE ts >= ?1 AND ts < ?2", (since_us, until_us)
    ).fetchall()
    return min((first for (first,) in firsts if first is not None), default=None)


def firsts_kept(conn: sqlite3.Connection, before_us: int) -> dict[int, int]:
    """Series -> when its first settled reading is that is older than ``before_us`` and not older than its cut; only those with
    one. The cut, not ``cuts.kept_from``: what is left of an hour that the cut goes through belongs to a day that has expired."""
    rows = conn.execute(
        "SELECT id, (SELECT min(ts) FROM history WHERE series_id = series.id AND ts < ? AND ts >="
        " coalesce((SELECT cut_us FROM retention_cut WHERE series_id = series.id AND tier = 0), ts)) FROM series",
        (before_us,),
    ).fetchall()
    return {series: first for series, first in rows if first is not None}


def outdated_us(conn: sqlite3.Connection, edge_us: int) -> int:
    """How much time the outdated roll-ups of all series cover, up to ``edge_us``: none before a series' first reading."""
    (covered,) = conn.execute(
        "SELECT coalesce(sum(max(?1 - max(from_us,"
        " coalesce((SELECT min(ts) FROM history WHERE series_id = stale.series_id), ?1)), 0)), 0) FROM stale",
        (edge_us,),
    ).fetchone()
    return int(covered)


PARTS = {"recent": "fresh readings", "history": "readings", "rollup": "roll-ups", "mended": "kept for undo", "event": "events"}
REST = "the rest"


def parts(conn: sqlite3.Connection) -> dict[str, int] | None:
    """Bytes of each part; None where this SQLite cannot tell. Reads the whole file. Raises sqlite3.Error."""
    if not conn.execute("SELECT 1 FROM pragma_module_list WHERE name = 'dbstat'").fetchone():
        return None
    tables = dict(conn.execute("SELECT name, tbl_name FROM sqlite_schema"))
    found = dict.fromkeys((*PARTS.values(), REST), 0)
    for name, size in conn.execute("SELECT name, pgsize FROM dbstat WHERE aggregate = TRUE"):
        found[PARTS.get(tables.get(name, name), REST)] += size
    return found
