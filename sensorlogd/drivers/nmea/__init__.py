"""GNSS receivers and marine instruments: NMEA 0183 sentences and u-blox UBX frames, mixed in one stream."""

from sensorlogd.drivers.nmea.driver import NmeaDriver as NmeaDriver
