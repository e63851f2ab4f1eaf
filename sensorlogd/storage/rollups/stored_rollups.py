"""The roll-ups that are stored: table ``rollup``. All that is written to it is here; who asks for roll-ups reads it where it knows
what counts (``query.segments``, ``by_tile``, ``snapshot``). The caller owns the transaction; all may be repeated safely.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from sensorlogd.storage.rollups.rollup import RollUp
from sensorlogd.storage.rollups.snapshot import Key, Row

_KEY = ("series_id", "resolution", "start")
_COLUMNS = (*_KEY, *RollUp._fields)
_ONE = f"({','.join('?' * len(_COLUMNS))})"
_INTO = f"INSERT INTO rollup({', '.join(_COLUMNS)})"
_REPLACE = " ON CONFLICT(series_id, resolution, start) DO UPDATE SET " + ", ".join(
    f"{name} = excluded.{name}" for name in RollUp._fields
)
_SIZES = (128, 32, 8, 1)  # rows a statement: few statements, and all fit the statement cache
_UPSERT = {size: f"{_INTO} VALUES {','.join([_ONE] * size)}{_REPLACE}" for size in _SIZES}
_COUNTS = ("n_good", "n_not_evaluated", "n_suspect", "n_fail", "n_missing")
_OF_MORE_READINGS = (
    f" WHERE {' + '.join(f'excluded.{name}' for name in _COUNTS)} > {' + '.join(f'rollup.{name}' for name in _COUNTS)}"
)

_VALUE = {name: f"{name} * :factor + :shift" for name in ("mean", "min", "max", "first", "last", "second", "last_but_one")}
# How the columns of a roll-up change with the unit, new = old * factor + shift.
CHANGED = _VALUE | {
    "m2": "m2 * :factor * :factor",
    "increase": "increase * :factor",
    "integral": "integral * :factor + :shift * covered_us / 1e6",
}
# What of a roll-up is the same in every unit: a test asks that each column is here or above.
UNCHANGED = {
    *("n", "first_ts", "last_ts", "covered_us", "resets", "sin_sum", "cos_sum", "transitions", "states"),
    *_COUNTS,
}
_CARRY = (
    f"{_INTO} SELECT :new, resolution, start, {', '.join(CHANGED.get(name, name) for name in RollUp._fields)} FROM rollup"
    " WHERE series_id = :old AND resolution = :tier AND start < :until ON CONFLICT DO NOTHING"
)


def store_rows(conn: sqlite3.Connection, rows: Sequence[Row]) -> None:
    """Insert or replace roll-ups."""
    start = 0
    for size in _SIZES:
        while len(rows) - start >= size:
            conn.execute(_UPSERT[size], [value for row in rows[start : start + size] for value in row])
            start += size


def store_if_better(conn: sqlite3.Connection, row: Row) -> bool:
    """Store a roll-up, unless there is one of that bucket that is made of as many readings or more. Returns whether it was stored."""
    return bool(conn.execute(f"{_INTO} VALUES {_ONE}{_REPLACE}{_OF_MORE_READINGS}", row).rowcount)


def carry(conn: sqlite3.Connection, old: int, new: int, resolution: int, until_us: int, *, factor: float, shift: float) -> None:
    """Copy roll-ups of series ``old`` that begin before ``until_us`` to series ``new``, in its unit."""
    named = {"old": old, "new": new, "tier": resolution, "until": until_us, "factor": factor, "shift": shift}
    conn.execute(_CARRY, named)


def delete_rows(conn: sqlite3.Connection, keys: Sequence[Key]) -> None:
    """Remove roll-ups of buckets in which nothing is left."""
    conn.executemany("DELETE FROM rollup WHERE series_id = ? AND resolution = ? AND start = ?", keys)


def delete_before(conn: sqlite3.Connection, series: int, resolution: int, until_us: int) -> int:
    """Remove roll-ups of one series and resolution that begin before ``until_us``. Returns how many there were."""
    key = (series, resolution, until_us)
    return conn.execute("DELETE FROM rollup WHERE series_id = ? AND resolution = ? AND start < ?", key).rowcount


def forget(conn: sqlite3.Connection, series: int) -> None:
    """Remove all roll-ups of a series that has gone away."""
    conn.execute("DELETE FROM rollup WHERE series_id = ?", (series,))


def oldest_start(conn: sqlite3.Connection, series: int, resolution: int, before_us: int, skipped: int = 0) -> int | None:
    """When the oldest roll-up begins, or the one after ``skipped`` of them, if that is before ``before_us``; None: there is none."""
    query = "SELECT start FROM rollup WHERE series_id = ? AND resolution = ? AND start < ? ORDER BY start LIMIT 1 OFFSET ?"
    row = conn.execute(query, (series, resolution, before_us, skipped)).fetchone()
    return None if row is None else row[0]


def any_of(conn: sqlite3.Connection, series: int) -> bool:
    """Whether a series has roll-ups."""
    return conn.execute("SELECT 1 FROM rollup WHERE series_id = ? LIMIT 1", (series,)).fetchone() is not None
