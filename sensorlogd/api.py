"""A log in Python: ``import sensorlogd; log = sensorlogd.open("sensorlogd.db")``.

Read-only and independent of the daemon, running or not. Series are named as everywhere, ``sensor.channel`` with globs
(a bare sensor means all its channels); times as everywhere, too (``"-1d"``, ``"2026-01-31T12:30"``, ``datetime``, or
integer microseconds UTC). Ranges are [since, until). Iterators hold a snapshot of the database until they are exhausted or
closed: read on or let go.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal
from zoneinfo import ZoneInfo

from sensorlogd import quality, times
from sensorlogd.storage.query.engine import Ask, Fill
from sensorlogd.storage.query.grid import Step
from sensorlogd.storage.query.log import Event, LogUnavailable, Reading, Series, UnknownSeries, conversion
from sensorlogd.storage.query.log import Log as _Log

if TYPE_CHECKING:
    import pandas

__all__ = ["Event", "Log", "LogUnavailable", "Reading", "Series", "UnknownSeries"]

When = str | int | datetime
Names = str | Sequence[str]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Log:
    """An opened log; a context manager. For one thread."""

    def __init__(self, path: str | Path, *, tz: str = "UTC") -> None:
        """``tz``: IANA zone of times that carry none, of calendar steps and of frames.

        Raises LogUnavailable (no such file, not a log, not readable) and ValueError for an unknown zone.
        """
        self.tz = times.zone(tz)
        self._log = _Log.open(Path(path))

    def close(self) -> None:
        """Let go of the file. Idempotent."""
        self._log.close()

    def __enter__(self) -> Log:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def series(self, names: Names = (), *, retired: bool = False) -> list[Series]:
        """Series that match, by name; without names all that are configured. Raises UnknownSeries."""
        return self._log.series([names] if isinstance(names, str) else names, retired=retired)

    def latest(self, names: Names = ()) -> list[Reading]:
        """The newest reading of each series that has any."""
        found = self._log.latest(self.series(names), time.time_ns() // 1000)
        return [reading for reading in found if reading is not None]

    def readings(self, names: Names, since: When = "-1h", until: When = "now", *, unit: str | None = None) -> Iterator[Reading]:
        """Every reading, in order of time and then of series; streamed in constant memory.

        ``unit``: convert to it (needs the package pint). Raises UnknownSeries, ValueError.
        """
        wanted = self.series(names)
        start, end = self._range(since, until)
        if unit is None:
            return self._log.readings(wanted, start, end)
        changes = {one.id: conversion(one, unit) for one in wanted}
        return self._converted(self._log.readings(wanted, start, end), changes)

    @staticmethod
    def _converted(readings: Iterator[Reading], changes: Mapping[int, Any]) -> Iterator[Reading]:
        for reading in readings:
            change = changes[reading.series.id]
            if change is None or reading.value is None:
                yield reading
            else:
                yield reading._replace(value=change.value(reading.value))

    def buckets(
        self,
        names: Names,
        since: When = "-1d",
        until: When = "now",
        *,
        every: str | None = None,
        max_points: int | None = None,
        agg: Names = ("mean", "min", "max"),
        fill: Fill = "none",
        unit: str | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Aggregates, series by series: ``{"time": datetime, "sensor", "channel", <agg>..., "count", "coverage"}``.

        Give ``every`` (``"15min"``, ``"1d"``, ``"1mo"``) or ``max_points``. Raises UnknownSeries, ValueError.
        """
        wanted = self.series(names)
        ask = self._ask(since, until, every, max_points, agg, fill)
        return self._rows(wanted, ask, unit)

    def _rows(self, wanted: list[Series], ask: Ask, unit: str | None) -> Iterator[dict[str, Any]]:
        zone = ZoneInfo(self.tz)
        for one, answer in self._log.buckets(wanted, ask, unit):
            for row in answer.rows:
                yield {
                    "time": (_EPOCH + timedelta(microseconds=row.start_us)).astimezone(zone),
                    "sensor": one.sensor,
                    "channel": one.channel,
                    **dict(zip(ask.aggregates, row.values, strict=True)),
                    "count": row.readings,
                    "coverage": row.coverage,
                }

    def events(self, since: When | None = None, *, limit: int = 1000, sensor: str | None = None) -> list[Event]:
        """What happened to sensors, clock, database and daemon: the newest ``limit``, oldest of them first."""
        return self._log.events(None if since is None else self._us(since), limit, sensor)

    def frame(
        self,
        names: Names,
        since: When = "-1d",
        until: When = "now",
        *,
        every: str | None = None,
        max_points: int | None = None,
        agg: Names = "mean",
        layout: Literal["wide", "long"] = "wide",
        unit: str | None = None,
    ) -> pandas.DataFrame:
        """A pandas frame with a time-zone-aware index (extra ``sensorlogd[frame]``).

        wide: one column per series (``sensor.channel``; with several aggregates two levels), blank (NaN) where a series
        has no value: in raw readings at times of others, in buckets wherever no reading fell into one. Readings flagged
        fail or missing are blank. long: one row per reading with ``sensor channel value unit quality``, or per bucket.
        """
        from sensorlogd import dataframes

        wanted = self.series(names)
        start, end = self._range(since, until)
        if every is None and max_points is None:
            return dataframes.of_readings(self._log, wanted, start, end, layout, unit, self.tz)
        ask = self._ask(since, until, every, max_points, agg, "null" if layout == "wide" else "none")
        return dataframes.of_buckets(self._log, wanted, ask, layout, unit, self.tz)

    # ---- times -----------------------------------------------------------------------------------------------------

    def _us(self, when: When) -> int:
        if isinstance(when, datetime):
            return times.of_datetime(when, self.tz)
        if isinstance(when, int):
            return when
        return times.parse_time(when, time.time_ns() // 1000, self.tz)

    def _range(self, since: When, until: When) -> tuple[int, int]:
        start, end = self._us(since), self._us(until)
        if start >= end:
            raise ValueError(f"since {since} is not before until {until}")
        return start, end

    def _ask(self, since: When, until: When, every: str | None, max_points: int | None, agg: Names, fill: Fill) -> Ask:
        names = tuple(agg.split(",")) if isinstance(agg, str) else tuple(agg)
        step = None if every is None else Step.parse(every)
        return Ask(*self._range(since, until), step, max_points, names, self.tz, fill)


def describe_quality(code: int) -> str:
    """``good``, ``fail:gross_range`` ... for a reading's quality code."""
    return quality.describe(code)
