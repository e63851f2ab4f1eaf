"""Judges readings.

A reading gets the time watched that its stamp means as seen from now, no earlier than the reading before it and no later than
now. A reading that is older than the newest of its series is late: it shows that the sensor lives, and is not judged, for what
it says is over. (Unless the newest is in the future: then the clock was set back, and time goes on from here.)
"""

from __future__ import annotations

from sensorlogd.alarms.judging.alarm import Alarm
from sensorlogd.alarms.judging.roster import Roster
from sensorlogd.alarms.judging.states import ACTIVE, AlarmState
from sensorlogd.alarms.judging.track import Track
from sensorlogd.alarms.judging.transitions import Transitions
from sensorlogd.batch import Block
from sensorlogd.config import conditions


class ReadingJudge:
    """Moves the alarms of series by their readings."""

    def __init__(self, roster: Roster, transitions: Transitions) -> None:
        self._roster = roster
        self._transitions = transitions

    def judge(self, block: Block, watched_us: int, now_us: int) -> None:
        """Judge one block of a sensor's readings, which has arrived now."""
        sensor, tracks = block.sensor, self._roster.tracks
        for column in block.columns:
            track = tracks.get((sensor, column.channel))
            if track is not None:
                self._judge_column(track, column.times_us, column.values, column.quality, watched_us, now_us)

    def _judge_column(
        self, track: Track, times: list[int], values: list[float | None], quality: int | list[int], watched_us: int, now_us: int
    ) -> None:
        """Judge the readings of one series by its alarms, in their order; late ones only show that the series lives. A column
        without readings puts off the next alarm of silence, and ends none."""
        track.seen_at = watched_us
        future = now_us + 1_000_000
        alike = quality if isinstance(quality, int) else None
        for index, ts in enumerate(times):
            newest = track.newest_us
            if newest is not None and ts < newest <= future:
                continue
            track.newest_us = ts
            here = watched_us - now_us + ts
            here = watched_us if here > watched_us else max(track.at, here)
            flag = alike if alike is not None else quality[index]  # type: ignore[index]  # a list, if not an int
            track.add(here, values[index], flag)
            for alarm in track.alarms:
                try:
                    self._judge_reading(alarm, track, here, now_us - watched_us + here)
                except Exception as error:  # a fault in one alarm costs that alarm only
                    self._roster.stop_judging(alarm, error)
        if not times:
            return
        for alarm in track.missing:
            try:
                if alarm.held_watched_us is not None or alarm.is_active:
                    self._transitions.apply(alarm, False, True, watched_us, now_us, None)
            except Exception as error:
                self._roster.stop_judging(alarm, error)

    def _judge_reading(self, alarm: Alarm, track: Track, watched_us: int, ts_us: int) -> None:
        """Judge an alarm by the newest reading of the track, which came at ``watched_us`` with the stamp ``ts_us``. A reading that
        the condition cannot be applied to changes nothing."""
        definition = alarm.definition
        when = definition.when
        assert when is not None
        value = track.shown
        if when.op:
            if not track.usable:
                return
            found = track.value(when.term, watched_us)
            if found is None:
                return
            value, holds = found, when.holds(found)
            ending = definition.ending
            if ending is None:
                ends = not holds
            else:
                found = track.value(ending.term, watched_us)
                ends = found is not None and ending.holds(found)
        elif when.kind == conditions.FLAG:
            holds = track.is_as_bad_as(when.flag)
            ends = not holds
        elif track.usable:
            holds = track.is_stuck(when.over_us)
            ends = not holds
        else:
            return
        if alarm.held_watched_us is None and (alarm.state in ACTIVE if holds else alarm.state is AlarmState.NORMAL):
            return
        if alarm.held_watched_us is not None and alarm.state not in ACTIVE:
            full = alarm.held_watched_us + definition.options.for_
            if full < watched_us:  # it held for long enough before this reading came
                self._transitions.apply(alarm, True, False, full, ts_us - watched_us + full, alarm.value)
        self._transitions.apply(alarm, holds, ends, watched_us, ts_us, value)
