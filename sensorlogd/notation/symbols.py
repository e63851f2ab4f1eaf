"""What is spelled in two ways: the micro sign (U+00B5 on keyboards, U+03BC in Greek words), and the decimal comma."""

from __future__ import annotations

import re

MICRO = "\u00b5"
_GROUPED = re.compile(r"[+-]?[1-9]\d{0,2}(?:\.\d{3})+(?:,\d*)?", re.ASCII)
_MU = re.compile("(?<![\u0370-\u03ff])\u03bc(?![\u0370-\u03ff])")


def micro(text: str) -> str:
    """With U+00B5 for every U+03BC that stands in no Greek word: both are the same unit to everybody."""
    return _MU.sub(MICRO, text) if "\u03bc" in text else text


def point(text: str) -> str:
    """A number with a decimal comma, with a decimal point: ``1.234,5`` is ``1234.5``.

    Where the comma stands before the fraction a point can only group thousands; any other point leaves what is no number.
    """
    if "." not in text:
        return text.replace(",", ".", 1)
    return text.replace(".", "").replace(",", ".") if _GROUPED.fullmatch(text) else f"{text} ,"
