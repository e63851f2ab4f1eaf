"""Finds what was committed since the log was last checked. One check serves all viewers.

Runs on the one thread of the stream's own pool, so that its connection can tell cheaply whether anything changed. Readings
are followed by time, as ``tail`` does: one that is stamped before the newest of its series is not seen here.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from sensorlogd.storage.query.health import ALIVE, daemon_state, sensor_health
from sensorlogd.storage.query.log import Event, Log, Reading, SensorState, Series

STATES_EVERY_S = 2.0
AHEAD_US = 1_000_000  # a reading dated later is shown when its time has come
READINGS_MAX = 5_000  # in one check; if there are more, the newest of each series


@dataclass(slots=True)
class Seen:
    """What one check found. ``skipped``: how many readings were too many to be passed on. ``since_us``: no reading in it is older."""

    since_us: int
    until_us: int
    readings: list[Reading] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    sensors: list[tuple[SensorState, str]] = field(default_factory=list)  # with its health
    skipped: int = 0

    def __bool__(self) -> bool:
        return bool(self.readings or self.events or self.sensors)


class Watch:
    """Finds what is new in a log. Call ``check`` again and again with the same log, or with a new one after the file was
    replaced."""

    def __init__(self) -> None:
        self._log: Log | None = None
        self._version = 0
        self._series: dict[int, Series] = {}
        self._newest: dict[int, int] = {}
        self._looked_us = 0
        self._overlap_us = 5_000_000
        self._event = 0
        self._health: dict[str, tuple[str, str, str | None]] = {}
        self._states_due = 0.0

    def check(self, log: Log, now_us: int) -> Seen:
        """What has come since the last check; states of sensors are checked less often."""
        if log is not self._log:
            self._begin(log, now_us)
        seen = Seen(max(self._looked_us - self._overlap_us, 0), now_us + AHEAD_US)
        version = log.version()
        if version != self._version:
            self._find_readings(log, seen)
            self._version = version
            seen.events = log.events(None, 1000, None, self._event)
            if seen.events:
                self._event = seen.events[-1].id
            self._looked_us = now_us
        if time.monotonic() >= self._states_due or seen.events:
            self._states_due = time.monotonic() + STATES_EVERY_S
            self._find_states(log, seen, now_us)
        return seen

    def _begin(self, log: Log, now_us: int) -> None:
        """Remember what exists already, so that it does not count as new."""
        first = self._log is None
        self._log = log
        self._version = log.version()
        self._overlap_us = overlap_us(log)
        self._series = {series.id: series for series in log.series(retired=True)}
        self._newest = {}
        for reading in log.latest(list(self._series.values()), now_us):
            if reading is not None:
                self._newest[reading.series.id] = min(reading.ts_us, now_us + AHEAD_US)
        self._looked_us = now_us
        newest = log.events(None, 1)
        self._event = newest[-1].id if newest else 0
        if first:
            self._find_states(log, Seen(0, 0), now_us)

    def _find_readings(self, log: Log, seen: Seen) -> None:
        """The readings that are newer than the newest known of their series; of too many, only the newest of each series."""
        if seen.until_us - AHEAD_US < self._looked_us - 2_000_000:  # the clock was set back
            horizon = seen.until_us
            self._newest = {identity: min(ts, horizon) for identity, ts in self._newest.items()}
            seen.since_us = horizon - AHEAD_US - self._overlap_us
        fresh: list[Reading] = []
        newest = self._newest
        for ts, identity, value, quality in log.stamped(seen.since_us, seen.until_us):
            if ts > newest.get(identity, -1):
                series = self._series.get(identity)
                if series is None:
                    self._series = {known.id: known for known in log.series(retired=True)}
                    series = self._series[identity]
                newest[identity] = ts
                fresh.append(Reading(series, ts, value, quality))
        if len(fresh) > READINGS_MAX:
            last = {reading.series.id: reading for reading in fresh}
            seen.skipped = len(fresh) - len(last)
            fresh = list(last.values())
        seen.readings = fresh

    def _find_states(self, log: Log, seen: Seen, now_us: int) -> None:
        """The sensors whose state, health or error has changed since the last check."""
        running = daemon_state(log.daemon(), now_us, log.path)[0] in ALIVE
        last: dict[str, int] = {}
        for identity, ts in self._newest.items():
            sensor = self._series[identity].sensor
            last[sensor] = max(last.get(sensor, ts), ts)
        for state in log.sensors():
            newest = last.get(state.sensor, state.last_reading_us)
            health = "not running"
            if running:
                health = sensor_health(state.state, state.since_us, newest, state.heartbeat_us, now_us)
            now = (state.state, health, state.last_error)
            if self._health.get(state.sensor) != now:
                self._health[state.sensor] = now
                seen.sensors.append((state, health))


def overlap_us(log: Log) -> int:
    """How far before now a check has to reach, to find readings that were stamped earlier and committed later."""
    return max(2 * int(log.daemon().get("commit_interval_us") or 0), 5_000_000)
