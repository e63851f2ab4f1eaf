"""``latest``, ``query``, ``tail``, ``events``: verbs that only read the log. No pydantic, no SQLAlchemy."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click

from sensorlogd import quality, times
from sensorlogd.cli import exits, output
from sensorlogd.cli.reading import fail, now_us, reads_the_log, series_of, tz_option, zone_of
from sensorlogd.durations import parse_duration
from sensorlogd.storage.reader import Log, Reading, Series

READING_COLUMNS = ("time", "sensor", "channel", "value", "unit", "quality")


def reading_row(reading: Reading, zone: str) -> dict[str, Any]:
    """A reading as JSON and CSV show it."""
    return {
        "time": times.format_time(reading.ts_us, zone),
        "sensor": reading.series.sensor,
        "channel": reading.series.channel,
        "value": output.number(reading.value),
        "unit": reading.series.unit,
        "quality": quality.describe(reading.quality),
    }


@click.command(
    epilog="""\b
Examples:
  sensorlogd latest
  sensorlogd latest greenhouse                    all channels of one sensor
  sensorlogd latest '*.temperature' --format json
\b
Exit status: 0; 2 no such series; 3 nothing logged yet; 4 some series is older than its heartbeat.
"""
)
@click.argument("series", nargs=-1)
@tz_option
@output.format_option
@reads_the_log
def latest(log: Log, series: tuple[str, ...], tz: str | None, form: str | None) -> None:
    """Show the newest value of every series, or of SERIES (sensor.channel, globs allowed)."""
    zone = zone_of(tz)
    wanted = series_of(log, series)
    now = now_us()
    found = [reading for reading in log.latest(wanted, now) if reading is not None]
    rows = []
    stale = len(found) < len(wanted)
    for reading in found:
        age = now - reading.ts_us
        is_stale = age > reading.series.heartbeat_us
        stale = stale or is_stale
        row = reading_row(reading, zone)
        rows.append(row | {"age": times.format_age(age), "state": "stale" if is_stale else "ok"})
    output.write(rows, (*READING_COLUMNS, "age", "state"), form)
    if not found:
        fail("nothing is logged yet" if wanted else "no sensor is configured", exits.NO_DATA)
    if stale:
        sys.exit(exits.STALE)


@click.command(
    epilog="""\b
Examples:
  sensorlogd query greenhouse.temperature                          the last hour, every reading
  sensorlogd query 'greenhouse.*' --since -1d --every 15min        mean, min, max, count of each quarter
  sensorlogd query meter.energy --since 2026-01 --until 2026-02 --every 1d --agg increase --tz Europe/Berlin
  sensorlogd query '*.*' --since today --format csv > today.csv
\b
Times: now-1h, -15m, today, yesterday, now/d, 2026-01-31, 2026-01-31T12:30, or an epoch in s, ms, us.
A range is [since, until). Buckets are stamped at their start and aligned to the clock.
Exit status: 0; 2 usage or no such series; 3 no data in the range.
"""
)
@click.argument("series", nargs=-1, required=True)
@click.option("--since", default="-1h", show_default=True, metavar="TIME")
@click.option("--until", default="now", show_default=True, metavar="TIME")
@click.option("--every", metavar="DURATION", help="aggregate into buckets of this length")
@click.option("--agg", default=None, metavar="NAMES", help="with --every: comma-separated; default mean,min,max")
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
    agg: str | None,
    limit: int | None,
    tz: str | None,
    form: str | None,
) -> None:
    """Readings, or aggregates with --every, of SERIES (sensor.channel, globs allowed) over a range of time."""
    zone = zone_of(tz)
    now = now_us()
    try:
        start, end = times.parse_time(since, now, zone), times.parse_time(until, now, zone)
        if start >= end:
            raise ValueError(f"--since {since} is not before --until {until}")
        every_us = None if every is None else parse_duration(every)
        if every_us is not None and every_us < 1_000:
            raise ValueError(f"--every {every} is below 1ms")
        aggregates = _aggregates(agg, every_us)
        wanted = series_of(log, series)
        if every_us is None:
            columns: Sequence[str] = READING_COLUMNS
            rows: Iterator[Mapping[str, Any]] = (reading_row(reading, zone) for reading in log.readings(wanted, start, end))
        else:
            columns = (
                "time",
                "sensor",
                "channel",
                *aggregates,
                *(name for name in ("count", "coverage") if name not in aggregates),
            )
            rows = _bucket_rows(log, wanted, start, end, every_us, columns, zone)
        written = output.write(_first(rows, limit), columns, form)
    except ValueError as error:
        fail(str(error), exits.USAGE)
    if not written:
        fail("no data in this range", exits.NO_DATA)


def _first(rows: Iterator[Mapping[str, Any]], limit: int | None) -> Iterator[Mapping[str, Any]]:
    for count, row in enumerate(rows):
        if limit is not None and count >= limit:
            return
        yield row


def _aggregates(names: str | None, every_us: int | None) -> list[str]:
    from sensorlogd.storage.buckets import AGGREGATES

    if names is not None and every_us is None:
        raise ValueError("--agg needs --every, the length of a bucket")
    chosen = [name.strip() for name in (names or "mean,min,max").split(",") if name.strip()]
    for name in chosen:
        if name not in AGGREGATES:
            raise ValueError(f"unknown aggregate {name!r}; known: {', '.join(AGGREGATES)}")
    return chosen


def _bucket_rows(
    log: Log, wanted: list[Series], start: int, end: int, every_us: int, columns: Sequence[str], zone: str
) -> Iterator[Mapping[str, Any]]:
    from sensorlogd.storage.buckets import AGGREGATES, bucket_edges, buckets

    edges = bucket_edges(start, end, every_us, zone)
    with log.reading_transaction():
        snapshot = log.snapshot(zone)
        for one in wanted:
            for bucket in buckets(snapshot, one.id, start, end, edges):
                row: dict[str, Any] = {
                    "time": times.format_time(bucket.start_us, zone),
                    "sensor": one.sensor,
                    "channel": one.channel,
                }
                for name in columns:
                    if name in AGGREGATES:
                        value = bucket.value(name)
                        row[name] = round(value, 4) if name == "coverage" and value is not None else output.number(value)
                yield row


@click.command(
    epilog="""\b
