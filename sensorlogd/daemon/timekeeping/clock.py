"""The two clocks of a machine: the wall clock, which anybody may set, and one that nobody can.

A Raspberry Pi without a clock chip boots in the past and steps forward once it has found a time server. Steps are seen
by comparing the two (``judged_clock``).
"""

from __future__ import annotations

import time

# A difference of half a second since the last comparison of both clocks is a step, not drift: the kernel slews 0.5 ms a second.
STEP_US = 500_000
ASK_EVERY_US = 10_000_000


class Clock:
    """Microseconds UTC. Tests pass one that they hold in their hand."""

    def now_us(self) -> int:
        return time.time_ns() // 1000

    def monotonic_us(self) -> int:
        """Never steps; what now_us advances by as long as nobody sets the clock. Goes on while the machine sleeps."""
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000
