"""Reads what the log knows of the alarms, at a start and when another database is opened.

States are stored. Windows, rates and silence are not: they are read again from the readings themselves, which are the same
after any end.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sensorlogd.alarms.judging import watch
from sensorlogd.alarms.judging.alarm import Alarm
from sensorlogd.alarms.judging.judge import Judge
from sensorlogd.alarms.judging.states import AlarmState
from sensorlogd.alarms.judging.track import Track
from sensorlogd.alarms.keeping import alarm_rows
from sensorlogd.alarms.keeping.unwatched import Unwatched
from sensorlogd.config import conditions
from sensorlogd.storage import meta
from sensorlogd.storage.alarms import states as stored_states
from sensorlogd.storage.alarms.states import AlarmRow
from sensorlogd.storage.ingest import latest
from sensorlogd.storage.open_database import OpenDatabase
from sensorlogd.storage.reading_tables import together

Reading = tuple[int, float | None, int]  # stamp, value, quality

MAX_READ_S = 3.0  # seconds: windows that cannot be read within this time begin anew


def recall(judge: Judge, db: OpenDatabase, watched_us: int, now_us: int, *, first: bool) -> Unwatched | None:
    """What the open database remembers. ``first``: of this process; else all is to be stored there as it is known here. Returns
    when nobody watched, up to this start; None if it is not the first.

    Raises sqlite3.Error, and has changed nothing then: all is read before the judge is changed, so it can be tried again.
    """
    rows = {(row.name, row.subject): row for row in stored_states.rows(db.conn)}
    if not first:
        judge.found.unsaved |= dict.fromkeys(judge.roster.alarms.values())
        _note_removed(judge, rows, now_us)
        return None
    newest, marked = latest.newest(db.conn, now_us), meta.get(db.conn, meta.ALARMS_WATCHED)
    unwatched = Unwatched.read(meta.get(db.conn, meta.ALARMS_UNWATCHED))
    newest_us = newest_reading_us(newest, now_us)
    ended = watch.ended_us(marked, newest_us, now_us)
    past = None if ended is None else Past(ended, watched_us, unwatched)
    tracks = {} if past is None else _tracks_with_readings(judge, db, newest)
    windows, troubles = ({}, []) if past is None else _read_windows(db, tracks, past)
    judge.found.troubles += troubles
    judge.found.troubles += [
        f"{row.name} of {row.subject} begins anew: its stored state {row.state!r} is not known here"
        for row in rows.values()
        if not alarm_rows.is_known(row)
    ]
    shift = watched_us - watch.ended_at(marked, newest_us)
    for key, remembered in rows.items():
        _recall_alarm(judge, key, remembered, shift, now_us)
    if past is not None:
        for series, track in tracks.items():
            _recall_track(track, windows.get(series) or [newest[series]], newest[series][0], past)
        unwatched.add(past.ended_us, now_us)
    _note_removed(judge, rows, now_us)
    return unwatched


def _note_removed(judge: Judge, rows: Mapping[tuple[str, str], AlarmRow], now_us: int) -> None:
    """Note the stored alarms that are not configured any more."""
    known = {(alarm.name, alarm.subject) for alarm in judge.found.gone}
    for key, remembered in rows.items():
        if key not in judge.roster.alarms and key not in known:
            judge.found.note_removed(alarm_rows.alarm_of(remembered), now_us)


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
        judge.found.note_redefined(alarm, alarm_rows.alarm_of(row).shown(), now_us)
        return
    alarm_rows.restore(alarm, row, shift)
    is_same = row == alarm_rows.row_of(alarm, row)
    if is_same and alarm.state is AlarmState.NORMAL and alarm.held_watched_us is None and not alarm.is_shelved:
        judge.found.unsaved.pop(alarm, None)
    else:  # the times are converted to this run's time watched
        judge.found.unsaved[alarm] = None


def newest_reading_us(newest: Mapping[int, Reading], now_us: int) -> int | None:
    """The stamp of the newest reading, until which the former run has certainly watched; None if there is none. Readings in the future
    were stamped by a wrong clock and do not count."""
    return max((reading[0] for reading in newest.values() if reading[0] <= now_us + 1_000_000), default=None)


@dataclass(frozen=True, slots=True)
class Past:
    """The time of former runs, as seen from this one: they watched until ``ended_us`` of the wall clock, which is ``watched_us`` of the time
    watched now."""

    ended_us: int
    watched_us: int
    unwatched: Unwatched

    def at_of(self, ts_us: int) -> int:
        """The time watched of a stamp; now for one that is later than the end."""
        return self.watched_us - self.unwatched.watched_us(ts_us, self.ended_us)

    def back_us(self, over_us: int) -> int:
        """The wall clock from which on this much was watched until the end."""
        return self.unwatched.back(self.ended_us, over_us)


def _tracks_with_readings(judge: Judge, db: OpenDatabase, newest: Mapping[int, Reading]) -> dict[int, Track]:
    """By series: the tracks of those that have readings in the database and none of this process."""
    ids = db.catalog.ids
    return {
        ids[subject]: track
        for subject, track in judge.roster.tracks.items()
        if subject in ids and ids[subject] in newest and track.newest_us is None
    }


def _read_windows(db: OpenDatabase, tracks: Mapping[int, Track], past: Past) -> tuple[dict[int, list[Reading]], list[str]]:
    """The readings in reach of the conditions, by series, and the trouble of reading them. The states do not depend on these readings,
    so windows that cannot be read begin anew."""
    since_us = {series: past.back_us(over + over // 30) for series, track in tracks.items() if (over := _reach(track))}
    try:
        return together.each_from(db.conn, since_us, MAX_READ_S), []
    except sqlite3.Error as error:
        return {}, [f"the windows of conditions begin anew, because the readings in them cannot be read: {error}"]


def _recall_track(track: Track, window: Sequence[Reading], newest_us: int, past: Past) -> None:
    """Silence so far, the window, and the newest reading."""
    track.seen_at = past.at_of(newest_us)
    for ts_us, value, quality in window:
        track.add(past.at_of(ts_us), value, quality)
    track.newest_us = newest_us


def _reach(track: Track) -> int:
    """How far back its conditions look, in µs."""
    reach = [over for kind, over in track.terms if kind != conditions.VALUE]
    for alarm in track.alarms:
        when = alarm.definition.when
        if when is not None and when.kind == conditions.STUCK:
            reach.append(max(when.over_us, 1))
    return max(reach, default=0)