Examples:
  sensorlogd tail
  sensorlogd tail 'greenhouse.*' --format ndjson | jq .value
\b
Follows by time: a reading that a device stamps earlier than the newest one shown of its series is not shown here
(query and export have it). Ends with Ctrl-C.
"""
)
@click.argument("series", nargs=-1)
@click.option("--since", default="now", show_default=True, metavar="TIME", help="begin with what is newer than this")
@click.option("--for", "duration", metavar="DURATION", help="end after this time")
@tz_option
@output.format_option
@reads_the_log
def tail(log: Log, series: tuple[str, ...], since: str, duration: str | None, tz: str | None, form: str | None) -> None:
    """Follow readings as they are committed."""
    zone = zone_of(tz)
    wanted = series_of(log, series)
    try:
        start = times.parse_time(since, now_us(), zone)
        until = None if duration is None else time.monotonic() + parse_duration(duration) / 1e6
    except ValueError as error:
        fail(str(error), exits.USAGE)
    chosen = form or "table"
    if chosen == "json":
        fail("--format json has no end to close its list at; take ndjson", exits.USAGE)
    rows = (reading_row(reading, zone) for reading in _following(log, wanted, start, until))
    try:
        if chosen == "table":
            for row in rows:
                value = "-" if row["value"] is None else row["value"]
                click.echo(f"{row['time']}  {row['sensor']}.{row['channel']}  {value} {row['unit']}  {row['quality']}")
                sys.stdout.flush()
        else:
            output.write(output.flushed(rows), READING_COLUMNS, chosen)
    except KeyboardInterrupt:
        return


def _following(log: Log, wanted: list[Series], start: int, until: float | None) -> Iterator[Reading]:
    newest = {one.id: start - 1 for one in wanted}
    while True:
        # A batch committed now may hold readings older than the newest of another series: look back to each one's own.
        since = min(newest.values(), default=start) + 1
        horizon = now_us() + 60_000_000
        since = max(since, horizon - 120_000_000) if start < since else since
        for reading in log.readings(wanted, since, horizon):
            if reading.ts_us > newest[reading.series.id]:
                newest[reading.series.id] = reading.ts_us
                yield reading
        if until is not None and time.monotonic() >= until:
            return
        time.sleep(0.25)


@click.command(
    epilog="""\b
Examples:
  sensorlogd events
  sensorlogd events --since -7d --sensor boiler --format json
"""
)
@click.option("--since", metavar="TIME", help="only what happened after this")
@click.option("--sensor", metavar="GLOB", help="only what happened to these sensors")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(min=1), help="the newest so many")
@tz_option
@output.format_option
@reads_the_log
def events(log: Log, since: str | None, sensor: str | None, limit: int, tz: str | None, form: str | None) -> None:
    """Show what happened to sensors, clock, database and daemon."""
    zone = zone_of(tz)
    try:
        start = None if since is None else times.parse_time(since, now_us(), zone)
    except ValueError as error:
        fail(str(error), exits.USAGE)
    rows = [
        {"time": times.format_time(event.ts_us, zone), "kind": event.kind, "sensor": event.sensor, "detail": event.detail}
        for event in log.events(start, limit, sensor)
    ]
    if not output.write(rows, ("time", "kind", "sensor", "detail"), form):
        fail("no events", exits.NO_DATA)
