"""Estimates what a configuration will cost: readings a day, bytes a year, writes a day, and when the disk is full.

The constants are measured by benchmarks/footprint.py on this schema; they are estimates for planning, not promises.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sensorlogd.notation.microseconds import DAY_US

if TYPE_CHECKING:
    from sensorlogd.config.models import Config, SensorOptions

BYTES_PER_READING = 30  # stored, in `history` (series, time, value, quality, and its share of the B-tree)
BYTES_PER_MINUTE_ROLLUP = 190  # stored, per series and minute; the coarser resolutions add a tenth
# Bytes written to the device. Fitted to five runs (3, 10 and 100 series at 1 Hz, commits each 1 s and each 10 s, roll-ups and
# moving included: 2905, 1328, 403, 1058 and 207 bytes a reading); the fit is within a fifth of each.
WRITTEN_PER_SECOND = 1_500  # the status tables
WRITTEN_PER_COMMIT = 6_000  # whatever a commit holds, it writes some pages of WAL and later of the database
WRITTEN_PER_READING = 190
WRITTEN_PER_READING_AT_1S = 140  # on top, where each commit holds a second or less: the same pages are written more often


@dataclass(frozen=True, slots=True)
class Cost:
    """The estimate. ``unknown``: sensors whose rate only the device knows; three readings in each heartbeat are assumed for
    them."""

    series: int
    readings_per_day: float
    bytes_per_year: float
    written_per_day: float
    free_bytes: int | None
    unknown: tuple[str, ...]

    def full_after_days(self) -> float | None:
        """Days until the free space is used up; None where that is more than a century or unknown."""
        if self.free_bytes is None or not self.bytes_per_year:
            return None
        days = self.free_bytes / (self.bytes_per_year / 365)
        return days if days < 36_500 else None


def interval_us(sensor: SensorOptions) -> int | None:
    """Time between samples, where the configuration says it; 0s (as fast as possible) counts as 1 ms."""
    if sensor.interval is None:
        return None
    return sensor.interval or 1_000


def estimate(config: Config) -> Cost:
    """The cost of everything that is enabled, retention included."""
    readings = stored_per_year = 0.0
    series = 0
    unknown = []
    for name, sensor in config.sensors.items():
        if not sensor.enabled:
            continue
        every = interval_us(sensor)
        if every is None:
            unknown.append(name)
            every = max(sensor.heartbeat_us() // 3, 1_000)
        channels = len(sensor.channel_options())
        series += channels
        per_day = channels * DAY_US / every
        readings += per_day
        kept_us = config.retention.readings or 365 * DAY_US
        stored_per_year += per_day * min(kept_us / DAY_US, 365) * BYTES_PER_READING
        minutes = min(channels * 1440, per_day)
        minutes_kept = (config.retention.minutes or 365 * DAY_US) / DAY_US
        stored_per_year += minutes * min(minutes_kept, 365) * BYTES_PER_MINUTE_ROLLUP * 1.1
    commits = min(DAY_US / config.storage.commit_interval, readings)
    often = min(1_000_000 / config.storage.commit_interval, 1.0)
    written = (
        DAY_US / 1e6 * WRITTEN_PER_SECOND
        + commits * WRITTEN_PER_COMMIT
        + readings * (WRITTEN_PER_READING + WRITTEN_PER_READING_AT_1S * often)
    )
    return Cost(
        series, readings, stored_per_year, written if readings else 0, _free_bytes(config.database_path().parent), tuple(unknown)
    )


def _free_bytes(folder: Path) -> int | None:
    """The free space where the folder is or will be; None if that is not known."""
    for place in (folder, *folder.parents):
        if place.exists():
            try:
                return shutil.disk_usage(place).free
            except OSError:
                return None
    return None
