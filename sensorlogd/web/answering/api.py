"""The JSON API under /api/v1. What each request may say is in ``openapi``; what is asked of the log in ``answers``."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sensorlogd.storage.query.rows import EVENT_COLUMNS, READING_COLUMNS
from sensorlogd.web.answering import answers
from sensorlogd.web.answering.answers import BucketsAsk, ReadingsAsk
from sensorlogd.web.answering.encode import FORMATS, json_answer, streamed
from sensorlogd.web.answering.params import ROWS_DEFAULT, ROWS_MAX, Params, TimeForm
from sensorlogd.web.answering.pool import Pool
from sensorlogd.web.answering.stream import open_stream
from sensorlogd.web.serving.settings import Settings

PAGE_ROWS = 5_000  # of a streamed answer: some hundred kB at a time
COMMON = ("tz", "time")
SHAPES = ("rows", "columns")
# endpoint -> the parameters it knows; the OpenAPI document describes the same ones
PARAMETERS = {
    "sensors": ("retired", *COMMON),
    "latest": ("series", *COMMON),
    "readings": ("series", "since", "until", "unit", "shape", "format", "limit", "after", *COMMON),
    "buckets": ("series", "since", "until", "every", "max_points", "agg", "fill", "unit", "shape", "format", *COMMON),
    "events": ("since", "limit", "sensor", "after", "format", *COMMON),
    "status": COMMON,
    "stream": ("series", "last_event_id", *COMMON),
}


def _begin(request: Request, endpoint: str) -> tuple[Pool, Params, TimeForm]:
    settings: Settings = request.app.state.settings
    params = Params(request.query_params, PARAMETERS[endpoint], settings.zone)
    return request.app.state.pool, params, TimeForm(params.choice("time", TimeForm.KINDS, "rfc3339"), params.zone)


async def sensors(request: Request) -> Response:
    pool, params, form = _begin(request, "sensors")
    retired = params.flag("retired")
    return json_answer(request, await pool.run(lambda log: answers.sensors(log, params.now_us, form, retired=retired)))


async def latest(request: Request) -> Response:
    pool, params, form = _begin(request, "latest")
    patterns = params.series(required=False)
    return json_answer(request, await pool.run(lambda log: answers.latest(log, patterns, params.now_us, form)))


async def status(request: Request) -> Response:
    pool, params, form = _begin(request, "status")
    return json_answer(request, await pool.run(lambda log: answers.status(log, params.now_us, form)))


async def events(request: Request) -> Response:
    pool, params, form = _begin(request, "events")
    since, sensor = params.time_us("since", None), params.text("sensor")
    limit, after = params.whole("limit", 100, 1, ROWS_MAX), params.whole("after", 0, 0, 2**62)
    kind = params.choice("format", FORMATS, "json")
    found = await pool.run(lambda log: answers.events(log, since, limit, sensor, after, form))
    if kind == "json":
        return json_answer(request, found)

    async def page(_: object) -> tuple[list[Any], None]:
        return found["events"], None

    return await streamed(request, kind, ("id", *EVENT_COLUMNS), page, "events")


async def readings(request: Request) -> Response:
    pool, params, form = _begin(request, "readings")
    ask = ReadingsAsk(params.series(), *params.span("-1h"), params.text("unit"), form, answers.parse_cursor(params.text("after")))
    kind, shape = params.choice("format", FORMATS, "json"), params.choice("shape", SHAPES, "rows")
    if kind == "json":
        limit = params.whole("limit", ROWS_DEFAULT, 1, ROWS_MAX)

        def question(log: Any) -> dict[str, Any]:
            found, following = answers.page_of_readings(log, ask, ask.after, limit)
            if shape == "columns":
                return {"series": answers.readings_as_columns(found, ask), "next": following}
            return {"readings": [answers.reading_as_row(reading, ask) for reading in found], "next": following}

        return json_answer(request, await pool.run(question))
    left = params.whole("limit", 2**62, 1, 2**62)

    async def page(place: Any) -> tuple[list[Any], Any]:
        nonlocal left
        after = ask.after if place is None else answers.parse_cursor(place)

        def question(log: Any) -> tuple[list[dict[str, Any]], str | None]:
            found, following = answers.page_of_readings(log, ask, after, min(PAGE_ROWS, left))
            return [answers.reading_as_row(reading, ask) for reading in found], following

        rows, following = await pool.run(question, patient=place is not None)
        left -= len(rows)
        return rows, following if left else None

    return await streamed(request, kind, READING_COLUMNS, page, "readings")


async def buckets(request: Request) -> Response:
    pool, params, form = _begin(request, "buckets")
    wanted = BucketsAsk(params.series(), params.ask(), params.text("unit"), form)
    kind, shape = params.choice("format", FORMATS, "json"), params.choice("shape", SHAPES, "rows")
    if kind == "json":
        return json_answer(request, await pool.run(lambda log: answers.buckets(log, wanted, shape)))
    names = wanted.ask.aggregates
    columns = ("time", "sensor", "channel", *names, *(name for name in ("count", "coverage") if name not in names))

    async def page(place: Any) -> tuple[list[Any], Any]:
        def question(log: Any) -> tuple[list[dict[str, Any]], Any]:
            rows, following = answers.page_of_buckets(log, wanted, place, PAGE_ROWS)
            return [answers.bucket_row(one, row, names, form) for one, row in rows], following

        return await pool.run(question, patient=place is not None)

    return await streamed(request, kind, columns, page, "buckets")


async def stream(request: Request) -> Response:
    pool, params, form = _begin(request, "stream")
    last = request.headers.get("last-event-id") or params.text("last_event_id")
    return await open_stream(request, pool, params.series(required=False), form, last)


routes = [
    Route("/sensors", sensors),
    Route("/latest", latest),
    Route("/readings", readings),
    Route("/buckets", buckets),
    Route("/events", events),
    Route("/status", status),
    Route("/stream", stream),
]
