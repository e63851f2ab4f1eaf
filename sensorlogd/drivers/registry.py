"""Which driver a name means: built in, registered by an installed package, or one file.

- ``serial``, ``simulated``: built in.
- any name under the entry-point group ``sensorlogd.drivers`` of an installed package.
- ``/etc/sensorlogd/drivers/acme.py:Acme``: a class in a file, which must not be writable by group or others, because the
  daemon runs what it finds there.
"""

from __future__ import annotations

import importlib
import importlib.util
import stat
import sys
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType

from sensorlogd.config import light
from sensorlogd.config.loader import DriverUnavailable
from sensorlogd.config.models import SensorOptions
from sensorlogd.config.validation.names import closest
from sensorlogd.drivers.contract import Driver

GROUP = "sensorlogd.drivers"
BUILT_IN = {
    "command": "sensorlogd.drivers.command:CommandDriver",
    "mbus": "sensorlogd.drivers.mbus:MbusDriver",
    "modbus": "sensorlogd.drivers.modbus:ModbusDriver",
    "nmea": "sensorlogd.drivers.nmea:NmeaDriver",
    "replay": "sensorlogd.drivers.replay:ReplayDriver",
    "sysfs": "sensorlogd.drivers.sysfs:SysfsDriver",
    "serial": "sensorlogd.drivers.serial:SerialDriver",
    "simulated": "sensorlogd.drivers.simulated:SimulatedDriver",
}


# What a built-in driver needs beside the base installation: the module, and the extra that brings it.
NEEDED = {"modbus": ("pymodbus", "modbus"), "mbus": ("meterbus", "mbus")}


def names() -> list[str]:
    """Every driver that can be named without a path, sorted."""
    return sorted({*BUILT_IN, *_registered()})


@cache
def _registered() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}


def driver_class(name: str, folder: Path) -> type[Driver]:
    """The driver that ``name`` means; ``folder`` is what a relative file is relative to.

    Raises ValueError for a name nobody knows, DriverUnavailable for a driver that cannot be loaded.
    """
    if name in BUILT_IN:
        module, _, attribute = BUILT_IN[name].partition(":")
        return _checked(name, getattr(importlib.import_module(module), attribute))
    if ".py:" in name:
        return _from_file(name, folder)
    entry = _registered().get(name)
    if entry is None:
        raise ValueError(
            f"unknown driver {name!r}{closest(name, names())}; known: {', '.join(names())}, or a file as /path/driver.py:Class"
        )
    try:
        found = entry.load()
    except Exception as error:  # third-party code: whatever it raises concerns its own sensors only
        raise DriverUnavailable(f"driver {name!r} ({entry.value}) cannot be loaded: {type(error).__name__}: {error}") from error
    return _checked(name, found)


def options_for(name: str, folder: Path) -> type[SensorOptions]:
    """The options model of a driver that can be used here; what the configuration loader asks for. Raises as ``driver_class``."""
    module, extra = NEEDED.get(name, ("", ""))
    if module and importlib.util.find_spec(module) is None:
        raise DriverUnavailable(
            f"driver {name!r} needs the Python package {module}, which is not installed; install it: pip install 'sensorlogd[{extra}]'"
        )
    return driver_class(name, folder).Options


def _from_file(name: str, folder: Path) -> type[Driver]:
    text, _, attribute = name.rpartition(":")
    file = light.resolve(text, folder)
    try:
        mode = file.stat().st_mode
    except OSError as error:
        raise DriverUnavailable(f"driver file {file}: {error.strerror}") from error
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise DriverUnavailable(f"driver file {file} is writable by others than its owner; chmod go-w {file}")
    module = _load(file)
    found = getattr(module, attribute, None)
    if found is None:
        raise DriverUnavailable(f"driver file {file} has no class {attribute!r}")
    return _checked(name, found)


@cache
def _load(file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"sensorlogd_driver_{file.stem}_{abs(hash(file)):x}", file)
    if spec is None or spec.loader is None:
        raise DriverUnavailable(f"driver file {file} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # pydantic resolves annotations through the module
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # whatever the file does wrong concerns its own sensors only
        del sys.modules[spec.name]
        raise DriverUnavailable(f"driver file {file} cannot be loaded: {type(error).__name__}: {error}") from error
    return module


def _checked(name: str, found: object) -> type[Driver]:
    if not (isinstance(found, type) and issubclass(found, Driver)):
        raise DriverUnavailable(f"driver {name!r} is not a subclass of sensorlogd.drivers.contract.Driver")
    options = getattr(found, "Options", None)
    if not (isinstance(options, type) and issubclass(options, SensorOptions)):
        raise DriverUnavailable(f"driver {name!r} has no Options model that extends SensorOptions")
    return found
