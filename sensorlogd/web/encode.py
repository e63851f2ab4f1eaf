"""Answers: JSON with an ETag, and rows streamed as NDJSON or CSV page by page."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from sensorlogd.web.refusal import ApiError
from sensorlogd.web.workers.texts import dumps, etag_of

logger = logging.getLogger(__name__)

AGES_S = 10.0
FORMATS = ("json", "ndjson", "csv")
MEDIA_TYPES = {"json": "application/json", "ndjson": "application/x-ndjson", "csv": "text/csv; charset=utf-8"}


def json_answer(request: Request, value: Any, same: Any = None) -> Response:
    """A JSON answer with an ETag of its content. A client that sends the same tag is answered 304, without a body.

    ``same``: what the tag is made of, where the answer also holds what changes with every moment (ages, the time). Such a tag
    is good for ten to twenty seconds, so that nobody is left with the ages of yesterday.
    """
    content = dumps(value)
    if same is None:
        return tagged(request, content, MEDIA_TYPES["json"])
    slot, unchanging = int(time.time() / AGES_S), dumps(same)
    etag, before = (etag_of(b"%d %b" % (number, unchanging)) for number in (slot, slot - 1))
    return tagged(request, content, MEDIA_TYPES["json"], etag, also=before)


def tagged(
    request: Request,
    body: bytes | str,
    media_type: str,
    etag: str | None = None,
    *,
    also: str | None = None,
    packed: bool = False,
) -> Response:
    """A whole body with its ETag, or 304 without one. ``also``: another tag that is accepted. ``packed``: the body is compressed
    with gzip already."""
    body = body.encode() if isinstance(body, str) else body
    etag = etag or etag_of(body)
    headers = {"ETag": etag, "Cache-Control": "no-cache"}
    known = [tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")]
    if "*" in known or etag.removeprefix("W/") in known:
        return Response(status_code=304, headers=headers)
    if also is not None and also.removeprefix("W/") in known:
        return Response(status_code=304, headers=headers | {"ETag": also})
    if packed:
        headers |= {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
    return Response(body, media_type=media_type, headers=headers)


def takes_gzip(request: Request) -> bool:
    """Whether the client accepts gzip."""
    for coding in request.headers.get("accept-encoding", "").lower().split(","):
        name, _, weight = coding.replace(" ", "").partition(";")
        if name == "gzip":
            return re.fullmatch(r"q=0(\.0*)?", weight) is None
    return False


class CutOff(Exception):
    """The rest of a streamed answer cannot be given."""


class _Pages(StreamingResponse):
    """An answer that is sent page by page. If a later page cannot be had, the connection is closed without the end of the answer, so
    that the client notices; what has been sent cannot be turned into an error."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        except CutOff as error:
            logger.warning("an answer was cut off: %s", error)


async def streamed(
    request: Request, form: str, columns: Sequence[str], page: Callable[[Any], Awaitable[tuple[bytes, Any]]], name: str
) -> Response:
    """An answer that is sent page by page. ``page(place)`` returns the lines and the place of the next page, None after the last;
    the first place is None.

    The first page is asked for before the answer begins, so that a mistake is an error and not half an answer.
    """
    content, place = await page(None)

    async def body() -> AsyncIterator[bytes]:
        nonlocal content, place
        if form == "csv":
            yield (",".join(columns) + "\n").encode()
        while True:
            if content:
                yield content
            if place is None:
                return
            try:
                content, place = await page(place)
            except ApiError as error:
                raise CutOff(str(error)) from error

    headers = {"Cache-Control": "no-store", "Content-Disposition": f'attachment; filename="{name}.{form}"'}
    if request.method == "HEAD":  # nobody sees the body, so none is made
        return Response(media_type=MEDIA_TYPES[form], headers=headers)
    return _Pages(body(), media_type=MEDIA_TYPES[form], headers=headers)
