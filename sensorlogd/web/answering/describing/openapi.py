"""The API's description: OpenAPI 3.1 at /openapi.json, and a page for people at /docs that needs no network.

Parameters are taken from the tables that the endpoints read them by, so that none can be missing here.
"""

from __future__ import annotations

import functools
import html
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from sensorlogd import __version__, saved_views
from sensorlogd.notes import MAX_NAME_LENGTH, MAX_TEXT_LENGTH
from sensorlogd.storage.query import aggregates
from sensorlogd.storage.query.engine import FILLS
from sensorlogd.web.answering import api, changes
from sensorlogd.web.answering.describing.schemas import SCHEMAS, Schema, closed, listed, nullable, ref
from sensorlogd.web.answering.monitoring import metrics
from sensorlogd.web.answering.params import DEFAULT_ROWS, MAX_PATTERNS, MAX_POINTS, MAX_ROWS, MAX_VALUE_CHARACTERS, TimeForm
from sensorlogd.web.answering.questions.alarm_lists import ALARM_STATES
from sensorlogd.web.encode import FORMATS, MEDIA_TYPES, json_answer, tagged

TEXT: Schema = {"type": "string", "maxLength": MAX_VALUE_CHARACTERS}
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
        "at most this many buckets; their length is taken from a ladder of lengths that lie on the clock",
        {"type": "integer", "minimum": 1, "maximum": MAX_POINTS},
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
    "before": ("only events with a smaller id: earlier of the answer before", {"type": "integer"}, None),
    "limit": ("at most this many rows", {"type": "integer", "minimum": 1, "maximum": MAX_ROWS}, 100),
    "after": ("next of the page before", TEXT, None),
    "state": (
        "raised: without those that are normal or pending",
        {"type": "string", "enum": list(ALARM_STATES), "default": "all"},
        "raised",
    ),
    "sensor": ("only what happened to these sensors, a glob", TEXT, "greenhouse"),
    "retired": ("former series, too", {"type": "string", "enum": ["0", "1", "false", "true"], "default": "0"}, "1"),
    "parts": (
        "the size of each part, too; reads the whole file",
        {"type": "string", "enum": ["0", "1", "false", "true"], "default": "0"},
        "1",
    ),
    "values": (
        "the newest values of the series, too",
        {"type": "string", "enum": ["0", "1", "false", "true"], "default": "0"},
        "1",
    ),
    "last_event_id": ("continue after this message; browsers send the header Last-Event-ID by themselves", TEXT, None),
    "tz": ("IANA zone of times read and shown, of days and months; default: the configuration's", TEXT, "Europe/Berlin"),
    "time": (
        "how times are shown: RFC 3339, or a number since 1970",
        {"type": "string", "enum": list(TimeForm.KINDS), "default": "rfc3339"},
        "s",
    ),
}
OWN: dict[tuple[str, str], tuple[str, Schema, Any]] = {
    ("readings", "limit"): (
        f"at most this many rows; JSON has at most {MAX_ROWS}, a stream any number",
        {"type": "integer", "minimum": 1, "maximum": MAX_ROWS, "default": DEFAULT_ROWS},
        1000,
    ),
    ("events", "after"): ("only events with a greater id", {"type": "integer"}, 0),
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
    "alarm_periods": (
        "When which alarm was raised (of the last day), acknowledged or not.",
        closed({"periods": listed(ref("AlarmPeriod"))}),
    ),
    "mends": (
        "What was flagged or changed afterwards (of the last day), the newest first.",
        closed({"mends": listed(ref("Mend"))}),
    ),
    "panels": (
        "The views that were saved under a name; as panels.json in the data directory.",
        closed({"panels": listed(ref("Panel"))}),
    ),
    "cost": (
        "What counters cost, by the prices of the configuration; series without one are left out.",
        closed({"series": listed(ref("Cost"))}),
    ),
    "database": ("How large the database is, how it grows, how far its roll-ups are, what befell it.", ref("Database")),
    "status": ("The daemon, the database and each sensor in short.", ref("Status")),
}
SERIES: Schema = {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": changes.MAX_SERIES}
NOTE: Schema = {"type": "string", "minLength": 1, "maxLength": MAX_TEXT_LENGTH, "description": "why, or what happened"}
BY: Schema = {"type": "string", "maxLength": MAX_NAME_LENGTH, "description": "who says so"}
WHEN: Schema = {"type": "string", "description": TIMES}
# endpoint -> (one line, what is sent, what its JSON is)
CHANGES: dict[str, tuple[str, Schema, Schema]] = {
    "flag": (
        "Give the readings of a range a quality; the daemon does it.",
        closed(
            {
                "series": SERIES,
                "quality": {"type": "string", "enum": list(changes.QUALITIES)},
                "since": WHEN,
                "until": WHEN,
                "note": NOTE,
                "by": BY,
            },
            optional=("by",),
        ),
        closed(
            {
                "mends": listed(ref("Mended")),
                "refused": listed(closed({"series": {"type": "string"}, "message": {"type": "string"}})),
            }
        ),
    ),
    "undo": ("Take a mend back.", closed({"mend": {"type": "integer", "minimum": 0, "maximum": 2**62 - 1}}), ref("Mended")),
    "note": (
        "Write down what happened: an event of the kind note.",
        closed({"series": SERIES, "at": WHEN, "note": NOTE, "by": BY}, optional=("by",)),
        closed({"noted": {"type": "integer"}}),
    ),
}
CHANGES |= {
    "ack": (
        "Acknowledge alarms: somebody knows of them.",
        closed(
            {
                "alarms": {
                    "type": "array",
                    "items": {"type": "string"},
                    "minItems": 1,
                    "maxItems": changes.MAX_ALARMS,
                    "description": "alarm/series, as /api/v1/alarms names both",
                },
                "note": {"type": "string", "maxLength": MAX_TEXT_LENGTH, "description": "what was found"},
                "by": BY,
            },
            optional=("note", "by"),
        ),
        closed({"acknowledged": {"type": "array", "items": {"type": "string"}, "description": "those that waited for it"}}),
    ),
    "panel_save": (
        "Save a view of the dashboard under a name; one of that name is replaced.",
        closed(
            {
                "name": {"type": "string", "minLength": 1, "maxLength": saved_views.MAX_NAME_LENGTH},
                "view": {"type": "string", "pattern": "^#/", "maxLength": saved_views.MAX_VIEW_LENGTH},
            }
        ),
        closed({"name": {"type": "string"}}),
    ),
    "panel_delete": ("Delete a view.", closed({"name": {"type": "string"}}), closed({"name": {"type": "string"}})),
}
CHANGE_ERRORS = {
    "403": "Nothing may be changed here, or a page of another site asks.",
    "409": "There are no readings in the range, or the daemon refuses; the message says why.",
    "413": "The body is too long.",
    "415": "Only application/json is taken.",
}
ERRORS = {
    "400": "A parameter is wrong, or the question has no answer.",
    "401": "The token is needed.",
    "404": "No such series; the nearest names are given.",
    "405": "The method is not answered here.",
    "414": "The address is too long.",
    "421": "The server does not answer to this name.",
    "422": "It takes too long or too much; the hint says what would fit.",
    "503": "Busy, or no database; Retry-After says when to come again.",
}


@functools.cache
def describe(base_path: str) -> dict[str, Any]:
    """The OpenAPI document as a dict."""
    paths: dict[str, Any] = {}
    for name, (text, schema) in JSON_ENDPOINTS.items():
        content: dict[str, Any] = {"application/json": {"schema": schema}}
        if "format" in api.PARAMETERS[name]:
            content |= {MEDIA_TYPES[form].partition(";")[0]: {"schema": {"type": "string"}} for form in ("ndjson", "csv")}
        paths[f"/api/v1/{name}"] = _describe_get(name, text, api.PARAMETERS[name], content, cached=True)
    for name, (text, sent, schema) in CHANGES.items():
        paths[f"/api/v1/{name}"] = {"post": _describe_post(name, text, sent, schema)}
    events = {"text/event-stream": {"schema": {"type": "string"}}}
    paths["/api/v1/stream"] = _describe_get(
        "stream", "New readings as they are committed, as server-sent events.", api.PARAMETERS["stream"], events
    )
    exposition = {kind: {"schema": {"type": "string"}} for kind in ("text/plain", "application/openmetrics-text")}
    paths["/metrics"] = _describe_get(
        "metrics", "What the daemon counts of itself, for Prometheus.", metrics.PARAMETERS, exposition
    )
    status = {"application/json": {"schema": closed({"status": {"type": "string"}})}}
    paths["/health"] = _describe_get("health", "Whether this process lives and answers questions. Needs no token.", (), status)
    paths["/ready"] = _describe_get(
        "ready", "Whether the daemon runs and its last commit is recent; else 503. Needs no token.", (), status
    )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "sensorlogd",
            "version": __version__,
            "license": {"name": "MIT", "identifier": "MIT"},
            "description": "What a log of sensors holds. Only flag, undo, note, ack and views change anything, where that is allowed.",
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


def _describe_get(
    name: str, text: str, parameters: tuple[str, ...], content: dict[str, Any], *, cached: bool = False
) -> dict[str, Any]:
    """The description of a GET endpoint."""
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
            "parameters": [_describe_parameter(name, parameter) for parameter in parameters],
            "responses": responses,
        }
    }


