"""``plot``: curves in the terminal, or as a picture."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import click

from sensorlogd import times
from sensorlogd.cli import exits
from sensorlogd.cli.reading import fail, now_us, reads_the_log, series_of, tz_option, zone_of
from sensorlogd.storage.query.log import Log


@click.command(
    epilog="""\b
Examples:
  sensorlogd plot greenhouse.temperature                     the last day, in the terminal
  sensorlogd plot 'greenhouse.*' --since -30d -o month.png   a panel for each unit
  sensorlogd plot meter.energy --since -1y --agg increase -o year.svg --tz Europe/Berlin
\b
The line is the mean, the band reaches from minimum to maximum; where nothing was read there is a gap.
Needs the extra 'plot': pip install 'sensorlogd[plot]'. Exit status: 0; 2 usage or no such series; 3 no data in the range.
"""
)
@click.argument("series", nargs=-1, required=True)
@click.option("--since", default="-1d", show_default=True, metavar="TIME")
@click.option("--until", default="now", show_default=True, metavar="TIME")
@click.option("--agg", default="mean", show_default=True, metavar="NAME", help="one aggregate; see 'sensorlogd query --help'")
@click.option("-o", "--output", "target", type=click.Path(path_type=Path), metavar="FILE", help="a .png, .svg or .pdf file")
@click.option("--width", type=click.IntRange(min=30, max=10_000), help="columns, or pixels of a picture (1200)")
@click.option("--height", type=click.IntRange(min=5, max=10_000), help="lines, or pixels of a panel (400)")
@tz_option
@reads_the_log
def plot(
    log: Log, series: tuple[str, ...], since: str, until: str, agg: str, target: Path | None, width: int | None, height: int | None,
    tz: str | None,
) -> None:  # fmt: skip
    """Draw SERIES (globs allowed) in the terminal, or into a file."""
    zone, now = zone_of(tz), now_us()
    if target is not None and target.suffix.lower() not in (".png", ".svg", ".pdf"):
        fail(f"-o {target}: name a .png, .svg or .pdf file", exits.USAGE)
    columns, lines = shutil.get_terminal_size((100, 30))
    wide = width or (1200 if target is not None else columns)
    from sensorlogd.plotting.curves import curves

    try:
        start, end = times.parse_time(since, now, zone), times.parse_time(until, now, zone)
        if start >= end:
            raise ValueError(f"--since {since} is not before --until {until}")
        points = wide if target is not None else 2 * wide
        found = [curve for curve in curves(log, series_of(log, series), start, end, points, agg, zone) if curve.points]
    except ValueError as error:
        fail(str(error), exits.USAGE)
    if not found:
        fail("no data in this range", exits.NO_DATA)
    try:
        if target is not None:
            from sensorlogd.plotting import picture

            picture.save(found, start, end, target, zone, wide, height or 400)
            click.echo(f"{target}: {len(found)} series, steps of {found[0].step}", err=True)
            return
        from sensorlogd.plotting import terminal
    except ImportError as error:
        fail(f"{error.name} is not installed; pip install 'sensorlogd[plot]'")
    except OSError as error:
        fail(f"{target}: {error.strerror}")
    for unit in dict.fromkeys(curve.series.unit for curve in found):
        same = [curve for curve in found if curve.series.unit == unit]
        click.echo(terminal.draw(same, start, end, wide, height or min(lines - 8, 20), zone, colours=sys.stdout.isatty()))
