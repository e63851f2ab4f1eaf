"""The ``nmea`` driver: GNSS receivers and marine instruments on a serial port or a network socket."""

from __future__ import annotations

from collections.abc import Sequence

from sensorlogd.batch import Batch, Sample
from sensorlogd.drivers.contract import Driver, DriverContext
from sensorlogd.drivers.nmea.options import NmeaOptions
from sensorlogd.drivers.serial.gaps import GapClock, gap_s
from sensorlogd.drivers.serial.shared import port_for


class NmeaDriver(Driver):
    """Reads one receiver or instrument; see the module."""

    Options = NmeaOptions
    summary = "GNSS receivers and marine instruments: NMEA 0183 and u-blox UBX"

    def __init__(self, options: NmeaOptions, context: DriverContext) -> None:
        from sensorlogd.drivers.nmea.decoder import NmeaDecoder  # the library for UBX is not needed to check a configuration

        super().__init__(options, context)
        self.transport = port_for(options, context)
        self.decoder = NmeaDecoder(options, context.count, midway=True)
        self.gaps = GapClock(self.transport, gap_s(options))
        self.bytes_seen = 0

    def open(self) -> None:
        self.transport.open()

    def read(self, timeout_s: float) -> Batch | Sequence[Sample]:
        """The readings of the sentences and UBX messages in what has arrived, or that a pause completes. Empty when
        woken."""
        arrived = self.gaps.read(timeout_s)
        if arrived is None:
            return []
        now_us, data, quiet = arrived
        self.bytes_seen += len(data)
        if quiet:
            return self.decoder.idle(now_us) or []
        return (self.decoder.feed(data, now_us) if data else None) or []

    def close(self) -> None:
        self.decoder.idle(self.context.now_us())  # what never came to an end is counted at last
        self.transport.close()
