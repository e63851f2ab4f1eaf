"""Judges whether a device's own time can be believed, and mends a GPS week counter that rolled over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sensorlogd.notation.instants import us_of
from sensorlogd.notation.microseconds import DAY_US

BUILT_US = us_of(datetime(2026, 1, 1, tzinfo=UTC))  # no copy of this software is older
TEN_YEARS_US = 3652 * DAY_US
# A host whose clock was never set may believe that it is 1970: what is this much later than BUILT_US is wrong all the same.
NO_CLOCK_AHEAD_US = 2 * TEN_YEARS_US
ROLL_OVER_US = 1024 * 7 * DAY_US  # GPS counts weeks with ten bits


@dataclass(frozen=True, slots=True)
class TimeLimits:
    """The limits between which times are believed: from ``earliest_us`` to ``ahead_us`` beyond the host's clock. ``gnss``: the
    week counter of a receiver may have rolled over."""

    earliest_us: int = BUILT_US - TEN_YEARS_US
    ahead_us: int = DAY_US
    gnss: bool = False

    def latest_us(self, now_us: int, *, clock_set: bool) -> int:
        """The latest time that is believed. ``clock_set``: the host's clock is known to be right."""
        return now_us + self.ahead_us if clock_set else max(now_us + self.ahead_us, BUILT_US + NO_CLOCK_AHEAD_US)

    def all_believed(self, times_us: Sequence[int], now_us: int, *, clock_set: bool) -> bool:
        """Whether all of the times, of which there is at least one, are believed."""
        return min(times_us) >= self.earliest_us and max(times_us) <= self.latest_us(now_us, clock_set=clock_set)

    def mended(self, ts_us: int, now_us: int, *, clock_set: bool) -> int | None:
        """A receiver's time plus whole roll-overs of its week counter, if that is about now and the host's clock is right; else
        None."""
        if not self.gnss or not clock_set or ts_us >= now_us:
            return None
        weeks = (now_us - ts_us + ROLL_OVER_US // 2) // ROLL_OVER_US
        found = ts_us + weeks * ROLL_OVER_US
        return found if weeks and abs(found - now_us) <= DAY_US else None


def looks_rolled_over(ts_us: int, now_us: int) -> bool:
    """Whether the time is one that a receiver tells now if its week counter has rolled over."""
    return TimeLimits(gnss=True).mended(ts_us, now_us, clock_set=True) is not None
