"""What people do with alarms: acknowledge them, mute them (shelve, as ISA-18.2 calls it), end a mute."""

from __future__ import annotations

from sensorlogd.alarms.judging.alarm import Alarm, StateChange
from sensorlogd.alarms.judging.states import AlarmState, acknowledged
from sensorlogd.alarms.judging.transitions import Transitions


class OperatorActions:
    """Changes that people ask for; a mute ends by time, too."""

    def __init__(self, transitions: Transitions) -> None:
        self._transitions = transitions

    def acknowledge(self, alarm: Alarm, now_us: int, note: str) -> bool:
        """Note that somebody has seen the alarm; it is repeated and escalated no more. ``note`` is kept with it. Returns
        False, and changes nothing, if there was nothing to acknowledge."""
        after = acknowledged(alarm.state)
        if after is alarm.state:
            return False
        alarm.note = note
        self._transitions.change_state(alarm, after, now_us, "acknowledged", note)
        return True

    def shelve(self, alarm: Alarm, until_watched_us: int, now_us: int, note: str) -> None:
        """Mute the alarm until then; it is judged all the same."""
        before, alarm.shelved_until_watched_us = alarm.shown(), until_watched_us
        alarm.note = note or alarm.note
        self._transitions.touch(alarm)
        self._transitions.found.changes.append(StateChange(alarm, "shelved", before, AlarmState.SHELVED, now_us, None, note))

    def unshelve(self, alarm: Alarm, watched_us: int, now_us: int, note: str) -> None:
        """End the mute; if the alarm was raised meanwhile, it is announced now."""
        if not alarm.is_shelved:
            return
        alarm.shelved_until_watched_us = 0
        self._transitions.touch(alarm)
        self._transitions.found.changes.append(
            StateChange(alarm, "unshelved", AlarmState.SHELVED, alarm.state, now_us, None, note)
        )
        if alarm.state is AlarmState.UNACKNOWLEDGED:
            alarm.told_watched_us = watched_us
            self._transitions.announce(alarm, "raised", alarm.definition.options.notify, now_us)
