"""Draws curves as PNG, SVG or PDF (matplotlib): a panel for each unit, mean line and min-max band, gaps as gaps."""

from __future__ import annotations

import io
from collections.abc import Sequence
from zoneinfo import ZoneInfo

import matplotlib

matplotlib.use("Agg")  # a backend that needs no screen
from matplotlib import dates, pyplot

from sensorlogd.notation.instants import local_of
from sensorlogd.plotting.curves import PlottedCurve

FORMATS = ("png", "svg", "pdf")


def draw(curves: Sequence[PlottedCurve], since_us: int, until_us: int, form: str, zone: str, width: int, height: int) -> bytes:
    """The picture as bytes. ``form``: one of FORMATS. ``width``, ``height``: pixels, the height for each panel."""
    made = io.BytesIO()
    tz = ZoneInfo(zone)
    units = list(dict.fromkeys(curve.series.unit for curve in curves))
    figure, axes = pyplot.subplots(
        len(units), 1, sharex=True, squeeze=False, figsize=(width / 100, height * len(units) / 100), dpi=100, layout="constrained"
    )
    try:
        for panel, unit in zip(axes[:, 0], units, strict=True):
            for number, curve in enumerate(curve for curve in curves if curve.series.unit == unit):
                colour = f"C{number % 10}"
                for first, piece in enumerate(curve.pieces):
                    times = [local_of(at, tz) for at in piece.times]
                    if piece.low:
                        panel.fill_between(times, piece.low, piece.high, color=colour, alpha=0.25, linewidth=0)
                    alone = len(times) == 1
                    panel.plot(
                        times, piece.line, color=colour, linewidth=1.2, marker="." if alone else None, label=None if first else curve.label
                    )  # fmt: skip
            panel.set_ylabel(unit)
            panel.grid(alpha=0.3)
            panel.legend(loc="upper left", fontsize="small")
        last = axes[-1, 0]
        last.set_xlim(*(local_of(at, tz) for at in (since_us, until_us)))
        locator = dates.AutoDateLocator(tz=tz)  # type: ignore[no-untyped-call]  # matplotlib's dates have no types
        last.xaxis.set_major_locator(locator)
        last.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator, tz=tz))  # type: ignore[no-untyped-call]  # the same
        last.set_xlabel(zone)
        figure.savefig(made, format=form)
    finally:
        pyplot.close(figure)
    return made.getvalue()
