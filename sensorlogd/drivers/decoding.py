"""Finds the decoder for a sensor's bytes: for recorded bytes, and for showing bytes beside their meaning."""

from __future__ import annotations

from typing import Protocol

from sensorlogd.batch import Batch
from sensorlogd.config.models import SensorOptions
from sensorlogd.drivers.contract import Count


class Decoder(Protocol):
    """Makes samples of bytes; see ``drivers.serial.decoders``."""

    def feed(self, data: bytes, now_us: int) -> Batch | None: ...

    def idle(self, now_us: int = 0) -> Batch | None: ...


def decoder_of(options: SensorOptions, count: Count) -> Decoder | None:
    """The decoder of a sensor. None for drivers whose bytes mean nothing without the question (Modbus), and for those that read
    no port."""
    from sensorlogd.drivers.serial.options import LineOptions

    if isinstance(options, LineOptions):
        from sensorlogd.drivers.serial.decoders import decoder_for

        return decoder_for(options, count)
    from sensorlogd.drivers.nmea.options import NmeaDecoding

    if isinstance(options, NmeaDecoding):
        from sensorlogd.drivers.nmea.decoder import NmeaDecoder

        return NmeaDecoder(options, count)
    return None
