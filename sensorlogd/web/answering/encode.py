"""Bodies of answers: JSON with an ETag, and rows streamed as NDJSON or CSV page by page."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from hashlib import blake2b
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

FORMATS = ("json", "ndjson", "csv")
MEDIA_TYPES = {"json": "application/json", "ndjson": "application/x-ndjson", "csv": "text/csv; charset=utf-8"}

Rows = Sequence[Mapping[str, Any]]


def dumps(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def json_answer(request: Request, value: Any) -> Response:
    """With an ETag of what it says: whoever asks again and has it already is sent no body."""
    body = dumps(value)
    etag = f'W/"{blake2b(body, digest_size=12).hexdigest()}"'
    headers = {"ETag": etag, "Cache-Control": "no-cache"}
    if etag in [tag.strip() for tag in request.headers.get("if-none-match", "").split(",")]:
        return Response(status_code=304, headers=headers)
    return Response(body, media_type=MEDIA_TYPES["json"], headers=headers)


async def streamed(
    request: Request, form: str, columns: Sequence[str], page: Callable[[Any], Awaitable[tuple[Rows, Any]]], name: str
) -> Response:
    """``page(place)`` gives rows and the place of the next page, None after the last; the first place is None.

    The first page is asked for before the answer begins, so that a mistake is an error and not half an answer.
    """
    rows, place = await page(None)
    encode = _csv if form == "csv" else _ndjson

    async def body() -> AsyncIterator[bytes]:
        nonlocal rows, place
        if form == "csv":
            yield (",".join(columns) + "\n").encode()
        while True:
            if rows:
                yield encode(rows, columns)
            if place is None:
                return
            rows, place = await page(place)

    headers = {"Cache-Control": "no-store", "Content-Disposition": f'attachment; filename="{name}.{form}"'}
    if request.method == "HEAD":  # nobody sees the body, so none is made
        return Response(media_type=MEDIA_TYPES[form], headers=headers)
    return StreamingResponse(body(), media_type=MEDIA_TYPES[form], headers=headers)


def _ndjson(rows: Rows, columns: Sequence[str]) -> bytes:
    return b"".join(dumps({column: row.get(column) for column in columns}) + b"\n" for row in rows)


def _csv(rows: Rows, columns: Sequence[str]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for row in rows:
        writer.writerow([_text(row.get(column)) for column in columns])
    return text.getvalue().encode()


def _text(value: Any) -> Any:
    return "" if value is None else json.dumps(value) if isinstance(value, dict) else value
