"""Draws curves in the terminal, in braille dots (plotille)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from zoneinfo import ZoneInfo

import plotille  # type: ignore[import-untyped]  # it ships no types

from sensorlogd.notation import numbers
from sensorlogd.notation.instants import EPOCH
from sensorlogd.notation.microseconds import DAY_US
from sensorlogd.plotting.curves import PlottedCurve

COLOURS = ("cyan", "magenta", "yellow", "green", "blue", "red", "white")
MARGIN = 22  # columns that the axis takes


def draw(
    curves: Sequence[PlottedCurve], since_us: int, until_us: int, width: int, height: int, zone: str, *, colours: bool
) -> str:
    """A figure as text, ``width`` columns wide. The curves share one axis: they have one unit."""
    figure = plotille.Figure()
    figure.width, figure.height = max(width - MARGIN, 20), max(height, 5)
    figure.with_colors = colours
    figure.origin = False
    low = min(value for curve in curves for piece in curve.pieces for value in piece.low or piece.line)
    high = max(value for curve in curves for piece in curve.pieces for value in piece.high or piece.line)
    room = (high - low) * 0.05 or abs(high) * 0.05 or 1.0
    figure.set_y_limits(low - room, high + room)
    figure.set_x_limits(since_us / 1e6, until_us / 1e6)
    tz = ZoneInfo(zone)
    form = "%m-%d %H:%M" if until_us - since_us > DAY_US else "%H:%M:%S"
    figure.register_label_formatter(float, _label(tz, form, figure))
    for number, curve in enumerate(curves):
        colour = COLOURS[number % len(COLOURS)] if colours else None
        for piece in curve.pieces:
            for at, bottom, top in zip(piece.times, piece.low, piece.high, strict=False):
                figure.plot([at / 1e6, at / 1e6], [bottom, top], lc=colour)
            if len(piece.times) == 1:
                figure.scatter([piece.times[0] / 1e6], [piece.line[0]], lc=colour)
            elif not piece.low:
                figure.plot([at / 1e6 for at in piece.times], piece.line, lc=colour)
    text: str = figure.show()
    unit = curves[0].series.unit
    legend = "   ".join(curve.label for curve in curves) + (f"   [{unit}]" if unit else "")
    return f"{legend}\n{text}"


def _label(tz: ZoneInfo, form: str, figure: plotille.Figure) -> object:
    """The label of a tick: a time on the x axis, a number on the other; plotille formats both by the same function."""

    def label(value: float, chars: int, delta: float, left: bool = False) -> str:
        limits = figure.x_limits()
        if limits[0] <= value <= limits[1] and value > 1e6:
            text = (EPOCH + timedelta(seconds=value)).astimezone(tz).strftime(form)
        else:
            text = numbers.on_scale(value, delta)
        return f"{text:<{chars}}" if left else f"{text:>{chars}}"

    return label
