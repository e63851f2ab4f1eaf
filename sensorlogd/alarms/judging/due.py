"""Makes the changes that time alone brings: silence, conditions that have held for long enough, the end of events and of mutes,
repetition and escalation."""

from __future__ import annotations

from sensorlogd.alarms.judging.alarm import Alarm
from sensorlogd.alarms.judging.operator_actions import OperatorActions
from sensorlogd.alarms.judging.roster import Roster
from sensorlogd.alarms.judging.states import AlarmState
from sensorlogd.alarms.judging.transitions import Transitions
from sensorlogd.config import conditions
from sensorlogd.notation.microseconds import END_US

NEVER = END_US


class DueChanges:
    """Makes changes when they are due by the time watched."""

    def __init__(self, roster: Roster, transitions: Transitions, actions: OperatorActions) -> None:
        self._roster = roster
        self._transitions = transitions
        self._actions = actions

    def tick(self, watched_us: int, now_us: int) -> None:
        """Make the changes that are due by time alone. Cheap while nothing is due."""
        if watched_us < self._transitions.due_at:
            return
        due = NEVER
        for alarm in self._roster.timed:
            try:
                due = min(due, self._tick(alarm, watched_us, now_us - watched_us))
            except Exception as error:  # a fault in one alarm costs that alarm only
                self._roster.stop_judging(alarm, error)
        self._transitions.due_at = due

    def _tick(self, alarm: Alarm, watched_us: int, to_us: int) -> int:
        """Make the changes of one alarm that are due. Returns when it is due next. ``to_us``: added to time watched it gives wall
        clock."""
        options, due = alarm.definition.options, NEVER
        if alarm.is_shelved:
            if watched_us >= alarm.shelved_until_watched_us:
                self._actions.unshelve(alarm, watched_us, to_us + alarm.shelved_until_watched_us, "the time is over")
            else:
                due = alarm.shelved_until_watched_us
        silent_at = self._silent_at(alarm)
        if silent_at is not None and alarm.held_watched_us is None and not alarm.is_active:
            if watched_us >= silent_at:
                self._transitions.apply(alarm, True, False, silent_at, to_us + silent_at, None)
            else:
                due = min(due, silent_at)
        if alarm.held_watched_us is not None and not alarm.is_active:
            full = alarm.held_watched_us + options.for_
            if watched_us >= full:
                self._transitions.apply(alarm, True, False, full, to_us + full, alarm.value)
            else:
                due = min(due, full)
        if alarm.is_active and alarm.definition.of_events:
            over = alarm.last_watched_us + options.hold
            if watched_us >= over:
                self._transitions.apply(alarm, False, True, over, to_us + over, None)
            else:
                due = min(due, over)
        if alarm.state is AlarmState.UNACKNOWLEDGED:
            due = min(due, self._escalate_and_repeat(alarm, watched_us, to_us))
        return due

    def _silent_at(self, alarm: Alarm) -> int | None:
        """The time watched at which the series counts as missing; None for alarms of other conditions."""
        when = alarm.definition.when
        if when is None or when.kind != conditions.MISSING or alarm.series is None:
            return None
        return self._roster.tracks[alarm.series.subject].seen_at + (when.over_us or alarm.series.heartbeat_us)

    def _escalate_and_repeat(self, alarm: Alarm, watched_us: int, to_us: int) -> int:
        """Announce an alarm that nobody has acknowledged once more, to others or again to the same, if that is due. Returns when
        the next such announcement is due; a muted alarm waits for the end of its mute, where ``unshelve`` touches it."""
        options, due = alarm.definition.options, NEVER
        if alarm.is_shelved:
            return due
        if options.escalate is not None and not alarm.escalated:
            escalate_at = alarm.raised_watched_us + options.escalate.after
            if watched_us >= escalate_at:
                alarm.escalated = True
                self._transitions.found.unsaved[alarm] = None
                self._transitions.announce(alarm, "escalated", options.escalate.notify, to_us + watched_us)
            else:
                due = escalate_at
        if options.repeat is not None:
            if watched_us >= alarm.told_watched_us + options.repeat:
                alarm.told_watched_us = watched_us
                self._transitions.found.unsaved[alarm] = None
                self._transitions.announce(alarm, "repeated", options.notify, to_us + watched_us)
            due = min(due, alarm.told_watched_us + options.repeat)
        return due
