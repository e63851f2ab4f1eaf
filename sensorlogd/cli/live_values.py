"""Reads a sensor as the daemon would, for people to look at; nothing is stored."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from types import TracebackType

from sensorlogd.config.models import SensorOptions
from sensorlogd.daemon.sensing.driver_result import batch_of
from sensorlogd.daemon.sensing.time_judge import TimeJudge
from sensorlogd.daemon.sensing.treatment import Treatment
from sensorlogd.drivers.contract import Driver, DriverContext
from sensorlogd.drivers.registry import driver_class
from sensorlogd.processes.wake_pipe import WakePipe


class LiveSensor:
    """The values of a sensor as they come: ``with LiveSensor(options, base) as live: live.next(0.2)``. Opening and reading raise
    DriverError, and what a driver raises."""

    def __init__(self, options: SensorOptions, base: Path) -> None:
        self.latest: dict[str, float | None] = {}
        self.samples = 0
        self._options, self._base = options, base
        self._treatment = Treatment("live", options.channel_options(), options.heartbeat_us(), lambda *_: None)
        self._judge = TimeJudge(options.time_limits(), lambda *_: None, lambda *_: None)
        self._wake = WakePipe()
        self._driver: Driver | None = None

    def __enter__(self) -> LiveSensor:
        stop = threading.Event()
        context = DriverContext("live", self._wake.read_end, stop.wait, _now_us, lambda *_: None, lambda *_: None)
        try:
            self._driver = driver_class(self._options.driver, self._base)(self._options, context)
            self._driver.open()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._driver is not None:
            self._driver.close()
            self._driver = None
        self._wake.close()

    def next(self, seconds: float) -> bool:
        """Read for at most ``seconds``. Returns whether something new came; ``latest`` then has the newest value of each
        channel."""
        assert self._driver is not None
        got = self._driver.read(seconds)
        batch = batch_of(self._driver, got, _now_us())
        before = self.samples
        for part in self._judge.judge(batch, _now_us(), clock_set=True) if batch.times_us else []:
            for block in self._treatment.blocks(part):
                self.samples += block.rows
                self.latest |= {column.channel: column.values[-1] for column in block.columns if column.values}
        return self.samples > before


def _now_us() -> int:
    return time.time_ns() // 1000
