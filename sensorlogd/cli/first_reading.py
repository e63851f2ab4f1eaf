"""Waits for the first reading of a sensor that was just configured."""

from __future__ import annotations

import sqlite3
import time

from sensorlogd.config.models import Config
from sensorlogd.notation import numbers
from sensorlogd.storage.query.log_reader import LogReader, LogUnavailable, UnknownSeries

EVERY_S = 0.1
MAX_VALUES_SHOWN = 4


def first_reading(config: Config, sensor: str, since_us: int, seconds: float) -> str | None:
    """The first values in a line, once they are stored; None if there are none after ``seconds``."""
    end = time.monotonic() + seconds
    while True:
        found = _newest_since(config, sensor, since_us)
        if found is not None or time.monotonic() > end:
            return found
        time.sleep(EVERY_S)


def _newest_since(config: Config, sensor: str, since_us: int) -> str | None:
    """The newest values in a line, of channels that have a reading since then; None if none has."""
    try:
        with LogReader.open(config.database_path()) as log:
            latest = log.latest(log.series((f"{sensor}.*",)), time.time_ns() // 1000)
    except (LogUnavailable, UnknownSeries, sqlite3.Error, OSError):
        return None  # the daemon has not made its database or the series yet
    new = [reading for reading in latest if reading is not None and reading.ts_us >= since_us]
    if not new:
        return None
    order = list(config.sensors[sensor].channel_options())
    new.sort(key=lambda reading: order.index(reading.series.channel) if reading.series.channel in order else len(order))
    shown = ", ".join(
        f"{reading.series.channel} {numbers.text(reading.value, '-')} {reading.series.unit}".rstrip()
        for reading in new[:MAX_VALUES_SHOWN]
    )
    return shown + (f" and {len(new) - MAX_VALUES_SHOWN} more" if len(new) > MAX_VALUES_SHOWN else "")
