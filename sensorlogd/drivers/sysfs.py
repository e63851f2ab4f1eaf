"""The ``sysfs`` driver: what the kernel measures already: hwmon, IIO, 1-Wire thermometers, thermal zones, power supplies.

Every file named in ``files:`` holds one number. Units by the kernel's own rules (Documentation/ABI/testing/sysfs-class-hwmon,
sysfs-bus-iio, sysfs-class-thermal; w1_therm): where a name tells them, the value is converted (millidegrees to °C, millivolts
to V); ``scale`` of a file overrides that. ``sensorlogd sources`` lists what a machine has.
"""

from __future__ import annotations

import glob
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field, model_validator

from sensorlogd.batch import Batch, Sample
from sensorlogd.config.models import ChannelOptions, DurationUs, Name, Section, SensorOptions
from sensorlogd.drivers.contract import Driver, DriverContext, DriverError
from sensorlogd.scaling import divisor


@dataclass(frozen=True, slots=True)
class Rule:
    """Files whose path ends like ``pattern`` hold ``unit`` times ``1/scale``."""

    pattern: re.Pattern[str]
    unit: str
    scale: float


_RULES = [
    Rule(re.compile(pattern), unit, scale)
    for pattern, unit, scale in (
        (r"/w1_slave$", "°C", 0.001),
        (r"/thermal_zone\d+/temp$", "°C", 0.001),
        (r"/hwmon\d+/temp\d+_input$", "°C", 0.001),
        (r"/w1/devices/[^/]+/temperature$", "°C", 0.001),
        (r"/hwmon\d+/in\d+_input$", "V", 0.001),
        (r"/hwmon\d+/curr\d+_input$", "A", 0.001),
        (r"/hwmon\d+/power\d+_(?:input|average)$", "W", 0.000001),
        (r"/hwmon\d+/energy\d+_input$", "J", 0.000001),
        (r"/hwmon\d+/humidity\d+_input$", "%", 0.001),
        (r"/hwmon\d+/fan\d+_input$", "1/min", 1.0),
        (r"/in_temp(?:\d*|_[a-z]+)_input$", "°C", 0.001),
        (r"/in_humidityrelative(?:\d*)_input$", "%", 0.001),
        (r"/in_pressure(?:\d*)_input$", "kPa", 1.0),
        (r"/in_illuminance(?:\d*)_input$", "lx", 1.0),
        (r"/in_voltage\d+_input$", "V", 0.001),
        (r"/power_supply/[^/]+/voltage_now$", "V", 0.000001),
        (r"/power_supply/[^/]+/current_now$", "A", 0.000001),
        (r"/power_supply/[^/]+/capacity$", "%", 1.0),
        (r"/cpufreq/scaling_cur_freq$", "kHz", 1.0),
    )
]
_PLACES = (
    "/sys/class/hwmon/hwmon*/*_input",
    "/sys/class/hwmon/hwmon*/*_average",
    "/sys/class/thermal/thermal_zone*/temp",
    "/sys/bus/w1/devices/*/w1_slave",
    "/sys/bus/w1/devices/*/temperature",
    "/sys/bus/iio/devices/iio:device*/in_*_input",
    "/sys/class/power_supply/*/voltage_now",
    "/sys/class/power_supply/*/capacity",
)
_W1 = re.compile(r"crc=[0-9a-f]{2} (YES|NO).*t=(-?\d+)", re.DOTALL)
_W1_POWER_ON_C = 85.0  # a DS18B20 that was not yet asked says 85 °C (datasheet, "power-on reset value")


class FileOptions(Section):
    """One file with one number."""

    path: str = Field(min_length=1, description="may hold * where numbers change between boots; must then match one file")
    scale: float | None = Field(None, description="default: by the kernel's rules for the file's name")


