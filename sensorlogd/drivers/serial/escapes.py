r"""Bytes written in YAML text: ``\r\n`` in a plain scalar is CR LF, ``\x02`` is a byte by its number."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator

_ESCAPES = {r"\r": "\r", r"\n": "\n", r"\t": "\t", r"\0": "\0", r"\\": "\\"}


def _unescape(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return re.sub(r"\\x([0-9a-fA-F]{2})|\\[rnt0\\]", lambda m: chr(int(m[1], 16)) if m[1] else _ESCAPES[m[0]], value)


def _is_regex(value: str) -> str:
    from sensorlogd.drivers.serial.regex.expressions import expression

    expression(value)
    return value


def _is_regex_of_bytes(value: str) -> str:
    from sensorlogd.drivers.serial.regex.expressions import linear_bytes

    linear_bytes(value)
    return value


Escaped = Annotated[str, BeforeValidator(_unescape)]
Regex = Annotated[str, AfterValidator(_is_regex)]
RegexOfBytes = Annotated[str, AfterValidator(_is_regex_of_bytes)]
