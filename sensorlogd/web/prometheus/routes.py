"""Paths and forms of the API: ``/prometheus/api/v1/...``, as Prometheus answers it.

What Grafana asks beyond queries (rules, exemplars ...) is answered with nothing, which is what there is.
"""

from __future__ import annotations

import math
import re
from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sensorlogd.durations import parse_duration
from sensorlogd.storage.query.log import Log
from sensorlogd.web.prometheus.values import NAME, Labels, PromError, Samples, Scalar, Series, Text, Value, Vector, key
from sensorlogd.web.serving.errors import ApiError
from sensorlogd.web.serving.forms import form

if TYPE_CHECKING:
    from sensorlogd.web.prometheus.source import LogSource

MOST_POINTS = 11_000  # of a series, as Prometheus has it
STATUS = {"bad_data": 400, "execution": 422, "unsupported": 422, "timeout": 503, "unavailable": 503, "not_found": 404}
VERSION = "3.5.0"  # whose answers these are
MISSING = "PromQL needs a package that is not installed: pip install 'sensorlogd[prometheus]'"

Answer = Callable[[Request, QueryParams], Awaitable[Any]]


def _endpoint(answer: Answer) -> Callable[[Request], Awaitable[Response]]:
    """GET and form POST; every mistake in Prometheus' shape."""

    async def endpoint(request: Request) -> Response:
        try:
            parameters = request.query_params
            if request.method == "POST":
                posted = await form(request)
                parameters = QueryParams([*parameters.multi_items(), *posted.multi_items()])
            data = await answer(request, parameters)
        except PromError as error:
            return _error(error.kind, str(error))
        except ApiError as error:
            told = error.body
            kind = "timeout" if told["code"] == "takes_too_long" else "bad_data" if error.status < 422 else "unavailable"
            return _error(kind, "; ".join(str(told[name]) for name in ("message", "hint") if name in told))
        return JSONResponse({"status": "success", "data": data})

    return endpoint


def _error(kind: str, message: str) -> Response:
    name = "execution" if kind == "unsupported" else kind
    return JSONResponse({"status": "error", "errorType": name, "error": message}, STATUS[kind])


# ---- queries -----------------------------------------------------------------------------------------------------------


async def query(request: Request, parameters: QueryParams) -> Any:
    """An instant."""
    engine = _engine()
    at = _time(parameters, "time", None)
    expression = engine.parse(_required(parameters, "query"))
    lookback = _lookback(parameters, engine.LOOKBACK_US)

    def ask(source: LogSource) -> Any:
        if type(expression).__name__ in ("MatrixSelector", "SubqueryExpr"):
            found = engine.range_of(expression, at, source)
            result = [{"metric": labels, "values": _pairs(samples)} for labels, samples in found if samples.times]
            return {"resultType": "matrix", "result": result}
        value = engine.evaluate(expression, engine.Grid(at, 0, 1, at, at), source, lookback)
        return _instant(value, at)

    return await _run(request, ask)


async def query_range(request: Request, parameters: QueryParams) -> Any:
    """Instants from ``start`` to ``end``, ``step`` apart."""
    engine = _engine()
    start, end = _time(parameters, "start"), _time(parameters, "end")
    step = _step(parameters)
    if end < start:
        raise PromError('invalid parameter "end": end timestamp must not be before start time', "bad_data")
    if (end - start) // step >= MOST_POINTS:
        raise PromError(
            f"exceeded maximum resolution of {MOST_POINTS:,} points per timeseries. Try decreasing the query resolution (?step=XX)",
            "bad_data",
        )
    expression = engine.parse(_required(parameters, "query"))
    lookback = _lookback(parameters, engine.LOOKBACK_US)

    def ask(source: LogSource) -> Any:
        grid = engine.Grid.of(start, end, step)
        value = engine.evaluate(expression, grid, source, lookback)
        if isinstance(value, Text):
            raise PromError('invalid expression type "string" for range query, must be Scalar or instant Vector', "bad_data")
        series = (
            [Series({}, list(value.values))]
            if isinstance(value, Scalar)
            else sorted(value.series, key=lambda one: key(one.labels))
        )
        times = [_seconds(grid.at(at)) for at in range(grid.steps)]
        result = []
        for one in series:
            pairs = [[at, number(value)] for at, value in zip(times, one.values, strict=True) if value is not None]
            if pairs:
                result.append({"metric": one.labels, "values": pairs})
        return {"resultType": "matrix", "result": result}

    return await _run(request, ask)


def _engine() -> Any:
    try:
        from sensorlogd.web.prometheus import engine
    except ImportError as error:
        if error.name not in ("promql_parser", "re2"):
            raise
        raise PromError(MISSING, "unavailable") from None
    return engine


async def _run(request: Request, ask: Callable[[LogSource], Any]) -> Any:
    """``ask`` within one read transaction, on a thread of the pool."""
    from sensorlogd.web.prometheus.source import LogSource

    heartbeat = request.app.state.settings.prometheus_lookback == "heartbeat"

    def question(log: Log) -> Any:
        log.conn.execute("BEGIN")
        return ask(LogSource(log, heartbeat=heartbeat))

    return await request.app.state.pool.run(question)


def _instant(value: Value, at_us: int) -> Any:
    at = _seconds(at_us)
    if isinstance(value, Scalar):
        return {"resultType": "scalar", "result": [at, number(value.values[0])]}
    if isinstance(value, Text):
        return {"resultType": "string", "result": [at, value.value]}
    return {
        "resultType": "vector",
        "result": [
            {"metric": one.labels, "value": [at, number(v)]} for one in _ordered(value) if (v := one.values[0]) is not None
        ],
    }


