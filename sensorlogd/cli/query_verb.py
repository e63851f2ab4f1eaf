"""``query``: readings as they are, or aggregated. The questions and their grammar are ``storage.query.engine``'s."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from textwrap import wrap
from typing import Any

import click

from sensorlogd.cli import exits, output
from sensorlogd.cli.common import fail, now_us, reads_the_log, series_of, tz_option, zone_of
from sensorlogd.cli.empty_range import where_readings_are
from sensorlogd.cli.output import COMPUTED, PLACES
from sensorlogd.notation import numbers, times
from sensorlogd.storage.query import question
from sensorlogd.storage.query.aggregates import AGGREGATES, Aggregate, aggregate
from sensorlogd.storage.query.engine import Query
from sensorlogd.storage.query.log_reader import LogReader, SeriesReading, conversions, converted
from sensorlogd.storage.query.rows import READING_COLUMNS, bucket_names, bucket_row, reading_row
from sensorlogd.storage.query.units import Conversion
from sensorlogd.storage.series.stored import Series

NAMED = "\n".join(wrap(f"Aggregates: {' '.join(AGGREGATES)} median pNN.", 110))


@click.command(
    epilog=f"""\b
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
{NAMED}
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
@click.option("--limit", type=click.IntRange(min=1), help="stop after this many rows")
@tz_option
@output.format_option
@reads_the_log
def query(
    log: LogReader,
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
        question.check_range(since, until, start, end, question.as_option)
        wanted = series_of(log, series)
        rows: Iterator[Mapping[str, Any]]
        columns: Sequence[str]
        query = question.ask((start, end), every, max_points, agg, fill, zone, question.as_option)
        if query is None:
            columns = READING_COLUMNS
            rows = _readings(log, wanted, start, end, unit, zone)
        else:
            columns, rows = _buckets(log, wanted, query, unit)
        first = list(islice(rows, 1))  # before anything is written: what cannot be answered has no head of an answer, either
        written = output.write(islice(chain(first, rows), limit), columns, form)
    except ValueError as error:
        fail(str(error), exits.USAGE)
    if not written:
        fail(f"no data in this range{where_readings_are(log, wanted, (start, end), zone)}", exits.NO_DATA)


def _readings(
    log: LogReader, series: list[Series], start: int, end: int, unit: str | None, zone: str
) -> Iterator[Mapping[str, Any]]:
    readings: Iterable[SeriesReading] = log.readings(series, start, end)
    changes: dict[int, Conversion | None] = {} if unit is None else conversions(series, unit)
    for reading in converted(readings, changes) if changes else readings:
        change = changes.get(reading.series.id)
        row = output.placed(reading_row(reading, zone), reading.series)
        if change is not None:
            row |= {"unit": unit, COMPUTED: {"value": _resolution(reading.series, change)}}
            if reading.series.decimals is not None:
                row |= {PLACES: {"value": _places(reading.series.decimals, change)}}
        yield row


def _places(decimals: int | None, change: Conversion | None) -> int | None:
    """Decimals of a resolution in the unit that is asked for: 1 decimal in m is none in cm."""
    if decimals is None or change is None or change.factor == 1.0:
        return decimals
    return min(max(decimals + math.ceil(-math.log10(abs(change.factor))), 0), 15)


def _resolution(series: Series, change: Conversion | None) -> int | None:
    """The decimals of the series: as configured, else as they were seen in readings."""
    return _places(series.seen_decimals if series.decimals is None else series.decimals, change)


def _computed_of(chosen: Mapping[str, Aggregate], series: Series, change: Conversion | None) -> dict[str, int | None]:
    """aggregate -> decimals of the readings it was computed from; for aggregates that are not themselves a reading."""
    as_it_is = {"fixed"} if change is not None else {"fixed", "reading"}
    return dict.fromkeys((name for name, how in chosen.items() if how.digits not in as_it_is), _resolution(series, change))


def _places_of(chosen: Mapping[str, Aggregate], series: Series, change: Conversion | None) -> dict[str, int | None]:
    """aggregate -> decimals to show; for aggregates in the unit of the values. Means have two more than the readings."""
    places = _places(series.decimals, change)
    if places is None:
        return {}
    shown = {"reading": places, "value": places, "finer": numbers.finer(places, 2)}
    return {name: shown[how.digits] for name, how in chosen.items() if how.digits in shown}


def _buckets(
    log: LogReader, wanted: list[Series], query: Query, unit: str | None
) -> tuple[Sequence[str], Iterator[Mapping[str, Any]]]:
    """Columns and rows; where each series' answer comes from goes to stderr. Raises ValueError."""
    names, zone = query.aggregates, query.zone
    columns = ("time", "sensor", "channel", *bucket_names(names))
    changes: dict[int, Conversion | None] = {} if unit is None else conversions(wanted, unit, names)

    def rows() -> Iterator[Mapping[str, Any]]:
        for series, answer in log.buckets(wanted, query, unit):
            chosen = {name: aggregate(name, series.kind) for name in names}
            change = changes.get(series.id)
            shown = {PLACES: _places_of(chosen, series, change), COMPUTED: _computed_of(chosen, series, change)}
            any_row = False
            for row in answer.rows:
                any_row = True
                yield {"time": times.format_time(row.start_us, zone), **shown} | bucket_row(series, row, names)
            if any_row or answer.notes:
                notes = "".join(f"; {note}" for note in answer.notes)
                sys.stdout.flush()
                click.echo(
                    f"{series.name}: steps of {answer.step} from {answer.source}, resolution {answer.resolution}{notes}", err=True
                )

    return columns, rows()
