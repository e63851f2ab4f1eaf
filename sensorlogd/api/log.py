"""``Log``, an opened log and everything that can be asked of it."""

from __future__ import annotations

import contextlib
import operator
import os
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from datetime import date, datetime, timedelta
from datetime import time as clock_time
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, SupportsIndex
from zoneinfo import ZoneInfo

from sensorlogd.api import locate
from sensorlogd.api.answer import Answer, ApiQuestion, Layout
from sensorlogd.api.connections import Connections
from sensorlogd.api.tail import Tail
from sensorlogd.notation import times
from sensorlogd.notation.durations import parse_duration
from sensorlogd.notation.instants import local_of
from sensorlogd.storage import watermarks
from sensorlogd.storage.ingest.events import Event
from sensorlogd.storage.query import question
from sensorlogd.storage.query.engine import Fill
from sensorlogd.storage.query.log_reader import LogReader, SeriesReading, conversions, converted
from sensorlogd.storage.series.stored import Series

if TYPE_CHECKING:
    import pandas

When = str | SupportsIndex | date
Names = str | Sequence[str]
State = Literal["ok", "stale", "never"]
READINGS_AT_ONCE = 1_000


class Latest(NamedTuple):
    """The newest reading of a series. ``state``: ok, stale (older than the heartbeat) or never (there is none, and the rest is
    None)."""

    series: Series
    time: datetime | None
    value: float | None
    quality: int | None
    age: timedelta | None
    state: State


