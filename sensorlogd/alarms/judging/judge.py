"""Turns readings, events and time into changes of alarms and announcements. It has no database, clock or thread: everything is
passed in.

``at``: time watched (µs). It never steps, and stands still while the daemon does not watch. Whatever is missing, pending or to be
repeated is measured by it, so setting the clock neither raises nor clears an alarm. A reading gets the time watched that its
stamp means as seen from now, no earlier than the reading before it and no later than now.

A reading that is older than the newest of its series is late: it shows that the sensor lives, and is not judged, for what it
says is over. (Unless the newest is in the future: then the clock was set back, and time goes on from here.)
"""

from __future__ import annotations

import fnmatch
import logging
from collections.abc import Iterable

from sensorlogd.alarms.judging.alarm import Alarm, Announcement, StateChange
from sensorlogd.alarms.judging.findings import Findings
from sensorlogd.alarms.judging.states import ACTIVE, AlarmState, acknowledged, judged
from sensorlogd.alarms.judging.track import Track
from sensorlogd.alarms.plan import AlarmedSeries, Definition, Plan
from sensorlogd.batch import Block
from sensorlogd.config import conditions
from sensorlogd.config.validation.alarm_checks import Subject
from sensorlogd.event_kinds import Severity, severity_of
from sensorlogd.notation.microseconds import END_US

logger = logging.getLogger(__name__)

NEVER = END_US
MOST_EVENT_ALARMS = 10_000  # alarms of events, one for each alarm and sensor; those of series are bounded by the configuration


