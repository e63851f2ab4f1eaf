"""Errors that are answers. They are apart from HTTP, because workers raise them, too; only the status number is in them."""

from __future__ import annotations

from typing import Any


class ApiError(Exception):
    """An answer that is an error. ``code``: for programs; ``message`` and ``hint``: for people."""

    def __init__(self, status: int, code: str, message: str, *, headers: dict[str, str] | None = None, **more: Any) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers
        self.body = {"code": code, "message": message} | {key: value for key, value in more.items() if value is not None}


def bad_parameter(name: str, message: str, hint: str | None = None) -> ApiError:
    """ApiError 400 that names the parameter."""
    return ApiError(400, "bad_parameter", f"{name}: {message}", parameter=name, hint=hint)
