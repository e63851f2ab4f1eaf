"""Readings as lines of CSV or NDJSON, written column by column: what many rows have in common is formatted once.

The lines are those of ``encode`` and ``rows``; only the work is another.
"""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from sensorlogd import quality
from sensorlogd.notation import csv_rows
from sensorlogd.storage.query.aggregates import BASE
from sensorlogd.storage.query.log_reader import LogReader
from sensorlogd.storage.query.rows import number
from sensorlogd.storage.query.segments import Segments
from sensorlogd.storage.rollups.snapshot import Snapshot
from sensorlogd.storage.series.stored import Series
from sensorlogd.web.answering.params import TimeForm, changes_of, find_series
from sensorlogd.web.answering.questions.reading_pages import ReadingsQuery
from sensorlogd.web.workers.damage import DamageSkipper, Lost
from sensorlogd.web.workers.texts import safe_cell

MAX_ROWS_AT_ONCE = 20_000
MAX_ROWS = 80_000  # of a page: a megabyte or two are enough
FIRST_WIDTH_US = 600_000_000
GROWS_BY = 4

Row = tuple[int, float | None, int]  # (ts, value, quality)
Line = tuple[int, int, str]  # (ts, series id, text)


@dataclass(frozen=True, slots=True)
class StreamProgress:
    """How far a stream has got; a page holds all readings of a span of time. ``left``: how many rows may still be sent.
    ``enough``: how many make a page."""

    since_us: int
    width_us: int
    left: int
    enough: int


@dataclass(slots=True)
class Page:
    """A page of a stream. ``following``: where the next one begins, None after the last; ``lost``: the ranges that cannot be
    read."""

    body: bytes
    following: StreamProgress | None
    lost: list[Lost]


class _TooMany(Exception):
    """A span holds more rows than fit in a page."""


