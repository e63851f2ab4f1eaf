"""What a sensor is doing and what was counted of it, as ``status`` shows it: written by the sensor's thread, read by any.

Owns: the lock that guards all of it. Used by sensor threads and by computed sensors, which have none.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, field
from enum import Enum

from sensorlogd.daemon.timekeeping.clock import Clock

logger = logging.getLogger(__name__)


class SensorState(Enum):
    """What a sensor is doing; shown in ``status``."""

    STARTING = "starting"  # opening, or open and nothing has arrived yet
    READING = "reading"
    STALE = "stale"  # silent for longer than the heartbeat; opened anew every few heartbeats meanwhile
    BACKING_OFF = "backing_off"  # not usable now; waiting before the next attempt
    FINISHED = "finished"  # the source ended for good
    STOPPED = "stopped"


_OUT_OF_READING = {SensorState.STALE, SensorState.BACKING_OFF, SensorState.FINISHED, SensorState.STOPPED}
MOVES = {
    SensorState.STARTING: {SensorState.READING, *_OUT_OF_READING},
    SensorState.READING: _OUT_OF_READING,
    SensorState.STALE: {SensorState.READING, SensorState.BACKING_OFF, SensorState.FINISHED, SensorState.STOPPED},
    SensorState.BACKING_OFF: {SensorState.STARTING, SensorState.STOPPED},
    SensorState.FINISHED: {SensorState.STOPPED},
    SensorState.STOPPED: {SensorState.STARTING},
}


@dataclass(frozen=True, slots=True)
class SensorSnapshot:
    """How a sensor was at one moment. ``since_us``: when it came into this state; ``last_reading_us``: when a reading last
    arrived, None before the first; ``counters``: since the sensor was made. Times are of the host's clock."""

    state: SensorState
    since_us: int
    last_reading_us: int | None
    last_error: str | None
    counters: dict[str, int] = field(default_factory=dict)


class SensorStatus:
    """The state, the last reading, the last error and the counters of one sensor. Any thread may call any method."""

    def __init__(self, name: str, clock: Clock) -> None:
        self._name = name
        self._clock = clock
        self._lock = threading.Lock()  # guards all that follows
        self._state = SensorState.STOPPED
        self._since_us = clock.now_us()
        self._last_reading_us: int | None = None
        self._last_error: str | None = None
        self._counters: dict[str, int] = {}
        self._examples: dict[str, str] = {}

    @property
    def state(self) -> SensorState:
        """The state without the rest: an attribute is read whole, so without the lock."""
        return self._state

    def move(self, to: SensorState, *, only_from: SensorState | None = None) -> None:
        """Every change of state. ``MOVES`` says which there are; to stay is none. ``only_from``: nothing changes in another
        state than this, into which another thread may have moved it."""
        with self._lock:
            before = self._state
            if to is before or (only_from is not None and before is not only_from):
                return
            assert to in MOVES[before], f"{before} -> {to}"
            self._state, self._since_us = to, self._clock.now_us()
            error = self._last_error
        logger.debug("%s: %s -> %s (%s)", self._name, before.value, to.value, error or "no error")

    def note_reading(self) -> None:
        """A reading has arrived now."""
        with self._lock:
            self._last_reading_us = self._clock.now_us()

    def note_error(self, error: str | None) -> None:
        """Why nothing is read; None: something is."""
        with self._lock:
            self._last_error = error

    def count(self, counter: str, n: int, example: str) -> None:
        """Add ``n`` to a counter, and keep the example, if there is one, as the counter's last."""
        with self._lock:
            self._counters[counter] = self._counters.get(counter, 0) + n
            if example:
                self._examples[counter] = example[:200]

    def examples(self) -> dict[str, str]:
        """For each counter the last example of what was counted."""
        with self._lock:
            return dict(self._examples)

    def with_examples(self, reason: str) -> str:
        """``reason`` and examples of what was discarded: most likely they show why nothing was read."""
        with self._lock:
            shown = "; ".join(f"{self._counters[name]} {name}, e.g. {example}" for name, example in self._examples.items())
        return f"{reason}; {shown}" if shown else reason

    def snapshot(self) -> SensorSnapshot:
        """A copy of all but the examples."""
        with self._lock:
            return SensorSnapshot(self._state, self._since_us, self._last_reading_us, self._last_error, dict(self._counters))
