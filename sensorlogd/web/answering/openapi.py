"""The API's description: OpenAPI 3.1 at /openapi.json, and a page for people at /docs that needs no network.

Parameters are taken from the tables that the endpoints read them by, so that none can be missing here.
"""

from __future__ import annotations

import functools
import html
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from sensorlogd import __version__
from sensorlogd.storage.query import aggregates
from sensorlogd.storage.query.engine import FILLS
from sensorlogd.web.answering import api, metrics
from sensorlogd.web.answering.answers import ALARM_STATES
from sensorlogd.web.answering.encode import FORMATS, MEDIA_TYPES, json_answer, tagged
from sensorlogd.web.answering.params import MAX_LENGTH, MAX_PATTERNS, POINTS_MAX, ROWS_DEFAULT, ROWS_MAX, TimeForm
from sensorlogd.web.answering.schemas import SCHEMAS, Schema, closed, listed, nullable, ref

TEXT: Schema = {"type": "string", "maxLength": MAX_LENGTH}
TIMES = "a time: now-1h, -15m, today, 2026-01-31, 2026-01-31T12:30+01:00, or an epoch in s, ms or us"
# name -> (what it is, schema, example)
PARAMETERS: dict[str, tuple[str, Schema, Any]] = {
    "series": (
        "sensor.channel, globs allowed; a bare sensor means all its channels. May be repeated, and hold several with commas",
        listed(TEXT | {"minLength": 1}) | {"maxItems": MAX_PATTERNS},
        ["greenhouse.temperature"],
    ),
    "since": (f"begin of the range, {TIMES}", TEXT, "-1d"),
    "until": ("end of the range, which is not in it", TEXT, "now"),
    "every": ("length of a bucket: 15min, 1h, 1d (calendar days of the zone), 1mo; or give max_points", TEXT, "15min"),
    "max_points": (
        "at most so many buckets; their length is taken from a ladder of lengths that lie on the clock",
        {"type": "integer", "minimum": 1, "maximum": POINTS_MAX},
        500,
    ),
    "agg": (
        f"aggregates: {', '.join(aggregates.NAMES)}, any pNN; default {','.join(aggregates.DEFAULT)}. Repeated, or with commas",
        listed(TEXT | {"minLength": 1}) | {"maxItems": 20},
        ["mean", "min", "max"],
    ),
    "fill": (
        "what stands in empty buckets; none: they are left out",
        {"type": "string", "enum": list(FILLS), "default": "none"},
        "null",
    ),
    "unit": ("convert to this unit, e.g. degF", TEXT, None),
    "shape": ("rows, or one array a column", {"type": "string", "enum": list(api.SHAPES), "default": "rows"}, "columns"),
    "format": (
        "json, or a stream of rows of any length",
        {"type": "string", "enum": list(FORMATS), "default": "json"},
        "csv",
    ),
    "kind": ("only events of these kinds, a glob", TEXT, "web_*"),
    "before": ("only events with a smaller id: earlier of the answer before", {"type": "integer", "minimum": 0}, None),
    "limit": ("at most so many rows", {"type": "integer", "minimum": 1, "maximum": ROWS_MAX}, 100),
    "after": ("next of the page before", TEXT, None),
    "state": (
        "raised: without those that are normal or pending",
        {"type": "string", "enum": list(ALARM_STATES), "default": "all"},
        "raised",
    ),
    "sensor": ("only what happened to these sensors, a glob", TEXT, "greenhouse"),
    "retired": ("former series, too", {"type": "string", "enum": ["0", "1", "false", "true"], "default": "0"}, "1"),
    "values": (
        "the newest values of the series, too",
        {"type": "string", "enum": ["0", "1", "false", "true"], "default": "0"},
        "1",
    ),
    "last_event_id": ("continue behind this message; browsers send the header Last-Event-ID by themselves", TEXT, None),
    "tz": ("IANA zone of times read and shown, of days and months; default: the configuration's", TEXT, "Europe/Berlin"),
    "time": (
        "how times are shown: RFC 3339, or a number since 1970",
        {"type": "string", "enum": list(TimeForm.KINDS), "default": "rfc3339"},
        "s",
    ),
}
OWN: dict[tuple[str, str], tuple[str, Schema, Any]] = {
    ("readings", "limit"): (
        f"at most so many rows; JSON has at most {ROWS_MAX}, a stream any number",
        {"type": "integer", "minimum": 1, "maximum": ROWS_MAX, "default": ROWS_DEFAULT},
        1000,
    ),
    ("events", "after"): ("only events with a greater id", {"type": "integer", "minimum": 0}, 0),
}
# endpoint -> (one line, what its JSON is)
JSON_ENDPOINTS: dict[str, tuple[str, Schema]] = {
    "sensors": ("Every sensor with its state and its channels.", closed({"sensors": listed(ref("Sensor"))})),
    "latest": ("The newest reading of each series.", closed({"latest": listed(ref("Latest"))})),
    "readings": (
        "Every reading of a range (the last hour), in order of time.",
        closed(
            {
                "readings": listed(ref("Reading")),
                "series": listed(ref("ReadingColumns")),
                "next": nullable({"type": "string"}),
                "unreadable": listed(ref("Unreadable")),
            },
            optional=("readings", "series", "unreadable"),
        ),
    ),
    "buckets": (
        "Aggregates over buckets of time (of the last day).",
        closed({"series": listed(ref("Buckets")), "unreadable": listed(ref("Unreadable"))}, optional=("unreadable",)),
    ),
    "events": (
        "What happened to sensors, clock and database; the newest, oldest of them first. earlier: the before of the page before it.",
        closed({"events": listed(ref("Event")), "earlier": nullable({"type": "integer"})}),
    ),
    "alarms": ("Every alarm of every series; what wants to be seen first, first.", closed({"alarms": listed(ref("Alarm"))})),
    "status": ("The daemon, the database and each sensor in short.", ref("Status")),
}
ERRORS = {
    "400": "A parameter is wrong, or the question has no answer.",
    "401": "The token is needed.",
    "404": "No such series; the nearest names are given.",
    "405": "Nothing can be changed here.",
    "414": "The address is too long.",
    "421": "The server does not answer to this name.",
    "422": "It takes too long or too much; the hint says what would fit.",
    "503": "Busy, or no database; Retry-After says when to come again.",
}


