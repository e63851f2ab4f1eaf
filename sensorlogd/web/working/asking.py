"""A question asked of the workers for as long as its client is there."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from starlette.requests import Request

from sensorlogd.web.working.refusal import ApiError
from sensorlogd.web.working.workers import Workers

GONE = 499  # nobody sees it


async def answer_of(request: Request, name: str, *arguments: Any, patient: bool = False) -> Any:
    """``patient``: for pages of an answer that has begun; its end is seen by who sends it. Raises ApiError."""
    workers: Workers = request.app.state.workers
    question = workers.run(name, *arguments, patient=patient)
    if patient:
        return await question
    task = asyncio.ensure_future(question)
    gone = asyncio.ensure_future(_disconnected(request))
    try:
        await asyncio.wait((task, gone), return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ApiError(GONE, "gone", "the client has gone")
        return task.result()
    finally:
        for waited in (task, gone):
            if not waited.done():
                waited.cancel()
                with contextlib.suppress(asyncio.CancelledError, ApiError):
                    await waited


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
