"""Readings, aggregates and events as rows for JSON and CSV: the same names and forms in the CLI, over HTTP and on the page."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from sensorlogd import quality
from sensorlogd.notation import times
from sensorlogd.storage.ingest.events import Event
from sensorlogd.storage.query.log_reader import SeriesReading
from sensorlogd.storage.series.stored import Series

if TYPE_CHECKING:
    from sensorlogd.storage.query.engine import BucketRow

READING_COLUMNS = ("time", "sensor", "channel", "value", "unit", "quality")
EVENT_COLUMNS = ("time", "kind", "sensor", "detail")


def number(value: float | None) -> float | int | None:
    """NULL and NaN are nothing, whole numbers have no fraction (a negative zero is none: it must come back as it was)."""
    if value is None or not math.isfinite(value):
        return None
    whole = value == int(value) and abs(value) < 1e15 and (value != 0 or math.copysign(1, value) > 0)
    return int(value) if whole else value


def cell(value: Any) -> Any:
    """An aggregate; a mapping stays one."""
    return number(value) if isinstance(value, (int, float)) or value is None else value


def bucket_values(row: BucketRow, names: Sequence[str], form: Callable[[Any], Any] = cell) -> dict[str, Any]:
    """The aggregates asked for, by name, then count and coverage, which every bucket has. ``form``: of an aggregate."""
    values = dict(zip(names, map(form, row.values), strict=True))
    values.setdefault("count", row.readings)
    values.setdefault("coverage", row.coverage)
    return values


def bucket_row(series: Series, row: BucketRow, names: Sequence[str], form: Callable[[Any], Any] = cell) -> dict[str, Any]:
    """The row without its time, which each output writes in its own way."""
    return {"sensor": series.sensor, "channel": series.channel} | bucket_values(row, names, form)


def bucket_names(names: Sequence[str]) -> tuple[str, ...]:
    """The columns of ``bucket_values``."""
    return (*names, *(name for name in ("count", "coverage") if name not in names))


def reading_row(reading: SeriesReading, zone: str) -> dict[str, Any]:
    return {
        "time": times.format_time(reading.ts_us, zone),
        "sensor": reading.series.sensor,
        "channel": reading.series.channel,
        "value": number(reading.value),
        "unit": reading.series.unit,
        "quality": quality.describe(reading.quality),
    }


def event_row(event: Event, zone: str) -> dict[str, Any]:
    return {"time": times.format_time(event.ts_us, zone), "kind": event.kind, "sensor": event.sensor, "detail": event.detail}
