"""Every error has one shape: ``{"error": {"code", "message", "hint"?, "parameter"?, "nearest"?}}``."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sensorlogd.web.refusal import ApiError
from sensorlogd.web.workers.asking import GONE

STATUS_CODES = {
    400: "bad_request",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
}


def answer(error: ApiError) -> JSONResponse:
    """The error as every answer of the API gives it: ``{"error": {code, message, ...}}``."""
    return JSONResponse({"error": error.body}, error.status, error.headers)


async def on_api_error(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ApiError)
    return answer(error)


async def on_http_error(request: Request, error: Exception) -> JSONResponse:
    """Errors of the framework: unknown paths and methods."""
    assert isinstance(error, HTTPException)
    code = STATUS_CODES.get(error.status_code, "error")
    message = {
        404: f"there is nothing at {request.url.path}",
        405: f"{request.method} is not answered at {request.url.path}",
    }.get(error.status_code, str(error.detail))
    hint = "the API is described at /openapi.json and /docs" if error.status_code == 404 else None
    headers = dict(error.headers) if error.headers else None
    return answer(ApiError(error.status_code, code, message, hint=hint, headers=headers))


async def on_departure(_: Request, error: Exception) -> Response:
    """The client left before its request was complete: nobody sees the answer, and it is no fault of this program."""
    return Response(status_code=GONE)


async def on_failure(request: Request, error: Exception) -> JSONResponse:
    """A fault of this program: the journal gets the traceback, the client does not."""
    return answer(
        ApiError(500, "internal", f"{request.url.path} failed: {type(error).__name__}", hint="the daemon's journal says more")
    )
