"""Insert readings, singly and in bulk, and find and change stored ones. The caller owns the transaction.

A reading is identified by (series, time). An insert never replaces a reading; another value at the same time needs ``change``.
"""

from __future__ import annotations

import sqlite3
from bisect import bisect_left
from collections.abc import Sequence
from typing import Protocol

from sensorlogd.storage.reading_tables.readings import Reading

# (series id, ts, value, quality), as the statements here want it. ``readings.Stamped`` has the same four with the time first;
# the type checker does not see the difference.
SeriesFirst = tuple[int, int, float | None, int]

# Rows per statement: as many as SQLite allows (4 parameters a row, 32766 parameters: SQLITE_MAX_VARIABLE_NUMBER since
# 3.32), then powers of two, so that any number of rows needs few statements and all stay in the statement cache.
APPEND_SIZES = (8190, *(1 << power for power in range(12, -1, -1)))
_APPEND = {
    size: "INSERT INTO recent(series_id, ts, value, quality) VALUES " + ",".join(["(?,?,?,?)"] * size)
    for size in APPEND_SIZES
}  # fmt: skip
_TABLES = ("recent", "history")
_INSERT_ONE = {
    table: f"INSERT INTO {table}(series_id, ts, value, quality) VALUES (?,?,?,?) ON CONFLICT DO NOTHING" for table in _TABLES
}
_INSERT_SIZES = (1024, 128, 16, 1)
_INSERT = {
    (table, size): f"INSERT INTO {table}(series_id, ts, value, quality) VALUES "
    + ",".join(["(?,?,?,?)"] * size)
    + " ON CONFLICT DO NOTHING"
    for table in _TABLES
    for size in _INSERT_SIZES
}
_FIND = {table: f"SELECT value, quality FROM {table} WHERE series_id = ? AND ts = ?" for table in _TABLES}
_UPDATE = {table: f"UPDATE {table} SET value = ?, quality = ? WHERE series_id = ? AND ts = ?" for table in _TABLES}


class ReadingsMissing(Exception):
    """Readings that are remembered are not there, and have not expired either."""


class Border(Protocol):
    """Where readings belong. Older than ``moved_until_us`` they are settled, else fresh. ``copying``: the span [a, b) that
    the mover is copying now; what is inside lies, or is going to lie, in both."""

    moved_until_us: int
    copying: tuple[int, int] | None


def _tables_of(border: Border, ts_us: int) -> tuple[str, ...]:
    """The tables in which a reading of that time is stored; readers ask the first."""
    if ts_us < border.moved_until_us:
        return ("history",)
    if border.copying is not None and border.copying[0] <= ts_us < border.copying[1]:
        return ("recent", "history")
    return ("recent",)


# ---- insert ------------------------------------------------------------------------------------------------------------


def append(conn: sqlite3.Connection, flat: Sequence[object], rows: int) -> None:
    """Store ``rows`` readings (one of APPEND_SIZES) that are newer than all that needs care, in one statement.

    ``flat``: series id, ts, value, quality of one after the other, best in order of time and then of series. Raises
    sqlite3.IntegrityError, with none of them stored, if one is there already.
    """
    conn.execute(_APPEND[rows], flat)


def insert(conn: sqlite3.Connection, border: Border, series: int, ts_us: int, value: float | None, quality: int) -> bool:
    """Store one reading where it belongs; returns False if its time is taken: nothing has changed then."""
    tables = _tables_of(border, ts_us)
    # Readers ask the first table; only if it took the row is the copy made in the other.
    if conn.execute(_INSERT_ONE[tables[0]], (series, ts_us, value, quality)).rowcount != 1:
        return False
    for table in tables[1:]:
        conn.execute(_INSERT_ONE[table], (series, ts_us, value, quality))
    return True


def insert_many(conn: sqlite3.Connection, border: Border, rows: Sequence[SeriesFirst]) -> int:
    """Store readings where they belong, except those whose time is taken. Returns how many were stored."""
    plain: dict[str, list[SeriesFirst]] = {"history": [], "recent": []}
    stored = 0
    for row in rows:
        tables = _tables_of(border, row[1])
        if len(tables) == 1:
            plain[tables[0]].append(row)
        else:
            stored += insert(conn, border, *row)
    return stored + sum(_insert_plain(conn, table, found) for table, found in plain.items())


def _insert_plain(conn: sqlite3.Connection, table: str, rows: Sequence[SeriesFirst]) -> int:
    start = stored = 0
    for size in _INSERT_SIZES:
        while len(rows) - start >= size:
            stored += conn.execute(_INSERT[table, size], [cell for row in rows[start : start + size] for cell in row]).rowcount
            start += size
    return stored


# ---- find --------------------------------------------------------------------------------------------------------------


def find(conn: sqlite3.Connection, border: Border, series: int, ts_us: int) -> tuple[float | None, int] | None:
    """(value, quality) of a reading; None: there is none."""
    row: tuple[float | None, int] | None = conn.execute(_FIND[_tables_of(border, ts_us)[0]], (series, ts_us)).fetchone()
    return row


def find_anywhere(conn: sqlite3.Connection, series: int, ts_us: int) -> tuple[float | None, int] | None:
    """As ``find``, without knowing the border; quickest for a new reading, because the fresh ones are looked at first."""
    row: tuple[float | None, int] | None = (
        conn.execute(_FIND["recent"], (series, ts_us)).fetchone() or conn.execute(_FIND["history"], (series, ts_us)).fetchone()
    )
    return row


# ---- change ------------------------------------------------------------------------------------------------------------


def change_one(conn: sqlite3.Connection, border: Border, series: int, ts_us: int, value: float | None, quality: int) -> None:
    """Give a reading that was found another value and quality."""
    for table in _tables_of(border, ts_us):
        conn.execute(_UPDATE[table], (value, quality, series, ts_us))


def change(
    conn: sqlite3.Connection,
    border: Border,
    series: int,
    rows: Sequence[Reading],
    *,
    cut_us: int | None = None,
    some_are_lost: bool = False,
) -> None:
    """Give readings, in order of time, other values, wherever they are.

    Those before ``cut_us`` may have expired meanwhile: what is gone stays away. All others must be there, unless
    ``some_are_lost`` to damage: else ReadingsMissing, and the transaction is the caller's to roll back.
    """
    keyed = [(value, quality, series, ts) for ts, value, quality in rows]
    expired = 0 if cut_us is None else bisect_left(rows, cut_us, key=_ts)
    moved = bisect_left(rows, border.moved_until_us, key=_ts)
    met = 0
    for table, begin, end in (("history", 0, moved), ("recent", moved, len(rows))):
        middle = min(max(expired, begin), end)
        _update(conn, table, keyed[begin:middle])
        met += _update(conn, table, keyed[middle:end])
    if border.copying is not None:
        _update(conn, "history", keyed[moved : bisect_left(rows, border.copying[1], key=_ts)])
    if met < len(rows) - expired and not some_are_lost:
        raise ReadingsMissing(f"of {len(rows) - expired} readings of series {series} that were to be changed {met} are there")


def _update(conn: sqlite3.Connection, table: str, keyed: Sequence[tuple[float | None, int, int, int]]) -> int:
    return conn.executemany(_UPDATE[table], keyed).rowcount if keyed else 0


def _ts(row: Reading) -> int:
    return row[0]
