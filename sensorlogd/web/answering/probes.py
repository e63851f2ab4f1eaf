"""``/health``: the process lives. ``/ready``: the daemon runs and its last commit is recent. Neither asks for a token."""

from __future__ import annotations

import time
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sensorlogd.storage.query.health import daemon_state
from sensorlogd.storage.query.log import Log
from sensorlogd.web.answering.pool import Pool
from sensorlogd.web.serving.errors import ApiError

NEVER_KEPT = {"Cache-Control": "no-store"}


async def health(_: Request) -> Response:
    """Asks nothing of the database, so it answers whatever state that is in."""
    return JSONResponse({"status": "ok"}, headers=NEVER_KEPT)


async def ready(request: Request) -> Response:
    """200, or 503 with the reason."""
    pool: Pool = request.app.state.pool
    try:
        reason = await pool.run(_not_ready)
    except ApiError as error:
        reason = str(error.body["message"])
    if reason is None:
        return JSONResponse({"status": "ready"}, headers=NEVER_KEPT)
    return JSONResponse({"error": {"code": "not_ready", "message": reason}}, 503, NEVER_KEPT)


def _not_ready(log: Log) -> str | None:
    facts: dict[str, Any] = log.daemon()
    state, explanation = daemon_state(facts, time.time_ns() // 1000, log.path)
    if state != "running":
        return f"the daemon is {state}: {explanation}"
    if facts.get("state") != "writing":
        return f"the database is not written: {facts.get('state')} {facts.get('state_reason', '')}".strip()
    return None
