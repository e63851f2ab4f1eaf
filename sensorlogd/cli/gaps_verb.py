"""``gaps``: shows when no usable readings came, by series, the longest gap first."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import nlargest

import click

from sensorlogd.cli import exits, output
from sensorlogd.cli.common import fail, now_us, reads_the_log, series_of, tz_option, zone_of
from sensorlogd.cli.empty_range import where_readings_are
from sensorlogd.notation import times
from sensorlogd.notation.durations import parse_duration
from sensorlogd.storage.query import question
from sensorlogd.storage.query.gaps import usable
from sensorlogd.storage.query.log_reader import LogReader
from sensorlogd.storage.series.stored import Series

COLUMNS = ("sensor", "channel", "time", "until", "lasted", "seconds")


@click.command(
    epilog="""\b
Examples:
  sensorlogd gaps                                       of every series, since yesterday at this time
  sensorlogd gaps 'greenhouse.*' --since -1mo --longer 5min
  sensorlogd gaps meter.energy --since 2026-01 --limit 1 --format json
\b
A gap lasts from one usable reading (not flagged fail or missing) to the next; "until" is empty where none has come since.
What lies outside the range is cut off; before the first reading nothing is known.
Of gaps that last equally long the latest is first.
Exit status: 0, gaps or none; 2 usage or no such series; 3 nothing is stored of this in the range.
"""
)
@click.argument("series", nargs=-1)
@click.option("--since", default="-1d", show_default=True, metavar="TIME")
@click.option("--until", default="now", show_default=True, metavar="TIME")
@click.option("--longer", metavar="DURATION", help="than this; default: the heartbeat of each series")
@click.option("--limit", type=click.IntRange(min=1), default=10, show_default=True, help="at most this many of each series")
@tz_option
@output.format_option
@reads_the_log
def gaps(
    log: LogReader,
    series: tuple[str, ...],
    since: str,
    until: str,
    longer: str | None,
    limit: int,
    tz: str | None,
    form: str | None,
) -> None:
    """Show the longest gaps of every series, or of SERIES (sensor.channel, globs allowed)."""
    zone, now = zone_of(tz), now_us()
    try:
        start, end = times.parse_time(since, now, zone), times.parse_time(until, now, zone)
        question.check_range(since, until, start, end, question.as_option)
        least = None if longer is None else parse_duration(longer)
    except ValueError as error:
        fail(str(error), exits.USAGE)
    wanted = series_of(log, series) or log.series(retired=True)  # of a log without a configuration (an import) all is meant
    spans = [(series, *_known(log, series, start, end)) for series in wanted]
    if all(begin >= ended for _, begin, ended in spans):
        fail(f"no data in this range{where_readings_are(log, wanted, (start, end), zone)}", exits.NO_DATA)
    rows = (
        {"sensor": series.sensor, "channel": series.channel, "time": times.format_time(began, zone)}
        | {"until": times.format_time(began + lasted, zone) if is_over else None}
        | {"lasted": times.format_age(lasted), "seconds": lasted / 1e6}
        for series, begin, ended in spans
        for lasted, began, is_over in nlargest(
            limit, between(log, series, begin, ended, series.heartbeat_us if least is None else least)
        )
    )
    output.write(rows, COLUMNS, form)


def _known(log: LogReader, series: Series, start_us: int, end_us: int) -> tuple[int, int]:
    """The part [begin, end) of a range in which silence is a gap: from the first reading that is known of and, if the series is not
    configured any more, to its last. Empty (begin >= end) if there is none."""
    first, last = log.span([series])
    known = min((us for us in (first, log.known_from(series)) if us is not None), default=end_us)
    return max(known, start_us), end_us if series.retired_us is None or last is None else min(end_us, last + 1)


def between(log: LogReader, series: Series, start_us: int, end_us: int, longer_us: int) -> Iterator[tuple[int, int, bool]]:
    """(microseconds, when it began, whether a reading ended it) of each silence within [start, end) that is longer.

    Gaps longer than the heartbeat are found in roll-ups; for shorter ones every reading that has not expired is read.
    """
    if longer_us >= series.heartbeat_us:
        for gap in log.gaps(series, start_us, end_us, longer_us):
            is_over = gap.until_us is not None and gap.until_us < end_us
            began, ended = max(gap.since_us, start_us), min(end_us if gap.until_us is None else gap.until_us, end_us)
            if ended - began > longer_us:
                yield ended - began, began, is_over
        return
    first, _ = log.span([series])
    before = start_us = end_us if first is None else max(first, start_us)
    for rows in log.columns(series, start_us, end_us):
        for ts in usable(rows):
            if ts - before > longer_us:
                yield ts - before, before, True
            before = ts
    if end_us - before > max(longer_us, 0):
        yield end_us - before, before, False
