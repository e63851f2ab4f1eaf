"""``recompute``: computes the readings of a computed sensor anew from what is stored, after its formulas or inputs have changed."""

from __future__ import annotations

from pathlib import Path

import click

from sensorlogd.cli import exits
from sensorlogd.cli.common import config_option, db_option, fail, now_us, tz_option, zone_of
from sensorlogd.cli.database_changes import acting, confirm
from sensorlogd.cli.work_waiting import wait_for
from sensorlogd.daemon.control.requests.database import RecomputeRequest
from sensorlogd.notation import times


@click.command(
    epilog="""\b
Examples:
  sensorlogd reload && sensorlogd recompute greenhouse_air --since 2026-03-01
  sensorlogd recompute energy --since -30d --yes
  sensorlogd flag --list
  sensorlogd flag --undo 7
\b
Every reading since then is computed from the readings of the inputs that are stored, by the formulas that the running daemon has.
It is done in slices beside logging and goes on after whatever end; roll-ups follow by themselves. What the readings were is
remembered: 'sensorlogd flag --list' shows it as a mend for each channel, --undo brings it back (readings that were added stay).
Exit status: 0; 2 usage, or no such computed sensor; 78 a configuration with mistakes.
"""
)
@click.argument("sensor")
@click.option("--since", required=True, metavar="TIME", help="from then on")
@click.option("--yes", is_flag=True, help="do not ask")
@tz_option
@db_option
@config_option
def recompute(sensor: str, since: str, yes: bool, tz: str | None, db: str | None, config_file: Path | None) -> None:
    """Compute the channels of the computed sensor SENSOR anew from what is stored."""
    from sensorlogd.cli.config_to_change import configuration
    from sensorlogd.computed.formula import parse
    from sensorlogd.config.computed import ComputedOptions, users
    from sensorlogd.config.validation.names import closest

    path, config = configuration(config_file)
    if config is None:
        fail(f"{path}: no such configuration file; name one with -c FILE", exits.BAD_CONFIG)
    known = {name: options for name, options in config.sensors.items() if isinstance(options, ComputedOptions)}
    options = known.get(sensor)
    if options is None:
        hint = closest(sensor, known) or f"; there are {', '.join(known) or 'none'}"
        fail(f"no computed sensor {sensor!r} is configured{hint}", exits.USAGE)
    zone = zone_of(tz)
    try:
        since_us = times.parse_time(since, now_us(), zone)
    except ValueError as error:
        fail(str(error), exits.USAGE)
    formulas = {name: parse(channel.formula, options.inputs).text for name, channel in options.channels.items()}
    for name, text in formulas.items():
        click.echo(f"{sensor}.{name} = {text}")
    confirm(f"Compute them anew since {times.format_time(since_us, zone)}?", yes=yes)
    with acting(config_file, db) as actor:
        ordered = actor.act(RecomputeRequest(sensor, since_us, formulas)).work
        if actor.offline is not None:
            click.echo("ordered; the daemon does it as soon as it runs")
        else:
            click.echo(wait_for(actor, f"work {ordered}", ordered, total_is_known=False, see="'sensorlogd status'").outcome)
            actor.roll_up()
    if others := users(config.sensors, sensor):
        click.echo(f"computed from it, and not computed anew: {', '.join(others)}")
