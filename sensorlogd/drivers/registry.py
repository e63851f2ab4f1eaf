"""Finds the driver of a name: built in, registered by an installed package, or a file.

- ``serial``, ``simulated``: built in.
- any name under the entry-point group ``sensorlogd.drivers`` of an installed package.
- ``/etc/sensorlogd/drivers/acme.py:Acme``: a class in a file (see ``driver_files``).
"""

from __future__ import annotations

import importlib
import importlib.util
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType

from sensorlogd import extras
from sensorlogd.config import light
from sensorlogd.config.loader import DriverUnavailable
from sensorlogd.config.models import SensorOptions
from sensorlogd.config.validation.names import closest
from sensorlogd.drivers import driver_files
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
NEEDED = {"mbus": ("meterbus", "mbus")}


def names() -> list[str]:
    """Every driver that can be named without a path, sorted."""
    return sorted({*BUILT_IN, *_entry_points()})


@cache
def _entry_points() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}


def driver_class(name: str, folder: Path, options: SensorOptions | None = None) -> type[Driver]:
    """The driver called ``name``. ``folder``: what a relative path of a file is relative to.

    A file is read anew if it has changed. With ``options`` it is not: the class is the one that they were validated with.
    Raises ValueError for a name nobody knows, DriverUnavailable for a driver that cannot be loaded.
    """
    if name in BUILT_IN:
        module, _, attribute = BUILT_IN[name].partition(":")
        return _check_class(name, getattr(importlib.import_module(module), attribute))
    if ".py:" in name:
        return (_class_with_options(name, folder, type(options)) if options is not None else None) or _class_in_file(name, folder)
    entry = _entry_points().get(name)
    if entry is None:
        raise ValueError(
            f"unknown driver {name!r}{closest(name, names())}; known: {', '.join(names())}, or a file as /path/driver.py:Class"
        )
    try:
        found = entry.load()
    except Exception as error:  # third-party code: whatever it raises concerns its own sensors only
        raise DriverUnavailable(f"driver {name!r} ({entry.value}) cannot be loaded: {type(error).__name__}: {error}") from error
    return _check_class(name, found)


def options_for(name: str, folder: Path) -> type[SensorOptions]:
    """The options model of a driver that is available here; used by the configuration loader. Raises the same as
    ``driver_class``."""
    module, extra = NEEDED.get(name, ("", ""))
    if module and importlib.util.find_spec(module) is None:
        raise DriverUnavailable(
            f"driver {name!r} needs the Python package {module}, which is not installed; install it: {extras.advice(extra)}"
        )
    return driver_class(name, folder).Options


def _class_in_file(name: str, folder: Path) -> type[Driver]:
    text, _, attribute = name.rpartition(":")
    file = light.resolve(text, folder)
    module = driver_files.load(file)
    found = getattr(module, attribute, None)
    if found is None:
        drivers = _drivers_of(module)
        others = (
            f"{closest(attribute, drivers)}; its drivers: {', '.join(drivers)}" if drivers else ", nor any other that is a driver"
        )
        raise DriverUnavailable(f"driver file {file} has no class {attribute!r}{others}")
    return _check_class(name, found)


def _drivers_of(module: ModuleType) -> list[str]:
    """The names of the drivers that a file defines itself, as it names them; what it imports from sensorlogd does not count."""
    return [
        name
        for name, member in vars(module).items()
        if isinstance(member, type) and issubclass(member, Driver) and member.__module__ == module.__name__
    ]


def _class_with_options(name: str, folder: Path, options: type[SensorOptions]) -> type[Driver] | None:
    """The class of that name that these options belong to, among all versions of the file that were loaded; the newest first."""
    text, _, attribute = name.rpartition(":")
    for module in driver_files.forms(light.resolve(text, folder)):
        found = getattr(module, attribute, None)
        if isinstance(found, type) and issubclass(found, Driver) and options in found.Options.variants():
            return found
    return None


def _check_class(name: str, found: object) -> type[Driver]:
    """``found``, if it is the class of a driver. Raises DriverUnavailable."""
    if not (isinstance(found, type) and issubclass(found, Driver)):
        raise DriverUnavailable(
            f"driver {name!r} is not a subclass of sensorlogd.drivers.contract.Driver; write class NAME(Driver)"
        )
    options = getattr(found, "Options", None)
    if not (isinstance(options, type) and issubclass(options, SensorOptions)):
        raise DriverUnavailable(
            f"driver {name!r} has no Options model that extends SensorOptions; write Options = YourOptions in its class"
        )
    return found
