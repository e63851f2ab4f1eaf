"""A Victron battery monitor (VE.Direct protocol rev 3.33, text mode): a block a second."""

from __future__ import annotations

from sensorlogd.drivers.instruments.instrument import Channel, Instrument, Values

# channel: (label, what one digit is worth)
_FIELDS = {
    "voltage": ("V", 0.001),
    "current": ("I", 0.001),
    "power": ("P", 1),
    "consumed": ("CE", 0.001),
    "state_of_charge": ("SOC", 0.1),
    "time_to_go": ("TTG", 1),
}
CHANNELS = {
    "voltage": Channel("V", 0.001, {"sine": {"offset": 12.8, "amplitude": 0.4, "period": 600_000_000, "noise": 0.01}}),
    "current": Channel("A", 0.001, {"random_walk": {"start": -2, "step": 0.1, "low": -50, "high": 50}}),
    "power": Channel("W", 1, {"random_walk": {"start": -26, "step": 1, "low": -600, "high": 600}}),
    "consumed": Channel("Ah", 0.001, {"ramp": {"low": 0, "high": -100, "period": 3_600_000_000}}),
    "state_of_charge": Channel("%", 0.1, {"ramp": {"low": 100, "high": 10, "period": 3_600_000_000}}),
    "time_to_go": Channel("min", 1, {"constant": {"value": 240}}),
}


def build(values: Values, now_us: int) -> bytes:
    """CR LF, label, tab, value for each; then ``Checksum`` and the byte that makes the sum of all bytes zero."""
    lines = [b"\r\nPID\t0x203"]
    lines += [f"\r\n{label}\t{round(values[name] / worth)}".encode("ascii") for name, (label, worth) in _FIELDS.items()]
    block = b"".join(lines) + b"\r\nChecksum\t"
    return block + bytes([-sum(block) & 0xFF])


def damage(data: bytes) -> bytes:
    """The same block with another last byte."""
    return data[:-1] + bytes([data[-1] ^ 0x55])


INSTRUMENT = Instrument(
    "vedirect",
    "Victron BMV battery monitor, VE.Direct text mode",
    CHANNELS,
    "profile: victron-vedirect\nport: {port}\n",
    build,
    damage=damage,
    baudrate=19200,
)
