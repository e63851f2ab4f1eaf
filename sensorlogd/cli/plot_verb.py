"""``plot``: draws curves in the terminal, or as a picture."""

from __future__ import annotations

import logging
import shutil
import sys
from pathlib import Path

import click

from sensorlogd import extras, files
from sensorlogd.cli import exits, plain_errors
from sensorlogd.cli.common import fail, now_us, reads_the_log, series_of, tz_option, zone_of
from sensorlogd.cli.empty_range import where_readings_are
from sensorlogd.notation import times
from sensorlogd.storage.query.log_reader import LogReader


@click.command(
    epilog="""\b
Examples:
  sensorlogd plot greenhouse.temperature                     the last day, in the terminal
  sensorlogd plot 'greenhouse.*' --since -30d -o month.png   a panel for each unit
  sensorlogd plot meter.energy --since -1y --agg increase -o year.svg --tz Europe/Berlin
\b
The line is the mean, the band reaches from minimum to maximum; where nothing was read there is a gap.
Needs matplotlib or plotille, the extra 'plot'; without them it says how to install them. Exit status: 0; 2 usage or no such series; 3 no data in the range.
"""
)
@click.argument("series", nargs=-1, required=True)
@click.option("--since", default="-1d", show_default=True, metavar="TIME")
@click.option("--until", default="now", show_default=True, metavar="TIME")
@click.option("--agg", default="mean", show_default=True, metavar="NAME", help="one aggregate; see 'sensorlogd query --help'")
@click.option(
    "-o",
    "--output",
    "target",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="a .png, .svg or .pdf file; '-': PNG to standard output",
)
@click.option("--width", type=click.IntRange(min=30, max=10_000), help="columns, or pixels of a picture (1200)")
@click.option("--height", type=click.IntRange(min=5, max=10_000), help="lines, or pixels of a panel (400)")
@tz_option
@reads_the_log
def plot(
    log: LogReader, series: tuple[str, ...], since: str, until: str, agg: str, target: Path | None, width: int | None, height: int | None,
    tz: str | None,
) -> None:  # fmt: skip
    """Draw SERIES (globs allowed) in the terminal, or into a file."""
    zone, now = zone_of(tz), now_us()
    form = _form(target)
    columns, lines = shutil.get_terminal_size((100, 30))
    wide = width or (1200 if target is not None else columns)
    from sensorlogd.plotting.curves import curves

    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # where it keeps its fonts is of no interest here
    try:
        start, end = times.parse_time(since, now, zone), times.parse_time(until, now, zone)
        if start >= end:
            raise ValueError(f"--since {since} is not before --until {until}")
        points = wide if target is not None else 2 * wide
        wanted = series_of(log, series)
        drawn = [curve for curve in curves(log, wanted, start, end, points, agg, zone) if curve.points]
    except ValueError as error:
        fail(str(error), exits.USAGE)
    if not drawn:
        fail(f"no data in this range{where_readings_are(log, wanted, (start, end), zone)}", exits.NO_DATA)
    try:
        if target is not None:
            from sensorlogd.plotting import picture

            made = picture.draw(drawn, start, end, form, zone, wide, height or 400)
            if str(target) == "-":
                sys.stdout.buffer.write(made)
            else:
                with files.written(target) as file:
                    file.write(made)
            click.echo(f"{target}: {len(drawn)} series, steps of {drawn[0].step}", err=True)
            return
        from sensorlogd.plotting import terminal
    except ImportError as error:
        fail(f"{error.name} is not installed; install it: {extras.advice('plot')}")
    except OSError as error:
        if str(target) == "-":
            raise
        fail(plain_errors.os_error(error, target))
    for unit in dict.fromkeys(curve.series.unit for curve in drawn):
        same = [curve for curve in drawn if curve.series.unit == unit]
        click.echo(terminal.draw(same, start, end, wide, height or min(lines - 8, 20), zone, colours=sys.stdout.isatty()))


def _form(target: Path | None) -> str:
    """The format of the picture, from the file's name; PNG for a device or pipe, which can have any name."""
    if target is None:
        return ""
    form = target.suffix[1:].lower()
    if form in ("png", "svg", "pdf"):
        return form
    if str(target) == "-":
        if sys.stdout.isatty():
            fail("-o -: a picture cannot be shown on a terminal; send it into a file or a pipe", exits.USAGE)
        return "png"
    try:
        ordinary = files.is_ordinary(target)
    except OSError as error:
        fail(plain_errors.os_error(error, target))
    if ordinary:
        fail(f"-o {target}: name a .png, .svg or .pdf file", exits.USAGE)
    return "png"
