"""The tables of alarms: the state of each alarm, every change of state, and every notification until it is sent.

Nothing here commits: every write is part of the caller's transaction. Fields named ``..._at`` hold time watched (see
``alarms.judging.watch``), those named ``..._us`` the wall clock; both in microseconds. The newest 100,000 changes and the newest
10,000 finished notifications are kept.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from typing import Any, NamedTuple

from sensorlogd.storage.ingest import latest
from sensorlogd.storage.stages.readings import Readings

AT_ONCE = 20_000  # readings
KEEP_CHANGES = 100_000
KEEP_SENT = 10_000
RAISED = "raised"  # kind of a change
WAITING, SENT, GIVEN_UP = "waiting", "sent", "given up"


@dataclass(frozen=True, slots=True)
class AlarmRow:
    """A row of ``alarm``. ``definition``: the identity of the definition that it was last judged by; another one now means that
    the alarm begins anew."""

    name: str
    subject: str
    definition: str
    condition: str
    severity: str
    unit: str
    state: str
    since_us: int
    held_at: int | None
    raised_at: int
    raised_us: int
    told_at: int
    last_at: int
    escalated: int
    value: float | None
    detail: str
    raises: int
    note: str
    shelved_until_at: int
    shelved_until_us: int | None
    text: str

    @property
    def shown(self) -> str:
        """The state for people."""
        return "shelved" if self.shelved_until_at else self.state


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


class NoticeRow(NamedTuple):
    """A row of ``notification``. ``body``: what a receiver is told of it."""

    identity: str
    target: str
    kind: str
    name: str
    subject: str
    made_us: int
    body: dict[str, Any]
    state: str
    tries: int


class NotificationOutcome(NamedTuple):
    """What became of a notification."""

    identity: str
    state: str
    tries: int
    ended_us: int | None
    message: str
    error: str


_COLUMNS = [field.name for field in fields(AlarmRow)]
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM alarm"
_SAVE = (
    f"INSERT INTO alarm({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))}) ON CONFLICT(name, subject) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS[2:])
)
_CHANGE = (  # a COMMIT that failed may have happened all the same
    'INSERT INTO alarm_change(ts, name, subject, kind, "before", "after", value, detail) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8'
    " WHERE NOT EXISTS (SELECT 1 FROM alarm_change WHERE ts = ?1 AND name = ?2 AND subject = ?3 AND kind = ?4)"
)
_ENDS = "kind IN ('raised', 'returned', 'redefined', 'removed')"  # of a period of alarm, both of them
_LAST_BEFORE = f"SELECT max(id), ts, name, subject, kind FROM alarm_change WHERE ts < ? AND {_ENDS} GROUP BY name, subject"
_TURNS = f"SELECT id, ts, name, subject, kind FROM alarm_change WHERE ts >= ? AND ts < ? AND {_ENDS} ORDER BY id DESC LIMIT ?"
_NOTICE = (
    "INSERT INTO notification(identity, target, kind, name, subject, made_us, body, state, tries) VALUES (?,?,?,?,?,?,?,?,?)"
    " ON CONFLICT(identity) DO NOTHING"
)
_OUTCOME = "UPDATE notification SET state = ?2, tries = ?3, ended_us = ?4, message = ?5, error = ?6 WHERE identity = ?1 AND state = 'waiting'"


def rows(conn: sqlite3.Connection) -> list[AlarmRow]:
    """Every alarm that is configured, by name. Raises sqlite3.Error."""
    return [AlarmRow(*row) for row in conn.execute(f"{_SELECT} ORDER BY name, subject")]


def save(conn: sqlite3.Connection, alarms: Iterable[AlarmRow]) -> None:
    for alarm in alarms:
        conn.execute(_SAVE, astuple(alarm))


def remove(conn: sqlite3.Connection, gone: Iterable[tuple[str, str]]) -> None:
    for key in gone:
        conn.execute("DELETE FROM alarm WHERE name = ? AND subject = ?", key)


def add_changes(conn: sqlite3.Connection, changes: Sequence[ChangeRow]) -> None:
    """Store the changes, and delete the oldest beyond ``KEEP_CHANGES``."""
    for change in changes:
        conn.execute(_CHANGE, change)
    if changes:
        conn.execute("DELETE FROM alarm_change WHERE id <= (SELECT max(id) FROM alarm_change) - ?", (KEEP_CHANGES,))


def add_notices(conn: sqlite3.Connection, notices: Iterable[NoticeRow]) -> None:
    """Store the notifications; one whose identity is stored already stays as it is."""
    for notice in notices:
        conn.execute(_NOTICE, (*notice[:6], json.dumps(notice.body, ensure_ascii=False), *notice[7:]))


def end_notices(conn: sqlite3.Connection, outcomes: Sequence[NotificationOutcome]) -> None:
    """Note what became of notifications, and delete the oldest finished ones beyond the limit."""
    for outcome in outcomes:
        conn.execute(_OUTCOME, outcome)
    if any(outcome.state != WAITING for outcome in outcomes):
        conn.execute(
            "DELETE FROM notification WHERE state <> 'waiting' AND id <= (SELECT max(id) FROM notification) - ?", (KEEP_SENT,)
        )


def waiting(conn: sqlite3.Connection) -> list[NoticeRow]:
    """The notifications that are still to be sent, the oldest first."""
    found = conn.execute(
        "SELECT identity, target, kind, name, subject, made_us, body, state, tries FROM notification WHERE state = 'waiting' ORDER BY id"
    )
    return [
        NoticeRow(identity, target, kind, name, subject, made, json.loads(body), state, tries)
        for identity, target, kind, name, subject, made, body, state, tries in found
    ]


def changes(conn: sqlite3.Connection, since_us: int | None, limit: int, names: str = "*") -> list[ChangeRow]:
    """The newest ``limit`` changes, the oldest of them first. ``names``: a glob of the alarm's."""
    found = conn.execute(
        'SELECT ts, name, subject, kind, "before", "after", value, detail FROM alarm_change'
        " WHERE (?1 IS NULL OR ts >= ?1) AND name GLOB ?2 ORDER BY id DESC LIMIT ?3",
        (since_us, names, limit),
    ).fetchall()
    return [ChangeRow(*row) for row in reversed(found)]