def _describe_post(name: str, text: str, sent: Schema, schema: Schema) -> dict[str, Any]:
    """The description of a POST endpoint."""
    responses: dict[str, Any] = {
        "200": {"description": "It is done, or ordered.", "content": {"application/json": {"schema": schema}}}
    }
    for status, reason in sorted((ERRORS | CHANGE_ERRORS).items()):
        responses[status] = {"description": reason, "content": {"application/json": {"schema": ref("Error")}}}
    return {
        "operationId": name,
        "summary": text,
        "parameters": [],
        "requestBody": {"required": True, "content": {"application/json": {"schema": sent}}},
        "responses": responses,
    }


def _describe_parameter(endpoint: str, name: str) -> dict[str, Any]:
    text, schema, example = OWN.get((endpoint, name), PARAMETERS[name])
    required = name == "series" and endpoint in ("readings", "buckets", "cost")
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
        method, operation = next(iter(methods.items()))
        kinds = ", ".join(operation["responses"]["200"]["content"])
        parts.append(f"<h2><code>{method.upper()} {path}</code></h2><p>{html.escape(operation['summary'])} ({kinds})</p>")
        if operation["parameters"]:
            parts.append("<table>")
        for parameter in operation["parameters"]:
            schema = parameter["schema"]
            allowed = " (" + ", ".join(schema["enum"]) + ")" if "enum" in schema else ""
            mark = ", required" if parameter["required"] else ""
            text = f"{parameter['description']}{allowed}{mark}"
            parts.append(f"<tr><td><code>{parameter['name']}</code></td><td>{html.escape(text)}</td></tr>")
        if operation["parameters"]:
            parts.append("</table>")
        if "requestBody" in operation:
            sent = operation["requestBody"]["content"]["application/json"]["schema"]
            parts.append("<table>")
            for name, schema in sent["properties"].items():
                shown = schema.get("description", "") + (" (" + ", ".join(schema["enum"]) + ")" if "enum" in schema else "")
                mark = ", required" if name in sent["required"] else ""
                parts.append(f"<tr><td><code>{name}</code></td><td>{html.escape(shown + mark)}</td></tr>")
            parts.append("</table>")
    return tagged(request, "".join(parts) + "</body></html>", "text/html")


async def style(request: Request) -> Response:
    """GET /docs.css."""
    return tagged(request, STYLE, "text/css")