def _ordered(vector: Vector) -> list[Series]:
    return vector.series if vector.ordered else sorted(vector.series, key=lambda one: key(one.labels))


def _pairs(samples: Samples) -> list[list[Any]]:
    return [[_seconds(ts), number(value)] for ts, value in zip(samples.times, samples.values, strict=True)]


def number(value: float) -> str:
    """As Prometheus writes it: no exponent but for very large and very small numbers, NaN, +Inf, -Inf."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    if value == int(value) and abs(value) < 1e15:
        return "-0" if value == 0 and math.copysign(1.0, value) < 0 else str(int(value))
    text = repr(value)
    if "e" in text:
        return format(Decimal(text), "f") if 1e-6 <= abs(value) < 1e21 else text.replace(".0e", "e")
    return text


def _seconds(us: int) -> float | int:
    return us // 1_000_000 if us % 1_000_000 == 0 else us / 1e6


# ---- what there is -----------------------------------------------------------------------------------------------------


async def series(request: Request, parameters: QueryParams) -> Any:
    selectors = parameters.getlist("match[]")
    if not selectors:
        raise PromError("no match[] parameter provided", "bad_data")
    return await _matching(request, selectors, lambda found: sorted(found, key=key))


async def labels(request: Request, parameters: QueryParams) -> Any:
    return await _matching(request, parameters.getlist("match[]"), lambda found: sorted({name for one in found for name in one}))


async def label_values(request: Request, parameters: QueryParams) -> Any:
    name = request.path_params["name"]
    if not re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_]*", name):
        raise PromError(f"invalid label name: {name!r}", "bad_data")
    return await _matching(
        request, parameters.getlist("match[]"), lambda found: sorted({one[name] for one in found if name in one})
    )


async def _matching(request: Request, selectors: Sequence[str], give: Callable[[list[Labels]], Any]) -> Any:
    tests: list[Callable[[Labels], bool]] = []
    if selectors:
        engine = _engine()
        for selector in selectors:
            node = engine.parse(selector)
            if type(node).__name__ != "VectorSelector":
                raise PromError(f"{selector!r} is no series selector", "bad_data")
            tests.append(engine.matcher(node))

    def ask(source: LogSource) -> Any:
        return give([found for _, found in source.all_labels() if not tests or any(test(found) for test in tests)])

    return await _run(request, ask)


async def metadata(request: Request, parameters: QueryParams) -> Any:
    wanted = parameters.get("metric")

    def ask(source: LogSource) -> Any:
        found: dict[str, list[dict[str, str]]] = {}
        for one, labels in source.all_labels():
            if wanted is None or labels[NAME] == wanted:
                entry = {"type": "counter" if one.kind == "counter" else "gauge", "help": "", "unit": one.unit}
                entries = found.setdefault(labels[NAME], [])
                if entry not in entries:
                    entries.append(entry)
        return found

    return await _run(request, ask)


async def buildinfo(request: Request, parameters: QueryParams) -> Any:
    from sensorlogd import __version__

    return {
        "version": VERSION,
        "revision": f"sensorlogd {__version__}",
        "branch": "",
        "buildUser": "",
        "buildDate": "",
        "goVersion": "",
    }


def _nothing(data: Any) -> Answer:
    async def answer(request: Request, parameters: QueryParams) -> Any:
        return data

    return answer


# ---- parameters --------------------------------------------------------------------------------------------------------


def _required(parameters: QueryParams, name: str) -> str:
    text = parameters.get(name)
    if not text:
        raise PromError(f'invalid parameter "{name}": it is missing', "bad_data")
    return text


def _time(parameters: QueryParams, name: str, default: str | None = "") -> int:
    """Microseconds of seconds since 1970 or RFC 3339; ``default`` None: now."""
    import time

    from sensorlogd import times

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


def _duration(text: str, name: str) -> int:
    try:
        us = round(float(text) * 1000) * 1000
    except (ValueError, OverflowError):
        try:
            us = _parsed(text)
        except ValueError:
            raise PromError(f'invalid parameter "{name}": cannot parse "{text}" to a valid duration', "bad_data") from None
    if us <= 0 or us > 10**17:
        raise PromError(
            f'invalid parameter "{name}": zero or negative query resolution step widths are not accepted. Try a positive integer',
            "bad_data",
        )
    return us


_PART = re.compile(r"(\d+)(ms|[smhdwy])", re.ASCII)


def _parsed(text: str) -> int:
    """``1h30m`` as Prometheus writes it; a year has 365 days. Raises ValueError."""
    if not re.fullmatch(r"(?:\d+(?:ms|[smhdwy]))+", text, re.ASCII):
        raise ValueError(text)
    names = {"m": "min", "y": "d"}
    return sum(
        parse_duration(f"{int(n) * (365 if unit == 'y' else 1)}{names.get(unit, unit)}") for n, unit in _PART.findall(text)
    )


def _step(parameters: QueryParams) -> int:
    return _duration(_required(parameters, "step"), "step")


def _lookback(parameters: QueryParams, default: int) -> int:
    text = parameters.get("lookback_delta")
    return default if text is None else _duration(text, "lookback_delta")


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
    _route("/rules", _nothing({"groups": []}), ("GET",)),
    _route("/alerts", _nothing({"alerts": []}), ("GET",)),
    _route("/query_exemplars", _nothing([])),
    _route("/status/flags", _nothing({}), ("GET",)),
]
