"""Numbers as text: one value reads the same in a table, in CSV, in a preview and on the page."""

from __future__ import annotations

import math


def text(value: float | None, nothing: str = "", decimals: int | None = None) -> str:
    """The shortest text that gives back this very double: ``101325.25``, ``0.1``, ``20`` and never ``20.0``; no thousands
    are grouped. ``nothing``: for None.

    ``decimals``: the resolution of the channel where that is known; the double is then the nearest one with that many places.
    """
    if value is None:
        return nothing
    if isinstance(value, int):
        return str(value)
    value = float(value)
    if decimals is not None and math.isfinite(value):
        value = round(value, decimals) or abs(value) * 0.0  # what is rounded away leaves no sign
    return repr(value).removesuffix(".0")


LONG = 8  # more places than that are the noise of arithmetic, or of a simulation
FEW = 4  # places more, so that a small share of whole numbers does not read as nothing


def places(value: float) -> int:
    """The decimal places of the shortest text that differs by no more than arithmetic does; 0 where ``value`` is not
    finite."""
    if not math.isfinite(value):
        return 0
    digits, _, exponent = f"{value:.14g}".partition("e")
    return max(len(digits.partition(".")[2]) - int(exponent or 0), 0)


def computed(value: float, decimals: int | None, nothing: str = "") -> str:
    """What was computed of readings with ``decimals`` places: two more (where it is small, up to six, so that it has three
    digits), or nine digits where their places are not known; never the noise of arithmetic. The dashboard's rule."""
    if not math.isfinite(value):
        return nothing
    if decimals is None:
        return text(float(f"{value:.15g}" if abs(value) >= 1e9 else f"{value:.9g}"), nothing)
    needed = 2 - math.floor(math.log10(abs(value))) if value else 0
    return text(float(f"{value:.15g}"), nothing, max(decimals + 2, min(decimals + 2 + FEW, needed)))


def finer(decimals: int | None, by: int) -> int | None:
    """The places of what is computed from values of that resolution."""
    return None if decimals is None else decimals + by


def on_scale(value: float, step: float) -> str:
    """A mark of a scale whose marks are ``step`` apart: six digits, or as many as it takes that the next one reads differently."""
    if not math.isfinite(step) or not step:
        return f"{value:.6g}"
    if abs(value) < abs(step) * 1e-9:
        return "0"
    digits = math.floor(math.log10(max(abs(value / step), 1))) + 2
    return f"{value:.{min(max(digits, 6), 17)}g}"