class Log:
    """An opened log; a context manager. Any number of threads may use it; each of its iterators is for one thread."""

    def __init__(self, place: str | os.PathLike[str] | None = None, *, tz: str | None = None) -> None:
        """``place``: the database file, or a configuration (``*.yaml``); None: the configuration that the shell takes.

        ``tz``: IANA zone of times that carry none, of calendar steps and of frames; without it that of the configuration, or of the
        days in a database by itself. Raises LogUnavailable (none there, no log, not readable) and ValueError for an unknown zone.
        """
        if tz is not None:
            times.zone(tz)
        self.path, configuration = locate.find(place)
        self._connections = Connections(self.path)
        self.tz = tz if tz is not None else self._usual_zone(locate.zone_of(configuration))
        self._zone = ZoneInfo(self.tz)

    def _usual_zone(self, configured: str | None) -> str:
        """The zone of the configuration, else that of the days in the database; UTC if there is none or it is unknown.
        Closes the log if the database cannot be asked."""
        try:
            return times.zone(configured or self._connections.ask(lambda log: log.meta().get(watermarks.DAY_ZONE)) or "UTC")
        except ValueError:
            return "UTC"
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the file; whatever is still read ends with LogClosed. From any thread; idempotent."""
        self._connections.close()

    def __enter__(self) -> Log:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        closed = ", closed" if self._connections.closed else ""
        return f"<sensorlogd.Log {os.fspath(self.path)!r}, {self.tz}{closed}>"

    # ---- what there is ---------------------------------------------------------------------------------------------

    def series(self, names: Names = (), *, retired: bool = False) -> list[Series]:
        """Series that match, by name; without names all that are configured. Raises UnknownSeries, with similar names."""
        patterns = _as_patterns(names)
        return self._connections.ask(lambda log: log.series(patterns, retired=retired))

    def span(self, names: Names = ()) -> tuple[datetime, datetime] | None:
        """The times of the first and the last reading of these series; None if there is none."""
        wanted = self.series(names, retired=True)
        first, last = self._connections.ask(lambda log: log.span(wanted))
        return None if first is None or last is None else (self.time(first), self.time(last))

    def latest(self, names: Names = ()) -> list[Latest]:
        """The newest reading of each series, by name, of those that have none, too. Raises UnknownSeries."""
        patterns, now_us = _as_patterns(names), time.time_ns() // 1000

        def question(log: LogReader) -> list[tuple[Series, SeriesReading | None]]:
            # A log without a configuration (an import) has no current series: then all of them are meant.
            wanted = log.series(patterns) or log.series(retired=True)
            return list(zip(wanted, log.latest(wanted, now_us), strict=True))

        return [self._latest(series, reading, now_us) for series, reading in self._connections.ask(question)]

    def events(self, since: When | None = None, *, limit: int = 1000, sensor: str | None = None) -> list[Event]:
        """What happened to sensors (a name or a glob), clock, database and daemon: the newest ``limit``, oldest of them first."""
        since_us = None if since is None else self._to_us(since)
        return self._connections.ask(lambda log: log.events(since_us, limit, sensor))

    # ---- questions -------------------------------------------------------------------------------------------------

    def query(
        self,
        names: Names,
        since: When = "-1h",
        until: When = "now",
        *,
        every: str | None = None,
        max_points: int | None = None,
        agg: Names | None = None,
        fill: Fill | None = None,
        unit: str | None = None,
        limit: int | None = None,
    ) -> Answer:
        """As ``sensorlogd query``, with its words, defaults and errors, and the same figures: rows, or ``frame()``.

        Readings; with ``every`` (``"15min"``, ``"1d"``, ``"1mo"``) or ``max_points`` buckets of ``agg``. Raises UnknownSeries,
        ValueError; what only the reading finds out is raised then.
        """
        span = self._range_us(since, until)
        wanted = self.series(names)
        query = question.ask(span, every, max_points, agg, fill, self.tz, question.as_keyword)
        if limit is not None and limit < 1:
            raise ValueError(f"limit is {limit}; at least 1")
        if unit is not None:
            conversions(wanted, unit)  # raise at once for units that cannot be converted, not while the answer is read
        return Answer(ApiQuestion(wanted, *span, query, unit, self.tz, limit), self._connections, self.time)

    def readings(
        self, names: Names, since: When = "-1h", until: When = "now", *, unit: str | None = None
    ) -> Generator[SeriesReading, None, None]:
        """Every reading, in order of time and then of series; streamed in constant memory, of one snapshot.

        ``unit``: convert to it (needs the package pint). Raises UnknownSeries, ValueError.
        """
        wanted = self.series(names)
        start, end = self._range_us(since, until)
        changes = {} if unit is None else conversions(wanted, unit)

        def of_log(log: LogReader) -> Generator[SeriesReading, None, None]:
            found = log.readings(wanted, start, end)
            if not changes:
                return found
            return (reading for reading in converted(found, changes))

        return self._connections.stream(of_log, READINGS_AT_ONCE)

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
        """The rows of ``query`` for buckets of the last day: give ``every`` or ``max_points``. Raises UnknownSeries, ValueError."""
        if every is None and max_points is None:
            raise ValueError("give every, the length of a bucket, or max_points")
        return iter(self.query(names, since, until, every=every, max_points=max_points, agg=agg, fill=fill, unit=unit))

    def frame(
        self,
        names: Names,
        since: When = "-1d",
        until: When = "now",
        *,
        every: str | None = None,
        max_points: int | None = None,
        agg: Names = "mean",
        layout: Layout = "wide",
        unit: str | None = None,
    ) -> pandas.DataFrame:
        """A pandas frame with a time-zone-aware index (extra ``sensorlogd[frame]``).

        wide: one column per series (``sensor.channel``; with several aggregates two levels), blank (NaN) where a series
        has no value: in raw readings at times of others, in buckets wherever no reading fell into one. Readings flagged
        fail or missing are blank. long: one row per reading with ``sensor channel value unit quality``, or per bucket.
        """
        raw = every is None and max_points is None
        fill: Fill | None = None if raw else "null" if layout == "wide" else "none"
        chosen = None if raw else agg
        answer = self.query(names, since, until, every=every, max_points=max_points, agg=chosen, fill=fill, unit=unit)
        return answer.frame(layout)

    def tail(
        self,
        names: Names = (),
        since: When = "now",
        *,
        duration: str | timedelta | None = None,
        stop: threading.Event | None = None,
    ) -> Tail:
        """Readings as they are committed, from ``since`` on: an iterator that waits for the next one.

        It ends after ``duration`` (``"10min"``), when ``stop`` is set, or by its own ``stop()``. Nothing is left out that is stamped
        ``since`` or later, in whatever order it comes; what comes too late for that is reported by ``late``. Raises UnknownSeries,
        ValueError; while it waits LogClosed, LogUnavailable.
        """
        patterns = _as_patterns(names)
        until_s = None if duration is None else time.monotonic() + _duration_s(duration)
        return Tail(self._connections, lambda log: log.series(patterns), self._to_us(since), until_s, stop)

    # ---- times -----------------------------------------------------------------------------------------------------

    def time(self, us: int) -> datetime:
        """Microseconds UTC as a datetime in the log's zone. Raises OverflowError outside the years 1 to 9999."""
        return local_of(us, self._zone)

    def _latest(self, series: Series, reading: SeriesReading | None, now_us: int) -> Latest:
        if reading is None:
            return Latest(series, None, None, None, None, "never")
        age_us = now_us - reading.ts_us
        state: State = "stale" if age_us > series.heartbeat_us else "ok"
        return Latest(series, self.time(reading.ts_us), reading.value, reading.quality, timedelta(microseconds=age_us), state)

    def _to_us(self, when: When) -> int:
        if isinstance(when, datetime):
            return times.of_datetime(when, self.tz)
        if isinstance(when, str):
            return times.parse_time(when, time.time_ns() // 1000, self.tz)
        if isinstance(when, date):  # the midnight at which it begins, in the zone of the log
            return times.of_datetime(datetime.combine(when, clock_time()), self.tz)
        if not isinstance(when, bool):
            with contextlib.suppress(TypeError):
                return operator.index(when)
        raise ValueError(
            f"the time {when!r} is a {type(when).__name__}; allowed are a datetime, a date, a text such as '-1h', and a whole number of"
            " microseconds since 1970"
        )

    def _range_us(self, since: When, until: When) -> tuple[int, int]:
        start, end = self._to_us(since), self._to_us(until)
        question.check_range(since, until, start, end, question.as_keyword)
        return start, end


def _as_patterns(names: Names) -> Sequence[str]:
    return (names,) if isinstance(names, str) else tuple(names)


def _duration_s(duration: str | timedelta) -> float:
    return parse_duration(duration) / 1e6 if isinstance(duration, str) else duration.total_seconds()