def periods(conn: sqlite3.Connection, since_us: int, until_us: int, most: int = KEEP_CHANGES) -> list[Period]:
    """The periods in which alarms were raised that touch [since, until), in order of their beginning; a period that began before
    the range keeps its own beginning. Only the newest ``most`` changes are looked at. Empty in a log of an older release. Raises
    sqlite3.Error.
    """
    if conn.execute("SELECT 1 FROM sqlite_schema WHERE name = 'alarm_change'").fetchone() is None:
        return []
    began: dict[tuple[str, str], int] = {}
    for _, ts, name, subject, kind in conn.execute(_LAST_BEFORE, (since_us,)):
        if kind == RAISED:
            began[name, subject] = ts
    found: list[Period] = []
    rows = conn.execute(_TURNS, (since_us, until_us, most)).fetchall()
    for _, ts, name, subject, kind in reversed(rows):
        key = name, subject
        if kind == RAISED:
            began.setdefault(key, ts)
        elif key in began:
            found.append(Period(*key, began.pop(key), ts))
    found += [Period(*key, ts, None) for key, ts in began.items()]
    return sorted(found, key=lambda period: period.since_us)


def sent_counts(conn: sqlite3.Connection) -> list[tuple[str, str, int]]:
    """(target, state, how many notifications)."""
    return conn.execute(
        "SELECT target, state, count(*) FROM notification GROUP BY target, state ORDER BY target, state"
    ).fetchall()


# ---- what the log itself remembers -------------------------------------------------------------------------------------


def newest(conn: sqlite3.Connection) -> dict[int, tuple[int, float | None, int]]:
    """series id -> (ts, value, quality) of its newest arrival. Raises sqlite3.Error."""
    found = latest.saved(conn)
    for series, ts, value, quality in latest.arrived_since(conn):
        found[series] = (ts, value, quality)
    return found


def readings(
    conn: sqlite3.Connection, since_us: Mapping[int, int], within_s: float
) -> dict[int, list[tuple[int, float | None, int]]]:
    """series id -> (ts, value, quality) in order, of each series from its own time on. Series that are not read by the time given
    are left out. Raises sqlite3.Error."""
    until = time.monotonic() + within_s
    found: dict[int, list[tuple[int, float | None, int]]] = {}
    stored = Readings.of(conn)
    for series, since in sorted(since_us.items(), key=lambda item: -item[1]):  # the shortest first
        if time.monotonic() > until:
            break
        found[series] = [row for rows in stored.settled(series, since, stored.moved_until_us, AT_ONCE) for row in rows]
    if found:
        for series, ts, value, quality in stored.fresh_from(min(since_us[series] for series in found)):
            if series in found and ts >= since_us[series]:
                found[series].append((ts, value, quality))
    return found
