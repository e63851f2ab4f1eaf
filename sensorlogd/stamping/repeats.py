"""Tells readings apart that share a stamp, because a device writes whole seconds and sends more often than that.

keep     each is a reading of its own, a microsecond after the one before; the same values again are the same reading
spread   each is a reading of its own, as far after the first one as it arrived later, within the second
drop     the stamp is the reading: the same again is the same one, anything else is a conflict
"""

from __future__ import annotations

from collections.abc import Hashable

KEEP, SPREAD, DROP = "keep", "spread", "drop"
REPEATS = (KEEP, SPREAD, DROP)
_MOST = 10_000  # the most different readings under one stamp that are told apart


class Repeats:
    """Finds the times of the readings of one source, in the order in which they come."""

    def __init__(self, mode: str, width_us: int = 1_000_000) -> None:
        self.mode = mode
        self.width_us = width_us
        self._stamp_us: int | None = None
        self._begun_us = self._given_us = 0
        self._seen: dict[Hashable, int] = {}

    def stamp(self, stamp_us: int, values: Hashable, arrived_us: int) -> int:
        """The time (µs) under which to store a reading that the device stamped ``stamp_us``."""
        if self.mode == DROP:
            return stamp_us
        if stamp_us != self._stamp_us:
            self._stamp_us, self._given_us, self._begun_us = stamp_us, stamp_us, arrived_us
            self._seen = {values: stamp_us} if self.mode == KEEP else {}
            return stamp_us
        if self.mode == SPREAD:
            later = stamp_us + min(max(arrived_us - self._begun_us, 0), self.width_us - 1)
            self._given_us = max(later, self._given_us + 1)
            return self._given_us
        known = self._seen.get(values)
        if known is not None:
            return known
        self._given_us += 1
        if len(self._seen) < _MOST:
            self._seen[values] = self._given_us
        return self._given_us


def evenly(index: int, count: int, width_us: int = 1_000_000) -> int:
    """How far (µs) after a shared stamp the reading ``index`` of ``count`` is put, if nothing tells when they came."""
    return index * width_us // count if count <= width_us else index
