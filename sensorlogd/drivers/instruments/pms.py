"""A Plantower PMS5003 in active mode (series data manual V2.3, appendix I)."""

from __future__ import annotations

import struct

from sensorlogd.drivers.instruments.instrument import Channel, Instrument, Values

_PARTICLES = ("pm1_cf1", "pm25_cf1", "pm10_cf1", "pm1", "pm25", "pm10")
_COUNTS = ("n0_3", "n0_5", "n1_0", "n2_5", "n5_0", "n10_0")  # a tenth of a litre holds a hundred times a cm³
CHANNELS = {
    **{
        name: Channel("µg/m³", 1, {"random_walk": {"start": 5 + 3 * index, "step": 1, "low": 0, "high": 500}})
        for index, name in enumerate(_PARTICLES)
    },
    **{
        name: Channel("1/cm³", 0.01, {"random_walk": {"start": 12 / (index + 1), "step": 0.1, "low": 0, "high": 600}})
        for index, name in enumerate(_COUNTS)
    },
}


def build(values: Values, now_us: int) -> bytes:
    """42 4D, length 28, twelve words, version and error byte, sum of all bytes before it."""
    words = [round(values[name]) for name in _PARTICLES] + [round(values[name] * 100) for name in _COUNTS]
    body = b"\x42\x4d" + struct.pack(">H12HBB", 28, *words, 0x97, 0)
    return body + struct.pack(">H", sum(body) & 0xFFFF)


def damage(data: bytes) -> bytes:
    """The same frame with a sum that is off by one."""
    return data[:-1] + bytes([data[-1] ^ 1])


INSTRUMENT = Instrument(
    "pms",
    "Plantower PMS5003 particulate matter sensor",
    CHANNELS,
    "profile: plantower-pms5003\nport: {port}\n",
    build,
    damage=damage,
)
