"""Questions of the API that may take long, as functions of a log that run in a worker. They return a body that can be sent as it
is."""

from __future__ import annotations

import sqlite3
from typing import Any

from sensorlogd.storage.query.log_reader import LogReader, converted
from sensorlogd.web.answering.params import TimeForm, changes_of, find_series
from sensorlogd.web.answering.questions import bucket_pages, costs, event_pages, reading_pages, row_text
from sensorlogd.web.answering.questions import database as databases
from sensorlogd.web.answering.questions.bucket_pages import BucketsQuery
from sensorlogd.web.answering.questions.event_pages import EventsQuery
from sensorlogd.web.answering.questions.reading_pages import ReadingsQuery
from sensorlogd.web.workers.answer_body import AnswerBody, body
from sensorlogd.web.workers.damage import DamageSkipper, Lost, is_damaged_page
from sensorlogd.web.workers.texts import rows_as_csv, rows_as_ndjson

Json = dict[str, Any]


# ---- readings ----------------------------------------------------------------------------------------------------------


def readings(log: LogReader, query: ReadingsQuery, shape: str, limit: int, pack: bool) -> AnswerBody:
    """A page of readings, as rows or columns. Of a damaged file the ranges that cannot be read are named."""
    lost: list[Lost] = []
    try:
        found, following = reading_pages.page_of_readings(log, query, query.after, limit)
    except sqlite3.DatabaseError as error:
        if not is_damaged_page(error):
            raise
        found, following, lost = _around_damage(log, query, limit)
    if shape == "columns":
        answer: Json = {"series": reading_pages.readings_as_columns(found, query), "next": following}
    else:
        answer = {"readings": [reading_pages.reading_as_row(reading, query) for reading in found], "next": following}
    return body(answer | unreadable(lost, query.form), pack)


def _around_damage(log: LogReader, query: ReadingsQuery, limit: int) -> tuple[list[Any], str | None, list[Lost]]:
    """Like ``page_of_readings``, with the readings that can be read. Raises sqlite3.DatabaseError if there are none."""
    lost: list[Lost] = []
    readings_found: list[Any] = []
    failed: sqlite3.DatabaseError | None = None
    since = query.since_us if query.after is None else max(query.since_us, query.after[0])
    wanted = find_series(log, query.patterns)
    changes = changes_of(wanted, query.unit)
    for series in wanted:
        skipper = DamageSkipper(series.name, lost)
        rows = skipper.read(lambda a, b, series=series: list(log.readings([series], a, b)), since, query.until_us)  # type: ignore[misc]
        failed = failed or skipper.error
        rows = [row for row in rows if query.after is None or (row.ts_us, series.id) > query.after]
        readings_found += converted(rows, changes) if changes else rows
    if failed is not None and not readings_found:
        raise failed
    readings_found.sort(key=lambda row: (row.ts_us, row.series.id))
    following = None
    if len(readings_found) > limit:
        last = readings_found[limit - 1]
        following = reading_pages.cursor(last.ts_us, last.series.id)
        lost = [stretch for stretch in lost if stretch.since_us <= last.ts_us]  # the next page names those after it
    return readings_found[:limit], following, lost


def readings_page(log: LogReader, query: ReadingsQuery, place: row_text.StreamProgress, form: str) -> row_text.Page:
    """The next page of a streamed answer, as text. ``form``: csv or ndjson."""
    return row_text.page(log, query, place, form)


# ---- buckets -----------------------------------------------------------------------------------------------------------


def buckets(log: LogReader, wanted: BucketsQuery, shape: str, pack: bool) -> AnswerBody:
    """Buckets of each series, as rows or columns. Of a damaged file the ranges that cannot be read are named."""
    lost: list[Lost] = []
    answer = bucket_pages.buckets(log, wanted, shape, lost)
    return body(answer | unreadable(lost, wanted.form), pack)


def buckets_page(log: LogReader, wanted: BucketsQuery, place: Any, form: str, limit: int) -> tuple[bytes, Any]:
    """The text of the next rows, and the place where the page after them begins."""
    rows, following = bucket_pages.page_of_buckets(log, wanted, place, limit)
    found = [bucket_pages.bucket_as_row(series, row, wanted.query.aggregates, wanted.form) for series, row in rows]
    encode = rows_as_csv if form == "csv" else rows_as_ndjson
    return encode(found, wanted.columns()), following


# ---- the rest ----------------------------------------------------------------------------------------------------------


def events(log: LogReader, query: EventsQuery, pack: bool) -> AnswerBody:
    """A page of events as JSON."""
    return body(event_pages.events(log, query), pack)


def cost(log: LogReader, query: costs.CostQuery, pack: bool) -> AnswerBody:
    """Costs as JSON. Raises ApiError 400 for a question that has no answer."""
    return body(costs.cost(log, query), pack)


def database(log: LogReader, now_us: int, form: TimeForm, measure: bool, pack: bool) -> AnswerBody:
    """What the database holds and how it grows. ``measure``: also bytes of each part, which reads the whole file."""
    return body(databases.database(log, now_us, form, measure=measure), pack)


def events_page(log: LogReader, query: EventsQuery, form: str) -> bytes:
    """A page of events as text. ``form``: csv or ndjson."""
    encode = rows_as_csv if form == "csv" else rows_as_ndjson
    return encode(event_pages.events(log, query)["events"], event_pages.EVENT_COLUMNS_WITH_ID)


def unreadable(lost: list[Lost], form: TimeForm) -> Json:
    """The member ``unreadable`` of an answer; nothing if everything could be read."""
    if not lost:
        return {}
    return {
        "unreadable": [
            {"series": stretch.series, "since": form(stretch.since_us), "until": form(stretch.until_us)} for stretch in lost
        ]
    }
