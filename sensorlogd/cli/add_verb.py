"""``add``: from a device that is plugged in to one that is logged, in one go."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from sensorlogd.cli import exits, plain_errors
from sensorlogd.cli.common import config_option, fail, listening_s
from sensorlogd.cli.questions import Dialogue, Stopped

LIVE_S = 10.0  # how long a first value is waited for without a terminal


@dataclass(frozen=True, slots=True)
class AddOptions:
    """The options of the command line."""

    port: str | None
    name: str | None
    channels: tuple[str, ...]
    units: tuple[str, ...]
    without: tuple[str, ...]
    profile: str | None
    take: int | None
    baudrates: tuple[int, ...]
    seconds: float
    active: bool
    force: bool
    dry_run: bool
    run: bool


@click.command(
    epilog="""\b
Examples:
  sensorlogd add                             finds the port, asks for names
  sensorlogd add /dev/ttyUSB0
  sensorlogd add /dev/ttyACM0 --name greenhouse --channel value1=temperature --unit temperature=°C
  sensorlogd add /dev/ttyUSB0 --yes          asks nothing, takes what is suggested
  sensorlogd add /dev/ttyUSB0 --dry-run      shows the file, writes nothing
\b
The sensor gets a file of its own, conf.d/NAME.yaml beside the configuration, which is checked and reloaded by the running
daemon. If anything is wrong with it, it is taken back. To undo it later: sensorlogd remove NAME.
Exit status: 0 added; 1 the port or the file cannot be used; 2 usage, or an answer is missing and there is no terminal;
3 nothing heard, or nothing that is known; 78 bad configuration, or the daemon refuses it; 130 stopped by Ctrl-C.
"""
)
@click.argument("port", required=False)
@config_option
@click.option("--name", metavar="NAME", help="of the sensor")
@click.option("--channel", "channels", multiple=True, metavar="OLD=NEW", help="another name for a value (may be repeated)")
@click.option("--unit", "units", multiple=True, metavar="CHANNEL=UNIT", help="the unit of a value (may be repeated)")
@click.option("--without", multiple=True, metavar="CHANNEL", help="do not log this value (may be repeated)")
@click.option("--profile", metavar="NAME", help="it is this device; 'sensorlogd profiles' lists them")
@click.option("--take", type=click.IntRange(min=1), metavar="NUMBER", help="where several fit, this one of them")
@click.option("--for", "duration", default="3s", show_default=True, metavar="DURATION", help="listen this long at each speed")
@click.option("--baudrate", "baudrates", multiple=True, type=click.IntRange(min=50), help="try this speed (may be repeated)")
@click.option("--active", is_flag=True, help="also ask devices that only answer")
@click.option("--force", is_flag=True, help="replace the file of a sensor of this name")
@click.option("--dry-run", is_flag=True, help="show the file, write nothing")
@click.option("--run", is_flag=True, help="begin to log in this terminal if no daemon runs")
@click.option("-y", "--yes", is_flag=True, help="ask nothing, take what is suggested")
def add(config_file: Path | None, duration: str, yes: bool, **options: Any) -> None:
    """Log what is plugged in at PORT (default: the port that is there): find out what it is, name it, begin."""
    from sensorlogd.drivers.contract import DriverError

    seconds = listening_s(duration)
    dialogue = Dialogue(yes=yes)
    try:
        _add(dialogue, config_file, AddOptions(seconds=seconds, **options))
    except (Stopped, KeyboardInterrupt):
        click.echo("sensorlogd: stopped; nothing was changed", err=True)
        sys.exit(exits.INTERRUPTED)
    except DriverError as error:
        fail(f"{error}; {error.hint}" if error.hint else str(error))
    except OSError as error:
        fail(f"{plain_errors.os_error(error)}; nothing was changed")


def _add(dialogue: Dialogue, config_file: Path | None, options: AddOptions) -> None:
    """Find out what speaks at a port, settle names and units, write the file and begin to log. Exits for what cannot be done;
    raises Stopped, DriverError, OSError."""
    from sensorlogd.cli import add_dialogue, sensor_file_place
    from sensorlogd.cli.add_ending import finish, near
    from sensorlogd.cli.config_to_change import configuration, same_daemon
    from sensorlogd.cli.free_names import taken
    from sensorlogd.cli.sensor_draft import Draft, suggested

    path, config = configuration(config_file)
    try:
        where = sensor_file_place.target(path, config)
        if not options.dry_run:
            sensor_file_place.must_be_writable(path, where)
    except sensor_file_place.NoPlace as error:
        fail(str(error))
    if config is None:
        dialogue.say(f"There is no configuration yet: {path} will be made")
    else:
        same_daemon(path)
    problem = taken(config, where.folder, force=options.force)
    add_dialogue.look_at_name(dialogue, options.name, problem)
    base = path.absolute().parent if config is None else config.base_dir
    sensors = {} if config is None else config.sensors
    port, product = _choose_port(dialogue, options, sensors)
    candidate, with_speed = _recognise(dialogue, options, port, base)
    draft = Draft.of(candidate, port, base, with_speed=with_speed)
    add_dialogue.use_options(draft, options.channels, options.units, options.without)
    settled = {text.partition("=")[0] for text in options.channels}
    values = add_dialogue.watch(dialogue, draft, max(LIVE_S, options.seconds))
    if not values and not dialogue.yes:
        _agree_without_values(dialogue, port)
    name = options.name or add_dialogue.sensor_name(
        dialogue, suggested(draft, product, lambda proposed: problem(proposed) is None), problem
    )
    if config is not None and _has_readings(config, name):
        dialogue.say(f"The log has readings of an earlier {name}: the new ones go on in the same series")
    add_dialogue.channel_names(dialogue, draft, values, settled)
    today = f"{datetime.now(UTC).astimezone():%Y-%m-%d}"
    head = f"Added by 'sensorlogd add' on {today}: {draft.title}\n{_printable(draft.evidence)}"
    text = draft.text(name, head)
    file = where.folder / f"{name}.yaml"
    if options.dry_run:
        click.echo(text, nl=False)
        dialogue.say(f"# this would be {file}; nothing was written")
        return
    if dialogue.possible:
        dialogue.say(f"\n{text}")
        if not dialogue.agreed(f"Write this to {near(file)} and begin to log?"):
            raise Stopped
    finish(dialogue, path, file, name, text, force=options.force, run=options.run)


def _choose_port(dialogue: Dialogue, wanted: AddOptions, sensors: Mapping[str, Any]) -> tuple[str, str]:
    """(the port's name for the configuration, the product name that it tells)."""
    from sensorlogd.cli import add_dialogue
    from sensorlogd.config import ports as same
    from sensorlogd.drivers import ports

    sensor_of = {
        same.identity(options.port): name for name, options in sensors.items() if isinstance(getattr(options, "port", None), str)
    }
    present = [] if wanted.port is not None and "://" in wanted.port else ports.connected()
    if wanted.port is None:
        used = {
            device.device: sensor_of[same.identity(device.device)]
            for device in present
            if same.identity(device.device) in sensor_of
        }
        chosen = add_dialogue.port_of(dialogue, present, used)
        return chosen.stable, chosen.description
    if "://" in wanted.port:
        port = wanted.port
    else:
        port = ports.stable_name(os.path.abspath(wanted.port))[0]
        if port != os.path.abspath(wanted.port):
            dialogue.say(f"{wanted.port} may be another device after a restart; its lasting name is written: {port}")
    sensor = sensor_of.get(same.identity(port))
    if sensor is not None and not (wanted.force and sensor == wanted.name):
        fail(f"{wanted.port} is read already, by the sensor {sensor!r}; 'sensorlogd rename {sensor} NEW' gives it another name")
    product = next((device.description for device in present if same.identity(device.device) == same.identity(port)), "")
    return port, product


def _recognise(dialogue: Dialogue, options: AddOptions, port: str, base: Path) -> tuple[Any, bool]:
    """(the candidate that speaks there, whether its baud rate is known). Exits if nothing is recognised."""
    from sensorlogd.cli import add_dialogue
    from sensorlogd.cli.device_recognition import hear
    from sensorlogd.config import profiles
    from sensorlogd.config.validation.names import closest
    from sensorlogd.drivers.discovery.probing import Candidate, Heard

    if options.profile is not None:
        known = profiles.available(base)
        if options.profile not in known:
            hint = closest(options.profile, known) or "; 'sensorlogd profiles' lists them"
            fail(f"--profile {options.profile}: there is none of this name{hint}", exits.USAGE)
        heard = Heard(options.baudrates[0] if options.baudrates else 9600, b"")
        return Candidate(1.0, options.profile, "as told", f"profile: {options.profile}", heard), bool(options.baudrates)
    dialogue.say(f"Listening at {port}")
    found = hear(port, options.baudrates, options.seconds, active=options.active, show=lambda line: dialogue.say(f"  {line}"))
    if not found.ranked and not found.heard_bytes and not options.active and dialogue.possible:
        question = "Nothing comes by itself. Ask it (gas sensors, scales, Modbus)? That writes to the device."
        if dialogue.agreed(question, default=False):
            found = hear(
                port, options.baudrates, min(options.seconds, 0.2), active=True, show=lambda line: dialogue.say(f"  {line}")
            )
    if not found.ranked:
        if found.heard_bytes:
            problem = f"{found.heard_bytes} bytes came, and they are nothing that is known"
            fail(f"{port}: {problem}; 'sensorlogd listen {port}' shows them, docs/formats.md has every format", exits.NO_DATA)
        hint = "" if options.active else "; or it only answers when asked: try --active"
        fail(f"{port}: not a byte came; is it switched on, are TX and RX crossed, is it the right port{hint}?", exits.NO_DATA)
    return add_dialogue.candidate_of(dialogue, found.ranked[:4], options.take), found.has_speed


def _agree_without_values(dialogue: Dialogue, port: str) -> None:
    if not dialogue.possible:
        fail(f"{port}: no value came so far; --yes adds it all the same", exits.NO_DATA)
    if not dialogue.agreed("Go on all the same?", default=False):
        raise Stopped


def _has_readings(config: Any, name: str) -> bool:
    """Whether the log has readings of a sensor of this name; not if it cannot be read."""
    import sqlite3

    from sensorlogd.storage.query.log_reader import LogReader, LogUnavailable

    try:
        with LogReader.open(config.database_path()) as log:
            return any(series.sensor == name for series in log.series(retired=True))
    except (LogUnavailable, sqlite3.Error, OSError):
        return False


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text)[:160]
