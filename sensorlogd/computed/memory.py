"""Remembers the newest readings of an input, in order of time."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from enum import Enum

MAX_KEPT_READINGS = 512  # the most readings that are remembered beside those handed over last
MAX_KEPT_READINGS_FOR_EQUAL = 65_536  # as many of an input that waits for readings of the very same time


class Gone(Enum):
    """The answer for a time that is further back than what is remembered."""

    GONE = "gone"


GONE = Gone.GONE
Found = tuple[float | None, int]


class Memory:
    """The memory of an input. A reading counts for ``heartbeat_us``. Twice that is remembered, but no more than ``kept`` readings
    and those handed over last. The age of a reading is known from the last two hand-overs, so that a single one far in the future
    does not make it forget."""

    def __init__(self, heartbeat_us: int, kept: int = MAX_KEPT_READINGS) -> None:
        self.heartbeat_us = heartbeat_us
        self.kept = kept
        self.forget_after_us = 2 * heartbeat_us
        self._times: list[int] = []
        self._found: list[Found] = []
        self._gone_us: int | None = None  # the time of the newest reading that was forgotten
        self._handed_us: int | None = None  # the newest time of the last hand-over

    def insert(self, times: Sequence[int], values: Sequence[float | None], qualities: Sequence[int]) -> list[int]:
        """Add readings. Returns the times that are new, in order; the first reading of a time stays, as in the log."""
        if times:
            newest_us = max(times)
            self._forget(newest_us if self._handed_us is None else min(newest_us, self._handed_us))
            self._handed_us = newest_us
        fresh = []
        for ts, value, quality in zip(times, values, qualities, strict=True):
            if not self._times or ts > self._times[-1]:
                self._times.append(ts)
                self._found.append((value, quality))
            else:
                index = bisect_left(self._times, ts)
                if self._times[index] == ts:
                    continue
                self._times.insert(index, ts)
                self._found.insert(index, (value, quality))
            fresh.append(ts)
        if any(map(int.__gt__, fresh, fresh[1:])):
            fresh.sort()
        return fresh

    def at(self, ts: int) -> Found | Gone | None:
        """The newest reading at or before ``ts`` (µs) that is no older than the heartbeat; None if there is none, GONE if it may
        have been forgotten."""
        times = self._times
        index = (len(times) if times and times[-1] <= ts else bisect_right(times, ts)) - 1
        gone = self._gone_us
        # A late reading may lie before forgotten ones: then it is the newest at its own time only.
        if index >= 0 and (gone is None or times[index] > gone or times[index] == ts):
            return self._found[index] if ts - times[index] <= self.heartbeat_us else None
        return GONE if gone is not None and gone >= ts - self.heartbeat_us else None

    def exactly(self, ts: int) -> Found | Gone | None:
        """The reading at exactly ``ts`` (µs); None if there is none, GONE if it may have been forgotten."""
        index = bisect_left(self._times, ts)
        if index < len(self._times) and self._times[index] == ts:
            return self._found[index]
        return GONE if self._gone_us is not None and ts <= self._gone_us else None

    def after(self, ts: int) -> list[int]:
        """The remembered times later than ``ts``, in order."""
        return self._times[bisect_right(self._times, ts) :]

    def _forget(self, now_us: int) -> None:
        """Forget what is older than twice the heartbeat at ``now_us``, or more than ``kept`` readings ago."""
        old = bisect_left(self._times, now_us - self.forget_after_us)
        old = max(old, len(self._times) - self.kept)
        if old > 0:
            self._gone_us = max(self._times[old - 1], self._times[old - 1] if self._gone_us is None else self._gone_us)
            del self._times[:old], self._found[:old]
