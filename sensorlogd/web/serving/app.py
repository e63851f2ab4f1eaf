"""The ASGI application: all its paths, and the middleware around them.

/                 the dashboard (files of ``static/``, built beforehand)
/api/v1/...       JSON
/prometheus/...   the Prometheus read API
"""

from __future__ import annotations

import contextlib
import importlib.util
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from sensorlogd.web.answering import api, changes
from sensorlogd.web.answering.describing import openapi
from sensorlogd.web.answering.live.stream import Hub
from sensorlogd.web.answering.monitoring import metrics, probes
from sensorlogd.web.answering.pool import Pool
from sensorlogd.web.encode import tagged, takes_gzip
from sensorlogd.web.refusal import ApiError
from sensorlogd.web.serving import errors, login
from sensorlogd.web.serving.guard import Denials, Guard
from sensorlogd.web.serving.slow_clients import SlowClients
from sensorlogd.web.settings import Settings
from sensorlogd.web.workers.damage_reports import DamageReports
from sensorlogd.web.workers.workers import Workers

STATIC = Path(__file__).parents[1] / "static"
NOT_BUILT = """<!doctype html><html lang="en"><meta charset="utf-8"><title>sensorlogd</title>
<h1>sensorlogd</h1>
<p>The dashboard is not built into this installation (a checkout: <code>make dashboard</code>).</p>
<ul><li><a href="api/v1/latest">the newest values</a></li><li><a href="api/v1/sensors">the sensors</a></li>
<li><a href="api/v1/status">the daemon</a></li><li><a href="docs">the API</a></li></ul></html>
"""


class _Packing(GZipMiddleware):
    """Packs answers for those who take gzip. Starlette's own takes ``gzip;q=0`` for a wish."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not takes_gzip(Request(scope)):
            scope["headers"] = [(name, value) for name, value in scope["headers"] if name != b"accept-encoding"]
        await super().__call__(scope, receive, send)


def create_app(settings: Settings) -> Starlette:
    """The ASGI application on one database. ``app.state``: ``settings``; ``pool`` and ``workers`` to ask questions with; the ``hub`` of streams."""
    report_damage = DamageReports(settings.database)
    pool = Pool(
        settings.database, threads=settings.query_threads, timeout_s=settings.query_timeout_s, report_damage=report_damage
    )
    workers = Workers(
        settings.database,
        count=max(settings.query_threads - 1, 1),
        timeout_s=settings.query_timeout_s,
        memory_bytes=settings.memory_limit_bytes // 2,
        report_damage=report_damage,
    )
    watching = Pool(settings.database, threads=1, timeout_s=settings.query_timeout_s, report_damage=report_damage)
    hub = Hub(watching)
    denials = Denials()

    def end() -> None:
        hub.close()
        workers.close()
        pool.end()
        watching.end()

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        end()
        pool.close()
        watching.close()

    files = _Files(directory=STATIC, check_dir=False)
    app = Starlette(
        routes=_routes(files),
        lifespan=lifespan,
        middleware=[
            Middleware(Guard, settings=settings, denials=denials),
            Middleware(_Packing, minimum_size=1000, compresslevel=5),
        ],
        exception_handlers={
            ApiError: errors.on_api_error,
            HTTPException: errors.on_http_error,
            ClientDisconnect: errors.on_departure,
            Exception: errors.on_failure,
        },
    )
    app.state.settings = settings
    app.state.files = files
    app.state.pool = pool
    app.state.hub = hub
    app.state.denials = denials
    app.state.slow_clients = SlowClients()
    app.state.workers = workers
    app.state.connections = Counter()
    app.state.changing = Counter()
    app.state.closing = end
    return app


def _routes(files: _Files) -> list[BaseRoute]:
    """Every address that is answered; what none of them names is looked for in ``files``."""
    routes: list[BaseRoute] = [
        Route("/", index),
        *login.routes,
        Route("/health", probes.health),
        Route("/ready", probes.ready),
        Route("/metrics", metrics.metrics),
        Route("/openapi.json", openapi.document),
        Route("/docs", openapi.page),
        Route("/docs.css", openapi.style),
        Mount("/api/v1", routes=[*api.routes, *changes.routes]),
    ]
    if importlib.util.find_spec("sensorlogd.web.prometheus") is not None:
        prometheus = importlib.import_module("sensorlogd.web.prometheus.routes")
        routes.append(Mount("/prometheus", routes=prometheus.routes))
    return [*routes, Mount("/", files)]


class _Files(StaticFiles):
    """Static files that the browser revalidates at every load (mostly 304), so that after an upgrade nobody has the old page with
    the new API."""

    def file_response(self, *arguments: Any, **named: Any) -> Response:
        answer = super().file_response(*arguments, **named)
        answer.headers.setdefault("Cache-Control", "no-cache")
        return answer


async def index(request: Request) -> Response:
    """The dashboard, or a page that says how to get it if it was not built."""
    if not (STATIC / "index.html").exists():
        return tagged(request, NOT_BUILT, "text/html")
    files: _Files = request.app.state.files
    return await files.get_response("index.html", request.scope)
