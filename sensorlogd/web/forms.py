"""Form bodies (``application/x-www-form-urlencoded``): the login page's and those of Prometheus clients."""

from __future__ import annotations

from urllib.parse import parse_qsl

from starlette.datastructures import QueryParams
from starlette.requests import Request

from sensorlogd.web.refusal import ApiError

MAX_FORM_BYTES = 64 * 1024
MAX_FIELDS = 1_000


async def form(request: Request) -> QueryParams:
    """The fields of the body. Raises ApiError 413 and 400."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MAX_FORM_BYTES:
            raise ApiError(413, "too_large", f"the body is longer than {MAX_FORM_BYTES} bytes")
    try:
        return QueryParams(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MAX_FIELDS))
    except ValueError as error:
        raise ApiError(400, "bad_request", f"the body is not a form: {error}") from None
