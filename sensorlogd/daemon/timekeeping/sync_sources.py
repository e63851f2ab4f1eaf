"""The sources that know whether a time server keeps the clock of this machine right.

The kernel's own estimate (adjtimex, maxerror); where a sandbox denies that call (systemd's ProtectClock does), it is
systemd-timesyncd's mark in /run; where neither tells, nobody does.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable
from pathlib import Path

MAX_ERROR_US = 16_000_000  # the kernel counts up to this while no time server was heard
# There while systemd-timesyncd runs. Holds "synchronized" once it has the time, touched whenever it hears a time server
# (about every half hour), and never removed.
TIMESYNCD = Path("/run/systemd/timesync")
# The kernel reckons with 0.5 ms of error a second, so that much later than the last word of a time server it is not
# sure any more.
SURE_FOR_S = 32_000


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


def timesyncd_synchronised(folder: Path = TIMESYNCD, now_s: Callable[[], float] = time.time) -> bool | None:
    """Whether systemd-timesyncd has heard a time server lately; None if it does not run here.

    By the wall clock itself: where that was set by hand since, its mark lies in the future or is long gone.
    """
    try:
        if not folder.is_dir():
            return None
        age_s = now_s() - (folder / "synchronized").stat().st_mtime
    except FileNotFoundError:
        return False
    except OSError:
        return None
    return -1 <= age_s <= SURE_FOR_S


def synchronised() -> bool | None:
    """The answer of the first source that knows; None if none does."""
    by_kernel = kernel_synchronised()
    return timesyncd_synchronised() if by_kernel is None else by_kernel
