"""Carries out the last steps of ``add``: writes the file, checks it, has the daemon load it, and waits for the first reading."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

import click

from sensorlogd.cli import exits
from sensorlogd.cli.common import fail
from sensorlogd.cli.config_to_change import configuration
from sensorlogd.cli.free_names import taken
from sensorlogd.cli.questions import Dialogue, Stopped
from sensorlogd.processes import interrupts
from sensorlogd.processes.module_command import module_command


def finish(dialogue: Dialogue, path: Path, file: Path, name: str, text: str, *, force: bool, run: bool) -> None:
    """Write the file of the sensor, have a running daemon load it, and wait for the first reading. Exits, with nothing changed,
    if it is refused."""
    from sensorlogd.cli import sensor_file_place
    from sensorlogd.cli.config_change import ConfigRefused, FileChange, NotPutBack, carry_out, one_at_a_time

    began = time.time_ns() // 1000
    try:
        with one_at_a_time(path.absolute().parent), interrupts.blocked():
            config = configuration(path)[1]
            wrong = taken(config, file.parent, force=force)(name)
            if wrong is not None:  # the name was taken meanwhile
                fail(wrong, exits.USAGE)
            where = sensor_file_place.target(path, config)
            change = FileChange(like=path if path.exists() else None)
            try:
                change.folder(where.folder)
                change.write(file, text)
                if where.main is not None:
                    change.write(path, where.main)
            except BaseException:
                change.undo()
                raise
            config, outcome, doubt = carry_out(change, path)
    except sensor_file_place.NoPlace as error:
        fail(str(error))
    except NotPutBack as error:
        fail(str(error))
    except ConfigRefused as error:
        for problem in error.problems:
            click.echo(problem, err=True)
        fail("nothing was changed; the file was taken back", exits.BAD_CONFIG if error.broken else exits.FAILURE)
    _print_warnings(config, name)
    click.echo(f"{name} is added: {near(file)}" + (f" ({near(path)} now reads {file.parent.name})" if where.main else ""))
    if doubt:
        fail(doubt)
    if outcome is None:
        _begin_logging(dialogue, path, name, run=run)
        return
    click.echo(f"The daemon has it: {outcome}")
    _show_first_reading(dialogue, config, name, began)


def _print_warnings(config: Any, name: str) -> None:
    """Print the warnings of ``check`` about this sensor."""
    from sensorlogd.config.validation.warnings import warnings
    from sensorlogd.daemon import machine
    from sensorlogd.drivers.ports import stable_name

    for line in [*warnings(config, stable_name), *map(str, machine.check(config))]:
        if line.startswith((f"sensors.{name}.", f"sensors.{name}:")):
            click.echo(f"warning: {line}", err=True)


def _begin_logging(dialogue: Dialogue, path: Path, name: str, *, run: bool) -> None:
    """Begin to log without a running daemon: run one if ``run``, else say how."""
    service = path.absolute().parts[:2] == ("/", "etc")
    start = "sudo systemctl enable --now sensorlogd" if service else f"sensorlogd run -c {path}"
    if not run and dialogue.possible and not service:
        try:
            run = dialogue.agreed("No daemon runs. Begin to log now, in this terminal?")
        except Stopped:
            run = False
    if not run:
        click.echo(f"No daemon runs; begin to log: {start}")
        return
    click.echo(f"Logging; Ctrl-C stops. Elsewhere: sensorlogd latest {name}")
    sys.stdout.flush()
    sys.stderr.flush()
    command, environment = module_command("sensorlogd", "run", "-c", str(path))
    os.execve(sys.executable, command, environment)


def _show_first_reading(dialogue: Dialogue, config: Any, name: str, since_us: int) -> None:
    """Wait for the first reading, since only then it is sure that all is well. Ctrl-C ends the waiting, not the logging."""
    from sensorlogd.cli.first_reading import first_reading

    seconds = min(max(1.5 * config.sensors[name].heartbeat_us() / 1e6, 10.0), 60.0)
    try:
        reading = first_reading(config, name, since_us, seconds)
    except KeyboardInterrupt:
        reading = None
    if reading is None:
        click.echo(f"no reading has come yet; 'sensorlogd status' says how it is with {name}", err=True)
        return
    click.echo(f"First reading: {reading}")
    click.echo(f"Next: sensorlogd latest {name}")


def near(file: Path) -> str:
    """The path relative to the current folder if the file is below it."""
    try:
        return str(file.absolute().relative_to(Path.cwd()))
    except (ValueError, OSError):
        return str(file)
