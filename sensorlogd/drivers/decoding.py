"""What a decoder is, and the one for a sensor's bytes: for recorded bytes, and for showing bytes beside their meaning."""

from __future__ import annotations

from typing import Protocol

from sensorlogd.batch import Batch
from sensorlogd.config.models import SensorOptions
from sensorlogd.drivers.contract import Count


class Decoder(Protocol):
    """Makes samples of bytes. However the bytes are cut, the samples are the same."""

    def feed(self, data: bytes, now_us: int) -> Batch | None:
        """The samples that ``data``, which arrived at ``now_us`` (µs UTC), completes; None if it completes none."""

    def idle(self, now_us: int = 0) -> Batch | None:
        """Nothing came for longer than a unit could pause (``drivers.serial.gaps``), or the next bytes answer a new question: what is
        unfinished is counted as ``cut_short`` and forgotten, what silence completes is returned."""


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
