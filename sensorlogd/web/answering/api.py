"""The JSON API under /api/v1. What each request may say is in ``openapi``; what is asked of the log in ``questions``."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sensorlogd import saved_views
from sensorlogd.storage.query.rows import READING_COLUMNS
from sensorlogd.web.answering.live.stream import open_stream
from sensorlogd.web.answering.params import DEFAULT_ROWS, MAX_ROWS, Params, TimeForm
from sensorlogd.web.answering.pool import Pool
from sensorlogd.web.answering.questions import alarm_lists, current, mend_lists, row_text
from sensorlogd.web.answering.questions.bucket_pages import BucketsQuery
from sensorlogd.web.answering.questions.costs import CostQuery
from sensorlogd.web.answering.questions.event_pages import EVENT_COLUMNS_WITH_ID, EventsQuery
from sensorlogd.web.answering.questions.reading_pages import ReadingsQuery, parse_cursor
from sensorlogd.web.encode import FORMATS, MEDIA_TYPES, CutOff, json_answer, streamed, tagged, takes_gzip
from sensorlogd.web.refusal import ApiError
from sensorlogd.web.settings import Settings
from sensorlogd.web.workers.asking import answer_of
from sensorlogd.web.workers.damage import Lost

MAX_EVENT_ID = 2**62
MAX_LOST_NAMED = 20  # in a header
PAGE_ROWS = 5_000  # of a streamed answer: some hundred kB at a time
QUESTIONS = "sensorlogd.web.answering.questions.long_questions:"
COMMON = ("tz", "time")
SHAPES = ("rows", "columns")
# endpoint -> the parameters it knows; the OpenAPI document describes the same ones
PARAMETERS = {
    "sensors": ("retired", *COMMON),
    "latest": ("series", *COMMON),
    "readings": ("series", "since", "until", "unit", "shape", "format", "limit", "after", *COMMON),
    "buckets": ("series", "since", "until", "every", "max_points", "agg", "fill", "unit", "shape", "format", *COMMON),
    "events": ("since", "until", "limit", "kind", "sensor", "after", "before", "format", *COMMON),
    "alarms": ("state", *COMMON),
    "alarm_periods": ("series", "since", "until", *COMMON),
    "mends": ("series", "since", "until", *COMMON),
    "panels": COMMON,
    "cost": ("series", "since", "until", "every", *COMMON),
    "database": ("parts", *COMMON),
    "status": COMMON,
    "stream": ("series", "last_event_id", *COMMON),
}


def _common_parameters(request: Request, endpoint: str) -> tuple[Pool, Params, TimeForm]:
    """(the pool, the parameters that this endpoint takes, the form of times). Raises ApiError 400."""
    settings: Settings = request.app.state.settings
    params = Params(request.query_params, PARAMETERS[endpoint], settings.zone)
    return request.app.state.pool, params, TimeForm(params.choice("time", TimeForm.KINDS, "rfc3339"), params.zone)


async def sensors(request: Request) -> Response:
    """GET /api/v1/sensors: sensors with their channels and counters. Raises ApiError, as all of these do."""
    pool, params, form = _common_parameters(request, "sensors")
    retired = params.flag("retired")
    found = await pool.run(lambda log: current.sensors(log, params.now_us, form, retired=retired))
    return json_answer(request, found, current.without_ages(found))


async def latest(request: Request) -> Response:
    """GET /api/v1/latest: the newest reading of each series."""
    pool, params, form = _common_parameters(request, "latest")
    patterns = params.series(required=False)
    found = await pool.run(lambda log: current.latest(log, patterns, params.now_us, form))
    return json_answer(request, found, current.without_ages(found))


async def status(request: Request) -> Response:
    """GET /api/v1/status: the daemon, the database, each sensor in short."""
    pool, params, form = _common_parameters(request, "status")
    settings: Settings = request.app.state.settings
    found = await pool.run(lambda log: current.status(log, params.now_us, form, changes=settings.changes))
    return json_answer(request, found, current.without_ages(found))


async def events(request: Request) -> Response:
    """GET /api/v1/events: a page of them as JSON; as CSV or NDJSON the same page, without ``earlier``."""
    _, params, form = _common_parameters(request, "events")
    kind = params.choice("format", FORMATS, "json")
    query = EventsQuery(
        params.time_us("since", None),
        params.time_us("until", None),
        params.whole("limit", 100, 1, MAX_ROWS),
        params.text("kind"),
        params.text("sensor"),
        params.whole("after", None, -MAX_EVENT_ID, MAX_EVENT_ID),
        params.whole("before", None, -MAX_EVENT_ID, MAX_EVENT_ID),
        form,
    )
    if kind == "json":
        return await _answer(request, "events", query)

    async def page(_: object) -> tuple[bytes, None]:
        return await answer_of(request, QUESTIONS + "events_page", query, kind), None

    return await streamed(request, kind, EVENT_COLUMNS_WITH_ID, page, "events")


async def alarms(request: Request) -> Response:
    """GET /api/v1/alarms: every alarm of every series in its present state, or those in the state asked for."""
    pool, params, form = _common_parameters(request, "alarms")
    state = params.choice("state", alarm_lists.ALARM_STATES, "all")
    return json_answer(request, await pool.run(lambda log: alarm_lists.alarms(log, state, form)))


async def alarm_periods(request: Request) -> Response:
    """GET /api/v1/alarm_periods: from when to when alarms were raised, in a range; of the last day by default."""
    pool, params, form = _common_parameters(request, "alarm_periods")
    patterns, (since, until) = params.series(required=False), params.span("-1d")
    return json_answer(request, await pool.run(lambda log: alarm_lists.alarm_periods(log, patterns, since, until, form)))


async def mends(request: Request) -> Response:
    """GET /api/v1/mends: what was changed afterwards in a range; in the last day by default."""
    pool, params, form = _common_parameters(request, "mends")
    patterns, (since, until) = params.series(required=False), params.span("-1d")
    return json_answer(request, await pool.run(lambda log: mend_lists.mends(log, patterns, since, until, form)))


async def list_saved_views(request: Request) -> Response:
    """GET /api/v1/panels: the saved views, read from the daemon's file on a thread. Raises ApiError 422 if it cannot be
    read."""
    _, _, form = _common_parameters(request, "panels")
    path = request.app.state.settings.saved_views_file
    try:
        found = [] if path is None else await run_in_threadpool(lambda: saved_views.read(path))
    except (OSError, saved_views.SavedViewError) as error:
        raise ApiError(422, "unreadable", str(error)) from None
    return json_answer(
        request,
        {
            "panels": [
                {"name": view.name, "view": view.view, "saved": form(view.saved_us), "saved_us": view.saved_us} for view in found
            ]
        },
    )


async def cost(request: Request) -> Response:
    """GET /api/v1/cost: what counters rose by in each step, and what that cost; computed in a worker process."""
    _, params, form = _common_parameters(request, "cost")
    settings: Settings = request.app.state.settings
    since, until = params.span("-1d")
    query = CostQuery(
        params.series(), since, until, params.step("every", "1h"), params.zone, settings.zone, settings.tariffs, form
    )
    return await _answer(request, "cost", query)


async def database(request: Request) -> Response:
    """GET /api/v1/database: size, growth and incidents; computed in a worker process. parts=1 reads the whole file."""
    _, params, form = _common_parameters(request, "database")
    return await _answer(request, "database", params.now_us, form, params.flag("parts"))


async def readings(request: Request) -> Response:
    """GET /api/v1/readings: a page of them as JSON, or all of them as CSV or NDJSON, streamed page by page."""
    _, params, form = _common_parameters(request, "readings")
    query = ReadingsQuery(params.series(), *params.span("-1h"), params.text("unit"), form, parse_cursor(params.text("after")))
    kind, shape = params.choice("format", FORMATS, "json"), params.choice("shape", SHAPES, "rows")
    if kind == "json":
        return await _answer(request, "readings", query, shape, params.whole("limit", DEFAULT_ROWS, 1, MAX_ROWS))
    first = row_text.begin(query, params.whole("limit", 2**62, 1, 2**62), 4 * PAGE_ROWS)
    lost: list[Lost] = []

    async def page(place: Any) -> tuple[bytes, Any]:
        found = await answer_of(request, QUESTIONS + "readings_page", query, place or first, kind, patient=place is not None)
        if found.lost and place is not None:
            stretch = found.lost[0]
            raise CutOff(f"{stretch.series} cannot be read from {form(stretch.since_us)} on: the file is damaged")
        lost.extend(found.lost)
        return found.body, found.following

    answer = await streamed(request, kind, READING_COLUMNS, page, "readings")
    if lost:
        answer.headers["X-Sensorlogd-Unreadable"] = ", ".join(
            f"{quote(stretch.series, safe='*.')} {form(stretch.since_us)}/{form(stretch.until_us)}" for stretch in _in_short(lost)
        )
    return answer


def _in_short(lost: list[Lost]) -> list[Lost]:
    """At most MAX_LOST_NAMED ranges that cannot be read: of more, the last one is of all series and spans the rest."""
    if len(lost) <= MAX_LOST_NAMED:
        return lost
    rest = lost[MAX_LOST_NAMED - 1 :]
    spanning = Lost("*", min(stretch.since_us for stretch in rest), max(stretch.until_us for stretch in rest))
    return [*lost[: MAX_LOST_NAMED - 1], spanning]


async def buckets(request: Request) -> Response:
    """GET /api/v1/buckets: all of them as JSON, or as CSV or NDJSON, streamed page by page."""
    _, params, form = _common_parameters(request, "buckets")
    wanted = BucketsQuery(params.series(), params.query(), params.text("unit"), form)
    kind, shape = params.choice("format", FORMATS, "json"), params.choice("shape", SHAPES, "rows")
    if kind == "json":
        return await _answer(request, "buckets", wanted, shape)

    async def page(place: Any) -> tuple[bytes, Any]:
        found: tuple[bytes, Any] = await answer_of(
            request, QUESTIONS + "buckets_page", wanted, place, kind, PAGE_ROWS, patient=place is not None
        )
        return found

    return await streamed(request, kind, wanted.columns(), page, "buckets")


async def _answer(request: Request, question: str, *arguments: Any) -> Response:
    """The HTTP answer for a body that a worker made."""
    found = await answer_of(request, QUESTIONS + question, *arguments, takes_gzip(request))
    return tagged(request, found.content, MEDIA_TYPES["json"], found.etag, packed=found.packed)


async def stream(request: Request) -> Response:
    """GET /api/v1/stream: server-sent events, until the client leaves."""
    pool, params, form = _common_parameters(request, "stream")
    last = request.headers.get("last-event-id") or params.text("last_event_id")
    return await open_stream(request, pool, params.series(required=False), form, last)


routes = [
    Route("/sensors", sensors),
    Route("/latest", latest),
    Route("/readings", readings),
    Route("/buckets", buckets),
    Route("/events", events),
    Route("/alarms", alarms),
    Route("/alarm_periods", alarm_periods),
    Route("/mends", mends),
    Route("/panels", list_saved_views),
    Route("/cost", cost),
    Route("/database", database),
    Route("/status", status),
    Route("/stream", stream),
]
