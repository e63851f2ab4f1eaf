"""The wall clock, and whether it can be believed.

A Raspberry Pi without a clock chip boots in the past and steps forward once it has found a time server. Steps are seen
by comparing the wall clock with one that nobody can set. "Synchronised" is the kernel's own estimate (adjtimex, maxerror);
where a sandbox denies that call (systemd's ProtectClock does), it is systemd-timesyncd's mark in /run; and where neither
tells, the clock is believed.
"""

from __future__ import annotations

import ctypes
import logging
import time
from pathlib import Path

log = logging.getLogger(__name__)

STEP_US = 500_000  # a difference of half a second between two looks is a step, not drift (the kernel slews 0.5 ms a second)
MAX_ERROR_US = 16_000_000  # the kernel counts up to this while no time server was heard
ASK_EVERY_US = 10_000_000
TIMESYNCD = Path("/run/systemd/timesync")  # there while systemd-timesyncd runs; holds "synchronized" once it has the time


class Clock:
    """Microseconds UTC. Tests pass one that they hold in their hand."""

    def now_us(self) -> int:
        return time.time_ns() // 1000

    def monotonic_us(self) -> int:
        """Never steps; what now_us advances by as long as nobody sets the clock. Goes on while the machine sleeps."""
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000


class _Timex(ctypes.Structure):
    """struct timex of adjtimex(2); only ``maxerror`` is used, ``rest`` is room for what the kernel writes after it."""

    _fields_ = [  # ctypes wants a plain list
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("rest", ctypes.c_char * 512),
    ]


def kernel_synchronised() -> bool | None:
    """Whether a time server disciplines the clock; None where the kernel does not tell (a sandbox, a container)."""
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        timex = _Timex()  # modes = 0: only asks
        if libc.adjtimex(ctypes.byref(timex)) == -1:
            return None
    except (OSError, AttributeError):
        return None
    return bool(timex.maxerror < MAX_ERROR_US)


def timesyncd_synchronised(folder: Path = TIMESYNCD) -> bool | None:
    """Whether systemd-timesyncd has set the clock since boot; None if it does not run here."""
    try:
        return (folder / "synchronized").exists() if folder.is_dir() else None
    except OSError:
        return None


class ClockWatch:
    """Call ``look`` about once a second. ``synchronised`` is True where nobody tells."""

    def __init__(self, clock: Clock, *, ask_kernel: bool = True) -> None:
        self.clock = clock
        self.ask_kernel = ask_kernel
        self.synchronised = True
        self._difference_us = clock.now_us() - clock.monotonic_us()
        self._ask_at_us = 0
        self._told: bool | None = None
        self._ask()
        if self._told is None and ask_kernel:
            log.debug("clock: nobody here tells whether it is synchronised; it is believed")

    def _ask(self) -> None:
        if self.ask_kernel:
            self._told = kernel_synchronised()
            if self._told is None:
                self._told = timesyncd_synchronised()
        self.synchronised = self._told is not False
        # As long as it is not synchronised every look asks: a step and the end of the marks should come together.
        self._ask_at_us = self.clock.monotonic_us() + (ASK_EVERY_US if self.synchronised else 0)

    def look(self) -> int:
        """Microseconds the wall clock was set by since the last look; 0 if it was not."""
        if self.clock.monotonic_us() >= self._ask_at_us:
            self._ask()
        difference_us = self.clock.now_us() - self.clock.monotonic_us()
        step_us = difference_us - self._difference_us
        self._difference_us = difference_us
        return step_us if abs(step_us) >= STEP_US else 0
