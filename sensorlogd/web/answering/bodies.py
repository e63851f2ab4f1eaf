"""The JSON body of a request that changes something: bounded, an object, every field known and of its kind."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from starlette.requests import Request

from sensorlogd.notation import times
from sensorlogd.web.refusal import ApiError, bad_parameter

MAX_BODY_BYTES = 16 * 1024
MAX_TEXT_CHARACTERS = 2_000
MAX_SHOWN_CHARACTERS = 60  # of a value that an error quotes


class RequestBody:
    """The fields of a JSON body. Every method raises ApiError 400 naming the field."""

    def __init__(self, found: dict[str, Any], known: Collection[str], now_us: int, zone: str) -> None:
        for name in found:
            if name not in known:
                raise bad_parameter(ascii(name)[1:-1][:100], "no such field", f"known: {', '.join(known)}")
        self.found = found
        self.now_us = now_us
        self.zone = zone

    def text(self, name: str, default: str | None = None, limit: int = MAX_TEXT_CHARACTERS) -> str:
        """The field as text of at most ``limit`` characters. Raises ApiError 400; also if it is missing and has no default."""
        value = self.found.get(name, default)
        if value is None:
            raise bad_parameter(name, "is required")
        if not isinstance(value, str):
            raise bad_parameter(name, f"must be a text, not {_in_words(value)}")
        if len(value) > limit:
            raise bad_parameter(name, f"has {len(value):,} characters; at most {limit:,}")
        _check_encodable(name, value)
        return value

    def texts(self, name: str, limit: int) -> list[str]:
        """The field as a list of one to ``limit`` texts, each once. Raises ApiError 400."""
        values = self.found.get(name)
        if values is None:
            raise bad_parameter(name, "is required", "a list of texts")
        if not isinstance(values, list) or not values:
            raise bad_parameter(name, f"must be a list of texts, at least one, not {_in_words(values)}")
        if len(values) > limit:
            raise bad_parameter(name, f"names {len(values)}; at most {limit}")
        for value in values:
            if not isinstance(value, str):
                raise bad_parameter(name, f"must be a list of texts; in it is {_in_words(value)}")
            _check_encodable(name, value)
        return list(dict.fromkeys(values))

    def whole(self, name: str) -> int:
        """The field as a whole number from 0 to 2**62 - 1. Raises ApiError 400."""
        value = self.found.get(name)
        if value is None:
            raise bad_parameter(name, "is required", "a whole number")
        if not isinstance(value, int) or isinstance(value, bool):
            raise bad_parameter(name, f"must be a whole number, not {_in_words(value)}")
        if not 0 <= value < 2**62:
            raise bad_parameter(name, f"must be a whole number from 0 to {2**62 - 1}, not {_in_words(value)}")
        return value

    def time_us(self, name: str) -> int:
        """The field as a time, in microseconds since 1970: RFC 3339, ``-1h`` and whatever else the API takes. Raises
        ApiError 400."""
        text = self.text(name)
        try:
            return times.parse_time(text, self.now_us, self.zone)
        except (ValueError, OverflowError) as error:
            raise bad_parameter(name, str(error).encode("ascii", "backslashreplace").decode()) from None


def _in_words(value: object) -> str:
    """What JSON has there, at most MAX_SHOWN_CHARACTERS characters of it: ``the number 5``, ``"7"``, ``a list``, ``true``."""
    if isinstance(value, list):
        return "a list" if value else "an empty list"
    if isinstance(value, dict):
        return "an object"
    shown = json.dumps(value)
    if len(shown) > MAX_SHOWN_CHARACTERS:
        shown = f"{shown[: MAX_SHOWN_CHARACTERS - 3]}..."
    return f"the number {shown}" if isinstance(value, (int, float)) and not isinstance(value, bool) else shown


def _check_encodable(name: str, value: str) -> None:
    """Raise ApiError 400 for half a character: JSON can write a surrogate without its other half, UTF-8 cannot."""
    try:
        value.encode()
    except UnicodeEncodeError as error:
        found = ascii(value[error.start])[1:-1]
        raise bad_parameter(name, f"has half a character, {found}", "write both halves, or the character itself") from None


async def read(request: Request) -> dict[str, Any]:
    """Read and check the body of a request. Raises ApiError 413 if it is too long, 400 if it is not a JSON object."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MAX_BODY_BYTES:
            raise ApiError(413, "too_large", f"the body is longer than {MAX_BODY_BYTES} bytes")
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise ApiError(400, "bad_request", "the body is not JSON") from None
    if not isinstance(found, dict):
        raise ApiError(400, "bad_request", f"the body must be a JSON object, not {_in_words(found)}")
    return found
