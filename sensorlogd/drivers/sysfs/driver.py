"""The ``sysfs`` driver: files of the kernel, each of which holds one number, read every interval.

Units by the kernel's own rules: where a file's name tells them, the value is converted (millidegrees to °C, microvolts to V);
``scale`` of a file overrides that. ``sensorlogd sources`` lists what a machine has.
"""

from __future__ import annotations

import glob
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import Field, model_validator

from sensorlogd.batch import Batch, Sample
from sensorlogd.config.models import ChannelOptions, DurationUs, Finite, Name, Section, SensorOptions
from sensorlogd.drivers.contract import Driver, DriverContext, DriverError
from sensorlogd.drivers.sysfs.rules import CLASSES, folders, rule_for
from sensorlogd.drivers.sysfs.values import read_value

SYS = Path("/sys")


class FileOptions(Section):
    """One file with one number."""

    path: str = Field(
        min_length=1,
        description="/sys/..., where * may stand for what changes between boots; or hwmon:CHIP/FILE, likewise "
        f"{', '.join(CLASSES[1:])}",
    )
    scale: Finite | None = Field(None, description="default: by the kernel's rules for the file's name")


class SysfsOptions(SensorOptions):
    """Keys of ``driver: sysfs``."""

    interval: DurationUs | None = Field(10_000_000, ge=1_000, description="time between two readings")
    files: Mapping[Name, FileOptions | str] = Field(min_length=1, description="name: path")
    channels: Mapping[Name, ChannelOptions] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _consistent(self) -> SysfsOptions:
        if not self.interval:
            raise ValueError("interval: say how often the files are read, e.g. 10s")
        for name in self.files:
            path = self.file(name).path
            kind = path.partition(":")[0]
            if not path.startswith("/") and (kind not in CLASSES or "/" not in path.partition(":")[2]):
                raise ValueError(
                    f"files.{name}: {path!r} is neither an absolute path nor CLASS:CHIP/FILE; 'sensorlogd sources' shows both"
                )
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
        """Every file is a channel; its unit and kind are known by the kernel's rules unless the configuration says them."""
        chosen = dict(self.channels) or {name: ChannelOptions() for name in self.files}
        for name, channel in chosen.items():
            file = self.file(channel.source or name)
            rule = rule_for(file.path)
            if rule is None:
                continue
            update: dict[str, object] = {}
            if "unit" not in channel.model_fields_set and file.scale is None:
                update["unit"] = rule.unit
            if "kind" not in channel.model_fields_set:
                update["kind"] = rule.kind
            chosen[name] = channel.model_copy(update=update)
        return chosen


class SysfsDriver(Driver):
    """Reads its files every interval; see the module."""

    Options = SysfsOptions
    summary = "what the kernel measures: hwmon, IIO, 1-Wire, thermal zones, power supplies"
    waits = True

    def __init__(self, options: SysfsOptions, context: DriverContext) -> None:
        super().__init__(options, context)
        self.options: SysfsOptions = options
        self._wanted = sorted({channel.source or name for name, channel in options.channel_options().items()})
        self._found: dict[str, tuple[Path, float]] = {}
        self._due = 0.0

    def open(self) -> None:
        """Find the files. Those that are not there are counted as ``missing_files``. Raises DriverError if none is there, or if a pattern
        fits several."""
        self._due = time.monotonic()
        missing = [f"{name} ({self.options.file(name).path})" for name in self._wanted if not self._locate(name)]
        if not self._found:
            raise DriverError(f"none of the files is there: {', '.join(missing)}", "'sensorlogd sources' lists what there is")
        for name in missing:
            self.context.count("missing_files", 1, name)

    def _locate(self, name: str) -> bool:
        """Look where a file is now. Raises DriverError for several."""
        entry = self.options.file(name)
        kind, _, rest = entry.path.partition(":")
        if entry.path.startswith("/"):
            paths = sorted(glob.glob(entry.path))
        else:
            chip, _, file = rest.partition("/")
            paths = [str(folder / file) for folder in folders(kind, chip, SYS) if (folder / file).exists()]
        if len(paths) > 1:
            raise DriverError(f"{name}: {entry.path} is {len(paths)} files", f"name one of {', '.join(paths[:4])}")
        if paths:
            rule = rule_for(paths[0])
            self._found[name] = (
                Path(paths[0]),
                entry.scale if entry.scale is not None else rule.scale if rule is not None else 1.0,
            )
        return bool(paths)

    def read(self, timeout_s: float) -> Batch | Sequence[Sample]:
        """One sample of all files that can be read, times their scale, when the interval has passed; intervals that were missed are left
        out. A file that cannot be read is counted as ``bad_values`` and looked for anew at the next reading, since what is plugged in
        again may have another number. Raises DriverError if no file can be read."""
        wait = self._due - time.monotonic()
        if wait > 0 and (self.context.wait(min(wait, max(timeout_s, 0))) or wait > timeout_s):
            return []
        interval = (self.options.interval or 1) / 1e6
        self._due += (max((time.monotonic() - self._due) // interval, 0) + 1) * interval
        now_us = self.context.now_us()
        values: dict[str, float] = {}
        failed = []
        for name in self._wanted:
            if self.context.wait(0):
                return []  # a 1-Wire thermometer takes 0.75 s
            if name not in self._found and not self._locate(name):
                continue
            path, scale = self._found[name]
            try:
                values[name] = read_value(path, scale)
            except (OSError, ValueError) as error:
                failed.append(f"{path}: {getattr(error, 'strerror', None) or error}")
                self.context.count("bad_values", 1, failed[-1])
                if isinstance(error, OSError):
                    del self._found[name]  # plugged in again it may have another number
        if failed and not values:
            raise DriverError(failed[0])
        if not values:
            raise DriverError("none of the files is there any longer", "'sensorlogd sources' lists what there is")
        return [Sample(now_us, values)]

    def close(self) -> None:
        self._found = {}
