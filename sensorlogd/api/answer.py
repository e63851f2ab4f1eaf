"""The answer to ``Log.query``: rows to iterate over, or a dataframe."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal

from sensorlogd import quality
from sensorlogd.api.connections import Connections
from sensorlogd.storage.query.engine import Query
from sensorlogd.storage.query.log_reader import LogReader, SeriesReading, conversions, converted
from sensorlogd.storage.query.rows import READING_COLUMNS, bucket_names, bucket_row
from sensorlogd.storage.series.stored import Series

if TYPE_CHECKING:
    import pandas

READINGS_AT_ONCE, BUCKETS_AT_ONCE = 1_000, 50
Layout = Literal["wide", "long"]
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ApiQuestion:
    """A question. ``query`` None: single readings in [since_us, until_us); else buckets."""

    series: list[Series]
    since_us: int
    until_us: int
    query: Query | None
    unit: str | None
    zone: str
    limit: int | None = None


@dataclass(slots=True)
class Answer:
    """The answer to a question: an iterable of rows, dictionaries by ``columns``. Each iteration asks the log anew, and reads a
    single snapshot.

    ``notes``: remarks on the answer, filled in while it is read: where buckets came from, what has expired.
    """

    wanted: ApiQuestion
    _connections: Connections
    _local: Callable[[int], datetime]
    notes: list[str] = field(default_factory=list)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of ``sensorlogd query``: ``time sensor channel value unit quality``, or ``time``, the aggregates, ``count``
        and ``coverage``."""
        query = self.wanted.query
        return READING_COLUMNS if query is None else ("time", "sensor", "channel", *bucket_names(query.aggregates))

    def __iter__(self) -> Iterator[Row]:
        """The rows, as dictionaries by ``columns``. Raises LogError, ValueError."""
        self.notes.clear()
        at_once = READINGS_AT_ONCE if self.wanted.query is None else BUCKETS_AT_ONCE
        limit = self.wanted.limit
        rows = self._connections.stream(self._rows, at_once if limit is None else min(at_once, limit))
        return rows if limit is None else _first_rows(rows, limit)

    def frame(self, layout: Layout = "wide") -> pandas.DataFrame:
        """A pandas dataframe with an index in the log's zone; see ``Log.frame``. Raises ModuleNotFoundError without pandas."""
        from sensorlogd import dataframes

        wanted = self.wanted
        if layout not in ("wide", "long"):
            raise ValueError(f"unknown layout {layout!r}; known: wide, long")
        if wanted.limit is not None:
            raise ValueError("limit is for rows; take head(n) of a dataframe")

        def of_log(log: LogReader) -> pandas.DataFrame:
            if wanted.query is None:
                span = (wanted.since_us, wanted.until_us)
                return dataframes.of_readings(log, wanted.series, *span, layout, wanted.unit, wanted.zone)
            return dataframes.of_buckets(log, wanted.series, wanted.query, layout, wanted.unit, wanted.zone)

        return self._connections.ask(of_log)

    def to_pandas(self, layout: Layout = "wide") -> pandas.DataFrame:
        """The same as ``frame``."""
        return self.frame(layout)

    def _rows(self, log: LogReader) -> Generator[Row, None, None]:
        return self._reading_rows(log) if self.wanted.query is None else self._bucket_rows(log, self.wanted.query)

    def _reading_rows(self, log: LogReader) -> Generator[Row, None, None]:
        wanted = self.wanted
        readings: Iterator[SeriesReading] = log.readings(wanted.series, wanted.since_us, wanted.until_us)
        changes = {} if wanted.unit is None else conversions(wanted.series, wanted.unit)
        for reading in converted(readings, changes) if changes else readings:
            series = reading.series
            yield {
                "time": self._local(reading.ts_us),
                "sensor": series.sensor,
                "channel": series.channel,
                "value": number(reading.value),
                "unit": series.unit if changes.get(series.id) is None else wanted.unit,
                "quality": quality.describe(reading.quality),
            }

    def _bucket_rows(self, log: LogReader, query: Query) -> Generator[Row, None, None]:
        for series, answer in log.buckets(self.wanted.series, query, self.wanted.unit):
            self.notes.append(f"{series.name}: steps of {answer.step} from {answer.source}, resolution {answer.resolution}")
            self.notes += [f"{series.name}: {note}" for note in answer.notes]
            for row in answer.rows:
                yield {"time": self._local(row.start_us)} | bucket_row(series, row, query.aggregates, number)


def number(value: Any) -> Any:
    """``value``, or None for a number that is not finite; an aggregate may also be a count or a mapping."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _first_rows(rows: Generator[Row, None, None], limit: int) -> Iterator[Row]:
    """The first ``limit`` rows; what they come from is closed after the last."""
    try:
        yield from islice(rows, limit)
    finally:
        rows.close()
