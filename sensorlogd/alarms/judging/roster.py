"""Which alarms there are: those of the plan in use, and those of events that came up meanwhile."""

from __future__ import annotations

import fnmatch
import logging
from collections.abc import Iterable
from typing import Any

from sensorlogd.alarms.judging.alarm import Alarm
from sensorlogd.alarms.judging.track import Track
from sensorlogd.alarms.judging.transitions import Transitions
from sensorlogd.alarms.plan import AlarmedSeries, Definition, Plan
from sensorlogd.config.validation.alarm_checks import Subject

logger = logging.getLogger(__name__)

MAX_SHOWN_ALARMS = 20  # in ``status``


class Roster:
    """All alarms by (name, subject), and what is known of their series (``tracks``). ``timed``: the alarms that time may change,
    which are all but those stopped by a fault."""

    def __init__(self, transitions: Transitions) -> None:
        self._transitions = transitions
        self.plan = Plan()
        self.alarms: dict[tuple[str, str], Alarm] = {}
        self.tracks: dict[Subject, Track] = {}
        self.timed: list[Alarm] = []
        self._series_alarms = 0  # how many of ``alarms`` are of series
        self._stopped: set[Alarm] = set()  # they are judged no more, after a fault

    def use(self, plan: Plan, watched_us: int, now_us: int) -> None:
        """Use another plan. An alarm whose conditions are the same keeps its state; one whose conditions have changed begins
        anew, which is a change of its own."""
        former, tracks = self.alarms, self.tracks
        self.plan, self.alarms, self.tracks = plan, {}, {}
        for definition in plan.definitions:
            for series in definition.series:
                self._place_alarm(definition, series, former, tracks, watched_us, now_us)
        self._series_alarms = len(self.alarms)
        known = {definition.name: definition for definition in plan.definitions if definition.of_events}
        for key, alarm in former.items():
            if alarm.series is None and alarm.name in known and known[alarm.name].identity == alarm.definition.identity:
                self._define(alarm, known[alarm.name], None)
                self.alarms[key] = alarm
            elif alarm.series is None and alarm.name in known:
                self._start_over(alarm, now_us)
                self._transitions.found.gone.append(alarm)
            elif key not in self.alarms:
                self._transitions.found.note_removed(alarm, now_us)
        self.timed = list(self.alarms.values())
        self._stopped.clear()
        self._transitions.due_at = 0

    def _place_alarm(
        self,
        definition: Definition,
        series: AlarmedSeries,
        former: dict[tuple[str, str], Alarm],
        tracks: dict[Subject, Track],
        watched_us: int,
        now_us: int,
    ) -> None:
        """Set up the alarm of one definition for one series: an alarm of ``former`` that is judged by the same conditions stays,
        and a track takes over what the one in ``tracks`` knows."""
        subject = ".".join(series.subject)
        track = self.tracks.get(series.subject)
        if track is None:
            track = self.tracks[series.subject] = Track(series, watched_us)
            if (before := tracks.get(series.subject)) is not None:
                track.take_over(before)
        alarm = former.get((definition.name, subject))
        if alarm is None or alarm.definition.identity != definition.identity or alarm.series is None:
            if alarm is not None:
                self._start_over(alarm, now_us)
            alarm = Alarm(definition, subject, series, since_us=now_us)
            self._transitions.found.unsaved[alarm] = None
        self._define(alarm, definition, series)
        self.alarms[definition.name, subject] = alarm
        track.watch(alarm)

    def _define(self, alarm: Alarm, definition: Definition, series: AlarmedSeries | None) -> None:
        """Give the alarm its present definition; the parts that people see are to be stored."""
        before = alarm.shown_of_it()
        alarm.definition, alarm.series = definition, series
        alarm.fault = ""  # it is judged again, and a fault is reported anew
        if alarm.shown_of_it() != before:
            self._transitions.found.unsaved[alarm] = None

    def _start_over(self, alarm: Alarm, now_us: int) -> None:
        """The alarm is judged by other conditions from now on: another object takes its place."""
        self._transitions.found.unsaved.pop(alarm, None)
        self._transitions.found.note_redefined(alarm, alarm.shown(), now_us)

    def adopt(self, alarm: Alarm) -> None:
        """Take over an alarm that the database remembers: one of events beside a plan; without a plan, as in a log whose daemon is down,
        one of any kind."""
        self.alarms[alarm.name, alarm.subject] = alarm
        self.timed.append(alarm)
        self._transitions.due_at = 0

    def event_alarms(self) -> int:
        """How many alarms there are besides those of series that ``use`` has placed: beside a plan, those of events."""
        return len(self.alarms) - self._series_alarms

    def facts(self) -> dict[str, Any]:
        """For ``status``: how many are in which state, and the first of those that want to be seen."""
        counts: dict[str, int] = {}
        shown: list[dict[str, Any]] = []
        for alarm in self.alarms.values():
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

    def find(self, names: Iterable[str]) -> list[Alarm]:
        """By ``alarm``, ``alarm/subject`` or globs of either; no names: all."""
        globs = list(names)
        return [
            alarm
            for alarm in self.alarms.values()
            if not globs
            or any(
                fnmatch.fnmatchcase(alarm.name, glob) or fnmatch.fnmatchcase(f"{alarm.name}/{alarm.subject}", glob)
                for glob in globs
            )
        ]

    def is_stopped(self, alarm: Alarm) -> bool:
        """Whether a fault has ended the judging of this alarm."""
        return alarm in self._stopped

    def stop_judging(self, alarm: Alarm, error: Exception) -> None:
        """Judge an alarm no more after a fault of the code, which is reported once; a new plan begins again."""
        if not alarm.fault:
            alarm.fault = f"{type(error).__name__}: {error}"
            logger.error("alarms: %s of %s cannot be judged", alarm.name, alarm.subject, exc_info=error)
            self._transitions.found.faults.append(f"{alarm.name} of {alarm.subject}: {alarm.fault}")
        self._stopped.add(alarm)
        self.timed = [other for other in self.timed if other is not alarm]
        if alarm.series is not None:
            track = self.tracks[alarm.series.subject]
            track.alarms = [other for other in track.alarms if other is not alarm]
            track.missing = [other for other in track.missing if other is not alarm]
