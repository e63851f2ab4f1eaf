"""The table ``alarm_change``: every change of the state of an alarm, the newest 100,000 of them."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

KEEP = 100_000
RAISED = "raised"  # kind of a change


class ChangeRow(NamedTuple):
    """A row of ``alarm_change``."""

    ts_us: int
    name: str
    subject: str
    kind: str
    before: str
    after: str
    value: float | None
    detail: str


class Period(NamedTuple):
    """An alarm was raised from ``since_us`` to ``until_us`` (None: beyond the time that was asked for), acknowledged or not."""

    name: str
    subject: str
    since_us: int
    until_us: int | None


_CHANGE = (  # a COMMIT that failed may have happened all the same
    'INSERT INTO alarm_change(ts, name, subject, kind, "before", "after", value, detail) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8'
    " WHERE NOT EXISTS (SELECT 1 FROM alarm_change WHERE ts = ?1 AND name = ?2 AND subject = ?3 AND kind = ?4)"
)
_ENDS = "kind IN ('raised', 'returned', 'redefined', 'removed')"  # of a period of alarm, both of them
_LAST_BEFORE = f"SELECT max(id), ts, name, subject, kind FROM alarm_change WHERE ts < ? AND {_ENDS} GROUP BY name, subject"
_TURNS = f"SELECT id, ts, name, subject, kind FROM alarm_change WHERE ts >= ? AND ts < ? AND {_ENDS} ORDER BY id DESC LIMIT ?"


def add(conn: sqlite3.Connection, changes: Sequence[ChangeRow]) -> None:
    """Store the changes, and delete the oldest beyond ``KEEP``; the caller owns the transaction."""
    for change in changes:
        conn.execute(_CHANGE, change)
    if changes:
        conn.execute("DELETE FROM alarm_change WHERE id <= (SELECT max(id) FROM alarm_change) - ?", (KEEP,))


def newest(conn: sqlite3.Connection, since_us: int | None, limit: int, names: str = "*") -> list[ChangeRow]:
    """The newest ``limit`` changes, the oldest of them first. ``names``: a glob of the alarm's."""
    found = conn.execute(
        'SELECT ts, name, subject, kind, "before", "after", value, detail FROM alarm_change'
        " WHERE (?1 IS NULL OR ts >= ?1) AND name GLOB ?2 ORDER BY id DESC LIMIT ?3",
        (since_us, names, limit),
    ).fetchall()
    return [ChangeRow(*row) for row in reversed(found)]


def periods(conn: sqlite3.Connection, since_us: int, until_us: int, limit: int = KEEP) -> list[Period]:
    """The periods in which alarms were raised that touch [since, until), in order of their beginning; a period that began before
    the range keeps its own beginning. Only the newest ``limit`` changes are looked at. Empty in a log of an older release. Raises
    sqlite3.Error.
    """
    if conn.execute("SELECT 1 FROM sqlite_schema WHERE name = 'alarm_change'").fetchone() is None:
        return []
    began: dict[tuple[str, str], int] = {}
    for _, ts, name, subject, kind in conn.execute(_LAST_BEFORE, (since_us,)):
        if kind == RAISED:
            began[name, subject] = ts
    found: list[Period] = []
    rows = conn.execute(_TURNS, (since_us, until_us, limit)).fetchall()
    for _, ts, name, subject, kind in reversed(rows):
        key = name, subject
        if kind == RAISED:
            began.setdefault(key, ts)
        elif key in began:
            found.append(Period(*key, began.pop(key), ts))
    found += [Period(*key, ts, None) for key, ts in began.items()]
    return sorted(found, key=lambda period: period.since_us)
