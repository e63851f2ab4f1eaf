"""A Modbus RTU slave, unit 1, with input registers (Modbus over serial line V1.02, application protocol V1.1b3)."""

from __future__ import annotations

import struct

from sensorlogd.drivers.instruments.instrument import Channel, Instrument, Values

UNIT = 1
CHANNELS = {
    "voltage": Channel("V", 0.1, {"noise": {"mean": 230, "stddev": 1}}),
    "temperature": Channel("°C", 0.1, {"sine": {"offset": 5, "amplitude": 20, "period": 600_000_000}}),
    "energy": Channel("kWh", 0.001, {"counter": {"start": 1000, "step": 0.001}}),
}
ILLEGAL_FUNCTION, ILLEGAL_ADDRESS, ILLEGAL_VALUE = 1, 2, 3


def crc(data: bytes) -> bytes:
    """CRC-16/MODBUS, low byte first."""
    total = 0xFFFF
    for byte in data:
        total ^= byte
        for _ in range(8):
            total = total >> 1 ^ (0xA001 if total & 1 else 0)
    return total.to_bytes(2, "little")


def registers(values: Values) -> list[int]:
    """0: voltage in 0.1 V; 1: temperature in 0.1 °C, signed; 2 and 3: energy in Wh, high word first."""
    energy = round(values["energy"] * 1000)
    return [round(values["voltage"] * 10), round(values["temperature"] * 10) & 0xFFFF, energy >> 16 & 0xFFFF, energy & 0xFFFF]


def answer(request: bytes, values: Values) -> bytes | None:
    """The answer to a request for holding (3) or input (4) registers; an exception for other functions; None for other units and
    damaged requests."""
    if len(request) != 8 or request[0] != UNIT or crc(request[:-2]) != request[-2:]:
        return None
    function, address, count = struct.unpack(">BHH", request[1:6])
    table = registers(values)
    if function not in (3, 4):
        body = bytes([UNIT, function | 0x80, ILLEGAL_FUNCTION])
    elif not 1 <= count <= 125:
        body = bytes([UNIT, function | 0x80, ILLEGAL_VALUE])
    elif address + count > len(table):
        body = bytes([UNIT, function | 0x80, ILLEGAL_ADDRESS])
    else:
        body = struct.pack(f">BBB{count}H", UNIT, function, 2 * count, *table[address : address + count])
    return body + crc(body)


def damage(data: bytes) -> bytes:
    """The same frame with one wrong bit in its CRC."""
    return data[:-1] + bytes([data[-1] ^ 1])


INSTRUMENT = Instrument(
    "modbus-rtu",
    "Modbus RTU slave, unit 1: three quantities in input registers 0 to 3",
    CHANNELS,
    "driver: modbus\nport: {port}\nunit: 1\ninterval: 1s\nfunction: input\nchannels:\n"
    "  voltage: {{address: 0, type: u16, scale: 0.1, unit: V}}\n"
    "  temperature: {{address: 1, type: i16, scale: 0.1, unit: °C}}\n"
    "  energy: {{address: 2, type: u32, scale: 0.001, unit: kWh, kind: counter}}\n",
    answer=answer,
    damage=damage,
)
