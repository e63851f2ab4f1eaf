"""Reads the numbers in cells as people and spreadsheets write them, and knows the cells that mean no value."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Sequence
from decimal import Decimal

from sensorlogd.batch import EXACT, whole
from sensorlogd.notation.symbols import point

_GROUPED = re.compile(r"[+-]?\d{1,3}(?:(?P<sign>[\u00a0\u2009\u202f'\u2019])\d{3})(?:(?P=sign)\d{3})*(?:[.,]\d*)?", re.ASCII)
_POINTED = re.compile(r"[+-]?[1-9]\d{0,2}(?:,\d{3})+\.\d*", re.ASCII)
_WITH_MORE = re.compile(r"[+-]?\d[\d.,]*\s*(?P<more>[^\d\s.,:;/+-]\D{0,19})", re.ASCII)


def number(text: str, decimal: str = ".") -> float:
    """The number in a cell. Thousands may be grouped by apostrophes or hard blanks, as spreadsheets do, and by the sign that cannot
    stand before the fraction: ``1,013.25``, and with a decimal comma ``1.013,25``; a minus may be a real one. Raises ValueError
    that says what to do."""
    plain = text.strip().replace("\u2212", "-")
    if match := _GROUPED.fullmatch(plain):
        plain = plain.replace(match["sign"], "")
    if decimal != ".":
        grouped = point(plain)
        if "." in plain and "," in grouped:
            raise ValueError(f"{text!r} is not a number with {decimal!r} before the fraction; is --decimal right?")
        plain = grouped
    elif _POINTED.fullmatch(plain):
        plain = plain.replace(",", "")
    try:
        if "_" in plain:
            raise ValueError
        value = float(plain)
    except ValueError:
        raise ValueError(f"{text!r} {_what_is_wrong(text.strip(), decimal)}") from None
    if not math.isfinite(value):
        raise ValueError(f"{text!r} is not a finite number; {null_hint(text.strip())}")
    return whole(int(Decimal(plain))) if abs(value) >= EXACT and plain.lstrip("+-").isdecimal() else value


def _what_is_wrong(text: str, decimal: str) -> str:
    if match := _WITH_MORE.fullmatch(text):
        return f"is not a number because of the {match['more']!r} after it; take that off all cells first"
    if "," in text and decimal == ".":
        return "is not a number; if its comma stands before the fraction, say --decimal ,"
    return f"is not a number; {null_hint(text)}"


def null_hint(text: str) -> str:
    """What to do about a cell that is not a number."""
    return f"if it means that there is no value, say --null {shlex.quote(text) if text else repr(text)}"


class Nulls:
    """The cells that mean "no value", from ``--null``: a cell with that text, and if the text is a number, that number however it
    is spelled (``-999.00``, ``-9.99e2``). ``0000`` is a text only: to take every 0 for "no value" somebody has to say ``0``."""

    def __init__(self, texts: Sequence[str], decimal: str = ".") -> None:
        self.texts = frozenset(("", *(text.strip() for text in texts)))
        found = {text: value for text in texts if (value := _number_or_none(text, decimal)) is not None}
        self.numbers = frozenset(value for text, value in found.items() if value or text.strip() == "0")

    def is_text(self, cell: str) -> bool:
        """Whether a cell that is not empty has one of the texts."""
        return bool(cell) and cell.strip() in self.texts


def _number_or_none(text: str, decimal: str) -> float | None:
    """The number in the text, with ``decimal`` or a point before the fraction; None if it is none."""
    for point_of in (decimal, "."):  # on a command line the number may have a point, too
        try:
            return number(text, point_of)
        except ValueError:
            continue
    return None
