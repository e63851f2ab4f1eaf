"""The characters that one step of a regular expression reads, as a set of bits: those of Latin-1, and a few bits for all others."""

from __future__ import annotations

import re
from functools import cache
from re import _constants as c  # type: ignore[attr-defined]
from typing import Any

# Beyond Latin-1: one each for all digits, blanks, letters, and the rest.
_DIGITS, _BLANKS, _LETTERS, _REST = (1 << bit for bit in range(256, 260))
_OTHERS = _DIGITS | _BLANKS | _LETTERS | _REST
ALL = (1 << 260) - 1

_CLASSES = {
    "CATEGORY_DIGIT": (r"\d", _DIGITS), "CATEGORY_NOT_DIGIT": (r"\D", _OTHERS & ~_DIGITS),
    "CATEGORY_SPACE": (r"\s", _BLANKS), "CATEGORY_NOT_SPACE": (r"\S", _OTHERS & ~_BLANKS),
    "CATEGORY_WORD": (r"\w", _DIGITS | _LETTERS), "CATEGORY_NOT_WORD": (r"\W", _BLANKS | _REST),
}  # fmt: skip


@cache
def _characters_of_class(name: str) -> int:
    text, others = _CLASSES[name]
    matches = re.compile(text).match
    return sum(1 << code for code in range(256) if matches(chr(code))) | others


def _character(code: int, flags: int) -> int:
    """The set of one character, and of its other case where case is ignored."""
    codes = {code}
    if flags & re.IGNORECASE:
        codes |= {ord(form) for form in (chr(code).lower(), chr(code).upper()) if len(form) == 1}
        if code in (0x6B, 0x4B, 0x73, 0x53):
            return sum(1 << form for form in codes) | _OTHERS  # the Kelvin sign and the long s
    found = 0
    for form in codes:
        found |= 1 << form if form < 256 else _OTHERS
    return found


def characters(op: Any, argument: Any, flags: int) -> int:
    """The characters that an operation of ``re``'s parser reads. Raises ValueError for an operation that does not read one
    character."""
    if op is c.ANY:
        return ALL if flags & re.DOTALL else ALL & ~(1 << 10)
    if op is c.LITERAL:
        return _character(argument, flags)
    if op is c.NOT_LITERAL:
        return ALL & ~(_character(argument, 0) & ~_OTHERS)
    if op is c.CATEGORY:
        return _characters_of_class(str(argument))
    if op is c.RANGE:
        low, high = argument
        found = 0
        for code in range(low, min(high, 255) + 1):
            found |= _character(code, flags)
        return found | (_OTHERS if high > 255 else 0)
    if op is c.IN:
        found, negated = 0, False
        for inner, value in argument:
            if inner is c.NEGATE:
                negated = True
            else:
                found |= characters(inner, value, flags)
        return (ALL & ~found) | _OTHERS if negated else found
    raise ValueError(f"{op} is not known here")
