"""Moves alarms from state to state, and keeps what is found on the way: changes, announcements, and what is to be stored."""

from __future__ import annotations

from sensorlogd.alarms.judging.alarm import Alarm, Announcement, StateChange
from sensorlogd.alarms.judging.findings import Findings
from sensorlogd.alarms.judging.states import ACTIVE, AlarmState, judged


class Transitions:
    """The changes of state of all alarms. ``found``: the changes since it was last taken. ``due_at``: time watched at
    which time alone changes something at the earliest; 0 after a change, until ``DueChanges`` has looked."""

    def __init__(self) -> None:
        self.found = Findings()
        self.due_at = 0

    def take_findings(self) -> Findings:
        """What has been found since this was last asked."""
        taken, self.found = self.found, Findings()
        return taken

    def apply(self, alarm: Alarm, holds: bool, ends: bool, watched_us: int, ts_us: int, value: float | None) -> None:
        """Move the alarm by what was found at ``watched_us``: ``holds``, its condition is met; ``ends``, what ends it is met.
        ``value``: the value found; None keeps the one that the alarm has."""
        options, state = alarm.definition.options, alarm.state
        if state in ACTIVE:
            alarm.held_watched_us = None
        elif not holds:
            if alarm.held_watched_us is not None:
                alarm.held_watched_us = None
                self.touch(alarm)
        elif alarm.held_watched_us is None:
            alarm.held_watched_us = watched_us
            alarm.value = value
            self.touch(alarm)
        long_enough = alarm.held_watched_us is not None and watched_us - alarm.held_watched_us >= options.for_
        after = judged(state, holds=holds, ends=ends, long_enough=long_enough)
        if after is state:
            return
        if after is AlarmState.UNACKNOWLEDGED:
            alarm.held_watched_us = None
            alarm.raised_watched_us = alarm.told_watched_us = watched_us
            alarm.raised_us, alarm.raises = ts_us, alarm.raises + 1
            alarm.escalated, alarm.note = False, ""
            if value is not None:
                alarm.value = value
            self.change_state(alarm, after, ts_us, "raised", alarm.detail)
            self.announce(alarm, "raised", options.notify, ts_us)
        elif state in ACTIVE:
            alarm.value = value if value is not None else alarm.value
            self.change_state(alarm, after, ts_us, "returned", "")
            also = options.escalate.notify if options.escalate is not None and alarm.escalated else ()
            self.announce(alarm, "resolved", (*options.notify, *also), ts_us)
        else:  # changes between normal and pending are not announced
            alarm.state, alarm.since_us = after, ts_us
            self.touch(alarm)

    def change_state(self, alarm: Alarm, after: AlarmState, ts_us: int, kind: str, detail: str) -> None:
        before = alarm.state
        alarm.state, alarm.since_us = after, ts_us
        self.touch(alarm)
        self.found.changes.append(StateChange(alarm, kind, before, after, ts_us, alarm.value, detail))

    def touch(self, alarm: Alarm) -> None:
        """The alarm is to be stored, and looked at by the next ``tick``; what the database remembers of it is outdated."""
        alarm.touched = True
        self.found.unsaved[alarm] = None
        self.due_at = 0

    def announce(self, alarm: Alarm, kind: str, targets: tuple[str, ...], ts_us: int) -> None:
        if targets and not alarm.is_shelved:
            names = tuple(dict.fromkeys(targets))
            self.found.announced.append(
                Announcement(alarm, kind, names, ts_us, alarm.raised_us, alarm.state, alarm.value, alarm.detail)
            )