@functools.cache
def describe(base_path: str) -> dict[str, Any]:
    """The document."""
    paths: dict[str, Any] = {}
    for name, (text, schema) in JSON_ENDPOINTS.items():
        content: dict[str, Any] = {"application/json": {"schema": schema}}
        if "format" in api.PARAMETERS[name]:
            content |= {MEDIA_TYPES[form].partition(";")[0]: {"schema": {"type": "string"}} for form in ("ndjson", "csv")}
        paths[f"/api/v1/{name}"] = _get(name, text, api.PARAMETERS[name], content, cached=True)
    events = {"text/event-stream": {"schema": {"type": "string"}}}
    paths["/api/v1/stream"] = _get(
        "stream", "New readings as they are committed, as server-sent events.", api.PARAMETERS["stream"], events
    )
    exposition = {kind: {"schema": {"type": "string"}} for kind in ("text/plain", "application/openmetrics-text")}
    paths["/metrics"] = _get("metrics", "What the daemon counts of itself, for Prometheus.", metrics.PARAMETERS, exposition)
    status = {"application/json": {"schema": closed({"status": {"type": "string"}})}}
    paths["/health"] = _get("health", "Whether this process lives and answers questions. Needs no token.", (), status)
    paths["/ready"] = _get(
        "ready", "Whether the daemon runs and its last commit is recent; else 503. Needs no token.", (), status
    )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "sensorlogd",
            "version": __version__,
            "license": {"name": "MIT", "identifier": "MIT"},
            "description": "What a log of sensors holds. Read-only: there is nothing here that changes anything.",
        },
        "servers": [{"url": base_path or "/"}],
        "security": [{}, {"bearer": []}, {"basic": []}],
        "paths": paths,
        "components": {
            "schemas": SCHEMAS,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "basic": {"type": "http", "scheme": "basic", "description": "the token as password, any user"},
            },
        },
    }


def _get(name: str, text: str, parameters: tuple[str, ...], content: dict[str, Any], *, cached: bool = False) -> dict[str, Any]:
    responses: dict[str, Any] = {"200": {"description": "The answer.", "content": content}}
    if cached:
        responses["200"]["headers"] = {
            "ETag": {"schema": {"type": "string"}, "description": "of JSON answers, for If-None-Match"}
        }
        responses["304"] = {"description": "The answer is the one that If-None-Match names."}
    for status, reason in ERRORS.items():
        responses[status] = {"description": reason, "content": {"application/json": {"schema": ref("Error")}}}
    return {
        "get": {
            "operationId": name,
            "summary": text,
            "parameters": [_parameter(name, one) for one in parameters],
            "responses": responses,
        }
    }


def _parameter(endpoint: str, name: str) -> dict[str, Any]:
    text, schema, example = OWN.get((endpoint, name), PARAMETERS[name])
    required = name == "series" and endpoint in ("readings", "buckets")
    found: dict[str, Any] = {"name": name, "in": "query", "description": text, "required": required, "schema": schema}
    if schema.get("type") == "array":
        found |= {"style": "form", "explode": True}
        if required:
            found["schema"] = schema | {"minItems": 1}
    if example is not None:
        found["example"] = example
    return found


async def document(request: Request) -> Response:
    """GET /openapi.json."""
    return json_answer(request, describe(request.app.state.settings.base_path))


STYLE = """:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; } td, th { text-align: left; vertical-align: top; padding: .2rem .8rem .2rem 0; }
code { font-size: .95em; } h2 { margin-top: 2.5rem; } tr + tr td { border-top: 1px solid #8884; }
"""


async def page(request: Request) -> Response:
    """GET /docs."""
    base = html.escape(request.app.state.settings.base_path)
    found = describe(request.app.state.settings.base_path)
    parts = [
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f'<title>sensorlogd: API</title><link rel="stylesheet" href="{base}/docs.css"></head><body>'
        f"<h1>sensorlogd {html.escape(__version__)}: API</h1><p>{html.escape(found['info']['description'])}"
        f' For programs: <a href="{base}/openapi.json">openapi.json</a> (OpenAPI 3.1). Errors are'
        ' <code>{"error": {"code", "message", "hint", "parameter", "nearest"}}</code>.</p>'
    ]
    for path, methods in found["paths"].items():
        operation = methods["get"]
        kinds = ", ".join(operation["responses"]["200"]["content"])
        parts.append(f"<h2><code>GET {path}</code></h2><p>{html.escape(operation['summary'])} ({kinds})</p>")
        if operation["parameters"]:
            parts.append("<table>")
        for one in operation["parameters"]:
            schema = one["schema"]
            allowed = " (" + ", ".join(schema["enum"]) + ")" if "enum" in schema else ""
            mark = ", required" if one["required"] else ""
            text = f"{one['description']}{allowed}{mark}"
            parts.append(f"<tr><td><code>{one['name']}</code></td><td>{html.escape(text)}</td></tr>")
        if operation["parameters"]:
            parts.append("</table>")
    return tagged(request, "".join(parts) + "</body></html>", "text/html")


async def style(request: Request) -> Response:
    """GET /docs.css."""
    return tagged(request, STYLE, "text/css")
