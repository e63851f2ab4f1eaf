"""Alarms of a log without a running daemon: what people say of them is stored as the daemon would store it.

The time watched stands still meanwhile (``watch``), so what is muted for two hours is muted for two hours of the next run.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from sensorlogd.alarms.judging import watch
from sensorlogd.alarms.judging.alarm import Alarm
from sensorlogd.alarms.judging.judge import Judge
from sensorlogd.alarms.judging.states import AlarmState
from sensorlogd.alarms.keeping.alarm_rows import alarm_of
from sensorlogd.alarms.keeping.recall import newest_reading_us
from sensorlogd.alarms.keeping.unstored import Unstored
from sensorlogd.storage import meta
from sensorlogd.storage.alarms import states
from sensorlogd.storage.ingest import latest


class StoredAlarms:
    """The alarms of a database without a daemon. ``judge`` has them as they are stored; ``save`` writes what has become of them.
    ``watched_us``: the time watched, when the wall clock shows ``now_us``."""

    def __init__(self, conn: sqlite3.Connection, now_us: int) -> None:
        """Raises sqlite3.Error."""
        self._conn = conn
        self.now_us = now_us
        newest_us = newest_reading_us(latest.newest(conn, now_us), now_us)
        self.watched_us = max(watch.ended_at(meta.get(conn, meta.ALARMS_WATCHED), newest_us), 1)
        self.judge = Judge()
        for row in states.rows(conn):
            self.judge.roster.adopt(alarm_of(row))

    def hold_for_the_daemon(self, alarms: Iterable[Alarm]) -> list[Alarm]:
        """Those of them that people are to hear of once they are not muted: their time is over when the daemon runs, and it tells."""
        held = [alarm for alarm in alarms if alarm.is_shelved and alarm.state is AlarmState.UNACKNOWLEDGED]
        for alarm in held:
            alarm.shelved_until_watched_us = self.watched_us
            self.judge.found.unsaved[alarm] = None
        return held

    def save(self) -> None:
        """In the caller's transaction. Raises sqlite3.Error."""
        unstored = Unstored()
        unstored.add(self.judge.take_findings())
        unstored.store(self._conn, self.watched_us, self.now_us)
