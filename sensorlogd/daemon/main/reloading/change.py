"""What a reload would change. Everything that can fail is done here, before the running daemon is touched; then only changed
sensors restart.

Readings keep their names across it: those that were handed over before are stored under the former names, because the new
sensors travel through the inbox after them (``Writer.use_specs``).
"""

from __future__ import annotations

import errno
import logging
import os
import resource
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sensorlogd.alarms.plan import Plan
from sensorlogd.config.models import Config, SensorOptions
from sensorlogd.config.validation import units
from sensorlogd.daemon.computing.computing import Formulas
from sensorlogd.daemon.main.components.alarms import plan_of
from sensorlogd.daemon.main.components.pages import page_settings
from sensorlogd.daemon.sensing.build import Sensor, driver_of, formulas, retention_plan, sensor_specs
from sensorlogd.notation.plurals import plural
from sensorlogd.storage.corrections.conversion import converts
from sensorlogd.storage.maintenance.retention import RetentionPlan
from sensorlogd.storage.series.catalog import SensorSpec
from sensorlogd.web.settings import Settings

logger = logging.getLogger(__name__)

SPARE_DESCRIPTORS = 24


class ReloadRefused(Exception):
    """Nothing was changed. ``problems``: why, a line each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class PreparedSettings:
    """What the parts of the daemon are handed, made from the configuration beforehand because making it may fail.
    ``pages``: None where it wants none."""

    specs: Sequence[SensorSpec]
    retention: RetentionPlan
    formulas: Formulas
    alarms: Plan
    pages: Settings | None

    @classmethod
    def of(cls, config: Config, sensors: Mapping[str, Sensor]) -> PreparedSettings:
        """``sensors``: those that will run, by name. May raise anything."""
        return cls(
            sensor_specs(config),
            retention_plan(config),
            formulas(config, sensors),
            plan_of(config),
            page_settings(config),
        )


@dataclass(frozen=True, slots=True)
class ConfigChange:
    """What leads from one configuration to the next. ``added``: sensor threads that are made and not started; ``leaving``: to be
    stopped."""

    config: Config
    added: Mapping[str, Sensor]
    leaving: Mapping[str, Sensor]
    kept: int
    restart_needed: tuple[str, ...]
    parts: PreparedSettings
    problems: tuple[str, ...] = ()  # what is done otherwise than was meant, a line each

    def message(self) -> str:
        """What changes, in one line."""
        removed = sorted(set(self.leaving) - set(self.added))
        return f"started {', '.join(self.added) or 'none'}; removed {', '.join(removed) or 'none'}; kept {self.kept}"


def prepare(
    old: Config,
    load: Callable[[], Config],
    sensor_threads: Mapping[str, Sensor],
    make: Callable[[str, SensorOptions, Config], Sensor],
) -> ConfigChange:
    """Read the file and make all that it needs. Raises ReloadRefused; then nothing is left of it."""
    try:
        new = load()
    except Exception as error:
        raise ReloadRefused([str(line) for line in getattr(error, "errors", None) or [error]]) from error
    if lost := [f"sensors.{name}: {why}" for name, why in new.failed_sensors.items() if name in sensor_threads]:
        raise ReloadRefused(lost)  # the sensor runs: a mistake in the file of its driver is no reason to stop it
    added: dict[str, Sensor] = {}
    doing = "the configuration"
    try:
        kept = {name for name in new.sensors if name in sensor_threads and _is_unchanged(old, new, name, sensor_threads[name])}
        for name, sensor in new.sensors.items():
            if name not in kept and sensor.enabled:
                doing = f"{sensor.written_below}.{name}"
                added[name] = make(name, sensor, new)
        doing = "the configuration"
        parts = PreparedSettings.of(new, {name: thread for name, thread in sensor_threads.items() if name in kept} | added)
        doing = f"{len(added)} {plural(len(added), 'sensor')}"
        _check_descriptors()
    except Exception as error:  # no descriptors, no memory, a driver that cannot be made
        for thread in added.values():
            thread.join()
        raise ReloadRefused([f"{doing}: cannot be started: {error}"]) from error
    leaving = {name: thread for name, thread in sensor_threads.items() if name not in kept}
    restart = tuple(part for part in ("daemon", "storage") if getattr(old, part) != getattr(new, part))
    return ConfigChange(new, added, leaving, len(kept), restart, parts, tuple(units.problems(old, new, converts)))


def _check_descriptors() -> None:
    """The database, the aggregator and whoever asks need some, too. Raises OSError."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    left = limit - len(os.listdir("/proc/self/fd"))
    if limit != resource.RLIM_INFINITY and left < SPARE_DESCRIPTORS:
        raise OSError(errno.EMFILE, f"only {left} of {limit} descriptors would be left (LimitNOFILE of the service, ulimit -n)")


def _is_unchanged(old: Config, new: Config, name: str, thread: Sensor) -> bool:
    """Whether neither its keys nor, where its driver is a file, the code that reads it has changed."""
    if old.sensors.get(name) != new.sensors[name]:
        return False
    return thread.driver is None or thread.driver == driver_of(new.sensors[name], new)  # a computed one has none
