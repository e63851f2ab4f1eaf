"""Readings: a page of them in order of time and series, as rows or columns."""

from __future__ import annotations

import re
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from sensorlogd import quality
from sensorlogd.storage.query.log_reader import LogReader, SeriesReading, converted
from sensorlogd.storage.query.rows import number, reading_row
from sensorlogd.web.answering.params import TimeForm, changes_of, find_series
from sensorlogd.web.refusal import bad_parameter

Json = dict[str, Any]

_CURSOR = re.compile(r"(-?[0-9]{1,18})\.([0-9]{1,15})")  # no more than SQLite holds


@dataclass(frozen=True, slots=True)
class ReadingsQuery:
    """A question for readings. ``after``: (time, series id) of the last row of the page before."""

    patterns: list[str]
    since_us: int
    until_us: int
    unit: str | None
    form: TimeForm
    after: tuple[int, int] | None = None


def page_of_readings(
    log: LogReader, query: ReadingsQuery, after: tuple[int, int] | None, limit: int
) -> tuple[list[SeriesReading], str | None]:
    """At most ``limit`` readings in order of time and series, and where the next page begins, if there is one."""
    wanted = find_series(log, query.patterns)
    changes = changes_of(wanted, query.unit)
    since = query.since_us
    if after is not None and len(wanted) == 1:
        since, after = max(since, after[0] + 1), None
    found: list[SeriesReading] = []
    if since >= query.until_us:
        return found, None
    with closing(log.readings(wanted, since, query.until_us, after)) as readings:
        for reading in converted(readings, changes) if changes else readings:
            if len(found) == limit:
                last = found[-1]
                return found, cursor(last.ts_us, last.series.id)
            found.append(reading)
    return found, None


def cursor(ts_us: int, series: int) -> str:
    """The text that names the place after a reading, for ``after``. ``series``: its id."""
    return f"{ts_us}.{series}"


def parse_cursor(text: str | None) -> tuple[int, int] | None:
    """(time in microseconds, id of the series) of what ``cursor`` wrote; None for None. Raises ApiError 400."""
    if text is None:
        return None
    found = _CURSOR.fullmatch(text)
    if found is None:
        raise bad_parameter(
            "after",
            f"{text!r} is not where a page begins; give what the answer before has as next,"
            f" e.g. {cursor(1_774_648_800_000_000, 3)!r}",
        )
    return int(found[1]), int(found[2])


def reading_as_row(reading: SeriesReading, query: ReadingsQuery) -> Json:
    """A reading as the API gives it (Reading); its value has the unit of the question already."""
    row = reading_row(reading, query.form.zone)
    if query.form.kind != "rfc3339":
        row["time"] = query.form(reading.ts_us)
    if query.unit is not None:
        row["unit"] = query.unit
    return row


def readings_as_columns(found: list[SeriesReading], query: ReadingsQuery) -> list[Json]:
    """One entry a series: arrays of equal length."""
    by_series: dict[str, Json] = {}
    for reading in found:
        series = reading.series
        entry = by_series.get(series.name)
        if entry is None:
            entry = by_series[series.name] = {
                "sensor": series.sensor,
                "channel": series.channel,
                "unit": series.unit if query.unit is None else query.unit,
                "time": [],
                "value": [],
                "quality": [],
            }
        entry["time"].append(query.form(reading.ts_us))
        entry["value"].append(number(reading.value))
        entry["quality"].append(quality.describe(reading.quality))
    return [by_series[name] for name in sorted(by_series)]
