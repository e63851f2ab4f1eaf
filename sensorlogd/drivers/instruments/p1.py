"""A smart meter's P1 port (DSMR P1 companion standard 5.0.2): a telegram a second."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sensorlogd.drivers.instruments.instrument import Channel, Instrument, Values

CHANNELS = {
    "energy_t1": Channel("kWh", 0.001, {"counter": {"start": 1234.567, "step": 0.001}}),
    "energy_t2": Channel("kWh", 0.001, {"counter": {"start": 2345.678, "step": 0}}),
    "power": Channel("kW", 0.001, {"random_walk": {"start": 0.5, "step": 0.02, "low": 0, "high": 9}}),
    "power_export": Channel("kW", 0.001, {"constant": {"value": 0}}),
    "voltage_l1": Channel("V", 0.1, {"noise": {"mean": 230, "stddev": 1}}),
    "current_l1": Channel("A", 1, {"constant": {"value": 2}}),
}


def crc16(data: bytes) -> int:
    """CRC-16/ARC, bit by bit: polynomial 0x8005 reflected, start 0."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
    return crc


def build(values: Values, now_us: int) -> bytes:
    """From ``/`` to ``!`` and the CRC over all of it, in four hex digits."""
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=now_us)
    lines = (
        "/SIM5\\2P1-SIMULATOR",
        "",
        "1-3:0.2.8(50)",
        f"0-0:1.0.0({at:%y%m%d%H%M%S}W)",
        f"1-0:1.8.1({values['energy_t1']:010.3f}*kWh)",
        f"1-0:1.8.2({values['energy_t2']:010.3f}*kWh)",
        f"1-0:1.7.0({values['power']:06.3f}*kW)",
        f"1-0:2.7.0({values['power_export']:06.3f}*kW)",
        f"1-0:32.7.0({values['voltage_l1']:05.1f}*V)",
        f"1-0:31.7.0({values['current_l1']:03.0f}*A)",
    )
    telegram = "".join(f"{line}\r\n" for line in lines).encode("ascii") + b"!"
    return telegram + f"{crc16(telegram):04X}\r\n".encode("ascii")


def damage(data: bytes) -> bytes:
    """The same telegram with another last digit of its CRC."""
    return data[:-3] + (b"0" if data[-3:-2] != b"0" else b"1") + b"\r\n"


INSTRUMENT = Instrument(
    "p1",
    "smart meter, DSMR P1 telegrams",
    CHANNELS,
    "profile: dsmr-p1\nport: {port}\n",
    build,
    damage=damage,
    tail=2,
    baudrate=115200,
)
