"""Counters of what the writer has done since the start; any thread may read them."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

from sensorlogd.storage.ingest.append import Appended


class WriterState(Enum):
    """What the writer is doing; shown in ``status``."""

    OPENING = "opening"  # the database is not open yet; readings wait in the inbox
    WRITING = "writing"
    BLOCKED = "blocked"  # the database refuses writes; readings are held and tried again
    STOPPED = "stopped"
    REFUSED = "refused"  # not our database, or a newer one: never touched


@dataclass(slots=True)
class WriterStats:
    """A copy. ``blocked_since_us``: wall clock; 0 while not blocked. ``given_up``: for good, over all restarts.

    ``per_sensor``: {"readings": n, "conflicts": n, "too_old": n, "poisoned": n, "unknown_channel": n, "dropped": n}
    """

    state: WriterState = WriterState.OPENING
    state_reason: str = ""
    blocked_since_us: int = 0
    committed: int = 0
    commits: int = 0
    last_commit_us: int = 0
    last_commit_ms: float = 0.0
    commit_s: float = 0.0  # all commits together
    pending: int = 0
    repeated: int = 0
    shifted: int = 0
    late: int = 0
    given_up: int = 0
    beat_monotonic_s: float = 0.0
    per_sensor: dict[str, dict[str, int]] = field(default_factory=dict)


class Totals:
    """Written by the writer thread, copied by any."""

    def __init__(self) -> None:
        self._stats = WriterStats()
        self._lock = threading.Lock()

    def copy(self, pending: int) -> WriterStats:
        with self._lock:
            per_sensor = {sensor: dict(counts) for sensor, counts in self._stats.per_sensor.items()}
            return replace(self._stats, pending=pending, per_sensor=per_sensor)

    @property
    def state(self) -> WriterState:
        return self._stats.state

    def beat(self, monotonic_s: float) -> None:
        self._stats.beat_monotonic_s = monotonic_s

    def move(self, state: WriterState, reason: str, now_us: int) -> bool:
        """Set the state and its reason. Returns whether the state has changed."""
        with self._lock:
            changed = self._stats.state is not state
            if changed:
                self._stats.blocked_since_us = now_us if state is WriterState.BLOCKED else 0
            self._stats.state, self._stats.state_reason = state, reason
        return changed

    def counts_already(self, sensor: str, name: str) -> bool:
        """Whether anything was counted under that name for the sensor."""
        return bool(self._stats.per_sensor.get(sensor, {}).get(name))

    def count(self, name: str, counts: Mapping[str, int]) -> None:
        """Add to a counter of some sensors."""
        with self._lock:
            for sensor, n in counts.items():
                counters = self._stats.per_sensor.setdefault(sensor, {})
                counters[name] = counters.get(name, 0) + n

    def set_given_up(self, readings: int) -> None:
        """This many readings are lost for good, as the database says that was opened."""
        self._stats.given_up = readings

    def add_given_up(self, readings: int) -> None:
        """This many readings more are lost for good."""
        self._stats.given_up += readings

    def note_commit(self, result: Appended, took_s: float, now_us: int) -> None:
        """One commit more."""
        with self._lock:
            stats = self._stats
            stats.committed += result.stored
            stats.commits += 1
            stats.last_commit_us = now_us
            stats.last_commit_ms = took_s * 1e3
            stats.commit_s += took_s
            stats.repeated += result.repeated
            stats.shifted += result.shifted
            stats.late += result.late
        self.count("readings", result.by_sensor)
        self.count("conflicts", result.conflicts)
        self.count("too_old", result.too_old)
        self.count("poisoned", result.poisoned)
        self.count("unknown_channel", result.unknown)
