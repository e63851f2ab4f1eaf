"""``check``, ``schema``, ``init``: check, describe and begin a configuration file."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from sensorlogd.cli import exits
from sensorlogd.cli.common import config_option, fail
from sensorlogd.config.light import ConfigNotFound, find
from sensorlogd.notation.plurals import plural


@click.command(
    epilog="""\b
Examples:
  sensorlogd check
  sensorlogd check config/lab.yaml
  sensorlogd check --offline config/other-machine.yaml
\b
Exit status: 0 valid (warnings included); 78 not valid.
"""
)
@click.argument("file", required=False, type=click.Path(path_type=Path))
@config_option
@click.option("--quiet", is_flag=True, help="print errors and warnings only")
@click.option("--offline", is_flag=True, help="do not look at this machine: its ports, folders, space, addresses, clock")
def check(file: Path | None, config_file: Path | None, quiet: bool, offline: bool) -> None:
    """Validate a configuration: all mistakes at once, then warnings and what it will cost.

    Warnings tell what will be regretted, and what of this machine does not fit: ports that are not there or may not be used,
    folders that cannot be written, addresses in use. Nothing is opened or written for that.
    """
    from sensorlogd.config.loader import ConfigErrors, load
    from sensorlogd.config.validation.warnings import warnings
    from sensorlogd.daemon import machine
    from sensorlogd.drivers.ports import stable_name
    from sensorlogd.drivers.registry import options_for
    from sensorlogd.storage.corrections.conversion import converts
    from sensorlogd.storage.query.units import unit_conversion
    from sensorlogd.storage.series.known import known_series

    try:
        path = find(file or config_file)
        config = load(path, options_for)
    except ConfigNotFound as error:
        fail(str(error), exits.BAD_CONFIG)
    except ConfigErrors as errors:
        for mistake in errors.errors:
            click.echo(mistake, err=True)
        many = len(errors.errors)
        click.echo(f"{path}: {many} {plural(many, 'error')}", err=True)
        sys.exit(exits.BAD_CONFIG)
    known = known_series(config.database_path())
    for warning in warnings(config, stable_name, known, converts, prices_in=unit_conversion):
        click.echo(f"warning: {warning}", err=True)
    for finding in [] if offline else machine.check(config):
        click.echo(f"warning: {finding}", err=True)
    if quiet:
        return
    _print_cost(config, path)
    _print_alarms(config)


def _print_cost(config: object, path: Path) -> None:
    from sensorlogd.config.footprint import estimate
    from sensorlogd.config.models import Config
    from sensorlogd.notation.durations import format_size

    assert isinstance(config, Config)
    cost = estimate(config)
    click.echo(
        f"{path}: valid, {len(config.sensors)} {plural(len(config.sensors), 'sensor')}"
        f", {cost.series} series, database {config.database_path()}"
    )
    click.echo(f"readings   {cost.readings_per_day:,.0f} a day")
    click.echo(f"storage    {format_size(cost.bytes_per_year)} in the first year")
    click.echo(f"written    {format_size(cost.written_per_day)} a day to the disk")
    if cost.free_bytes is not None:
        days = cost.full_after_days()
        when = "not within a century" if days is None else f"about {datetime.now(UTC) + timedelta(days=days):%Y-%m-%d}"
        click.echo(f"full by    {when} ({format_size(cost.free_bytes)} free)")
    if cost.unknown:
        click.echo(f"assumed    three readings a heartbeat for {', '.join(cost.unknown)}, whose rate the device decides")


def _print_alarms(config: object) -> None:
    """Print which series each alarm matches, and its targets without their addresses, which are secrets."""
    from sensorlogd.config.models import Config
    from sensorlogd.config.validation.alarm_checks import met

    assert isinstance(config, Config)
    for name, options in config.alarms.items():
        series = [".".join(subject) for subject in met(options, config.sensors)]
        shown = ", ".join(series[:5]) + (f" and {len(series) - 5} more" if len(series) > 5 else "")
        what = f"{options.in_words()} of {shown}" if options.series else options.in_words()
        recipients = f"tells {', '.join(options.notify)}" if options.notify else "tells nobody, is shown only"
        click.echo(f"alarm      {name}: {what}; {recipients}")


@click.command()
def schema() -> None:
    """Print the JSON Schema of the configuration, drivers included, for editors.

    For VS Code and others with a YAML language server, put this on top of the file:
    # yaml-language-server: $schema=sensorlogd.schema.json
    """
    from sensorlogd.config.loader import DriverUnavailable
    from sensorlogd.config.models import SensorOptions
    from sensorlogd.config.schema import json_schema
    from sensorlogd.drivers.registry import driver_class, names

    drivers: dict[str, type[SensorOptions]] = {}
    for name in names():
        try:
            drivers[name] = driver_class(name, Path()).Options
        except DriverUnavailable as unavailable:
            click.echo(f"warning: {unavailable}", err=True)
    click.echo(json.dumps(json_schema(drivers), indent=1, ensure_ascii=False))


@click.command(
    epilog="""\b
Examples:
  sensorlogd init && sensorlogd run
  sensorlogd init && sensorlogd add         with what is plugged in
"""
)
@click.argument("file", default="sensorlogd.yaml", type=click.Path(path_type=Path))
def init(file: Path) -> None:
    """Write a commented starter configuration to FILE (never over an existing one; '-': standard output)."""
    from sensorlogd.config.starter import STARTER

    if str(file) == "-":
        sys.stdout.buffer.write(STARTER.encode())  # UTF-8, whatever the terminal's encoding is
        return
    try:
        with file.open("x", encoding="utf-8") as stream:
            stream.write(STARTER)
    except FileExistsError:
        fail(f"{file} exists already; name another file")
    except OSError as error:
        fail(f"{file}: {error.strerror}")
    click.echo(f"wrote {file}; look at it, then: sensorlogd check {file} && sensorlogd run -c {file}")
    click.echo(
        "something of your own is plugged in? find out what it is, name it, log it: sensorlogd add" + _config_option_of(file)
    )


def _config_option_of(file: Path) -> str:
    return "" if file == Path("sensorlogd.yaml") else f" -c {file}"
