"""The real daemon with a wall clock that runs faster: minutes close in seconds, without a sleep in any test.

    python -m tests.fast_daemon CONFIG FACTOR

Everything is the product's own but the clock that is passed in.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from sensorlogd.config.loader import load
from sensorlogd.daemon import logs
from sensorlogd.daemon.clock import Clock
from sensorlogd.daemon.supervisor import Supervisor
from sensorlogd.drivers.registry import options_for


class FastClock(Clock):
    """Wall time advances ``factor`` times as fast, from the moment of creation on; never backwards across restarts."""

    def __init__(self, factor: float, epoch_us: int) -> None:
        super().__init__()
        self.factor = factor
        self.epoch_us = epoch_us

    def now_us(self) -> int:
        real = time.time_ns() // 1000
        return self.epoch_us + int((real - self.epoch_us) * self.factor)


def main() -> int:
    path, factor, epoch_us = Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    logs.setup("info")
    return Supervisor(
        load(path, options_for), lambda: load(path, options_for), clock=FastClock(factor, epoch_us), pages=False
    ).run()


if __name__ == "__main__":
    sys.exit(main())
