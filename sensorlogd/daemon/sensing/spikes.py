"""The spike test: a lone reading that is off, between two that agree. It is judged when the next one is there.

So the newest reading of a channel is held back until its successor arrives, or until the sensor is silent for a heartbeat,
closed or stopped; a kill of the process loses it. QARTOD calls it "spike" (test 6), judged at the reading before.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple


class WaitingReading(NamedTuple):
    """A reading on its way. ``taken``: when it was taken or arrived; ``ts``: the time it is stored under; ``value``: scaled."""

    taken: int
    ts: int
    raw: Any
    mark: int
    value: float
    spike: bool = False


class Spikes:
    """The spike test of one channel, which holds back the newest reading. ``size``: off by more than this from both neighbours,
    which differ by no more than this.

    Neighbours further away in time than ``reach_us`` say nothing, nor do readings without a value.
    """

    def __init__(self, size: float, reach_us: int) -> None:
        self._size = size
        self._reach_us = reach_us
        self._waiting: WaitingReading | None = None
        self._before: WaitingReading | None = None  # the last one passed on that is a neighbour

    def take(self, arrived: Sequence[WaitingReading]) -> list[WaitingReading]:
        """What can be passed on, in order."""
        passed: list[WaitingReading] = []
        for reading in arrived:
            if not math.isfinite(reading.value):
                passed += self.flush()
                passed.append(reading)
                self._before = None
                continue
            if self._waiting is not None:
                passed.append(self._judge(self._waiting, reading))
            self._waiting = reading
        return passed

    def flush(self) -> list[WaitingReading]:
        """Give up the reading that is held back, unjudged, because its successor will not come soon."""
        waiting, self._waiting = self._waiting, None
        if waiting is None:
            return []
        self._before = waiting
        return [waiting]

    def _judge(self, waiting: WaitingReading, after: WaitingReading) -> WaitingReading:
        """The reading that was held back, marked if it is a spike. If it is none it is the neighbour of those that follow."""
        before = self._before
        if before is not None and self._near(before, waiting) and self._near(waiting, after):
            size = self._size
            if (
                abs(waiting.value - before.value) > size
                and abs(waiting.value - after.value) > size
                and abs(after.value - before.value) <= size
            ):
                return waiting._replace(spike=True)  # it does not become _before: no later reading is compared with a spike
        self._before = waiting
        return waiting

    def _near(self, before: WaitingReading, other: WaitingReading) -> bool:
        return abs(other.taken - before.taken) <= self._reach_us