class Judge:
    """The judge of all alarms, for one thread. Its owner takes what it has found by ``take_findings``."""

    def __init__(self) -> None:
        self.plan = Plan()
        self.alarms: dict[tuple[str, str], Alarm] = {}
        self.tracks: dict[Subject, Track] = {}
        self.found = Findings()
        self._of_events: list[Definition] = []
        self._series_alarms = 0  # how many of ``alarms`` are of series
        self._is_full = False  # no alarm of events has room any more, which is reported once a plan
        self._timed: list[Alarm] = []
        self._stopped: set[Alarm] = set()  # they are judged no more, after a fault
        self._due_at = 0

    def take_findings(self) -> Findings:
        """What it has found since they were last taken."""
        taken, self.found = self.found, Findings()
        return taken

    # ---- what is configured ----------------------------------------------------------------------------------------

    def use(self, plan: Plan, at: int, now_us: int) -> None:
        """Use another plan. An alarm whose conditions are the same keeps its state; one whose conditions have changed begins
        anew, which is a change of its own."""
        former, tracks = self.alarms, self.tracks
        self.plan, self.alarms, self.tracks = plan, {}, {}
        self._of_events = [definition for definition in plan.definitions if definition.of_events]
        for definition in plan.definitions:
            for series in definition.series:
                self._place_alarm(definition, series, former, tracks, at, now_us)
        self._series_alarms = len(self.alarms)
        self._is_full = False
        known = {definition.name: definition for definition in self._of_events}
        for key, alarm in former.items():
            if alarm.series is None and alarm.name in known and known[alarm.name].identity == alarm.definition.identity:
                self._define(alarm, known[alarm.name], None)
                self.alarms[key] = alarm
            elif alarm.series is None and alarm.name in known:
                self._start_over(alarm, now_us)
                self.found.gone.append(alarm)
            elif key not in self.alarms:
                self._end_alarm(alarm, now_us)
        self._timed = list(self.alarms.values())
        self._stopped.clear()
        self._due_at = 0

    def _place_alarm(
        self,
        definition: Definition,
        series: AlarmedSeries,
        former: dict[tuple[str, str], Alarm],
        tracks: dict[Subject, Track],
        at: int,
        now_us: int,
    ) -> None:
        """Set up the alarm of one definition for one series: an alarm of ``former`` that is judged by the same conditions stays,
        and a track takes over what the one in ``tracks`` knows."""
        subject = ".".join(series.subject)
        track = self.tracks.get(series.subject)
        if track is None:
            track = self.tracks[series.subject] = Track(series, at)
            if (before := tracks.get(series.subject)) is not None:
                track.take_over(before)
        alarm = former.get((definition.name, subject))
        if alarm is None or alarm.definition.identity != definition.identity or alarm.series is None:
            if alarm is not None:
                self._start_over(alarm, now_us)
            alarm = Alarm(definition, subject, series, since_us=now_us)
            self.found.unsaved[alarm] = None
        self._define(alarm, definition, series)
        self.alarms[definition.name, subject] = alarm
        track.watch(alarm)

    def _define(self, alarm: Alarm, definition: Definition, series: AlarmedSeries | None) -> None:
        """Give the alarm its present definition; the parts that people see are to be stored."""
        before = alarm.shown_of_it()
        alarm.definition, alarm.series = definition, series
        alarm.fault = ""  # it is judged again, and a fault is reported anew
        if alarm.shown_of_it() != before:
            self.found.unsaved[alarm] = None

    def _start_over(self, alarm: Alarm, now_us: int) -> None:
        """Note that the alarm is judged by other conditions from now on, so that what it was is over."""
        self.found.unsaved.pop(alarm, None)
        detail = "is defined otherwise now and begins anew"
        self.found.changes.append(StateChange(alarm, "redefined", alarm.shown(), AlarmState.NORMAL, now_us, None, detail))

    def _end_alarm(self, alarm: Alarm, now_us: int) -> None:
        """Note that the alarm is not configured any more; that is a change if it was not normal."""
        self.found.unsaved.pop(alarm, None)
        self.found.gone.append(alarm)
        if alarm.state is not AlarmState.NORMAL:
            detail = "is not configured any more"
            self.found.changes.append(StateChange(alarm, "removed", alarm.shown(), AlarmState.NORMAL, now_us, None, detail))

    # ---- readings --------------------------------------------------------------------------------------------------

    def judge_readings(self, block: Block, at: int, now_us: int) -> None:
        """Judge one block of a sensor's readings, which has arrived now."""
        sensor, tracks = block.sensor, self.tracks
        for column in block.columns:
            track = tracks.get((sensor, column.channel))
            if track is not None:
                self._judge_column(track, column.times_us, column.values, column.quality, at, now_us)

    def _judge_column(
        self, track: Track, times: list[int], values: list[float | None], quality: int | list[int], at: int, now_us: int
    ) -> None:
        """Judge the readings of one series by its alarms, in their order; late ones only show that the series lives. A column
        without readings puts off the next alarm of silence, and ends none."""
        track.seen_at = at
        future = now_us + 1_000_000
        alike = quality if isinstance(quality, int) else None
        for index, ts in enumerate(times):
            newest = track.newest_us
            if newest is not None and ts < newest <= future:
                continue
            track.newest_us = ts
            here = at - now_us + ts
            here = at if here > at else max(track.at, here)
            flag = alike if alike is not None else quality[index]  # type: ignore[index]  # a list, if not an int
            track.add(here, values[index], flag)
            for alarm in track.alarms:
                try:
                    self._judge_reading(alarm, track, here, now_us - at + here)
                except Exception as error:  # a fault in one alarm costs that alarm only
                    self._stop_judging(alarm, error)
        if not times:
            return
        for alarm in track.missing:
            try:
                if alarm.held_at is not None or alarm.is_active:
                    self._apply(alarm, False, True, at, now_us, None)
            except Exception as error:
                self._stop_judging(alarm, error)

    def _judge_reading(self, alarm: Alarm, track: Track, at: int, ts_us: int) -> None:
        """Judge an alarm by the newest reading of the track, which came at the time watched ``at`` with the stamp ``ts_us``. A
        reading that the condition cannot be applied to changes nothing."""
        definition = alarm.definition
        when = definition.when
        assert when is not None
        value = track.shown
        if when.op:
            if not track.usable:
                return
            found = track.value(when.term, at)
            if found is None:
                return
            value, holds = found, when.holds(found)
            ending = definition.ending
            if ending is None:
                ends = not holds
            else:
                found = track.value(ending.term, at)
                ends = found is not None and ending.holds(found)
        elif when.kind == conditions.FLAG:
            holds = track.is_as_bad_as(when.flag)
            ends = not holds
        elif track.usable:
            holds = track.is_stuck(when.over_us)
            ends = not holds
        else:
            return
        if alarm.held_at is None and (alarm.state in ACTIVE if holds else alarm.state is AlarmState.NORMAL):
            return
        if alarm.held_at is not None and alarm.state not in ACTIVE:
            full = alarm.held_at + definition.options.for_
            if full < at:  # it held for long enough before this reading came
                self._apply(alarm, True, False, full, ts_us - at + full, alarm.value)
        self._apply(alarm, holds, ends, at, ts_us, value)

    # ---- events ----------------------------------------------------------------------------------------------------

    def judge_event(self, kind: str, sensor: str | None, detail: str, ts_us: int, at: int, now_us: int) -> None:
        """Judge an event; each sensor that it happens to has an alarm of its own."""
        for definition in self._of_events:
            options = definition.options
            if options.sensor is not None and not fnmatch.fnmatchcase(sensor or "", options.sensor):
                continue
            key = (definition.name, sensor or "")
            alarm = self.alarms.get(key)
            raises = any(_is_meant(kind, glob) for glob in options.events or ())
            if alarm is None and raises and self._has_room(definition.name, sensor or ""):
                alarm = self.alarms[key] = Alarm(definition, sensor or "", since_us=now_us)
                self._timed.append(alarm)
            if alarm is None or alarm in self._stopped:
                continue
            try:
                if raises:
                    alarm.last_at = at
                    alarm.detail = f"{kind}: {detail}"
                    self._apply(alarm, True, False, at, ts_us, None)
                    self.found.unsaved[alarm] = None
                elif any(fnmatch.fnmatchcase(kind, glob) for glob in options.until or ()):
                    self._apply(alarm, False, True, at, ts_us, None)
            except Exception as error:  # a fault in one alarm costs that alarm only
                self._stop_judging(alarm, error)

    def _has_room(self, name: str, subject: str) -> bool:
        """Whether there may be one more alarm of events. Reports the first that may not."""
        if len(self.alarms) - self._series_alarms < MOST_EVENT_ALARMS:
            return True
        if not self._is_full:
            self._is_full = True
            left_out = f"{name} of {subject}" if subject else name
            trouble = (
                f"there are {MOST_EVENT_ALARMS:,} alarms of events, the most there may be; others, as {left_out}, are not raised"
            )
            logger.error("alarms: %s", trouble)
            self.found.troubles.append(trouble)
        return False

    def adopt(self, alarm: Alarm) -> None:
        """Take over an alarm of events that the database remembers."""
        self.alarms[alarm.name, alarm.subject] = alarm
        self._timed.append(alarm)
        self._due_at = 0

    # ---- time ------------------------------------------------------------------------------------------------------

    def tick(self, at: int, now_us: int) -> None:
        """Make the changes that are due by time alone. Cheap while nothing is due."""
        if at < self._due_at:
            return
        due = NEVER
        for alarm in self._timed:
            try:
                due = min(due, self._tick(alarm, at, now_us - at))
            except Exception as error:  # a fault in one alarm costs that alarm only
                self._stop_judging(alarm, error)
        self._due_at = due

    def next_due(self) -> int:
        """When ``tick`` has something to do, at the earliest (a reading may move it)."""
        return self._due_at

    def _tick(self, alarm: Alarm, at: int, to_us: int) -> int:
        """Make the changes of one alarm that are due. Returns when it is due next. ``to_us``: added to time watched it gives wall
        clock."""
        options, due = alarm.definition.options, NEVER
        if alarm.is_shelved:
            if at >= alarm.shelved_until_at:
                self.unshelve(alarm, at, to_us + alarm.shelved_until_at, "the time is over")
            else:
                due = alarm.shelved_until_at
        silent_at = self._silent_at(alarm)
        if silent_at is not None and alarm.held_at is None and not alarm.is_active:
            if at >= silent_at:
                self._apply(alarm, True, False, silent_at, to_us + silent_at, None)
            else:
                due = min(due, silent_at)
        if alarm.held_at is not None and not alarm.is_active:
            full = alarm.held_at + options.for_
            if at >= full:
                self._apply(alarm, True, False, full, to_us + full, alarm.value)
            else:
                due = min(due, full)
        if alarm.is_active and alarm.definition.of_events:
            over = alarm.last_at + options.hold
            if at >= over:
                self._apply(alarm, False, True, over, to_us + over, None)
            else:
                due = min(due, over)
        if alarm.state is AlarmState.UNACKNOWLEDGED:
            due = min(due, self._escalate_and_repeat(alarm, at, to_us))
        return due

    def _silent_at(self, alarm: Alarm) -> int | None:
        """The time watched at which the series counts as missing; None for alarms of other conditions."""
        when = alarm.definition.when
        if when is None or when.kind != conditions.MISSING or alarm.series is None:
            return None
        return self.tracks[alarm.series.subject].seen_at + (when.over_us or alarm.series.heartbeat_us)

    def _escalate_and_repeat(self, alarm: Alarm, at: int, to_us: int) -> int:
        """Announce an alarm that nobody has acknowledged once more, to others or again to the same, if that is due. Returns when
        the next such announcement is due; a muted alarm waits for the end of its mute, where ``unshelve`` touches it."""
        options, due = alarm.definition.options, NEVER
        if alarm.is_shelved:
            return due
        if options.escalate is not None and not alarm.escalated:
            escalate_at = alarm.raised_at + options.escalate.after
            if at >= escalate_at:
                alarm.escalated = True
                self.found.unsaved[alarm] = None
                self._announce(alarm, "escalated", options.escalate.notify, to_us + at)
            else:
                due = escalate_at
        if options.repeat is not None:
            if at >= alarm.told_at + options.repeat:
                alarm.told_at = at
                self.found.unsaved[alarm] = None
                self._announce(alarm, "repeated", options.notify, to_us + at)
            due = min(due, alarm.told_at + options.repeat)
        return due

    # ---- what people do --------------------------------------------------------------------------------------------

    def acknowledge(self, alarm: Alarm, now_us: int, note: str) -> bool:
        """Note that somebody has seen the alarm; it is repeated and escalated no more. ``note`` is kept with it. Returns
        False, and changes nothing, if there was nothing to acknowledge."""
        after = acknowledged(alarm.state)
        if after is alarm.state:
            return False
        alarm.note = note
        self._change_state(alarm, after, now_us, "acknowledged", note)
        return True

    def shelve(self, alarm: Alarm, until_at: int, now_us: int, note: str) -> None:
        """Mute the alarm until then; it is judged all the same."""
        before, alarm.shelved_until_at = alarm.shown(), until_at
        alarm.note = note or alarm.note
        self._touch(alarm)
        self.found.changes.append(StateChange(alarm, "shelved", before, AlarmState.SHELVED, now_us, None, note))

    def unshelve(self, alarm: Alarm, at: int, now_us: int, note: str) -> None:
        """End the mute; if the alarm was raised meanwhile, it is announced now."""
        if not alarm.is_shelved:
            return
        alarm.shelved_until_at = 0
        self._touch(alarm)
        self.found.changes.append(StateChange(alarm, "unshelved", AlarmState.SHELVED, alarm.state, now_us, None, note))
        if alarm.state is AlarmState.UNACKNOWLEDGED:
            alarm.told_at = at
            self._announce(alarm, "raised", alarm.definition.options.notify, now_us)

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

    # ---- from state to state ---------------------------------------------------------------------------------------

    def _apply(self, alarm: Alarm, holds: bool, ends: bool, at: int, ts_us: int, value: float | None) -> None:
        """Move the alarm by what was found at ``at``: ``holds``, its condition is met; ``ends``, what ends it is met. ``value``:
        the value found; None keeps the one that the alarm has."""
        options, state = alarm.definition.options, alarm.state
        if state in ACTIVE:
            alarm.held_at = None
        elif not holds:
            if alarm.held_at is not None:
                alarm.held_at = None
                self._touch(alarm)
        elif alarm.held_at is None:
            alarm.held_at = at
            alarm.value = value
            self._touch(alarm)
        long_enough = alarm.held_at is not None and at - alarm.held_at >= options.for_
        after = judged(state, holds=holds, ends=ends, long_enough=long_enough)
        if after is state:
            return
        if after is AlarmState.UNACKNOWLEDGED:
            alarm.held_at = None
            alarm.raised_at = alarm.told_at = at
            alarm.raised_us, alarm.raises = ts_us, alarm.raises + 1
            alarm.escalated, alarm.note = False, ""
            if value is not None:
                alarm.value = value
            self._change_state(alarm, after, ts_us, "raised", alarm.detail)
            self._announce(alarm, "raised", options.notify, ts_us)
        elif state in ACTIVE:
            alarm.value = value if value is not None else alarm.value
            self._change_state(alarm, after, ts_us, "returned", "")
            also = options.escalate.notify if options.escalate is not None and alarm.escalated else ()
            self._announce(alarm, "resolved", (*options.notify, *also), ts_us)
        else:  # changes between normal and pending are not announced
            alarm.state, alarm.since_us = after, ts_us
            self._touch(alarm)

    def _change_state(self, alarm: Alarm, after: AlarmState, ts_us: int, kind: str, detail: str) -> None:
        before = alarm.state
        alarm.state, alarm.since_us = after, ts_us
        self._touch(alarm)
        self.found.changes.append(StateChange(alarm, kind, before, after, ts_us, alarm.value, detail))

    def _touch(self, alarm: Alarm) -> None:
        """The alarm is to be stored, and looked at by the next ``tick``; what the database remembers of it is outdated."""
        alarm.touched = True
        self.found.unsaved[alarm] = None
        self._due_at = 0

    def _announce(self, alarm: Alarm, kind: str, targets: tuple[str, ...], ts_us: int) -> None:
        if targets and not alarm.is_shelved:
            names = tuple(dict.fromkeys(targets))
            self.found.announced.append(
                Announcement(alarm, kind, names, ts_us, alarm.raised_us, alarm.state, alarm.value, alarm.detail)
            )

    def _stop_judging(self, alarm: Alarm, error: Exception) -> None:
        """Judge an alarm no more after a fault of the code, which is reported once; a new plan begins again."""
        if not alarm.fault:
            alarm.fault = f"{type(error).__name__}: {error}"
            logger.error("alarms: %s of %s cannot be judged", alarm.name, alarm.subject, exc_info=error)
            self.found.faults.append(f"{alarm.name} of {alarm.subject}: {alarm.fault}")
        self._stopped.add(alarm)
        self._timed = [other for other in self._timed if other is not alarm]
        if alarm.series is not None:
            track = self.tracks[alarm.series.subject]
            track.alarms = [other for other in track.alarms if other is not alarm]
            track.missing = [other for other in track.missing if other is not alarm]


def _is_meant(kind: str, glob: str) -> bool:
    """Whether an alarm of these events is raised by this one. A glob stands for trouble: of ``database_*`` that a database was
    made is none."""
    if kind == glob:
        return True
    return fnmatch.fnmatchcase(kind, glob) and severity_of(kind) is not Severity.INFO
