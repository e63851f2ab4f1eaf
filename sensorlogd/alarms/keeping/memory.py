"""Converts alarms to rows and back, and reads at a start what the log knows about them.

States are stored. Windows, rates and silence are not: they are read again from the readings themselves, which are the same
after any end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sensorlogd.alarms.judging import watch
from sensorlogd.alarms.judging.alarm import Alarm
from sensorlogd.alarms.judging.judge import Judge
from sensorlogd.alarms.judging.states import AlarmState
from sensorlogd.alarms.judging.track import Track
from sensorlogd.alarms.keeping.unwatched import Unwatched
from sensorlogd.alarms.plan import AlarmedSeries, Definition
from sensorlogd.config import conditions
from sensorlogd.config.alarms import AlarmOptions
from sensorlogd.storage import meta
from sensorlogd.storage.alarms import states as stored_states
from sensorlogd.storage.alarms.states import AlarmRow
from sensorlogd.storage.ingest import latest
from sensorlogd.storage.open_database import OpenDatabase
from sensorlogd.storage.reading_tables import together

MAX_READ_S = 3.0  # seconds: windows that cannot be read within this time begin anew
_STATES = frozenset(state.value for state in AlarmState)
MAX_SHOWN_ALARMS = 20  # alarms in ``status``


def row(alarm: Alarm, at: int, now_us: int) -> AlarmRow:
    """The row of an alarm as it is now. ``at``: the time watched now."""
    definition = alarm.definition
    until_us = now_us + alarm.shelved_until_at - at if alarm.is_shelved else None
    return AlarmRow(
        name=alarm.name,
        subject=alarm.subject,
        definition=definition.identity,
        condition=definition.words,
        severity=definition.options.severity,
        unit="" if alarm.series is None else alarm.series.unit,
        state=alarm.state.value,
        since_us=alarm.since_us,
        held_at=alarm.held_at,
        raised_at=alarm.raised_at,
        raised_us=alarm.raised_us,
        told_at=alarm.told_at,
        last_at=alarm.last_at,
        escalated=int(alarm.escalated),
        value=alarm.value,
        detail=alarm.detail,
        raises=alarm.raises,
        note=alarm.note,
        shelved_until_at=alarm.shelved_until_at,
        shelved_until_us=until_us,
        text=definition.options.text or "",
    )


def facts(judge: Judge) -> dict[str, Any]:
    """For ``status``: how many are in which state, and the first of those that want to be seen."""
    counts: dict[str, int] = {}
    shown: list[dict[str, Any]] = []
    for alarm in judge.roster.alarms.values():
        word = alarm.shown().value
        counts[word] = counts.get(word, 0) + 1
        if word not in ("normal", "pending") and len(shown) < MAX_SHOWN_ALARMS:
            shown.append(
                {
                    "alarm": alarm.name,
                    "subject": alarm.subject,
                    "state": word,
                    "severity": alarm.definition.options.severity,
                    "since_us": alarm.since_us,
                }
            )
    return {"counts": counts, "shown": shown}


def recall(judge: Judge, db: OpenDatabase, at: int, now_us: int, *, first: bool) -> Unwatched | None:
    """What the open database remembers. ``first``: of this process; else all is to be stored there as it is known here. Returns
    when nobody watched, up to this start; None if it is not the first.

    Raises sqlite3.Error.
    """
    unwatched = None
    rows = {(row.name, row.subject): row for row in stored_states.rows(db.conn)}
    newest = latest.newest(db.conn, now_us)
    judge.found.troubles += [
        f"{row.name} of {row.subject} begins anew: its stored state {row.state!r} is not known here"
        for row in rows.values()
        if first and row.state not in _STATES
    ]
    if first:
        newest_us, marked = ended_us(newest, now_us), meta.get(db.conn, meta.ALARMS_WATCHED)
        shift = at - watch.ended_at(marked, newest_us)
        ended = watch.ended_us(marked, newest_us, now_us)
        unwatched = Unwatched.read(meta.get(db.conn, meta.ALARMS_UNWATCHED))
        for key, remembered in rows.items():
            _recall_alarm(judge, key, remembered, shift, now_us)
        if ended is not None:
            _recall_tracks(judge, db, newest, Past(ended, at, unwatched))
            unwatched.add(ended, now_us)
    else:
        judge.found.unsaved |= dict.fromkeys(judge.roster.alarms.values())
    known = {(alarm.name, alarm.subject) for alarm in judge.found.gone}
    for key, remembered in rows.items():
        if key not in judge.roster.alarms and key not in known:
            judge.found.note_removed(alarm_of(remembered), now_us)
    return unwatched


def _recall_alarm(judge: Judge, key: tuple[str, str], row: AlarmRow, shift: int, now_us: int) -> None:
    """Give the judge's alarm the state of the stored row; ``shift`` leads from the time watched of the row to that of this
    process. One that this process has touched keeps its own, and one judged by other conditions begins anew."""
    alarm = judge.roster.alarms.get(key)
    if alarm is None:
        definition = next((each for each in judge.roster.plan.definitions if each.name == row.name and each.of_events), None)
        if definition is None:
            return
        alarm = Alarm(definition, row.subject)
        judge.roster.adopt(alarm)
    if alarm.touched:
        return
    if alarm.definition.identity != row.definition:
        judge.found.unsaved[alarm] = None
        judge.found.note_redefined(alarm, alarm_of(row).shown(), now_us)
        return
    _restore(alarm, row, shift)
    is_same = row == row_of(alarm, row)
    if is_same and alarm.state is AlarmState.NORMAL and alarm.held_at is None and not alarm.is_shelved:
        judge.found.unsaved.pop(alarm, None)
    else:  # the times are converted to this run's time watched
        judge.found.unsaved[alarm] = None


def _restore(alarm: Alarm, row: AlarmRow, shift: int) -> None:
    """Give the alarm the state that the row says. ``shift``: from the time watched of the row to that of this process."""
    alarm.state, alarm.since_us = state_of(row), row.since_us
    alarm.held_at = None if row.held_at is None else row.held_at + shift
    alarm.raised_at, alarm.told_at, alarm.last_at = row.raised_at + shift, row.told_at + shift, row.last_at + shift
    alarm.raised_us, alarm.raises, alarm.escalated = row.raised_us, row.raises, bool(row.escalated)
    alarm.value, alarm.detail, alarm.note = row.value, row.detail, row.note
    alarm.shelved_until_at = row.shelved_until_at + shift if row.shelved_until_at else 0


def state_of(row: AlarmRow) -> AlarmState:
    """The stored state; NORMAL for one that this release does not know, so that it is judged anew."""
    return AlarmState(row.state) if row.state in _STATES else AlarmState.NORMAL


def alarm_of(row: AlarmRow) -> Alarm:
    """The alarm of a stored row, without a configuration: it knows neither its condition nor whom to notify. Its times are those of
    the row, not shifted, so that ``row`` of it gives the same row."""
    said: dict[str, Any] = {"severity": row.severity, "text": row.text or None}
    options = AlarmOptions.model_construct(**said)  # it was valid once, perhaps for another release
    sensor, _, channel = row.subject.partition(".")
    series = AlarmedSeries((sensor, channel), 0, None, row.unit) if channel else None
    alarm = Alarm(Definition(row.name, options, (), row.condition, row.definition, None, None), row.subject, series)
    _restore(alarm, row, 0)
    return alarm


def ended_us(newest: Mapping[int, tuple[int, float | None, int]], now_us: int) -> int | None:
    """When the former run ended, judged by its last reading; readings in the future were stamped by a wrong clock and do not
    count."""
    return max((reading[0] for reading in newest.values() if reading[0] <= now_us + 1_000_000), default=None)


def row_of(alarm: Alarm, former: AlarmRow) -> AlarmRow:
    """``former`` with what the configuration says now."""
    definition = alarm.definition
    unit = "" if alarm.series is None else alarm.series.unit
    return replace(
        former, severity=definition.options.severity, condition=definition.words, unit=unit, text=definition.options.text or ""
    )


@dataclass(frozen=True, slots=True)
class Past:
    """The time of former runs, as seen from this one: they watched until ``ended_us`` of the wall clock, which is ``at`` of the time
    watched now."""

    ended_us: int
    at: int
    unwatched: Unwatched

    def at_of(self, ts_us: int) -> int:
        """The time watched of a stamp; now for one that is later than the end."""
        return self.at - self.unwatched.watched_us(ts_us, self.ended_us)

    def back_us(self, over_us: int) -> int:
        """The wall clock from which on this much was watched until the end."""
        return self.unwatched.back(self.ended_us, over_us)


def _recall_tracks(judge: Judge, db: OpenDatabase, newest: dict[int, tuple[int, float | None, int]], past: Past) -> None:
    """Silence so far, the newest reading, and the windows."""
    tracks: dict[int, Track] = {}
    since: dict[int, int] = {}
    for subject, track in judge.roster.tracks.items():
        series = db.catalog.ids.get(subject)
        if series is None or series not in newest or track.newest_us is not None:
            continue
        tracks[series] = track
        track.seen_at = past.at_of(newest[series][0])
        if over := _reach(track):
            since[series] = past.back_us(over + over // 30)
    windows = together.each_from(db.conn, since, MAX_READ_S)
    for series, track in tracks.items():
        for ts_us, value, quality in windows.get(series) or [newest[series]]:
            track.add(past.at_of(ts_us), value, quality)
        track.newest_us = newest[series][0]


def _reach(track: Track) -> int:
    """How far back its conditions look, in µs."""
    reach = [over for kind, over in track.terms if kind != conditions.VALUE]
    for alarm in track.alarms:
        when = alarm.definition.when
        if when is not None and when.kind == conditions.STUCK:
            reach.append(max(when.over_us, 1))
    return max(reach, default=0)
