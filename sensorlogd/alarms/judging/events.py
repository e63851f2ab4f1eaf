"""Judges events: each sensor that an event happens to has an alarm of its own."""

from __future__ import annotations

import fnmatch
import logging

from sensorlogd.alarms.judging.alarm import Alarm
from sensorlogd.alarms.judging.roster import Roster
from sensorlogd.alarms.judging.transitions import Transitions
from sensorlogd.alarms.plan import Definition, Plan
from sensorlogd.event_kinds import Severity, severity_of

logger = logging.getLogger(__name__)

MAX_EVENT_ALARMS = 10_000  # one for each alarm and sensor; those of series are bounded by the configuration


class EventJudge:
    """Raises and ends the alarms of events, and makes those that are not there yet."""

    def __init__(self, roster: Roster, transitions: Transitions) -> None:
        self._roster = roster
        self._transitions = transitions
        self._definitions: list[Definition] = []
        self._is_full = False  # no alarm of events has room any more, which is reported once a plan

    def use(self, plan: Plan) -> None:
        """Judge by the alarms of events in another plan."""
        self._definitions = [definition for definition in plan.definitions if definition.of_events]
        self._is_full = False

    def judge(self, kind: str, sensor: str | None, detail: str, ts_us: int, watched_us: int, now_us: int) -> None:
        """Judge an event; each sensor that it happens to has an alarm of its own."""
        for definition in self._definitions:
            options = definition.options
            if options.sensor is not None and not fnmatch.fnmatchcase(sensor or "", options.sensor):
                continue
            key = (definition.name, sensor or "")
            alarm = self._roster.alarms.get(key)
            raises = any(_is_meant(kind, glob) for glob in options.events or ())
            if alarm is None and raises and self._has_room(definition.name, sensor or ""):
                alarm = Alarm(definition, sensor or "", since_us=now_us)
                self._roster.adopt(alarm)
            if alarm is None or self._roster.is_stopped(alarm):
                continue
            try:
                if raises:
                    alarm.last_watched_us = watched_us
                    alarm.detail = f"{kind}: {detail}"
                    self._transitions.apply(alarm, True, False, watched_us, ts_us, None)
                    self._transitions.found.unsaved[alarm] = None
                elif any(fnmatch.fnmatchcase(kind, glob) for glob in options.until or ()):
                    self._transitions.apply(alarm, False, True, watched_us, ts_us, None)
            except Exception as error:  # a fault in one alarm costs that alarm only
                self._roster.stop_judging(alarm, error)

    def _has_room(self, name: str, subject: str) -> bool:
        """Whether there may be one more alarm of events. Reports the first that may not."""
        if self._roster.event_alarms() < MAX_EVENT_ALARMS:
            return True
        if not self._is_full:
            self._is_full = True
            left_out = f"{name} of {subject}" if subject else name
            trouble = (
                f"there are {MAX_EVENT_ALARMS:,} alarms of events, the most there may be; others, as {left_out}, are not raised"
            )
            logger.error("alarms: %s", trouble)
            self._transitions.found.troubles.append(trouble)
        return False


def _is_meant(kind: str, glob: str) -> bool:
    """Whether an alarm of these events is raised by this one. A glob stands for trouble: of ``database_*`` that a database was
    made is none."""
    if kind == glob:
        return True
    return fnmatch.fnmatchcase(kind, glob) and severity_of(kind) is not Severity.INFO
