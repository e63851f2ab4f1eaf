"""A one-file driver that only burns CPU in Python: what a badly written driver does to all others."""

from collections.abc import Sequence

from sensorlogd.batch import Sample
from sensorlogd.config.models import SensorOptions
from sensorlogd.drivers.contract import Driver


class Busy(Driver):
    """Never delivers a reading; holds the GIL as much as Python lets it."""

    Options = SensorOptions

    def open(self) -> None:
        self.x = 0

    def read(self, timeout_s: float) -> Sequence[Sample]:
        for _ in range(200_000):
            self.x = (self.x * 1_103_515_245 + 12_345) & 0x7FFFFFFF
        return []

    def close(self) -> None:
        pass
