"""``latest``, ``tail``, ``events``: verbs that only read the log. No pydantic, no SQLAlchemy."""

from __future__ import annotations

import fnmatch
import sys
import time
from collections.abc import Iterator
from typing import Any

import click

from sensorlogd.cli import appearance, exits, output
from sensorlogd.cli.common import fail, no_such_sensor, now_us, reads_the_log, sensors_of_config, series_of, tz_option, zone_of
from sensorlogd.cli.followed import Followed
from sensorlogd.notation import numbers, times
from sensorlogd.notation.durations import parse_duration
from sensorlogd.storage.query.log_reader import LogReader, SeriesReading
from sensorlogd.storage.query.rows import EVENT_COLUMNS, READING_COLUMNS, event_row, reading_row
from sensorlogd.storage.series.stored import Series


@click.command(
    epilog="""\b
Examples:
  sensorlogd latest
  sensorlogd latest greenhouse                    all channels of one sensor
  sensorlogd latest '*.temperature' --format json
\b
Exit status: 0; 2 no such series; 3 nothing logged yet; 4 some series is older than its heartbeat (one that
is not configured counts only where none is, or if it is named).
"""
)
@click.argument("series", nargs=-1)
@tz_option
@output.format_option
@reads_the_log
def latest(log: LogReader, series: tuple[str, ...], tz: str | None, form: str | None) -> None:
    """Show the newest value of every series, those that have none yet included, or of SERIES (sensor.channel, globs allowed)."""
    zone = zone_of(tz)
    now = now_us()
    wanted = series_of(log, series) if series else log.series(retired=True)
    newest = zip(wanted, log.latest(wanted, now), strict=True)
    # Of a series that is not configured (an import, a sensor that was taken away) nothing is expected: without readings it is none.
    found = [(each, reading) for each, reading in newest if reading is not None or each.retired_us is None or series]
    rows = [_newest_row(each, reading, now, zone) for each, reading in found]
    if (form or ("table" if sys.stdout.isatty() else "csv")) == "table":
        from sensorlogd.cli import latest_table

        for line in latest_table.lines(rows, times.format_time(now, zone)[:10]) if rows else ():
            click.echo(line, color=True)
    else:
        output.write(rows, (*READING_COLUMNS, "age", "state"), form)
    if all(reading is None for _, reading in found):
        fail(
            "nothing is logged yet; 'sensorlogd status' says what the sensors do"
            if found
            else "no sensor is configured; add one: sensorlogd add",
            exits.NO_DATA,
        )
    # Nobody waits for the others, unless nothing is configured or they were asked for.
    awaited = [(each, reading) for each, reading in found if each.retired_us is None]
    if any(reading is None or _is_old(each, reading, now) for each, reading in (found if series else awaited or found)):
        sys.exit(exits.STALE)


def _is_old(series: Series, newest: SeriesReading, now: int) -> bool:
    """Whether the newest reading of a series is older than its heartbeat."""
    return now - newest.ts_us > series.heartbeat_us


def _newest_row(series: Series, reading: SeriesReading | None, now: int, zone: str) -> dict[str, Any]:
    """The row of a series' newest reading. ``state``: ok, stale (older than the heartbeat), history (its series is not configured),
    never (no reading: no time, value or quality)."""
    if reading is None:
        nothing = {"time": None, "sensor": series.sensor, "channel": series.channel, "value": None, "unit": series.unit}
        return nothing | {"quality": None, "age": None, "state": "never"}
    age = now - reading.ts_us
    state = "history" if series.retired_us is not None else "stale" if _is_old(series, reading, now) else "ok"
    return output.placed(reading_row(reading, zone), series) | {
        "age": times.format_age(age),
        "ago": times.format_ago(age),
        "retired": series.retired_us is not None,
        "state": state,
    }


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
def tail(log: LogReader, series: tuple[str, ...], since: str, duration: str | None, tz: str | None, form: str | None) -> None:
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
    rows = (output.placed(reading_row(reading, zone), reading.series) for reading in _follow(log, wanted, start, until))
    try:
        if chosen == "table":
            for row in rows:
                value = numbers.text(row["value"], "-", (row.get(output.PLACES) or {}).get("value"))
                flagged = appearance.painted(row["quality"], output.quality_look(row["quality"]))
                said = f"{value} {row['unit']}".rstrip()
                click.echo(f"{row['time']}  {row['sensor']}.{row['channel']}  {said}  {flagged}", color=True)
                sys.stdout.flush()
        else:
            output.write(output.flushed(rows), READING_COLUMNS, chosen)
    except KeyboardInterrupt:
        return


def _follow(log: LogReader, series: list[Series], start: int, until: float | None) -> Iterator[SeriesReading]:
    """The readings from ``start`` on, as they are committed. ``until``: a moment of the monotonic clock."""
    followed = Followed(log, series, start)
    while True:
        yield from followed.new_readings(now_us())
        if until is not None and time.monotonic() >= until:
            return
        time.sleep(0.25)


@click.command(
    epilog="""\b
Examples:
  sensorlogd events
  sensorlogd events --since -7d --sensor boiler --format json
\b
Exit status: 0; 2 no such sensor; 3 no events.
"""
)
@click.option("--since", metavar="TIME", help="only what happened after this")
@click.option("--sensor", metavar="GLOB", help="only what happened to these sensors")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(min=1), help="at most this many, the newest")
@tz_option
@output.format_option
@reads_the_log
def events(log: LogReader, since: str | None, sensor: str | None, limit: int, tz: str | None, form: str | None) -> None:
    """Show what happened to sensors, clock, database and daemon."""
    zone = zone_of(tz)
    try:
        start = None if since is None else times.parse_time(since, now_us(), zone)
    except ValueError as error:
        fail(str(error), exits.USAGE)
    rows = [event_row(event, zone) for event in log.events(start, limit, sensor)]
    if not output.write(rows, EVENT_COLUMNS, form):
        if sensor is not None:
            _check_sensor(log, sensor)
        of_whom = "" if sensor is None else f" of {sensor}"
        since_when = "" if start is None else f" since {times.format_time(start, zone)}"
        fail(f"no events{of_whom}{since_when}", exits.NO_DATA)


def _check_sensor(log: LogReader, glob: str) -> None:
    """Exit 2 if ``glob`` fits no sensor, stored or configured, and no event ever: a typing error must not look like silence."""
    known = {each.sensor for each in log.series(retired=True)} | {each.sensor for each in log.sensors()} | sensors_of_config()
    like = glob.replace("[^", "[!")  # as SQLite, which has compared it with the events, writes "none of these"
    if not any(fnmatch.fnmatchcase(name, like) for name in known) and not log.events(None, 1, glob):
        no_such_sensor(glob, known)
