"""``/health``: the web process answers. ``/ready``: the daemon runs, and its last commit is recent. Neither needs a token."""

from __future__ import annotations

import time
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sensorlogd.storage.query.health import daemon_state
from sensorlogd.storage.query.log_reader import LogReader
from sensorlogd.web.answering.pool import Pool
from sensorlogd.web.refusal import ApiError

NEVER_KEPT = {"Cache-Control": "no-store"}


async def health(request: Request) -> Response:
    """200 if a worker answers. The database is not asked, so its state does not matter."""
    if await request.app.state.workers.is_well():
        return JSONResponse({"status": "ok"}, headers=NEVER_KEPT)
    problem = {"code": "no_worker", "message": "no process answers questions", "hint": "the daemon's journal says more"}
    return JSONResponse({"error": problem}, 503, NEVER_KEPT | {"Retry-After": "5"})


async def ready(request: Request) -> Response:
    """200, or 503 with the reason."""
    pool: Pool = request.app.state.pool
    try:
        reason = await pool.run(_why_not_ready)
    except ApiError as error:
        reason = str(error.body["message"])
    if reason is None:
        return JSONResponse({"status": "ready"}, headers=NEVER_KEPT)
    return JSONResponse({"error": {"code": "not_ready", "message": reason}}, 503, NEVER_KEPT | {"Retry-After": "5"})


def _why_not_ready(log: LogReader) -> str | None:
    facts: dict[str, Any] = log.daemon()
    state, explanation = daemon_state(facts, time.time_ns() // 1000, log.path)
    if state != "running":
        return f"the daemon is {state}: {explanation}"
    if facts.get("state") != "writing":
        return f"the database is not written: {facts.get('state')} {facts.get('state_reason', '')}".strip()
    return None
