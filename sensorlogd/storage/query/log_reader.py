"""``LogReader``: a log opened read-only, and the questions that it answers. Plain sqlite3; never writes, never waits for the writer.

``LogReader`` is for one thread. Every method reads one consistent snapshot; those that stream hold it until they are exhausted
or closed, so read on or let go: a forgotten snapshot lets the WAL grow. What is asked while one is held is answered from it.

What only questions over time need is imported when the first is asked: it would be a fifth of the time that ``latest`` takes.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from sensorlogd.storage import meta, watermarks
from sensorlogd.storage.file.identity import side
from sensorlogd.storage.file.reader import LogError, open_reader
from sensorlogd.storage.file.reader import LogUnavailable as LogUnavailable  # part of what a reader must know
from sensorlogd.storage.ingest import events, latest, status
from sensorlogd.storage.ingest.events import Event
from sensorlogd.storage.ingest.status import StoredStatus
from sensorlogd.storage.reading_tables.readings import Readings
from sensorlogd.storage.series.stored import Series, all_series, matches

if TYPE_CHECKING:
    from sensorlogd.storage.query.engine import Answer, Query
    from sensorlogd.storage.query.gaps import Gap
    from sensorlogd.storage.query.segments import Segments
    from sensorlogd.storage.query.units import Conversion


class UnknownSeries(LogError):
    """No series of that name; ``nearest`` are similar ones."""

    def __init__(self, pattern: str, nearest: list[str]) -> None:
        hint = f"; did you mean {', '.join(nearest)}?" if nearest else "; see 'sensorlogd latest' for all"
        super().__init__(f"no series matches {pattern!r}{hint}")
        self.nearest = nearest


class SeriesReading(NamedTuple):
    """One stored reading. ``value`` None: the device said it had none. ``quality``: flag and tests as stored
    (``quality.describe``)."""

    series: Series
    ts_us: int
    value: float | None
    quality: int


class FileSizes(NamedTuple):
    """Bytes of the database and of its write-ahead log; 0 for one that is not there or cannot be looked at."""

    database_bytes: int
    wal_bytes: int


class LogReader:
    """A log opened read-only, for one thread. Times are in microseconds since 1970 UTC. Every question raises sqlite3.Error where the
    file cannot be read, and may be asked while another one is still streamed: both are answered from one snapshot."""

    def __init__(self, path: Path, conn: sqlite3.Connection) -> None:
        self.path = path
        self.conn = conn
        self._holders = 0  # how many methods, streams among them, share the snapshot

    @classmethod
    def open(cls, path: Path, *, any_thread: bool = False) -> LogReader:
        """``any_thread``: another thread may close it. Raises LogUnavailable."""
        return cls(path, open_reader(path, any_thread=any_thread))

    def close(self) -> None:
        self.conn.close()

    def __enter__(self) -> LogReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def epoch(self) -> int:
        """Which database this is (``storage.file.epoch``): the numbers of its series and mends mean something only together with
        it."""
        return int(self.conn.execute("PRAGMA user_version").fetchone()[0])

    def version(self) -> int:
        """Another number after every commit of somebody else, as long as this log is open."""
        (number,) = self.conn.execute("PRAGMA data_version").fetchone()
        return int(number)

    def file_sizes(self) -> FileSizes:
        """How much the log takes on the disk. Raises nothing."""
        return FileSizes(_bytes_of(self.path), _bytes_of(side(self.path, "-wal")))

    def has_series(self) -> bool:
        """Whether anything has ever been logged into it."""
        return self.conn.execute("SELECT 1 FROM series LIMIT 1").fetchone() is not None

    @contextmanager
    def _snapshot(self) -> Iterator[sqlite3.Connection]:
        """One that is held already is shared, and the last of its holders ends it: SQLite has one a connection. A transaction
        that the caller has begun on ``conn`` is shared too, and his to end."""
        if not self._holders and self.conn.in_transaction:
            yield self.conn
            return
        if not self.conn.in_transaction:
            self.conn.execute("BEGIN")
        self._holders += 1
        try:
            yield self.conn
        finally:
            self._holders -= 1
            with suppress(sqlite3.ProgrammingError):  # an answer that was not read to its end before the log was closed
                if not self._holders and self.conn.in_transaction:
                    self.conn.execute("ROLLBACK")

    # ---- what there is ---------------------------------------------------------------------------------------------

    def series(self, patterns: Sequence[str] = (), *, retired: bool = False) -> list[Series]:
        """Series whose ``sensor.channel`` matches any pattern (globs; a bare sensor means all its channels), by name.

        Without patterns all that are configured now; with ``retired`` the former ones too. Raises UnknownSeries.
        """
        with self._snapshot() as conn:
            known = all_series(conn)
        if not patterns:
            return [series for series in known if retired or series.retired_us is None]
        found: dict[int, Series] = {}
        for pattern in patterns:
            matching = [series for series in known if matches(pattern, series.name)]
            if not matching:
                import difflib

                names = [series.name for series in known]
                raise UnknownSeries(pattern, difflib.get_close_matches(pattern, [*names, *{s.sensor for s in known}], 3, 0.5))
            found.update((series.id, series) for series in matching)
        return sorted(found.values(), key=lambda series: series.name)

    def meta(self) -> dict[str, str]:
        return dict(meta.entries(self.conn))

    # ---- readings --------------------------------------------------------------------------------------------------

    def latest(self, series: Sequence[Series], now_us: int) -> list[SeriesReading | None]:
        """The newest reading of each series, None where there is none.

        The newest arrival, that is: a reading dated tomorrow does not hide what came after it.
        """
        wanted = {each.id: each for each in series}
        with self._snapshot() as conn:
            stored = latest.newest(conn, now_us)
        return [SeriesReading(each, *stored[each.id]) if each.id in stored else None for each in wanted.values()]

    def readings(
        self, series: Sequence[Series], since_us: int, until_us: int, after: tuple[int, int] | None = None
    ) -> Generator[SeriesReading, None, None]:
        """All readings in [since, until), in order of time and then of series; streamed in constant memory.

        ``after``: (time, series id) of the last row of the page before.
        """
        from sensorlogd.storage.query.stream import points
        from sensorlogd.storage.rollups.snapshot import Snapshot

        by_id = {each.id: each for each in series}
        new = tuple.__new__  # a day at 1 Hz is 86,400 of these
        with self._snapshot() as conn:
            if len(series) == 1 and after is None:
                only = series[0]
                for rows in _segments(conn, only).chunks(since_us, until_us):
                    for ts, value, flag in rows:
                        yield new(SeriesReading, (only, ts, value, flag))
                return
            snapshot = Snapshot.of(conn, "UTC")
            for ts, identity, value, flag in points(snapshot, list(by_id), since_us, until_us, after):
                yield new(SeriesReading, (by_id[identity], ts, value, flag))

    def page(
        self, series: Sequence[Series], since_us: int, until_us: int, after: tuple[int, int] | None, rows: int
    ) -> list[SeriesReading]:
        """The first ``rows`` of ``readings``; the snapshot is let go."""
        stream = self.readings(series, since_us, until_us, after)
        try:
            return list(islice(stream, rows))
        finally:
            stream.close()

    def dirty_minutes(self, since_us: int) -> tuple[int, dict[tuple[int, int], int]]:
        """The edge of the roll-ups, and the minutes before it that are to be computed again, (series id, start) -> generation."""
        from sensorlogd.storage.rollups import outdated

        with self._snapshot() as conn:
            rows = outdated.minutes_since(conn, since_us)
            return watermarks.stored(conn).edge_us, {(series, start): generation for series, start, generation in rows}

    def span(self, series: Sequence[Series]) -> tuple[int | None, int | None]:
        """When the first and the last reading of these series was."""
        with self._snapshot() as conn:
            readings = Readings.of(conn)
            found = [extent for each in series if (extent := readings.extent(each.id)) is not None]
        return min((first for first, _ in found), default=None), max((last for _, last in found), default=None)

    def columns(self, series: Series, since_us: int, until_us: int) -> Iterator[list[tuple[int, float | None, int]]]:
        """(time, value, quality) of one series in [since, until), some thousands at a time: the fast way to many readings."""
        with self._snapshot() as conn:
            yield from _segments(conn, series).chunks(since_us, until_us)

    def known_from(self, series: Series) -> int | None:
        """When its first usable reading was, in µs UTC; one that has expired is known by roll-ups. None: there was none."""
        with self._snapshot() as conn:
            return _segments(conn, series).first()

    def gaps(self, series: Series, since_us: int, until_us: int, least_us: int) -> Iterator[Gap]:
        """Pauses of one series that touch [since, until) and are longer than ``least_us`` and its heartbeat; see ``gaps``."""
        from sensorlogd.storage.query.gaps import gaps

        with self._snapshot() as conn:
            yield from gaps(_segments(conn, series), since_us, until_us, max(least_us, series.heartbeat_us))

    def buckets(
        self, series: Sequence[Series], query: Query, unit: str | None = None
    ) -> Generator[tuple[Series, Answer], None, None]:
        """The answer of each series; read an answer's rows before asking for the next. ``unit``: convert to it.

        Raises ValueError for what cannot be answered (see ``engine``), before the first answer where that is possible.
        """
        from sensorlogd.storage.query import engine
        from sensorlogd.storage.rollups.snapshot import Snapshot

        changes = [None if unit is None else conversion_of(each, unit, query.aggregates) for each in series]
        with self._snapshot() as conn:
            snapshot = engine.hold_recent(Snapshot.of(conn, query.zone), [each.id for each in series], query)
            for each, change in zip(series, changes, strict=True):
                yield each, engine.buckets(snapshot, each.id, query, change)

    def stamped(self, since_us: int, until_us: int) -> list[tuple[int, int, float | None, int]]:
        """(time, series id, value, quality) of every series in [since, until), in order of time: for short, recent ranges."""
        with self._snapshot() as conn:
            return Readings.of(conn).stamped(since_us, until_us)

    def arrived(self) -> dict[int, int]:
        """Series id -> time of the reading that had arrived last when the newest values were written, some seconds ago."""
        return {identity: ts for identity, (ts, _, _) in latest.saved(self.conn).items()}

    def each_since(self, since_us: Mapping[int, int], until_us: int) -> Iterator[tuple[int, int, float | None, int]]:
        """(time, series id, value, quality) of what each of these series has from a time of its own on; in no order."""
        with self._snapshot() as conn:
            yield from Readings.of(conn).each_since(since_us, until_us)

    # ---- what happened, how it is ----------------------------------------------------------------------------------

    def events_between(
        self,
        since_us: int | None,
        until_us: int | None,
        kind: str | None,
        sensor: str | None,
        *,
        after: int | None,
        before: int | None,
        limit: int,
    ) -> list[Event]:
        """The newest first. ``kind``, ``sensor``: globs; ``after``, ``before``: ids that bound it, both left out; None: no bound. Ids
        of events that were brought back from a damaged file are 0 or less."""
        return events.between(self.conn, since_us, until_us, kind, sensor, after=after, before=before, limit=limit)

    def events(
        self, since_us: int | None = None, limit: int = 100, sensor: str | None = None, after_id: int | None = None
    ) -> list[Event]:
        """The newest ``limit`` events, oldest of them first; with ``after_id`` only those of a greater id."""
        return self.events_between(since_us, None, None, sensor, after=after_id, before=None, limit=limit)[::-1]

    def daemon(self) -> dict[str, Any]:
        """What the daemon last wrote about itself; empty if it never ran on this file."""
        return status.daemon(self.conn)

    def sensors(self) -> list[StoredStatus]:
        """What the daemon last wrote about each configured sensor, by name."""
        return status.sensors(self.conn)


def _bytes_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def conversions(series: Iterable[Series], unit: str, aggregates: Sequence[str] = ()) -> dict[int, Conversion | None]:
    """The conversion of each series, by its id, for ``converted``. Raises as ``conversion_of`` does."""
    return {each.id: conversion_of(each, unit, aggregates) for each in series}


def converted(readings: Iterable[SeriesReading], changes: Mapping[int, Conversion | None]) -> Iterator[SeriesReading]:
    """The readings in another unit; their series stay as they are stored."""
    for reading in readings:
        change = changes[reading.series.id]
        if change is None or reading.value is None:
            yield reading
        else:
            yield reading._replace(value=change.value(reading.value))


def conversion_of(series: Series, unit: str, aggregates: Sequence[str] = ()) -> Conversion | None:
    """The conversion of a series; None if it has that unit. ``aggregates``: what is to be converted, if not readings. Raises
    ValueError that names the series."""
    from sensorlogd.storage.query import units

    try:
        change = units.unit_conversion(series.unit, unit)
        if change is not None:
            change.check(aggregates)
        return change
    except units.UnitError as error:
        raise ValueError(f"{series.name}: {error}") from None


def _segments(conn: sqlite3.Connection, series: Series) -> Segments:
    """The stored readings of a series, as they lie."""
    from sensorlogd.storage.query.aggregates import BASE
    from sensorlogd.storage.query.segments import Segments
    from sensorlogd.storage.rollups.snapshot import Snapshot

    return Segments(Snapshot.of(conn, "UTC"), series.id, BASE)
