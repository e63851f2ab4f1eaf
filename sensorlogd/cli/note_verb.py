"""``note``: writes down what happened, beside what was measured."""

from __future__ import annotations

from pathlib import Path

import click

from sensorlogd import notes
from sensorlogd.cli import exits
from sensorlogd.cli.common import (
    config_option,
    database,
    db_option,
    fail,
    no_such_sensor,
    now_us,
    troubles_fail,
    tz_option,
    zone_of,
)
from sensorlogd.cli.database_changes import acting, readable
from sensorlogd.daemon.control.requests.database import NoteRequest
from sensorlogd.event_kinds import EventKind
from sensorlogd.notation import times
from sensorlogd.storage.query.log_reader import LogReader

FUTURE_US = 60_000_000  # a note of a time that far ahead of the clock is probably a typing error


@click.command(
    epilog="""\b
Examples:
  sensorlogd note freezer "defrosted; the door was open for an hour"
  sensorlogd note greenhouse.temperature "moved to the north wall" --at 2026-03-01T08:00 --by Ada
  sensorlogd events --sensor freezer
\b
A note is an event of the kind note: events, charts and the API show it. Notes are not changed or removed; write another one.
A time in the future is stored, with a warning.
Exit status: 0; 2 usage, or no such sensor or series.
"""
)
@click.argument("sensor")
@click.argument("text")
@click.option("--at", metavar="TIME", help="when it happened (default: now)")
@click.option("--by", default="", metavar="NAME", help="who says so")
@tz_option
@db_option
@config_option
def note(sensor: str, text: str, at: str | None, by: str, tz: str | None, db: str | None, config_file: Path | None) -> None:
    """Note TEXT about SENSOR, or about one series of it."""
    zone = zone_of(tz)
    path = database(config_file, db)
    with troubles_fail(path), readable(path) as log:
        name, channel = _subject(log, sensor)
    try:
        at_us = None if at is None else times.parse_time(at, now_us(), zone)
        detail = notes.said(text, by, channel)
    except ValueError as error:
        fail(str(error), exits.USAGE)
    with acting(config_file, db) as actor:
        actor.act(NoteRequest(EventKind.NOTE, name, detail, at_us))
    click.echo(f"{name}: {detail}")
    if at_us is not None and at_us > now_us() + FUTURE_US:
        click.echo(f"warning: --at {at} lies in the future ({times.format_time(at_us, zone)}); notes cannot be removed", err=True)


def _subject(log: LogReader, name: str) -> tuple[str, str]:
    """(sensor, channel) of the name that was given; the channel is empty for a note about a whole sensor."""
    known = log.series(retired=True)
    for series in known:
        if series.name == name:
            return series.sensor, series.channel
    sensors = {series.sensor for series in known}
    if name not in sensors:
        no_such_sensor(name, sensors, [series.name for series in known])
    return name, ""