def page(log: LogReader, query: ReadingsQuery, place: StreamProgress, form: str) -> Page:
    """The lines of the next page, in order of time and series. Raises ApiError, or sqlite3.Error if nothing can be read."""
    wanted = find_series(log, query.patterns)
    stamps = _Stamps(query.form, form)
    writers = [_Writer(series, query, form, stamps) for series in wanted]
    log.conn.execute("BEGIN")
    snapshot = Snapshot.of(log.conn, "UTC")
    lines: list[Line] = []
    lost: list[Lost] = []
    failed: sqlite3.DatabaseError | None = None
    anything = False  # could be read
    since, width = place.since_us, place.width_us
    while since < query.until_us and len(lines) < min(place.enough, place.left):
        until = min(since + width, query.until_us)
        try:
            some, gone, error = _lines_of_span(snapshot, writers, since, until)
        except _TooMany:
            width = max((until - since) // 2, 1)
            continue
        anything = anything or bool(some)
        if query.after is not None and since <= query.after[0]:
            some = [line for line in some if line[:2] > query.after]
        lines += some
        lost += gone
        failed = failed or error
        since = until
        if len(some) < place.enough // GROWS_BY:
            width *= GROWS_BY
    if failed is not None and not anything:
        raise failed
    if len(lines) >= place.left:  # what is lost after the last row is no part of the answer
        lines = lines[: place.left]
        lost = [stretch for stretch in lost if stretch.since_us <= lines[-1][0]]
    left = place.left - len(lines)
    following = StreamProgress(since, width, left, place.enough) if since < query.until_us and left else None
    return Page("".join([line[2] for line in lines]).encode(), following, lost)


def begin(query: ReadingsQuery, limit: int, enough: int) -> StreamProgress:
    """Where a streamed answer begins. ``limit``: rows in all; ``enough``: rows of a page."""
    since = query.since_us if query.after is None else max(query.since_us, query.after[0])
    return StreamProgress(since, FIRST_WIDTH_US, limit, enough)


def _lines_of_span(
    snapshot: Snapshot, writers: list[_Writer], since_us: int, until_us: int
) -> tuple[list[Line], list[Lost], sqlite3.DatabaseError | None]:
    """(the rows of a span that can be read, the ranges that cannot, the first error of those). Raises _TooMany, unless the span is a
    single instant."""
    lines: list[Line] = []
    lost: list[Lost] = []
    most = MAX_ROWS if until_us - since_us > 1 else 1 << 62
    failed: sqlite3.DatabaseError | None = None
    settled, fresh = snapshot.readings.spans(since_us, until_us)
    if settled is not None:
        for writer in writers:
            skipper = DamageSkipper(writer.series.name, lost)
            rows = skipper.read(_reader_of_series(snapshot, writer.series, most - len(lines)), *settled)
            failed = failed or skipper.error
            lines += writer.lines(rows)
    if fresh is not None:
        skipper = DamageSkipper("*", lost)
        by_series = {writer.series.id: writer for writer in writers}
        found: dict[int, list[Row]] = {}
        for ts, series, value, flags in skipper.read(_reader_of_fresh(snapshot, by_series, most - len(lines)), *fresh):
            found.setdefault(series, []).append((ts, value, flags))
        failed = failed or skipper.error
        for series, rows in found.items():
            lines += by_series[series].lines(rows)
    lines.sort()
    return lines, lost, failed


def _reader_of_series(snapshot: Snapshot, series: Series, limit: int) -> Callable[[int, int], list[Row]]:
    """A function that reads the rows of a series in a span; it raises _TooMany for more than ``limit``."""

    def rows(since_us: int, until_us: int) -> list[Row]:
        found: list[Row] = []
        for some in Segments(snapshot, series.id, BASE).chunks(since_us, until_us):
            found += some
            if len(found) > limit:
                raise _TooMany
        return found

    return rows


def _reader_of_fresh(
    snapshot: Snapshot, wanted: dict[int, Any], limit: int
) -> Callable[[int, int], list[tuple[int, int, Any, int]]]:
    """A function that reads the fresh rows of all wanted series in one pass; it raises _TooMany for more than ``limit``."""

    def rows(since_us: int, until_us: int) -> list[tuple[int, int, Any, int]]:
        found: list[tuple[int, int, Any, int]] = []
        for some in snapshot.readings.fresh_stamped(since_us, until_us, MAX_ROWS_AT_ONCE):
            found += [row for row in some if row[1] in wanted]
            if len(found) > limit:
                raise _TooMany
        return found

    return rows


class _Stamps(dict[int, str]):
    """Formats times, and remembers them: a hundred series often have the same."""

    def __init__(self, show: TimeForm, form: str) -> None:
        super().__init__()
        self._show = show
        self._json_text = form == "ndjson"
        self._second: int | None = None
        self._head = self._tail = ""

    def __missing__(self, us: int) -> str:
        if len(self) > 200_000:
            self.clear()
        shown = self._format(us)
        self[us] = shown
        return shown

    def _format(self, us: int) -> str:
        """The time in its form; of times in the same second only the fraction is written anew."""
        if self._show.kind != "rfc3339":
            return str(self._show(us))
        second, part = divmod(us, 1_000_000)
        if second != self._second:
            text = str(self._show(second * 1_000_000))
            if "T" not in text:
                return f'"{text}"' if self._json_text else text
            self._second, self._head, self._tail = second, text[:19], text[19:]
        text = f"{self._head}.{part:06d}{self._tail}" if part else f"{self._head}{self._tail}"
        return f'"{text}"' if self._json_text else text


class _Tails(dict[int, str]):
    """The end of a row, after the value: the unit, and the flags in words."""

    def __init__(self, unit: str, form: str) -> None:
        super().__init__()
        self._unit, self._form = unit, form

    def __missing__(self, flags: int) -> str:
        words = quality.describe(flags)
        if self._form == "csv":
            tail = f",{_csv_cells(safe_cell(self._unit), words)}\n"
        else:
            tail = f',"unit":{_json_text(self._unit)},"quality":{_json_text(words)}}}\n'
        self[flags] = tail
        return tail


class _Writer:
    """Writes the rows of one series."""

    def __init__(self, series: Series, query: ReadingsQuery, form: str, stamps: _Stamps) -> None:
        self.series = series
        self._stamps = stamps
        self._change = changes_of([series], query.unit).get(series.id)
        self._tails = _Tails(series.unit if query.unit is None else query.unit, form)
        if form == "csv":
            self._head, self._middle, self._none = "", f",{_csv_cells(series.sensor, series.channel)},", ""
        else:
            self._head, self._none = '{"time":', "null"
            self._middle = f',"sensor":{_json_text(series.sensor)},"channel":{_json_text(series.channel)},"value":'

    def lines(self, rows: list[Row]) -> Iterator[Line]:
        """The rows of the series as (time, id of the series, text of the row), in the order given."""
        stamps, tails, head, middle, none = self._stamps, self._tails, self._head, self._middle, self._none
        identity, change = self.series.id, self._change
        if change is not None:
            rows = [(ts, None if value is None else change.value(value), flags) for ts, value, flags in rows]
        return (
            (ts, identity, f"{head}{stamps[ts]}{middle}{none if value is None else _number_text(value, none)}{tails[flags]}")
            for ts, value, flags in rows
        )


def _number_text(value: float, none: str) -> str:
    """The number in the shortest text that gives it back; ``none`` for what is not finite."""
    text = repr(value)
    if text[-2:] == ".0" or text[-1] in "fn" or "e" in text:  # whole, infinite, not a number, or with an exponent
        found = number(value)
        if found is None:
            return none
        return repr(found) if none else str(csv_rows.cell(found))  # nothing at all is written in CSV only
    return text


def _csv_cells(*texts: str) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(texts)
    return line.getvalue()


def _json_text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
