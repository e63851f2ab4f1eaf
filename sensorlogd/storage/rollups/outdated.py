"""Roll-ups that do not match their readings any more, and wait to be computed again. All access to their two tables is here, but for
a join with the readings (``reading_tables.survey``) and the tables of a damaged file (``salvage.former``).

A row of table ``dirty`` says: a reading in this minute of this series came late or was changed. The minute and all buckets around it
do not count.

A row of table ``stale`` says: buckets of this series, of resolution ``tier`` (in seconds) and coarser, that end after ``from_us``
do not count, because the settings of the series changed or because somebody requested it. The aggregator computes them anew
from ``from_us`` on and advances it. One row for years of roll-ups, where dirty minutes would be one a minute.

Queries answer for both from what is finer, in the end from readings. ``generation`` grows each time a row is marked again: what
was computed before that does not clear it. In ``dirty`` it is the frontier's count of marking transactions; in ``stale`` it begins
with the time of the mark in microseconds, so that a row that was deleted and made again has another one.

The caller of what writes owns the transaction.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence

from sensorlogd.notation.microseconds import BEGINNING_US, END_US
from sensorlogd.storage import cuts
from sensorlogd.storage.rollups.resolutions import DAY, FIXED, MINUTE
from sensorlogd.storage.watermarks import Frontier

Mark = tuple[int, int, int]  # (series_id, start, generation) of a dirty minute
Advance = tuple[int, int, int, int | None]  # the arguments of ``advance``

_MARK_MINUTE = (
    "INSERT INTO dirty(series_id, start, generation) VALUES (?,?,?) "
    "ON CONFLICT(series_id, start) DO UPDATE SET generation = max(generation + 1, excluded.generation)"
)
_MARK = (
    "INSERT INTO stale(series_id, tier, from_us, generation) VALUES (?,?,?,?) ON CONFLICT(series_id, tier) DO UPDATE SET"
    " from_us = min(from_us, excluded.from_us), generation = max(generation + 1, excluded.generation)"
)


# ---- single minutes ----------------------------------------------------------------------------------------------------


def mark_minutes(conn: sqlite3.Connection, frontier: Frontier, minutes: Sequence[tuple[int, int]]) -> None:
    """Mark minutes (series, start) as dirty. Call it in the transaction that changed their readings."""
    if minutes:
        frontier.generation += 1
        conn.executemany(_MARK_MINUTE, [(series, start, frontier.generation) for series, start in minutes])


def clear_minutes(conn: sqlite3.Connection, marks: Sequence[Mark]) -> None:
    """Dirty minutes are right again, unless a reading that arrived after the snapshot has marked them again."""
    conn.executemany("DELETE FROM dirty WHERE series_id = ? AND start = ? AND generation <= ?", marks)


def first_minutes(conn: sqlite3.Connection, limit: int) -> list[Mark]:
    """At most this many dirty minutes, in order of series and then of time."""
    return conn.execute("SELECT series_id, start, generation FROM dirty ORDER BY series_id, start LIMIT ?", (limit,)).fetchall()


def minutes_since(conn: sqlite3.Connection, since_us: int) -> list[Mark]:
    """The dirty minutes of all series that begin at or after an instant."""
    return conn.execute("SELECT series_id, start, generation FROM dirty WHERE start >= ?", (since_us,)).fetchall()


def minutes_of(conn: sqlite3.Connection, series: int) -> Iterator[int]:
    """When the dirty minutes of a series begin, in order."""
    return (start for (start,) in conn.execute("SELECT start FROM dirty WHERE series_id = ? ORDER BY start", (series,)))


def has_minute(conn: sqlite3.Connection, series: int, since_us: int, until_us: int) -> bool:
    """Whether any minute of the series in [since, until) is dirty."""
    query = "SELECT 1 FROM dirty WHERE series_id = ? AND start >= ? AND start < ?"
    return conn.execute(query, (series, since_us, until_us)).fetchone() is not None


def count_minutes(conn: sqlite3.Connection) -> int:
    """How many minutes of all series are dirty."""
    (minutes,) = conn.execute("SELECT count(*) FROM dirty").fetchone()
    return int(minutes)


def newest_generation(conn: sqlite3.Connection) -> int:
    """The highest generation of a dirty minute, for ``Frontier.generation`` of a file that was just opened; 0: none is dirty."""
    (generation,) = conn.execute("SELECT coalesce(max(generation), 0) FROM dirty").fetchone()
    return int(generation)


def forget_first_minutes(conn: sqlite3.Connection, series: int, limit: int) -> int:
    """Delete the oldest ``limit`` marks of a series whose readings are in another one now. Returns how many there were."""
    row = conn.execute("SELECT start FROM dirty WHERE series_id = ? ORDER BY start LIMIT 1 OFFSET ?", (series, limit)).fetchone()
    until = END_US if row is None else row[0]
    return conn.execute("DELETE FROM dirty WHERE series_id = ? AND start < ?", (series, until)).rowcount


# ---- in bulk -----------------------------------------------------------------------------------------------------------


def in_bulk(conn: sqlite3.Connection) -> list[tuple[int, int, int, int]]:
    """(series, resolution, from_us, generation) of all roll-ups that are outdated in bulk, in order of series and resolution."""
    return conn.execute("SELECT series_id, tier, from_us, generation FROM stale ORDER BY series_id, tier").fetchall()


def count_series(conn: sqlite3.Connection) -> int:
    """How many series have roll-ups that are outdated in bulk."""
    (series,) = conn.execute("SELECT count(DISTINCT series_id) FROM stale").fetchone()
    return int(series)


def mark(conn: sqlite3.Connection, series: Iterable[int], now_us: int, since_us: int = BEGINNING_US) -> None:
    """Mark as outdated all roll-ups of these series from ``since_us`` on, except those whose readings have expired."""
    mark_each(conn, dict.fromkeys(series, since_us), now_us)


def mark_each(conn: sqlite3.Connection, since_us: Mapping[int, int], now_us: int) -> None:
    """As ``mark``, each series from an instant of its own."""
    kept_from = {series: cuts.kept_from(cut) for series, cut in cuts.of_readings(conn).items()}
    conn.executemany(
        _MARK, [(series_id, MINUTE, max(since, kept_from.get(series_id, since)), now_us) for series_id, since in since_us.items()]
    )


def mark_days(conn: sqlite3.Connection, now_us: int) -> None:
    """Mark as outdated the days of all series, as far back as anything is kept from which they can be computed. From the cut on, not
    from ``cuts.kept_from``: the day before the cut has expired, whatever is left of its last hour."""
    oldest: dict[int, int] = {}
    cut_of = cuts.of_all(conn)
    for (series,) in conn.execute("SELECT id FROM series").fetchall():
        oldest[series] = min(cut_of.get((series, resolution), BEGINNING_US) for resolution in (cuts.READINGS, *FIXED))
    conn.executemany(_MARK, [(series, DAY, since_us, now_us) for series, since_us in oldest.items()])


def advance(conn: sqlite3.Connection, series: int, resolution: int, generation: int, until_us: int | None) -> None:
    """Buckets that end at or before ``until_us`` are right again; None: all are. Unless they have become outdated again since."""
    key = (series, resolution, generation)
    if until_us is None:
        conn.execute("DELETE FROM stale WHERE series_id = ? AND tier = ? AND generation = ?", key)
    else:
        conn.execute(
            "UPDATE stale SET from_us = max(from_us, ?) WHERE series_id = ? AND tier = ? AND generation = ?", (until_us, *key)
        )


def advance_each(conn: sqlite3.Connection, advances: Iterable[Advance]) -> None:
    """``advance`` for each of these."""
    for each in advances:
        advance(conn, *each)


def pass_over(conn: sqlite3.Connection, series: int, until_us: int) -> bool:
    """Leave the stored roll-ups of a series up to an instant as they are: only later ones are computed anew. Returns whether any
    before it were outdated."""
    changed = conn.execute(
        "UPDATE stale SET from_us = ?1, generation = generation + 1 WHERE series_id = ?2 AND tier = ?3 AND from_us < ?1",
        (until_us, series, MINUTE),
    ).rowcount
    return bool(changed)


# ---- both --------------------------------------------------------------------------------------------------------------


def first_of_each(conn: sqlite3.Connection) -> dict[int, int]:
    """Series -> from where on its roll-ups are not right yet; only those that have such."""
    return dict(
        conn.execute(
            "SELECT series_id, min(start) FROM (SELECT series_id, start FROM dirty UNION ALL SELECT series_id, from_us FROM stale)"
            " GROUP BY series_id"
        ).fetchall()
    )


def expire(conn: sqlite3.Connection, series: Iterable[int], cut_us: int) -> None:
    """The readings of these series before ``cut_us`` expire, and their roll-ups stay as they are, because nothing is left to
    compute them from."""
    series = list(series)
    conn.executemany("DELETE FROM dirty WHERE series_id = ? AND start < ?", [(identity, cut_us) for identity in series])
    conn.executemany(
        "UPDATE stale SET from_us = max(from_us, ?) WHERE series_id = ?", [(cut_us, identity) for identity in series]
    )


def forget(conn: sqlite3.Connection, series: int) -> None:
    """Delete all marks of a series that is going away."""
    for table in ("dirty", "stale"):
        conn.execute(f"DELETE FROM {table} WHERE series_id = ?", (series,))


def any_in_bulk(conn: sqlite3.Connection) -> bool:
    """Whether any series has roll-ups that are outdated in bulk."""
    return conn.execute("SELECT 1 FROM stale LIMIT 1").fetchone() is not None


def anything_left(conn: sqlite3.Connection) -> bool:
    """Whether anything waits to be computed again: minutes that are dirty, roll-ups that do not count."""
    return conn.execute("SELECT 1 FROM dirty UNION ALL SELECT 1 FROM stale LIMIT 1").fetchone() is not None
