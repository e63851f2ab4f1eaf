"""The real daemon with a wall clock that runs faster: minutes close in seconds, without a sleep in any test.

    python -m tests.fast_daemon CONFIG FACTOR

Everything is the product's own but the clock that is passed in.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from sensorlogd.config.loader import load
from sensorlogd.daemon.main.process import logs
from sensorlogd.daemon.main.run import run_daemon
from sensorlogd.daemon.timekeeping.judged_clock import JudgedClock
from sensorlogd.drivers.registry import options_for


def fast_clock(factor: float, epoch_us: int) -> JudgedClock:
    """Wall and steady clock advance ``factor`` times as fast, from ``epoch_us`` on; never backwards across restarts."""

    def fast_ns(real_ns: int) -> int:
        return epoch_us * 1000 + int((real_ns - epoch_us * 1000) * factor)

    offset_ns = time.time_ns() - time.clock_gettime_ns(time.CLOCK_BOOTTIME)  # of this start; nobody sets the clock in these tests
    return JudgedClock(
        wall_ns=lambda: fast_ns(time.time_ns()),
        steady_ns=lambda: fast_ns(time.clock_gettime_ns(time.CLOCK_BOOTTIME) + offset_ns),
        ask=lambda: True,
    )


def main() -> int:
    path, factor, epoch_us = Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    logs.setup("info")
    return run_daemon(load(path, options_for), lambda: load(path, options_for), clock=fast_clock(factor, epoch_us), pages=False)


if __name__ == "__main__":
    sys.exit(main())
