"""Asks a worker for as long as the client is connected."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from starlette.requests import Request

from sensorlogd.web.refusal import ApiError
from sensorlogd.web.workers.workers import Workers

GONE = 499  # nobody sees it


async def answer_of(request: Request, name: str, *arguments: Any, patient: bool = False) -> Any:
    """The worker's answer. ``patient``: for further pages of a streamed answer, where the sender notices that the client has
    gone. Raises ApiError."""
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
