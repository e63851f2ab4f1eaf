"""The ``nmea`` driver: GNSS receivers and marine instruments on a serial port or a network socket."""

from __future__ import annotations

import time
from collections.abc import Sequence

from sensorlogd.batch import Batch, Sample
from sensorlogd.drivers.contract import Driver, DriverContext
from sensorlogd.drivers.nmea.options import NmeaOptions
from sensorlogd.drivers.serial.shared import port_for

QUIET_S = 1.0  # no device pauses so long in the middle of a frame


class NmeaDriver(Driver):
    """See the module."""

    Options = NmeaOptions
    summary = "GNSS receivers and marine instruments: NMEA 0183 and u-blox UBX"

    def __init__(self, options: NmeaOptions, context: DriverContext) -> None:
        from sensorlogd.drivers.nmea.decoder import NmeaDecoder  # the library for UBX is not needed to check a configuration

        super().__init__(options, context)
        self.transport = port_for(options, context)
        self.decoder = NmeaDecoder(options, context.count)
        self.bytes_seen = 0
        self._heard = time.monotonic()

    def open(self) -> None:
        self.transport.open()

    def read(self, timeout_s: float) -> Batch | Sequence[Sample]:
        arrived = self.transport.read(timeout_s)
        if arrived is None:
            return []
        now_us, data = arrived
        self.bytes_seen += len(data)
        if data:
            self._heard = time.monotonic()
            return self.decoder.feed(data, now_us) or []
        if time.monotonic() - self._heard > QUIET_S:
            return self.decoder.idle(now_us) or []
        return []

    def close(self) -> None:
        self.transport.close()
