"""The results of alarms that wait for the next commit, held until that commit has succeeded."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field

from sensorlogd.alarms.judging.alarm import Alarm, StateChange
from sensorlogd.alarms.judging.findings import Findings
from sensorlogd.alarms.judging.states import AlarmState
from sensorlogd.alarms.keeping import alarm_rows
from sensorlogd.alarms.notifying.notifications import MAX_UNSTORED_RESULTS, sentence
from sensorlogd.event_kinds import EventKind
from sensorlogd.storage.alarms import changes, notifications, states
from sensorlogd.storage.alarms.changes import ChangeRow
from sensorlogd.storage.alarms.notifications import NoticeRow, NotificationOutcome
from sensorlogd.storage.ingest import events

# Results that the database has refused this often are dropped, so that they do not keep later ones from being stored.
MAX_STORE_TRIES = 3

_EVENTS = {
    "raised": EventKind.ALARM_RAISED,
    "returned": EventKind.ALARM_RETURNED,
    "acknowledged": EventKind.ALARM_ACKNOWLEDGED,
    "shelved": EventKind.ALARM_SHELVED,
    "unshelved": EventKind.ALARM_UNSHELVED,
    "redefined": EventKind.ALARM_REDEFINED,
    "removed": EventKind.ALARM_REMOVED,
}


@dataclass(slots=True)
class Unstored:
    """The results that wait for the commit. ``alarms``: whose state is to be saved; ``gone``: (name, subject) of those to be
    removed; ``outcomes``: the outcomes of notifications."""

    alarms: dict[Alarm, None] = field(default_factory=dict)
    gone: list[tuple[str, str]] = field(default_factory=list)
    changes: list[ChangeRow] = field(default_factory=list)
    events: list[tuple[int, EventKind, str | None, str]] = field(default_factory=list)
    notices: list[NoticeRow] = field(default_factory=list)
    outcomes: list[NotificationOutcome] = field(default_factory=list)
    faults: int = 0

    def __bool__(self) -> bool:
        return bool(self.alarms or self.gone or self.changes or self.notices or self.outcomes)

    @property
    def is_urgent(self) -> bool:
        """Whether people wait for it: changes, notifications and their outcomes. States alone can wait for the next commit."""
        return bool(self.changes or self.notices or self.outcomes)

    def add(self, findings: Findings) -> None:
        """All of ``findings`` but what is announced, which becomes ``notices`` elsewhere. The oldest give way beyond
        ``MAX_UNSTORED_RESULTS``."""
        for change in findings.changes:
            self.changes.append(
                ChangeRow(
                    change.ts_us,
                    change.alarm.name,
                    change.alarm.subject,
                    change.kind,
                    change.before.value,
                    change.after.value,
                    change.value,
                    change.detail,
                )
            )
            sensor = change.alarm.subject.partition(".")[0] or None
            self.events.append((change.ts_us, _EVENTS[change.kind], sensor, _sentence(change)))
        for alarm in findings.gone:
            self.alarms.pop(alarm, None)
            self.gone.append((alarm.name, alarm.subject))
        self.changes, self.events = self.changes[-MAX_UNSTORED_RESULTS:], self.events[-MAX_UNSTORED_RESULTS:]
        self.notices = self.notices[-MAX_UNSTORED_RESULTS:]  # the sender has these already
        self.alarms |= findings.unsaved

    def store(self, conn: sqlite3.Connection, watched_us: int, now_us: int) -> None:
        """In the caller's transaction. Raises sqlite3.Error."""
        states.remove(conn, self.gone)
        states.save(conn, [alarm_rows.row(alarm, watched_us, now_us) for alarm in self.alarms])
        changes.add(conn, self.changes)
        for event in self.events:
            events.record(conn, *event)
        notifications.add(conn, self.notices)
        notifications.end(conn, self.outcomes)

    def note_stored(self) -> None:
        """The commit has succeeded: forget what it stored."""
        self._clear()

    def note_refusal(self) -> bool:
        """The database has refused the results. Returns whether it has done so ``MAX_STORE_TRIES`` times, so that they are dropped."""
        self.faults += 1
        is_last = self.faults >= MAX_STORE_TRIES
        if is_last:
            self._clear()
        return is_last

    def _clear(self) -> None:
        self.alarms, self.gone, self.changes, self.events, self.notices, self.outcomes = {}, [], [], [], [], []
        self.faults = 0


def _sentence(change: StateChange) -> str:
    """The detail of the event that belongs to a change."""
    alarm = change.alarm
    if change.kind in ("raised", "returned"):
        said = sentence(alarm, change.value, change.detail or alarm.detail, ended=change.kind == "returned")
        return f"{alarm.name} ({alarm.definition.options.severity}): {said}"
    detail = f": {change.detail}" if change.detail else ""
    state = "" if change.after is AlarmState.SHELVED else f", {change.after.value}"
    return f"{alarm.name} of {alarm.subject or 'the daemon'} {change.kind}{state}{detail}"
