"""A reload: all or nothing. What can fail is done before anything is touched; then only what changed restarts.

Readings keep their names across it: those that were handed over before are stored under the former names, because the new
sensors travel through the inbox behind them (``Writer.use_specs``).
"""

from __future__ import annotations

import errno
import logging
import os
import resource
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sensorlogd.config.models import Config, SensorOptions
from sensorlogd.daemon.sensing.sensor_thread import Reader

log = logging.getLogger(__name__)

SPARE_DESCRIPTORS = 24


class ReloadRefused(Exception):
    """Nothing was changed. ``problems``: why, a line each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Change:
    """From one configuration to the next. ``fresh``: readers that are made and not started; ``leaving``: to be stopped."""

    config: Config
    fresh: Mapping[str, Reader]
    leaving: Mapping[str, Reader]
    kept: int
    restart_needed: tuple[str, ...]

    def tell(self) -> str:
        """In one line."""
        removed = sorted(set(self.leaving) - set(self.fresh))
        return f"started {', '.join(self.fresh) or 'none'}; removed {', '.join(removed) or 'none'}; kept {self.kept}"


def prepare(
    old: Config, load: Callable[[], Config], readers: Mapping[str, Reader], make: Callable[[str, SensorOptions, Config], Reader]
) -> Change:
    """Read the file and make all that it needs. Raises ReloadRefused; then nothing is left of it."""
    try:
        new = load()
    except Exception as error:
        raise ReloadRefused([str(line) for line in getattr(error, "errors", None) or [error]]) from error
    kept = {name for name, sensor in new.sensors.items() if name in readers and _same(old, new, name)}
    fresh: dict[str, Reader] = {}
    doing = "the configuration"
    try:
        for name, sensor in new.sensors.items():
            if name not in kept and sensor.enabled:
                doing = f"sensors.{name}"
                fresh[name] = make(name, sensor, new)
        doing = f"{len(fresh)} sensors"
        _look_at_descriptors()
    except Exception as error:  # no descriptors, no memory, a driver that cannot be made
        for reader in fresh.values():
            reader.join()
        raise ReloadRefused([f"{doing}: cannot be started: {error}"]) from error
    leaving = {name: reader for name, reader in readers.items() if name not in kept}
    restart = tuple(part for part in ("daemon", "storage") if getattr(old, part) != getattr(new, part))
    return Change(new, fresh, leaving, len(kept), restart)


def _look_at_descriptors() -> None:
    """The database, the aggregator and whoever asks need some, too. Raises OSError."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    left = limit - len(os.listdir("/proc/self/fd"))
    if limit != resource.RLIM_INFINITY and left < SPARE_DESCRIPTORS:
        raise OSError(errno.EMFILE, f"only {left} of {limit} descriptors would be left (LimitNOFILE of the service, ulimit -n)")


def _same(old: Config, new: Config, name: str) -> bool:
    return old.sensors.get(name) == new.sensors[name]
