"""Questions about several series together, in order of time: for computing other series from them. Any connection.

The newest readings are looked for among the fresh ones, and there not before what ``reach`` says. ``moved_us``: the border.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Collection, Iterator, Mapping

from sensorlogd.notation.microseconds import BEGINNING_US, END_US
from sensorlogd.storage.reading_tables.readings import Reading, Readings, Stamped

_ROWS = 10_000  # at once


def reach(conn: sqlite3.Connection, rows: int) -> int | None:
    """The time from which on ``rows`` readings are fresh; None: there are fewer."""
    row = conn.execute("SELECT ts FROM recent ORDER BY ts DESC, series_id DESC LIMIT 1 OFFSET ?", (rows,)).fetchone()
    return None if row is None else row[0]


def fresh(conn: sqlite3.Connection, series: Collection[int], since_us: int, moved_us: int) -> Iterator[Stamped]:
    """All of these series from then on that is fresh, in order of time."""
    for rows in Readings(conn, moved_us).fresh_stamped(since_us, END_US, _ROWS):
        yield from (row for row in rows if row[1] in series)


def some(
    conn: sqlite3.Connection, series: Collection[int], since_us: int, until_us: int, moved_us: int, limit: int
) -> tuple[list[Stamped], int]:
    """(readings of these series from ``since_us`` on in order of time, until when that is all of them).

    Some ``limit`` readings are looked at, but at least those of one instant.
    """
    if since_us < moved_us:
        return _some_settled(conn, series, since_us, min(until_us, moved_us), max(limit // max(len(series), 1), 1))
    sql = "SELECT ts FROM recent WHERE ts >= ? AND ts < ? ORDER BY ts LIMIT 1 OFFSET ?"
    row = conn.execute(sql, (since_us, until_us, limit)).fetchone()
    end = until_us if row is None else max(row[0], since_us + 1)
    sql = "SELECT ts, series_id, value, quality FROM recent WHERE ts >= ? AND ts < ? ORDER BY ts, series_id"
    return [row for row in conn.execute(sql, (since_us, end)) if row[1] in series], end


def _some_settled(
    conn: sqlite3.Connection, series: Collection[int], since_us: int, until_us: int, each: int
) -> tuple[list[Stamped], int]:  # fmt: skip
    """As ``some``, of settled readings: at most ``each`` of every series."""
    end = until_us
    for identity in series:
        sql = "SELECT ts FROM history WHERE series_id = ? AND ts >= ? AND ts < ? ORDER BY ts LIMIT 1 OFFSET ?"
        row = conn.execute(sql, (identity, since_us, end, each)).fetchone()
        end = end if row is None else row[0]
    found: list[Stamped] = []
    for identity in series:
        sql = "SELECT ts, series_id, value, quality FROM history WHERE series_id = ? AND ts >= ? AND ts < ?"
        found += conn.execute(sql, (identity, since_us, end))
    found.sort(key=lambda row: row[:2])
    return found, end


def between(conn: sqlite3.Connection, series: Collection[int], since_us: int, until_us: int, moved_us: int) -> list[Stamped]:
    """All readings of these series in [since, until), in order of time."""
    found: list[Stamped] = []
    while since_us < until_us:
        rows, since_us = some(conn, series, since_us, until_us, moved_us, 1 << 40)
        found += rows
    return found


def last_good(conn: sqlite3.Connection, series: int, before_us: int, moved_us: int, floor_us: int) -> tuple[int, float] | None:
    """(time, value) of the newest reading before a time that has a value and did not fail; of fresh ones not before
    ``floor_us``."""
    readings = Readings(conn, moved_us)
    found = readings.last_usable(series, floor_us, before_us)
    return found or readings.last_usable(series, BEGINNING_US, min(before_us, moved_us))


def each_from(conn: sqlite3.Connection, since_us: Mapping[int, int], within_s: float) -> dict[int, list[Reading]]:
    """series id -> its readings in order, from a time of its own on. Series that are not read within ``within_s`` seconds are left
    out. Raises sqlite3.Error."""
    until = time.monotonic() + within_s
    found: dict[int, list[Reading]] = {}
    stored = Readings.of(conn)
    for series, since in sorted(since_us.items(), key=lambda item: -item[1]):  # the shortest first
        if time.monotonic() > until:
            break
        found[series] = [row for rows in stored.settled(series, since, stored.moved_until_us, _ROWS) for row in rows]
    if found:
        for series, ts, value, quality in stored.fresh_from(min(since_us[series] for series in found)):
            if series in found and ts >= since_us[series]:
                found[series].append((ts, value, quality))
    return found
