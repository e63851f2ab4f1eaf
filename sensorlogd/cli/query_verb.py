"""``query``: readings as they are, or aggregated. The questions and their grammar are ``storage.query.engine``'s."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import click

from sensorlogd import times
from sensorlogd.cli import exits, output
from sensorlogd.cli.reading import fail, now_us, reads_the_log, series_of, tz_option, zone_of
from sensorlogd.storage.query.log import Log, Reading, Series, conversion
from sensorlogd.storage.query.rows import READING_COLUMNS, cell, reading_row


@click.command(
    epilog="""\b
Examples:
  sensorlogd query greenhouse.temperature                          the last hour, every reading
  sensorlogd query 'greenhouse.*' --since -1d --every 15min        mean, min, max of each quarter
  sensorlogd query '*.temperature' --since -1y --max-points 500    a year in a picture's worth of rows
  sensorlogd query meter.energy --since 2026-01 --until 2026-02 --every 1d --agg increase --tz Europe/Berlin
  sensorlogd query greenhouse.temperature --every 1h --agg mean,p95,coverage --unit degF
  sensorlogd query '*.*' --since today --format csv > today.csv
\b
Times: now-1h, -15m, today, yesterday, now/d, 2026-01-31, 2026-01-31T12:30, or an epoch in s, ms, us.
A range is [since, until). Buckets are stamped at their start and aligned to the clock; d, w, mo, y are calendar
days, weeks (from Monday), months and years in the zone of --tz.
Aggregates: mean twmean min max first last sum count stddev median pNN range delta increase rate resets resultant
transitions states coverage good not_evaluated suspect fail missing.
Exit status: 0; 2 usage or no such series; 3 no data in the range.
"""
)
@click.argument("series", nargs=-1, required=True)
@click.option("--since", default="-1h", show_default=True, metavar="TIME")
@click.option("--until", default="now", show_default=True, metavar="TIME")
@click.option("--every", metavar="DURATION", help="aggregate into buckets of this length")
@click.option(
    "--max-points", type=click.IntRange(min=1), metavar="N", help="aggregate into at most N buckets; their length is chosen"
)
@click.option("--agg", default=None, metavar="NAMES", help="comma-separated; default mean,min,max")
@click.option(
    "--fill", type=click.Choice(("none", "null", "previous", "linear")), help="what stands in empty buckets; default none: no row"
)
@click.option("--unit", metavar="UNIT", help="convert to this unit, e.g. degF, hPa, mph")
@click.option("--limit", type=click.IntRange(min=1), help="stop after so many rows")
@tz_option
@output.format_option
@reads_the_log
def query(
    log: Log,
    series: tuple[str, ...],
    since: str,
    until: str,
    every: str | None,
    max_points: int | None,
    agg: str | None,
    fill: str | None,
    unit: str | None,
    limit: int | None,
    tz: str | None,
    form: str | None,
) -> None:
    """Readings of SERIES (sensor.channel, globs allowed) over a range of time, or aggregates with --every or --max-points."""
    zone = zone_of(tz)
    now = now_us()
    try:
        start, end = times.parse_time(since, now, zone), times.parse_time(until, now, zone)
        if start >= end:
            raise ValueError(f"--since {since} is not before --until {until}")
        wanted = series_of(log, series)
        rows: Iterator[Mapping[str, Any]]
        columns: Sequence[str]
        if every is None and max_points is None:
            for name, given in (("--agg", agg), ("--fill", fill)):
                if given is not None:
                    raise ValueError(f"{name} needs --every, the length of a bucket, or --max-points")
            columns = READING_COLUMNS
            rows = _readings(log, wanted, start, end, unit, zone)
        else:
            columns, rows = _buckets(log, wanted, (start, end), every, max_points, agg, fill, unit, zone)
        written = output.write(islice(rows, limit), columns, form)
    except ValueError as error:
        fail(str(error), exits.USAGE)
    if not written:
        fail("no data in this range", exits.NO_DATA)


def _readings(log: Log, wanted: list[Series], start: int, end: int, unit: str | None, zone: str) -> Iterator[Mapping[str, Any]]:
    changes = {one.id: conversion(one, unit) for one in wanted} if unit is not None else {}
    for reading in log.readings(wanted, start, end):
        change = changes.get(reading.series.id)
        if change is not None and reading.value is not None:
            reading = Reading(reading.series, reading.ts_us, change.value(reading.value), reading.quality)
        row = reading_row(reading, zone)
        yield row if unit is None else row | {"unit": unit}


def _buckets(
    log: Log,
    wanted: list[Series],
    span: tuple[int, int],
    every: str | None,
    max_points: int | None,
    agg: str | None,
    fill: str | None,
    unit: str | None,
    zone: str,
) -> tuple[Sequence[str], Iterator[Mapping[str, Any]]]:
    """Columns and rows; where each series' answer comes from goes to stderr. Raises ValueError."""
    from sensorlogd.storage.query.aggregates import DEFAULT
    from sensorlogd.storage.query.engine import FILLS, Ask
    from sensorlogd.storage.query.grid import Step

    if every is not None and max_points is not None:
        raise ValueError("--every and --max-points exclude each other")
    names = tuple(dict.fromkeys(name.strip() for name in agg.split(",") if name.strip())) if agg is not None else DEFAULT
    chosen = next(one for one in FILLS if one == (fill or "none"))
    ask = Ask(*span, None if every is None else Step.parse(every), max_points, names, zone, chosen)
    columns = ("time", "sensor", "channel", *names, *(name for name in ("count", "coverage") if name not in names))

    def rows() -> Iterator[Mapping[str, Any]]:
        for one, answer in log.buckets(wanted, ask, unit):
            any_row = False
            for row in answer.rows:
                any_row = True
                yield {
                    "time": times.format_time(row.start_us, zone),
                    "sensor": one.sensor,
                    "channel": one.channel,
                    "count": row.readings,
                    "coverage": row.coverage,
                    **dict(zip(names, map(cell, row.values), strict=True)),
                }
            if any_row or answer.notes:
                told = "".join(f"; {note}" for note in answer.notes)
                sys.stdout.flush()
                click.echo(
                    f"{one.name}: steps of {answer.step} from {answer.source}, resolution {answer.resolution}{told}", err=True
                )

    return columns, rows()
