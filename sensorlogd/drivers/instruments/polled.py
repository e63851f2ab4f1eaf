"""Two instruments that only answer: a Winsen MH-Z19B (user manual V1.6) and a scale with MT-SICS (level 0 reference)."""

from __future__ import annotations

from sensorlogd.drivers.instruments.instrument import Channel, Instrument, Values

_ASK_CO2 = bytes.fromhex("FF0186000000000079")


def _answer_co2(request: bytes, values: Values) -> bytes | None:
    """FF 86, CO2 high and low byte, temperature plus 40, ..., complement of the sum of bytes 1 to 7 plus one."""
    if request != _ASK_CO2:
        return None
    co2 = round(values["co2"])
    body = bytes([0xFF, 0x86, co2 >> 8, co2 & 0xFF, round(values["temperature"]) + 40, 0, 0, 0])
    return body + bytes([-sum(body[1:]) & 0xFF])


def _answer_weight(request: bytes, values: Values) -> bytes | None:
    """``S S     100.00 g``: stable weight, right-aligned in ten characters."""
    if request.strip() not in (b"S", b"SI"):
        return b"ES\r\n" if request.strip() else None
    return f"S S {values['weight']:10.2f} g\r\n".encode("ascii")


def _flip_last_bit(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


MHZ19B = Instrument(
    "mhz19b",
    "Winsen MH-Z19B carbon dioxide sensor (polled)",
    {
        "co2": Channel("ppm", 1, {"random_walk": {"start": 600, "step": 10, "low": 400, "high": 5000}}),
        "temperature": Channel("°C", 1, {"constant": {"value": 22}}),
    },
    "profile: winsen-mhz19b\nport: {port}\ninterval: 1s\n",
    answer=_answer_co2,
    damage=_flip_last_bit,
)
SICS = Instrument(
    "sics",
    "laboratory scale, Mettler-Toledo MT-SICS (polled)",
    {"weight": Channel("g", 0.01, {"random_walk": {"start": 100, "step": 0.5, "low": 0, "high": 3000}})},
    "profile: mettler-sics\nport: {port}\ninterval: 1s\n",
    answer=_answer_weight,
)
