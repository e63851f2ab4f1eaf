"""The wall clock, and whether it can be believed.

A Raspberry Pi without a clock chip boots in the past and steps forward once it has found a time server. Steps are seen
by comparing the wall clock with the monotonic one; "synchronised" is the kernel's own estimate (adjtimex, maxerror).
"""

from __future__ import annotations

import ctypes
import logging
import time
from pathlib import Path

log = logging.getLogger(__name__)

STEP_US = 500_000  # a difference of half a second between two looks is a step, not drift
MAX_ERROR_US = 16_000_000  # the kernel counts up to this while no time server was heard
STA_UNSYNC = 0x0040


class Clock:
    """Microseconds UTC. Tests pass one that they hold in their hand."""

    def now_us(self) -> int:
        return time.time_ns() // 1000

    def monotonic_us(self) -> int:
        """Never steps; what now_us advances by as long as nobody sets the clock."""
        return time.monotonic_ns() // 1000


class _Timex(ctypes.Structure):
    """struct timex of adjtimex(2); only what is before and including maxerror and status is read."""

    _fields_ = [  # ctypes wants a plain list
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_char * 256),
    ]


# systemd-timesyncd makes this folder when it runs and the file in it once it has heard a server (systemd-timesyncd(8)).
TIMESYNC = Path("/run/systemd/timesync")


def is_synchronised() -> bool | None:
    """Whether a time server disciplines the clock; None where nobody tells.

    The kernel is asked first; a sandbox with ProtectClock= denies that, then systemd-timesyncd's mark is looked at.
    """
    told = kernel_synchronised()
    if told is None and TIMESYNC.is_dir():
        told = (TIMESYNC / "synchronized").exists()
    return told


def kernel_synchronised() -> bool | None:
    """The kernel's word (adjtimex); None where it does not tell."""
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        timex = _Timex()
        if libc.adjtimex(ctypes.byref(timex)) == -1:
            return None
    except (OSError, AttributeError):
        return None
    return bool(timex.maxerror < MAX_ERROR_US)


class ClockWatch:
    """Call ``look`` about once a second. ``synchronised`` is True where the kernel does not tell."""

    def __init__(self, clock: Clock, *, ask_kernel: bool = True) -> None:
        self.clock = clock
        self.ask_kernel = ask_kernel
        self._difference_us = clock.now_us() - clock.monotonic_us()
        self._ask_at_us = 0
        self.synchronised = True
        self._ask()

    def _ask(self) -> None:
        told = is_synchronised() if self.ask_kernel else None
        self.synchronised = True if told is None else told
        self._ask_at_us = self.clock.monotonic_us() + 10_000_000

    def look(self) -> int:
        """Microseconds the wall clock was set by since the last look; 0 if it was not."""
        if self.clock.monotonic_us() >= self._ask_at_us:
            self._ask()
        difference_us = self.clock.now_us() - self.clock.monotonic_us()
        step_us = difference_us - self._difference_us
        self._difference_us = difference_us
        return step_us if abs(step_us) >= STEP_US else 0
