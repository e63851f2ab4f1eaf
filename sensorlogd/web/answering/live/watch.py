"""Finds what was committed since the log was last checked. One check serves all viewers.

Runs on the one thread of the stream's own pool, so that its connection can tell cheaply whether anything changed. Readings
are followed by time: one that is stamped before the newest of its series is not seen here.

A check reads what is stamped in the last seconds. A series that was silent for longer, and hands over what it kept, is noticed
by its first reading of these seconds, if half a heartbeat has passed since the one before (a series usually has three readings
a heartbeat), or by its newest arrival (the table ``latest``). Only then is read what it has since the last one sent.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sensorlogd.storage.file.identity import file_identity
from sensorlogd.storage.ingest.events import Event
from sensorlogd.storage.ingest.status import StoredStatus
from sensorlogd.storage.query.health import ALIVE, daemon_state, sensor_health
from sensorlogd.storage.query.log_reader import LogReader, SeriesReading
from sensorlogd.storage.series.stored import Series

NEVER = -1  # is not a version of a log
STATES_EVERY_S = 2.0
AHEAD_US = 1_000_000  # a reading dated later is shown when its time has come
MAX_STAMPED_US = 120_000_000  # after a longer absence the rest is read by series, as of those that were silent
MAX_READINGS = 5_000  # in one check; if there are more, the newest of each series


@dataclass(slots=True)
class Seen:
    """What one check found. ``skipped``: how many readings were too many to be passed on. ``since_us``: where the reading of what is
    stamped lately began. ``is_another_file``: since the check before, another database took the place of the one that was read."""

    since_us: int
    until_us: int
    readings: list[SeriesReading] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    sensors: list[tuple[StoredStatus, str]] = field(default_factory=list)  # with its health
    skipped: int = 0
    is_another_file: bool = False

    def __bool__(self) -> bool:
        return bool(self.readings or self.events or self.sensors or self.is_another_file)


class Watch:
    """Finds what is new in a log. Call ``check`` again and again with the same log, or with a new one after it was closed: of the
    same file, what was committed meanwhile is new; of another one, only what comes from then on."""

    def __init__(self) -> None:
        self._log: LogReader | None = None
        self._file: tuple[int, int, int] | None = None  # device, inode, epoch
        self._version = 0
        self._series: dict[int, Series] = {}
        self._series_read = False  # in this check
        self._newest: dict[int, int] = {}
        self._looked_us = 0
        self._overlap_us = 5_000_000
        self._event: int | None = None  # the id of the newest event that was seen
        self._arrived_version = 0  # of the log when its newest arrivals were looked at
        self._health: dict[str, tuple[str, str, str | None]] = {}
        self._states_due = 0.0

    def check(self, log: LogReader, now_us: int) -> Seen:
        """What has come since the last check; states of sensors are checked less often. A check that fails has passed nothing on,
        so what it had found is found again by the next one."""
        before = vars(self) | {"_newest": dict(self._newest), "_health": dict(self._health)}
        try:
            return self._check(log, now_us)
        except Exception:
            vars(self).update(before)
            raise

    def _check(self, log: LogReader, now_us: int) -> Seen:
        self._series_read = False
        is_another_file = log is not self._log and self._open(log, now_us)
        since_us = max(self._looked_us - self._overlap_us, now_us - MAX_STAMPED_US, 0)
        seen = Seen(since_us, now_us + AHEAD_US, is_another_file=is_another_file)
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
            if version != self._arrived_version:
                self._arrived_version = version
                self._read_series(log)  # of a reload: retired, named otherwise, in another unit
                self._find_late(log, seen)
            self._find_states(log, seen, now_us)
        return seen

    def _open(self, log: LogReader, now_us: int) -> bool:
        """Go on where the last check ended if it is the same file, else begin. Returns whether there was another file before."""
        had_one = self._log is not None
        try:
            file = (*file_identity(log.path), log.epoch())
        except OSError:  # removed just now
            file = None
        is_other = file is None or file != self._file
        self._file = file
        if is_other:
            self._begin(log, now_us)
        else:
            self._log = log
            self._version = self._arrived_version = NEVER  # versions of another connection tell nothing
        return had_one and is_other

    def _begin(self, log: LogReader, now_us: int) -> None:
        """Remember what exists already, so that it does not count as new."""
        first = self._log is None
        self._log = log
        self._version = log.version()
        self._overlap_us = overlap_us(log)
        self._read_series(log)
        self._newest = {}
        for reading in log.latest(list(self._series.values()), now_us):
            if reading is not None:
                self._newest[reading.series.id] = min(reading.ts_us, now_us + AHEAD_US)
        self._looked_us = now_us
        newest = log.events(None, 1)
        self._event = newest[-1].id if newest else None
        if first:
            self._find_states(log, Seen(0, 0), now_us)

    def _find_readings(self, log: LogReader, seen: Seen) -> None:
        """The readings that are newer than the newest known of their series; of too many, only the newest of each series."""
        if seen.until_us - AHEAD_US < self._looked_us - 2_000_000:  # the clock was set back
            horizon = seen.until_us
            self._newest = {identity: min(ts, horizon) for identity, ts in self._newest.items()}
            seen.since_us = horizon - AHEAD_US - self._overlap_us
        newest = self._newest
        fresh = [row for row in log.stamped(seen.since_us, seen.until_us) if row[0] > newest.get(row[1], -1)]
        silent: dict[int, int] = {}
        for ts, identity, *_ in fresh:
            known = newest.get(identity, -1)
            if known < seen.since_us and identity not in silent and 2 * (ts - known) > self._of(log, identity).heartbeat_us:
                silent[identity] = known
        self._add_late(log, silent, seen)
        self._add(log, fresh, seen)

    def _find_late(self, log: LogReader, seen: Seen) -> None:
        """The readings of series that have handed over nothing but what is older than the last seconds."""
        late = {
            identity: known
            for identity, ts in log.arrived().items()
            if (known := self._newest.get(identity, -1)) < ts < seen.since_us
        }
        self._add_late(log, late, seen)

    def _add_late(self, log: LogReader, known: Mapping[int, int], seen: Seen) -> None:
        """What these series have after the newest known, series id -> µs, and before ``seen.since_us``. However many they are,
        no more than the newest of each are held."""
        if not known:
            return
        rows: list[tuple[int, int, float | None, int]] = []
        last: dict[int, tuple[int, int, float | None, int]] = {}
        found = 0
        for row in log.each_since({identity: ts + 1 for identity, ts in known.items()}, seen.since_us):
            found += 1
            last[row[1]] = max(last.get(row[1], row), row, key=_ts)
            if found <= MAX_READINGS:
                rows.append(row)
        if found > MAX_READINGS:
            seen.skipped += found - len(last)
            rows = list(last.values())
        rows.sort(key=_ts)
        self._add(log, rows, seen)

    def _add(self, log: LogReader, rows: Sequence[tuple[int, int, float | None, int]], seen: Seen) -> None:
        """Add to ``seen`` those that are newer than the newest known of their series. ``rows``: in order of time."""
        newest = self._newest
        for ts, identity, value, quality in rows:
            if ts > newest.get(identity, -1):
                newest[identity] = ts
                seen.readings.append(SeriesReading(self._of(log, identity), ts, value, quality))
        if len(seen.readings) > MAX_READINGS:
            last = {reading.series.id: reading for reading in seen.readings}
            seen.skipped += len(seen.readings) - len(last)
            seen.readings = list(last.values())

    def _of(self, log: LogReader, identity: int) -> Series:
        """The series, read again if it is not known, and if it had retired but has readings now."""
        known = self._series.get(identity)
        if known is None or (known.retired_us is not None and not self._series_read):
            self._read_series(log)
        return self._series[identity]

    def _read_series(self, log: LogReader) -> None:
        self._series = {known.id: known for known in log.series(retired=True)}
        self._series_read = True
        for removed in self._newest.keys() - self._series.keys():
            del self._newest[removed]

    def _find_states(self, log: LogReader, seen: Seen, now_us: int) -> None:
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


def _ts(row: tuple[int, int, float | None, int]) -> int:
    return row[0]


def overlap_us(log: LogReader) -> int:
    """How far before now a check has to reach, to find readings that were stamped earlier and committed later."""
    return max(2 * int(log.daemon().get("commit_interval_us") or 0), 5_000_000)
