"""The table ``alarm``: the state of each alarm that is configured. The caller of what writes owns the transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields

_STATES = ("unacknowledged", "returned unacknowledged", "acknowledged", "shelved", "pending", "normal")
_URGENCY = {state: rank for rank, state in enumerate(_STATES)}


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


_COLUMNS = [field.name for field in fields(AlarmRow)]
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM alarm"
_SAVE = (
    f"INSERT INTO alarm({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))}) ON CONFLICT(name, subject) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS[2:])
)


def rows(conn: sqlite3.Connection) -> list[AlarmRow]:
    """Every alarm that is configured, by name. Raises sqlite3.Error."""
    return [AlarmRow(*row) for row in conn.execute(f"{_SELECT} ORDER BY name, subject")]


def save(conn: sqlite3.Connection, alarms: Iterable[AlarmRow]) -> None:
    for alarm in alarms:
        conn.execute(_SAVE, astuple(alarm))


def remove(conn: sqlite3.Connection, gone: Iterable[tuple[str, str]]) -> None:
    for key in gone:
        conn.execute("DELETE FROM alarm WHERE name = ? AND subject = ?", key)


def by_urgency(conn: sqlite3.Connection) -> list[AlarmRow]:
    """All alarms, those that need attention first; empty in a log of an older release. A state that this release does not know
    comes before all others. Raises sqlite3.Error."""
    if conn.execute("SELECT 1 FROM sqlite_schema WHERE name = 'alarm'").fetchone() is None:
        return []
    return sorted(rows(conn), key=lambda row: (_URGENCY.get(row.shown, -1), row.name, row.subject))
