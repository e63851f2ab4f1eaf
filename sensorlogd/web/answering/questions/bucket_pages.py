"""Buckets: all of them within limits, or page by page without."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

from sensorlogd.storage.query import grid
from sensorlogd.storage.query.engine import Answer, BucketRow, Query
from sensorlogd.storage.query.log_reader import LogReader
from sensorlogd.storage.query.rows import bucket_row, cell
from sensorlogd.storage.series.stored import Series
from sensorlogd.web.answering.params import MAX_CELLS, MAX_ROWS, TimeForm, changes_of, find_series
from sensorlogd.web.refusal import ApiError
from sensorlogd.web.workers.damage import DamageSkipper, Lost, is_damaged_page

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class BucketsQuery:
    """A question for buckets of series. ``unit``: to convert the values to; None: as stored."""

    patterns: list[str]
    query: Query
    unit: str | None
    form: TimeForm

    def columns(self) -> tuple[str, ...]:
        """The columns of the answer as CSV or NDJSON."""
        names = self.query.aggregates
        return ("time", "sensor", "channel", *names, *(name for name in ("count", "coverage") if name not in names))


def buckets(log: LogReader, wanted: BucketsQuery, shape: str, lost: list[Lost]) -> Json:
    """One entry for each series: its buckets, and which source they came from. The ranges that a damaged file does not give are
    appended to ``lost``."""
    query, form = wanted.query, wanted.form
    entries: list[Json] = []
    left = CellBudget(len(query.aggregates), is_filled=_needs_neighbours(query))
    found = find_series(log, wanted.patterns)
    changes_of(found, wanted.unit)
    try:
        pending = log.buckets(found, query, wanted.unit)
        for index, series in enumerate(found):
            try:
                _, answer = next(pending)
                rows = list(left.count(answer.rows))
            except sqlite3.DatabaseError as error:
                if not is_damaged_page(error):
                    raise
                pending.close()  # it holds a snapshot
                answer, rows = _around_damage(log, series, wanted, lost, error)
                pending = log.buckets(found[index + 1 :], query, wanted.unit)
            entry: Json = {
                "sensor": series.sensor,
                "channel": series.channel,
                "unit": series.unit if wanted.unit is None else wanted.unit,
                "kind": series.kind,
                "step": str(answer.step),
                "since": form(answer.since_us),
                "until": form(answer.until_us),
                "source": answer.source,
                "resolution": answer.resolution,
                "notes": answer.notes,
            }
            if shape == "columns":
                entry |= bucket_columns(rows, query.aggregates, form)
            else:
                entry["rows"] = [bucket_as_row(series, row, query.aggregates, form) for row in rows]
            entries.append(entry)
    except ValueError as error:
        raise ApiError(400, "unanswerable", str(error)) from None
    return {"series": entries}


@dataclass(slots=True)
class CellBudget:
    """How many rows and cells an answer may still have. ``is_filled``: as a stream it has a limit, too, of each series."""

    aggregates: int
    is_filled: bool
    rows: int = MAX_ROWS
    cells: int = MAX_CELLS

    def count(self, rows: Iterator[BucketRow]) -> Iterator[BucketRow]:
        """Pass the rows on, and count each as one of the answer. Raises ApiError 400 at the first that is too many."""
        width = self.aggregates + 3
        for row in rows:
            self.rows -= 1
            self.cells -= width
            if self.rows < 0 or self.cells < 0:
                most = min(MAX_ROWS, MAX_CELLS // width)
                streamed = f"which give {MAX_ROWS:,} rows of each series" if self.is_filled else "which have no limit"
                hint = f"take longer steps, a shorter range or fewer series, or format=ndjson or csv, {streamed}"
                raise ApiError(400, "too_many_rows", f"the answer has more than {most:,} rows of {width} cells", hint=hint)
            yield row


def _around_damage(
    log: LogReader, series: Series, wanted: BucketsQuery, lost: list[Lost], error: sqlite3.DatabaseError
) -> tuple[Answer, list[BucketRow]]:
    """The buckets of one series that can be read in spite of damaged pages. Raises ``error`` if none can."""
    query, zone = wanted.query, wanted.query.zone
    answer: Answer | None = None
    step, since, until = query.step, query.since_us, query.until_us
    if step is None:
        assert query.max_points is not None
        step = grid.for_points(since, until, query.max_points, zone)
        since, until = step.bucket(since, zone)[0], step.bucket(until - 1, zone)[1]

    def rows(a: int, b: int) -> list[BucketRow]:
        nonlocal answer
        with closing(log.buckets([series], Query(a, b, step, None, query.aggregates, zone, query.fill), wanted.unit)) as pending:
            _, answer = next(pending)
            return list(answer.rows)

    skipper = DamageSkipper(series.name, lost, step.about_us, lambda us: step.bucket(us, zone)[0])
    found = skipper.read(rows, since, until)
    if answer is None or not found:
        raise error
    notes = ["a part of the database is damaged; 'unreadable' says which range is missing"]
    return replace(answer, since_us=since, until_us=until, notes=[*answer.notes, *notes]), found


def bucket_as_row(series: Series, row: BucketRow, names: tuple[str, ...], form: TimeForm) -> Json:
    """A bucket as the API gives it (Bucket). ``names``: of the aggregates, in the order of ``row.values``."""
    return {"time": form(row.start_us)} | bucket_row(series, row, names)


def bucket_columns(rows: list[BucketRow], names: tuple[str, ...], form: TimeForm) -> Json:
    """Buckets of one series as arrays of equal length: ``time``, each of ``names``, ``count`` and ``coverage``."""
    columns: Json = {"time": [form(row.start_us) for row in rows]}
    for index, name in enumerate(names):
        columns[name] = [cell(row.values[index]) for row in rows]
    columns.setdefault("count", [row.readings for row in rows])
    columns.setdefault("coverage", [row.coverage for row in rows])
    return columns


@dataclass(frozen=True, slots=True)
class BucketsPlace:
    """How far a streamed answer has got."""

    series: int  # index
    since_us: int


def page_of_buckets(
    log: LogReader, wanted: BucketsQuery, place: BucketsPlace | None, limit: int
) -> tuple[list[tuple[Series, BucketRow]], BucketsPlace | None]:
    """At most ``limit`` rows, series by series, and the place where the next page begins (None after the last).

    A page ends between two buckets, which changes nothing in any of them. Filled ones depend on their neighbours: with
    ``previous`` and ``linear`` a series is one page, bounded by the number of its buckets.
    """
    series_found = find_series(log, wanted.patterns)
    changes_of(series_found, wanted.unit)
    query = wanted.query
    index = place.series if place else 0
    since = place.since_us if place else query.since_us
    whole = _needs_neighbours(query) or query.step is None
    rows: list[tuple[Series, BucketRow]] = []
    while index < len(series_found):
        series = series_found[index]
        for row in _bucket_rows(log, series, query, since, wanted.unit):
            if len(rows) >= limit and not whole:
                assert query.step is not None
                return rows, BucketsPlace(index, max(row.start_us, since))
            if whole and len(rows) >= MAX_ROWS:
                raise ApiError(
                    400,
                    "too_many_rows",
                    f"{series.name}: to be filled, more than {MAX_ROWS:,} rows are needed at once",
                    hint="take longer steps or a shorter range, or fill=none or null, which have no limit",
                )
            rows.append((series, row))
        index, since = index + 1, query.since_us
        if len(rows) >= limit and index < len(series_found):
            return rows, BucketsPlace(index, since)
    return rows, None


def _needs_neighbours(query: Query) -> bool:
    """Whether rows are filled from the rows beside them, so that a series cannot be cut into pages."""
    return query.fill in ("previous", "linear")


def _bucket_rows(log: LogReader, series: Series, query: Query, since_us: int, unit: str | None) -> Iterator[BucketRow]:
    """The rows of one series from ``since_us`` on. Raises ApiError 400 if the question cannot be answered."""
    question = Query(since_us, query.until_us, query.step, query.max_points, query.aggregates, query.zone, query.fill)
    try:
        with closing(log.buckets([series], question, unit)) as answers:
            for _, answer in answers:
                yield from answer.rows
    except ValueError as error:
        raise ApiError(400, "unanswerable", str(error)) from None
