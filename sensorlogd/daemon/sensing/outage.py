"""Limits how often a sensor's trouble is reported: not every second.

Two bounds: within one outage each distinct cause is reported once (``Outage``), and a sensor that comes and goes many times a
minute fills neither log nor event table (``Allowance``).
"""

from __future__ import annotations

import re
from collections.abc import Callable

from sensorlogd.notation.microseconds import MINUTE_US

CAUSES = 10  # distinct causes reported within one outage: the limit for a driver that words its error differently every second
_VARYING = re.compile(r"0x[0-9a-f]+|\d+", re.IGNORECASE)


class Outage:
    """An outage of a sensor, from the first failure or silence to the next reading. Used by the sensor's thread only."""

    def __init__(self) -> None:
        self.since_us = 0  # monotonic; 0 = no trouble
        self.attempts = 0
        self._causes: set[str] = set()

    def note_attempt(self) -> None:
        """An attempt to read the sensor has failed."""
        self.attempts += 1

    def note_cause(self, cause: str, now_us: int) -> bool:
        """Remember ``cause``, of ``now_us`` (monotonic); the first begins the outage. Returns whether it is to be reported: it
        was not in this outage yet, and fewer than ``CAUSES`` were. Causes that differ in numbers or addresses only are the
        same."""
        self.since_us = self.since_us or now_us
        plain = _VARYING.sub("#", cause)
        if plain in self._causes or len(self._causes) >= CAUSES:
            return False
        self._causes.add(plain)
        return True


class Allowance:
    """How many events a sensor may still record: ``burst`` at once, then one every ``every_us``. Any thread."""

    def __init__(self, monotonic_us: Callable[[], int], *, burst: int = 60, every_us: int = MINUTE_US) -> None:
        self._monotonic_us = monotonic_us
        self._burst, self._every_us = burst, every_us
        self._left = burst
        self._at_us = monotonic_us()
        self._withheld = 0

    def take(self) -> int | None:
        """None: this event may not be recorded. Otherwise the number of events withheld since the last that was allowed."""
        grown = (self._monotonic_us() - self._at_us) // self._every_us
        if grown > 0:
            self._left = min(self._left + grown, self._burst)
            self._at_us += grown * self._every_us
        if self._left <= 0:
            self._withheld += 1
            return None
        self._left -= 1
        withheld, self._withheld = self._withheld, 0
        return withheld
