"""The values that a device sends in place of a missing one. They are recognised before any scaling, as numbers of the raw type.
Pure.

The same rules for every driver and every path. "No value" is a text of ``missing`` (any case), NaN and the infinities;
a number of ``missing`` however it is spelled; of a binary number the same bits, so that 0x8000 and -32768 are one thing.
"""

from __future__ import annotations

import contextlib
import math
import re
import struct
from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

from sensorlogd.notation.symbols import point

NO_VALUE = ("nan", "na", "n/a", "null", "none", "", "---", "inf", "+inf", "-inf", "infinity", "+infinity", "-infinity")
NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)


def _as_text(value: Any) -> Any:
    """The sentinel as a text: ``-999`` may be written without quotes."""
    return str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value


def _as_number(value: Any) -> Any:
    """The sentinel as a number: ``0x8000``, ``-32768``, ``-9999.9``."""
    if not isinstance(value, str):
        return value
    try:
        return int(value, 0)
    except ValueError:
        pass
    try:
        return float(value)
    except ValueError:
        return value


_SCHEMA = WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "number"}], "examples": ["-999", "0x8000"]})
Text = Annotated[str, BeforeValidator(_as_text), _SCHEMA]
Number = Annotated[int | float, BeforeValidator(_as_number), _SCHEMA]


def integer(digits: str) -> int:
    """The integer in a text, with or without a sign. Leading zeros are dropped first, because int() takes at most a few thousand
    characters."""
    number = int(digits.lstrip("+-0") or "0")
    return -number if digits.startswith("-") else number


class Texts:
    """The sentinels of a field that is text. ``texts``: lower case, stripped. ``numbers``: those that are numbers. ``bits``:
    those that are written as 0x...

    ``0000`` is a text only: to take every 0 for "no value" somebody has to write ``0``. ``spelled``: there is one like that.
    """

    def __init__(self, more: Iterable[str], only: Iterable[str] | None, *, decimal_comma: bool = False) -> None:
        given = [text.strip().lower() for text in chosen(more, only)]
        self.texts = frozenset(given if only is not None else (*given, *NO_VALUE))
        spelled = {text: _spell_number(text, decimal_comma=decimal_comma) for text in given}
        numbers = {text: float(number) for text, number in spelled.items() if NUMBER.fullmatch(number)}
        self.numbers = frozenset(n for text, n in numbers.items() if math.isfinite(n) and (n or text == "0"))
        self.spelled = any(number not in self.numbers for number in numbers.values())
        self.bits = frozenset(int(text, 16) for text in given if re.fullmatch(r"0x[0-9a-f]+", text))


def _spell_number(text: str, *, decimal_comma: bool) -> str:
    """The number as Python reads it: YAML numbers such as ``missing: [-999.5]`` have a decimal point, whatever the device writes."""
    written = point(text) if decimal_comma else text
    return written if NUMBER.fullmatch(written) else text


def chosen(more: Iterable[Any], only: Iterable[Any] | None) -> tuple[Any, ...]:
    """The sentinels of ``missing`` and ``missing_only``, without the defaults for texts."""
    return (*more, *(only or ()))


def raw_numbers(kind: str, given: Iterable[int | float], *, width: int | None = None) -> frozenset[int | float]:
    """The raw numbers of type ``kind`` (``i16``, ``u24``, ``f32``, ``bcd`` ...) that the sentinels in ``given`` mean.

    ``width``: bits, where the type does not say. Raises ValueError for one that does not fit.
    """
    found: set[int | float] = set()
    for sentinel in given:
        found |= _raw_meanings(kind, sentinel, width)
    return frozenset(found)


def _raw_meanings(kind: str, given: int | float, width: int | None) -> set[int | float]:
    """The raw numbers that one sentinel means: for an integer type the one with the same bits, for a float what the type holds,
    else itself. Raises ValueError if it does not fit."""
    if kind in ("f32", "f64"):
        return _float_meanings(">f" if kind == "f32" else ">d", given)
    if not (kind[0] in "ui" and kind[1:].isdigit()):
        return {given}
    if given != int(given):
        raise ValueError(f"missing: {given!r} is not a whole number, as {kind} has")
    number, bits = int(given), width or int(kind[1:])
    if not -(1 << (bits - 1)) <= number < 1 << bits:
        raise ValueError(f"missing: {number} ({number:#x}) does not fit into {bits} bits of {kind}")
    if kind[0] == "i" and number >= 1 << (bits - 1):
        number -= 1 << bits
    if kind[0] == "u" and number < 0:
        number += 1 << bits
    return {number}


def _float_meanings(code: str, given: int | float) -> set[int | float]:
    """The number as the type holds it. A whole number may also mean the bits: 0xFF7FFFFF for f32."""
    found: set[int | float] = set()
    with contextlib.suppress(OverflowError):
        found.add(struct.unpack(code, struct.pack(code, given))[0])
    if isinstance(given, int) and 0 <= given < 1 << (8 * struct.calcsize(code)):
        of_bits = struct.unpack(code, given.to_bytes(struct.calcsize(code), "big"))[0]
        if math.isfinite(of_bits) and abs(of_bits) > 1e-30:  # a small number is meant as one
            found.add(of_bits)
    return found