class SysfsOptions(SensorOptions):
    """Keys of ``driver: sysfs``."""

    interval: DurationUs | None = Field(10_000_000, ge=1_000, description="time between two readings")
    files: Mapping[Name, FileOptions | str] = Field(min_length=1, description="name: path")
    channels: Mapping[Name, ChannelOptions] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _consistent(self) -> SysfsOptions:
        if not self.interval:
            raise ValueError("interval: say how often the files are read, e.g. 10s")
        for name, channel in self.channels.items():
            if (channel.source or name) not in self.files:
                raise ValueError(
                    f"channels.{name}: there is no file {channel.source or name!r}; there are {', '.join(self.files)}"
                )
        return self

    def file(self, name: str) -> FileOptions:
        """Written short, a path is all."""
        entry = self.files[name]
        return FileOptions(path=entry) if isinstance(entry, str) else entry

    def channel_options(self) -> dict[str, ChannelOptions]:
        """Every file is a channel; its unit is known by the kernel's rules unless the configuration says it."""
        chosen = dict(self.channels) or {name: ChannelOptions() for name in self.files}
        for name, channel in chosen.items():
            rule = rule_for(self.file(channel.source or name).path)
            if rule is not None and "unit" not in channel.model_fields_set:
                chosen[name] = channel.model_copy(update={"unit": rule.unit})
        return chosen


def rule_for(path: str) -> Rule | None:
    """What the kernel says a file of this name holds; ``*`` stands for a number."""
    concrete = path.replace("*", "0")
    return next((rule for rule in _RULES if rule.pattern.search(concrete)), None)


class SysfsDriver(Driver):
    """See the module."""

    Options = SysfsOptions
    summary = "what the kernel measures: hwmon, IIO, 1-Wire, thermal zones"

    def __init__(self, options: SysfsOptions, context: DriverContext) -> None:
        super().__init__(options, context)
        self.options: SysfsOptions = options
        self._paths: dict[str, tuple[Path, float]] = {}
        self._due = 0.0

    def open(self) -> None:
        self._due = time.monotonic()
        wanted = {channel.source or name for name, channel in self.options.channel_options().items()}
        missing = []
        for name in sorted(wanted):
            entry = self.options.file(name)
            found = sorted(glob.glob(entry.path))
            if len(found) > 1:
                raise DriverError(f"{name}: {entry.path} matches {len(found)} files", f"name one of {', '.join(found[:4])}")
            if not found:
                missing.append(f"{name} ({entry.path})")
                continue
            rule = rule_for(found[0])
            scale = entry.scale if entry.scale is not None else rule.scale if rule is not None else 1.0
            self._paths[name] = (Path(found[0]), scale)
        if not self._paths:
            raise DriverError(f"none of the files is there: {', '.join(missing)}", "'sensorlogd sources' lists what there is")
        for name in missing:
            self.context.count("missing_files", 1, name)

    def read(self, timeout_s: float) -> Batch | Sequence[Sample]:
        wait = self._due - time.monotonic()
        if wait > 0 and (self.context.wait(min(wait, timeout_s)) or wait > timeout_s):
            return []
        interval = (self.options.interval or 1) / 1e6
        self._due += (max((time.monotonic() - self._due) // interval, 0) + 1) * interval
        values = {}
        failed = []
        for name, (path, scale) in self._paths.items():
            try:
                values[name] = read_number(path, scale)
            except (OSError, ValueError) as error:
                failed.append(f"{path}: {error}")
                self.context.count("bad_values", 1, failed[-1])
        if not values:
            raise DriverError(failed[0])
        return [Sample(self.context.now_us(), values)]

    def close(self) -> None:
        self._paths = {}


def read_number(path: Path, scale: float) -> float:
    """The scaled number in a file. Raises OSError, or ValueError for content that is no number (or a bad 1-Wire CRC)."""
    text = path.read_text()
    if path.name == "w1_slave":
        match = _W1.search(text)
        if match is None or match[1] != "YES":
            raise ValueError("the 1-Wire CRC is wrong")
        text = match[2]
    by = divisor(scale)
    value = float(text.strip()) / by if by is not None else float(text.strip()) * scale
    if "w1" in path.parts and value == _W1_POWER_ON_C:
        raise ValueError("85 °C is what a thermometer says that has just been powered")
    return value


def sources() -> list[dict[str, str]]:
    """What this machine's kernel measures: path, value, unit, name of the chip."""
    rows = []
    for place in _PLACES:
        for found in sorted(glob.glob(place)):
            rule = rule_for(found)
            try:
                shown = f"{read_number(Path(found), rule.scale if rule else 1.0):g}"
            except (OSError, ValueError) as error:
                shown = f"- ({error})"
            rows.append({"path": found, "value": shown, "unit": rule.unit if rule else "", "name": _chip(Path(found))})
    return rows


def _chip(path: Path) -> str:
    for name in ("name", "type"):
        try:
            return (path.parent / name).read_text().strip()
        except OSError:
            continue
    return ""
