"""The result of loading: a whole configuration with every default filled in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from sensorlogd.config import light
from sensorlogd.config.models.daemon import DaemonOptions, StorageOptions
from sensorlogd.config.models.retention import RetentionOptions
from sensorlogd.config.models.sensors import SensorOptions
from sensorlogd.config.models.web import WebOptions
from sensorlogd.notation.durations import format_duration

if TYPE_CHECKING:
    from sensorlogd.config.alarms import AlarmOptions, TargetOptions
    from sensorlogd.config.care import BackupOptions, HeartbeatOptions
    from sensorlogd.config.prices import PriceOptions


@dataclass(frozen=True, slots=True)
class Config:
    """A whole configuration that was found valid.

    ``failed_sensors``: sensor -> why its driver cannot be loaded; only those are out of service. ``base_dir``: the folder that
    relative paths start from. ``text``: the configuration as one self-contained file, see ``snapshot``.
    """

    path: Path
    base_dir: Path
    daemon: DaemonOptions = field(default_factory=DaemonOptions)
    storage: StorageOptions = field(default_factory=StorageOptions)
    retention: RetentionOptions = field(default_factory=RetentionOptions)
    web: WebOptions = field(default_factory=WebOptions)
    sensors: Mapping[str, SensorOptions] = field(default_factory=dict)
    backup: BackupOptions | None = None
    heartbeat: HeartbeatOptions | None = None
    alarms: Mapping[str, AlarmOptions] = field(default_factory=dict)
    notify: Mapping[str, TargetOptions] = field(default_factory=dict)
    prices: Mapping[str, PriceOptions] = field(default_factory=dict)
    failed_sensors: Mapping[str, str] = field(default_factory=dict)
    sources: tuple[Path, ...] = ()
    text: str = ""

    def data_dir(self) -> Path:
        """Where the database, the lock and last-good.yaml live."""
        if self.daemon.data_dir:
            return light.resolve(self.daemon.data_dir, self.base_dir)
        return light.default_data_dir(self.path)

    def database_path(self) -> Path:
        """The SQLite file."""
        if self.storage.url:
            return light.resolve(self.storage.url.removeprefix(light.SQLITE), self.base_dir)
        return self.data_dir() / light.DATABASE_NAME

    def snapshot(self) -> str:
        """One YAML text that loads to an equal configuration anywhere: includes inlined, ``${ENV}`` left unexpanded."""
        return self.text

    def describe_heartbeat(self, sensor: str) -> str:
        """The heartbeat of a sensor in words, e.g. ``3s``."""
        return format_duration(self.sensors[sensor].heartbeat_us())
