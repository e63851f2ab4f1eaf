"""What was sent to viewers lately, so that whoever comes back gets what was missed: each message has an id, and what it told is kept
for a while."""

from __future__ import annotations

import time
from collections import deque

from sensorlogd.web.answering.live.watch import Seen
from sensorlogd.web.refusal import bad_parameter

MAX_KEPT_READINGS = 20_000
MAX_KEPT_S = 300.0


class SentMessages:
    """Numbers what was seen, and keeps it within MAX_KEPT_READINGS and MAX_KEPT_S."""

    def __init__(self) -> None:
        self._boot = _new_boot()
        self._number = 0
        self._kept: deque[tuple[int, float, Seen]] = deque()
        self._kept_readings = 0

    def keep(self, seen: Seen) -> int:
        """Keep what was seen for viewers who come back; returns its number."""
        self._number += 1
        now = time.monotonic()
        self._kept.append((self._number, now, seen))
        self._kept_readings += len(seen.readings)
        while self._kept and (self._kept_readings > MAX_KEPT_READINGS or now - self._kept[0][1] > MAX_KEPT_S):
            self._kept_readings -= len(self._kept.popleft()[2].readings)
        return self._number

    def forget(self) -> None:
        """Forget all of it: ids from before are no longer known."""
        self._boot = _new_boot()
        self._kept.clear()
        self._kept_readings = 0

    def identity(self, number: int, seen_us: int) -> str:
        """The id of a message: this run of checks, its number, and the time (microseconds since 1970) up to which the log was
        read."""
        return f"{self._boot}-{number}-{seen_us}"

    def now(self) -> str:
        """The id of the present moment, for a stream that begins now."""
        return self.identity(self._number, time.time_ns() // 1000)

    def since(self, identity: str) -> tuple[list[tuple[int, Seen]] | None, int]:
        """What was seen after the message with this id, or None if that is no longer held; and the time (µs) when the message was
        sent. Raises ApiError 400 for what is not an id."""
        try:
            boot, number, at = identity.split("-")
            after, at_us = int(number), int(at)
        except ValueError:
            raise bad_parameter("last_event_id", f"{identity[:100]!r} is not the id of a message") from None
        first = self._kept[0][0] if self._kept else self._number + 1
        if boot != self._boot or not first - 1 <= after <= self._number:
            return None, at_us
        return [(kept, seen) for kept, _, seen in self._kept if kept > after], at_us


def _new_boot() -> str:
    """What ids of messages begin with: another one whenever the memory of what was sent has been lost."""
    return f"{time.time_ns() // 1000:x}"
