"""When a run is due, and how much time it closes."""

from __future__ import annotations

from collections.abc import Callable

from sensorlogd.notation.microseconds import DAY_US, HOUR_US
from sensorlogd.storage.pace import Pace

# After a long absence a run closes the buckets of so much time as takes it about RUN_S.
BLOCK_US, MIN_BLOCK_US, MAX_BLOCK_US = DAY_US, HOUR_US, 60 * DAY_US
RUN_S = 10.0
ROWS_TRIGGER = 300_000  # this many new readings make a roll-up due before its interval has passed
FIRST_WITHIN_S = 5.0


class Schedule:
    """When a run is due; for the main thread, but ``want`` may be called by any. Moments are monotonic seconds.

    ``interval_s``: how often buckets are closed. ``committed``: how many readings have been stored. ``wanted``: a run is due at
    once. ``block_us``: the most that a run closes.
    """

    def __init__(self, interval_s: float, committed: Callable[[], int], now: float) -> None:
        self.wanted = False
        self._block_us = Pace(RUN_S, BLOCK_US, MIN_BLOCK_US, MAX_BLOCK_US, slower=0.2, faster=2.0)
        self._interval_s = interval_s
        self._committed = committed
        self._due = now + min(interval_s, FIRST_WITHIN_S)
        self._not_before = 0.0
        self._rows_seen = 0

    @property
    def block_us(self) -> int:
        return int(self._block_us)

    def is_due(self, now: float) -> bool:
        if now < self._not_before:
            return False
        return self.wanted or now >= self._due or self._committed() - self._rows_seen >= ROWS_TRIGGER

    def want(self) -> None:
        """A run is due at once. Any thread."""
        self.wanted = True

    def note_begin(self, now: float) -> None:
        """A run is under way."""
        self.wanted = False
        self._due = now + self._interval_s
        self._not_before = now + min(1.0, self._interval_s)  # late data that never ends must not keep a core busy
        self._rows_seen = self._committed()

    def put_off(self, until: float) -> None:
        """Another one is wanted, but not yet."""
        self.wanted = True
        self._not_before = until

    def note_end(self, took_s: float, *, more_to_close: bool, more: bool, left: bool) -> None:
        """A run succeeded. ``more_to_close``: it could have closed more. ``more``: much is left, ``left``: something, to do anew."""
        if more_to_close:
            self._block_us.note_duration(took_s)
        if more_to_close or more:
            self._not_before = 0.0
        self.wanted = self.wanted or more_to_close or more or left
