"""Converts alarms to rows of the database and back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sensorlogd.alarms.judging.alarm import Alarm
from sensorlogd.alarms.judging.states import AlarmState
from sensorlogd.alarms.plan import AlarmedSeries, Definition
from sensorlogd.config.alarms import AlarmOptions
from sensorlogd.storage.alarms.states import AlarmRow

_STATES = frozenset(state.value for state in AlarmState)


def row(alarm: Alarm, watched_us: int, now_us: int) -> AlarmRow:
    """The row of an alarm as it is now. ``watched_us``: the time watched now."""
    definition = alarm.definition
    until_us = now_us + alarm.shelved_until_watched_us - watched_us if alarm.is_shelved else None
    return AlarmRow(
        name=alarm.name,
        subject=alarm.subject,
        definition=definition.identity,
        condition=definition.words,
        severity=definition.options.severity,
        unit="" if alarm.series is None else alarm.series.unit,
        state=alarm.state.value,
        since_us=alarm.since_us,
        held_at=alarm.held_watched_us,
        raised_at=alarm.raised_watched_us,
        raised_us=alarm.raised_us,
        told_at=alarm.told_watched_us,
        last_at=alarm.last_watched_us,
        escalated=int(alarm.escalated),
        value=alarm.value,
        detail=alarm.detail,
        raises=alarm.raises,
        note=alarm.note,
        shelved_until_at=alarm.shelved_until_watched_us,
        shelved_until_us=until_us,
        text=definition.options.text or "",
    )


def row_of(alarm: Alarm, former: AlarmRow) -> AlarmRow:
    """``former`` with what the configuration says now."""
    definition = alarm.definition
    unit = "" if alarm.series is None else alarm.series.unit
    return replace(
        former, severity=definition.options.severity, condition=definition.words, unit=unit, text=definition.options.text or ""
    )


def alarm_of(row: AlarmRow) -> Alarm:
    """The alarm of a stored row, without a configuration: it knows neither its condition nor whom to notify. Its times are those of
    the row, not shifted, so that ``row`` of it gives the same row."""
    said: dict[str, Any] = {"severity": row.severity, "text": row.text or None}
    options = AlarmOptions.model_construct(**said)  # it was valid once, perhaps for another release
    sensor, _, channel = row.subject.partition(".")
    series = AlarmedSeries((sensor, channel), 0, None, row.unit) if channel else None
    alarm = Alarm(Definition(row.name, options, (), row.condition, row.definition, None, None), row.subject, series)
    restore(alarm, row, 0)
    return alarm


def restore(alarm: Alarm, row: AlarmRow, shift: int) -> None:
    """Give the alarm the state that the row says. ``shift``: from the time watched of the row to that of this process."""
    alarm.state, alarm.since_us = state_of(row), row.since_us
    alarm.held_watched_us = None if row.held_at is None else row.held_at + shift
    alarm.raised_watched_us, alarm.told_watched_us, alarm.last_watched_us = (
        row.raised_at + shift,
        row.told_at + shift,
        row.last_at + shift,
    )
    alarm.raised_us, alarm.raises, alarm.escalated = row.raised_us, row.raises, bool(row.escalated)
    alarm.value, alarm.detail, alarm.note = row.value, row.detail, row.note
    alarm.shelved_until_watched_us = row.shelved_until_at + shift if row.shelved_until_at else 0


def state_of(row: AlarmRow) -> AlarmState:
    """The stored state; NORMAL for one that this release does not know, so that it is judged anew."""
    return AlarmState(row.state) if is_known(row) else AlarmState.NORMAL


def is_known(row: AlarmRow) -> bool:
    """Whether this release knows the stored state."""
    return row.state in _STATES
