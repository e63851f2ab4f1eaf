"""Pretend instruments: they build what real ones send, written from the protocols and independently of the parsers.

One file a protocol; ``INSTRUMENTS`` lists them. A builder is pure: values in, bytes out. What cannot be said exactly in
the protocol's digits is rounded first (``Instrument.rounded``), so that the true values are those that were sent.
"""

from __future__ import annotations

from sensorlogd.drivers.instruments import csv, modbus, nmea, p1, pms, polled, vedirect
from sensorlogd.drivers.instruments.instrument import Instrument as Instrument

INSTRUMENTS: dict[str, Instrument] = {
    instrument.name: instrument
    for instrument in (
        csv.INSTRUMENT,
        nmea.INSTRUMENT,
        pms.INSTRUMENT,
        vedirect.INSTRUMENT,
        p1.INSTRUMENT,
        modbus.INSTRUMENT,
        polled.MHZ19B,
        polled.SICS,
    )
}
