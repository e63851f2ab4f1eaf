"""Simulated buses for the built-in drivers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sensorlogd.drivers.conformance.bus.dialects import (
    REFUSED_REGISTER,
    SILENT_REGISTER,
    Dialect,
    Lines,
    Mbus,
    ModbusAscii,
    ModbusRtu,
    ModbusTcp,
)
from sensorlogd.drivers.conformance.bus.manners import Manner
from sensorlogd.drivers.conformance.bus.running import Bus

UNITS = range(1, 6)
_ONE_PART = tuple(manner for manner in Manner if manner is not Manner.TWO_PART)
_LINES = tuple(manner for manner in Manner if manner is not Manner.REPEATING)  # a line said twice is one in two parts


def serial(seed: int, turnaround_ms: int) -> Bus:
    """Polled lines that do not say whose they are; some buses echo, with a prompt."""
    from sensorlogd.drivers.serial import SerialDriver

    echoes = seed % 3 == 0
    sensors = {
        f"u{unit}": _common_keys("serial", turnaround_ms, turnaround=False)
        | {
            "ignore_echo": echoes,
            "format": {"type": "csv", "fields": ["v"]},
            "poll": {"command": f"U{unit}?\\n", "turnaround": f"{turnaround_ms}ms"},
        }
        for unit in UNITS
    }
    expected = {(f"u{unit}", "v"): {(unit, 0), (unit, 1)} for unit in UNITS}
    dialect = Lines(b"> " if echoes else b"")
    tcp = seed % 2 == 0
    return Bus(
        SerialDriver, dialect, sensors, expected, turnaround_ms / 1000, of=_LINES, echoes=echoes, tcp=tcp, closes=seed % 8 == 2
    )


def _modbus_bus(seed: int, turnaround_ms: int, framing: str, dialect: Dialect, *, tcp: bool, closes: bool) -> Bus:
    """Five units, one with a silent register and one with a refused one, and two sensors of the first."""
    from sensorlogd.drivers.modbus import ModbusDriver

    addresses = {unit: [0, 10] for unit in UNITS}
    addresses[2] += [20, SILENT_REGISTER, SILENT_REGISTER + 2]
    addresses[3] += [REFUSED_REGISTER - 2, REFUSED_REGISTER, REFUSED_REGISTER + 2]
    echoes = not tcp and seed % 3 == 0
    common = _common_keys("modbus", turnaround_ms) | {"framing": framing, "type": "u32", "ignore_echo": echoes}
    sensors = {f"u{unit}": common | _register_keys(unit, addresses[unit]) for unit in UNITS}
    sensors["u1_too"] = common | _register_keys(1, [30, 40])  # another sensor of the same unit
    expected = {
        (name, channel): {(int(keys["unit"]), int(channel[1:]))} for name, keys in sensors.items() for channel in keys["channels"]
    }
    return Bus(
        ModbusDriver, dialect, sensors, expected, turnaround_ms / 1000, of=_ONE_PART,
        tcp=tcp, echoes=echoes, closes=closes, forgets=framing == "tcp",
    )  # fmt: skip


def modbus_rtu(seed: int, turnaround_ms: int) -> Bus:
    """Units with several registers, two sensors of one unit, a register that is never answered and one that is refused; now and then
    behind a network serial server, which may close the connection after each answer."""
    return _modbus_bus(seed, turnaround_ms, "rtu", ModbusRtu(), tcp=seed % 4 == 1, closes=seed % 8 == 5)


def modbus_ascii(seed: int, turnaround_ms: int) -> Bus:
    """The same units in the ASCII framing."""
    return _modbus_bus(seed, turnaround_ms, "ascii", ModbusAscii(), tcp=seed % 4 == 1, closes=seed % 8 == 5)


def modbus_tcp(seed: int, turnaround_ms: int) -> Bus:
    """The same units behind a TCP gateway."""
    return _modbus_bus(seed, turnaround_ms, "tcp", ModbusTcp(), tcp=True, closes=seed % 3 == 0)


def mbus(seed: int, turnaround_ms: int) -> Bus:
    """Meters with two telegrams each; now and then behind a network serial server, which may close the connection after each answer."""
    from sensorlogd.drivers.mbus import MbusDriver

    channels = {"first": {"source": "energy_wh"}, "second": {"source": "energy_wh_1"}}
    sensors = {
        f"u{unit}": _common_keys("mbus", turnaround_ms)
        | {"address": unit, "baudrate": 38400, "interval": "100ms", "channels": channels}
        for unit in UNITS
    }
    expected = {
        (f"u{unit}", field): {(unit, register)} for unit in UNITS for register, field in enumerate(("energy_wh", "energy_wh_1"))
    }
    return Bus(
        MbusDriver, Mbus(), sensors, expected, turnaround_ms / 1000, of=_ONE_PART,
        echoes=seed % 3 == 0, tcp=seed % 4 == 1, closes=seed % 8 == 5,
    )  # fmt: skip


def _common_keys(driver: str, turnaround_ms: int, *, turnaround: bool = True) -> dict[str, Any]:
    keys: dict[str, Any] = {"driver": driver, "shared": True, "interval": "5ms"}
    return keys | ({"turnaround": f"{turnaround_ms}ms"} if turnaround else {})


def _register_keys(unit: int, addresses: list[int]) -> dict[str, Any]:
    return {"unit": unit, "channels": {f"r{address}": {"address": address} for address in addresses}}


KINDS: Mapping[str, Callable[[int, int], Bus]] = {
    "serial": serial, "modbus-rtu": modbus_rtu, "modbus-ascii": modbus_ascii, "modbus-tcp": modbus_tcp, "mbus": mbus,
}  # fmt: skip
