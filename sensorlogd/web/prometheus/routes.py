"""The paths of the API, ``/prometheus/api/v1/...``: parameters, and the shape of answers.

Rules and alerts are our alarms. What Grafana asks beyond that (exemplars ...) is answered with nothing, which is what there is.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sensorlogd.notation.durations import parse_duration
from sensorlogd.storage.alarms import states
from sensorlogd.storage.alarms.states import AlarmRow
from sensorlogd.web import alerting
from sensorlogd.web.encode import MEDIA_TYPES, json_answer, tagged, takes_gzip
from sensorlogd.web.forms import form
from sensorlogd.web.prometheus.evaluation import Question, Refusal
from sensorlogd.web.prometheus.limits import Limits
from sensorlogd.web.prometheus.promql.values import PromError
from sensorlogd.web.refusal import ApiError
from sensorlogd.web.settings import Settings
from sensorlogd.web.workers.answer_body import AnswerBody
from sensorlogd.web.workers.asking import answer_of

MAX_POINTS = 11_000  # of a series, as Prometheus has it
STATUS = {
    "bad_data": 400,
    "execution": 422,
    "unsupported": 422,
    "timeout": 503,
    "unavailable": 503,
    "not_found": 404,
    "internal": 500,
}
KINDS = {"takes_too_long": "timeout", "takes_too_much": "execution", "internal": "internal"}
QUESTIONS = "sensorlogd.web.prometheus.evaluation:"
MAX_QUERY_CHARACTERS, MAX_PARENTHESES = 20_000, 300
VERSION = "3.5.0"  # whose answers these are

Answer = Callable[[Request, QueryParams], Awaitable[Any]]


def _endpoint(answer: Answer) -> Callable[[Request], Awaitable[Response]]:
    """A path that takes GET and form POST. Errors have the shape that Prometheus gives them."""

    async def endpoint(request: Request) -> Response:
        try:
            parameters = request.query_params
            if request.method == "POST":
                posted = await form(request)
                parameters = QueryParams([*parameters.multi_items(), *posted.multi_items()])
            data = await answer(request, parameters)
        except PromError as error:
            return _error_response(error.kind, str(error))
        except ApiError as error:
            body = error.body
            kind = KINDS.get(str(body["code"])) or ("bad_data" if error.status < 422 else "unavailable")
            return _error_response(
                kind, "; ".join(str(body[name]) for name in ("message", "hint") if name in body), error.headers
            )
        if isinstance(data, AnswerBody):
            return _body_response(request, data)
        body = {"status": "success", "data": data}
        return JSONResponse(body) if request.method == "POST" else json_answer(request, body)

    return endpoint


def _body_response(request: Request, found: AnswerBody) -> Response:
    """The HTTP answer for a body that a worker made."""
    etag = found.etag if request.method != "POST" else None
    answer = tagged(request, found.content, MEDIA_TYPES["json"], etag, packed=found.packed)
    if found.source is not None:
        answer.headers["X-Sensorlogd-Source"] = found.source
    return answer


def _error_response(kind: str, message: str, headers: dict[str, str] | None = None) -> Response:
    name = "execution" if kind == "unsupported" else kind
    headers = {"Retry-After": "5"} | (headers or {}) if STATUS[kind] == 503 else headers
    return JSONResponse({"status": "error", "errorType": name, "error": message}, STATUS[kind], headers)


# ---- queries -----------------------------------------------------------------------------------------------------------


async def query(request: Request, parameters: QueryParams) -> Any:
    """/query: an expression at one instant."""
    instant = _time_us(parameters, "time", None)
    return await _evaluate(request, parameters, instant, instant, 0)


async def query_range(request: Request, parameters: QueryParams) -> Any:
    """/query_range: an expression at the instants from ``start`` to ``end``, ``step`` apart."""
    start, end = _time_us(parameters, "start"), _time_us(parameters, "end")
    step = _step_us(parameters)
    if end < start:
        raise PromError('invalid parameter "end": end timestamp must not be before start time', "bad_data")
    if (end - start) // step > MAX_POINTS:  # one more than it says, as in Prometheus
        raise PromError(
            f"exceeded maximum resolution of {MAX_POINTS:,} points per timeseries. Try decreasing the query resolution (?step=XX)",
            "bad_data",
        )
    return await _evaluate(request, parameters, start, end, step)


async def _evaluate(request: Request, parameters: QueryParams, start: int, end: int, step: int) -> Any:
    """Evaluate the expression of the request from ``start`` to ``end`` (µs). Raises PromError, ApiError."""
    settings: Settings = request.app.state.settings
    text = _required(parameters, "query")
    if len(text) > MAX_QUERY_CHARACTERS:
        raise PromError(f"a query has at most {MAX_QUERY_CHARACTERS:,} characters and {MAX_PARENTHESES} parentheses", "bad_data")
    question = Question(
        text,
        start,
        end,
        step,
        _lookback_us(parameters),
        settings.prometheus_lookback == "heartbeat",
        Limits(settings.query_readings, settings.query_cells),
    )
    return await _answer(request, "evaluate", question, takes_gzip(request))


async def _answer(request: Request, name: str, *arguments: Any) -> Any:
    """Evaluate a question in a worker. Raises PromError, ApiError."""
    found = await answer_of(request, QUESTIONS + name, *arguments)
    if isinstance(found, Refusal):
        raise PromError(found.message, found.kind)
    return found


# ---- what there is -----------------------------------------------------------------------------------------------------


async def series(request: Request, parameters: QueryParams) -> Any:
    """/api/v1/series. Raises PromError without match[]."""
    selectors = parameters.getlist("match[]")
    if not selectors:
        raise PromError("no match[] parameter provided", "bad_data")
    return await _answer(request, "all_series", selectors)


async def labels(request: Request, parameters: QueryParams) -> Any:
    """/api/v1/labels."""
    return await _answer(request, "label_names", parameters.getlist("match[]"))


async def label_values(request: Request, parameters: QueryParams) -> Any:
    """/api/v1/label/NAME/values. Raises PromError for a name that no label can have."""
    name = request.path_params["name"]
    if not re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_]*", name):
        raise PromError(f"invalid label name: {name!r}", "bad_data")
    return await _answer(request, "label_values", parameters.getlist("match[]"), name)


async def metadata(request: Request, parameters: QueryParams) -> Any:
    """/api/v1/metadata: of one metric, or of all."""
    return await _answer(request, "metadata", parameters.get("metric"))


async def buildinfo(request: Request, parameters: QueryParams) -> Any:
    """/api/v1/status/buildinfo: the version of Prometheus whose API this is, by which Grafana chooses what it asks."""
    from sensorlogd import __version__

    return {
        "version": VERSION,
        "revision": f"sensorlogd {__version__}",
        "branch": "",
        "buildUser": "",
        "buildDate": "",
        "goVersion": "",
    }


def _answer_from_alarms(render: Callable[[list[AlarmRow]], Any]) -> Answer:
    async def answer(request: Request, parameters: QueryParams) -> Any:
        return await request.app.state.pool.run(lambda log: render(states.by_urgency(log.conn)))

    return answer


def _constant_answer(data: Any) -> Answer:
    async def answer(request: Request, parameters: QueryParams) -> Any:
        return data

    return answer


# ---- parameters --------------------------------------------------------------------------------------------------------


def _required(parameters: QueryParams, name: str) -> str:
    text = parameters.get(name)
    if not text:
        raise PromError(f'invalid parameter "{name}": it is missing', "bad_data")
    return text


def _time_us(parameters: QueryParams, name: str, default: str | None = "") -> int:
    """The time in microseconds, from seconds since 1970 or RFC 3339. ``default`` None: now."""
    import time

    from sensorlogd.notation import times

    text = parameters.get(name)
    if text is None and default is None:
        return time.time_ns() // 1000
    text = _required(parameters, name)
    try:
        seconds = float(text)
        if not abs(seconds) < 2e11:
            raise PromError(f'invalid parameter "{name}": cannot parse "{text}" to a valid timestamp', "bad_data")
        return round(seconds * 1000) * 1000  # milliseconds, as Prometheus counts
    except ValueError:
        pass
    try:
        return times.parse_time(text, 0, "UTC")
    except ValueError:
        raise PromError(f'invalid parameter "{name}": cannot parse "{text}" to a valid timestamp', "bad_data") from None


def _duration_us(text: str, name: str) -> int:
    """Microseconds from seconds, or from a duration such as 1h30m. Raises PromError, also for what is not more than 0."""
    try:
        us = round(float(text) * 1000) * 1000
    except (ValueError, OverflowError):
        try:
            us = _parse_duration(text)
        except ValueError:
            raise PromError(f'invalid parameter "{name}": cannot parse "{text}" to a valid duration', "bad_data") from None
    if us <= 0 or us > 10**17:
        raise PromError(
            f'invalid parameter "{name}": zero or negative query resolution step widths are not accepted. Try a positive integer',
            "bad_data",
        )
    return us


_PART = re.compile(r"(\d+)(ms|[smhdwy])", re.ASCII)


def _parse_duration(text: str) -> int:
    """The length in microseconds of a duration such as ``1h30m``. As in Prometheus, a year has 365 days. Raises ValueError."""
    if not re.fullmatch(r"(?:\d+(?:ms|[smhdwy]))+", text, re.ASCII):
        raise ValueError(text)
    names = {"m": "min", "y": "d"}
    return sum(
        parse_duration(f"{int(n) * (365 if unit == 'y' else 1)}{names.get(unit, unit)}") for n, unit in _PART.findall(text)
    )


def _step_us(parameters: QueryParams) -> int:
    return _duration_us(_required(parameters, "step"), "step")


def _lookback_us(parameters: QueryParams) -> int | None:
    text = parameters.get("lookback_delta")
    return None if text is None else _duration_us(text, "lookback_delta")


def _route(path: str, answer: Answer, methods: Sequence[str] = ("GET", "POST")) -> Route:
    return Route(f"/api/v1{path}", _endpoint(answer), methods=list(methods))


routes = [
    _route("/query", query),
    _route("/query_range", query_range),
    _route("/series", series),
    _route("/labels", labels),
    _route("/label/{name}/values", label_values, ("GET",)),
    _route("/metadata", metadata, ("GET",)),
    _route("/status/buildinfo", buildinfo, ("GET",)),
    _route("/rules", _answer_from_alarms(alerting.rules), ("GET",)),
    _route("/alerts", _answer_from_alarms(alerting.alerts), ("GET",)),
    _route("/query_exemplars", _constant_answer([])),
    _route("/status/flags", _constant_answer({}), ("GET",)),
]
