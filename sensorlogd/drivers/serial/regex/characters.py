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
def _of_latin_1(text: str, flags: int) -> int:
    """The characters of Latin-1 that an expression for one character reads, by ``re`` itself."""
    matches = re.compile(text, flags).match
    return sum(1 << code for code in range(256) if matches(chr(code)))


def _characters_of_class(name: str, flags: int) -> int:
    text, others = _CLASSES[name]
    if flags & re.ASCII:
        others = _OTHERS if "NOT" in name else 0
    return _of_latin_1(text, flags & re.ASCII) | others


def _characters_of_range(low: int, high: int, flags: int) -> int:
    """The set of the characters from one to another, and of their other cases where case is ignored."""
    if not flags & re.IGNORECASE:
        found = (1 << min(high, 255) + 1) - (1 << low) if low < 256 else 0
    else:
        found = _of_latin_1(f"[\\U{low:08x}-\\U{high:08x}]", flags & (re.IGNORECASE | re.ASCII))
        if not flags & re.ASCII and any(chr(code).isalpha() for code in range(low, min(high, 255) + 1)):
            found |= _LETTERS  # as the Kelvin sign is a k, and the long s an s
    return found | (_OTHERS if high > 255 else 0)


def characters(op: Any, argument: Any, flags: int) -> int:
    """The characters that an operation of ``re``'s parser reads. Raises ValueError for an operation that does not read one
    character."""
    if op is c.ANY:
        return ALL if flags & re.DOTALL else ALL & ~(1 << 10)
    if op is c.LITERAL:
        return _characters_of_range(argument, argument, flags)
    if op is c.NOT_LITERAL:
        return (ALL & ~_characters_of_range(argument, argument, flags)) | _OTHERS
    if op is c.CATEGORY:
        return _characters_of_class(str(argument), flags)
    if op is c.RANGE:
        low, high = argument
        return _characters_of_range(low, high, flags)
    if op is c.IN:
        found, negated = 0, False
        for inner, value in argument:
            if inner is c.NEGATE:
                negated = True
            else:
                found |= characters(inner, value, flags)
        return (ALL & ~found) | _OTHERS if negated else found
    raise ValueError(f"{op} is not known here")
