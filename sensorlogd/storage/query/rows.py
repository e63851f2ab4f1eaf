"""Readings, aggregates and events as rows for JSON and CSV: the same names and forms in the CLI, over HTTP and on the page."""

from __future__ import annotations

import math
from typing import Any

from sensorlogd import quality, times
from sensorlogd.storage.query.log import Event, Reading

READING_COLUMNS = ("time", "sensor", "channel", "value", "unit", "quality")
EVENT_COLUMNS = ("time", "kind", "sensor", "detail")


def number(value: float | None) -> float | int | None:
    """NULL and NaN are nothing, whole numbers have no fraction."""
    if value is None or not math.isfinite(value):
        return None
    return int(value) if value == int(value) and abs(value) < 1e15 else value


def cell(value: Any) -> Any:
    """An aggregate; a mapping stays one."""
    return number(value) if isinstance(value, (int, float)) or value is None else value


def reading_row(reading: Reading, zone: str) -> dict[str, Any]:
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
