"""``remove`` and ``rename``: take a sensor out of the configuration, or give it another name; what is stored stays."""

from __future__ import annotations

import fnmatch
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import click

from sensorlogd.cli import exits, plain_errors
from sensorlogd.cli.common import config_option, fail
from sensorlogd.cli.questions import Dialogue, Stopped, missing
from sensorlogd.config.text.edits import SensorLines
from sensorlogd.processes import interrupts

REMOVED = ".removed"


@click.command(
    epilog="""\b
Examples:
  sensorlogd remove greenhouse
  sensorlogd remove greenhouse --yes        asks nothing
\b
Its file in conf.d is moved aside, as greenhouse.yaml.removed; move it back, and 'sensorlogd reload' has it again. Where a sensor
stands in a file with others, the lines to delete are shown instead.
Exit status: 0 removed; 1 it cannot be done by this verb, and what to do is said; 2 usage, an unknown sensor included; 78 bad
configuration, or the daemon refuses it; 130 stopped by Ctrl-C.
"""
)
@click.argument("sensor")
@config_option
@click.option("-y", "--yes", is_flag=True, help="ask nothing")
def remove(sensor: str, config_file: Path | None, yes: bool) -> None:
    """Stop logging SENSOR. All that it has logged stays in the database and can be asked for."""
    path, config = _find_sensor(config_file, sensor)
    file, text, place = _find_lines(config, sensor)
    if not _is_own(path, config, file, place):
        lines = f"line {place.first}" if place.first == place.last else f"lines {place.first} to {place.last}"
        shown = "\n".join(f"  {line}" for line in text.splitlines()[place.first - 1 : place.last])
        click.echo(f"{file}, {lines}:\n{shown}", err=True)
        fail(f"{sensor} stands in a file with other things: delete these lines of {file}, then: sensorlogd reload")
    aside = _free_path_aside(file)
    dialogue = Dialogue(yes=yes)
    _must_agree(dialogue, f"Stop logging {sensor}? Its data stay.")
    way_out = f"{sensor} is still needed there: take it out of these lines, then remove it"
    _change(path, lambda change: change.move(file, aside), f"{sensor} is removed", "", way_out)
    click.echo(f"Its data stay: sensorlogd query '{sensor}.*' has them. Its file is now {aside}")


@click.command(
    epilog="""\b
Examples:
  sensorlogd rename sensor greenhouse
\b
The sensor gets 'was: OLD' in its file, by which its history goes on as one series. Names elsewhere (dashboards, scripts) are yours.
Alarms whose patterns fit only one of the names are reported.
Exit status: 0 renamed; 1 it cannot be done by this verb, and what to do is said; 2 usage: an unknown sensor, a name that is taken;
78 bad configuration, or the daemon refuses it.
"""
)
@click.argument("old")
@click.argument("new")
@config_option
def rename(old: str, new: str, config_file: Path | None) -> None:
    """Give the sensor OLD the name NEW. What it has logged so far goes with it."""
    from sensorlogd.cli import renamed_alarms
    from sensorlogd.config.text import edits

    path, config = _find_sensor(config_file, old)
    _must_be_free(config, old, new)
    file, text, place = _find_lines(config, old)
    changed = edits.renamed(text, old, new)
    if changed is None:
        fail(
            f"{file}, line {place.first}: {old} is written so that it cannot be renamed from here; write {new}: there, and"
            f" 'was: {old}' below it, then: sensorlogd reload"
        )
    to = file.with_name(f"{new}{file.suffix}")
    own = _is_own(path, config, file, place) and file.stem == old and not to.exists()

    def change_it(change: Any) -> None:
        change.write(file, changed)
        if own:
            change.move(file, to)

    way_out = (
        f"{old} is named there, too, and all of it must change at once: write {new} for {old} in these lines, and in {file}, line"
        f" {place.first}, {new}: with 'was: {old}' below it, then: sensorlogd reload"
    )
    _change(path, change_it, f"{old} is now {new}", "; its history follows then", way_out)
    click.echo(f"'was: {old}' in {to if own else file} keeps its history with it; let it stay there")
    for change in renamed_alarms.changes(config, old, new):
        click.echo(change)


def _find_sensor(config_file: Path | None, sensor: str) -> tuple[Path, Any]:
    """(path of the configuration, what it says). Exits if it has no such sensor, or one that this verb does not edit."""
    from sensorlogd.cli.config_to_change import configuration, same_daemon
    from sensorlogd.config.validation.names import closest

    path, config = configuration(config_file)
    if config is None:
        fail(f"{path}: no such configuration file; name one with -c FILE", exits.BAD_CONFIG)
    known = {**config.sensors, **config.failed_sensors}
    if sensor not in known:
        if "." in sensor and sensor.partition(".")[0] in known:
            hint = "; this verb takes a sensor: a channel is renamed, or set to null, in its file (was: keeps its history)"
        else:
            hint = closest(sensor, known) or f"; there are {', '.join(known) or 'none'}"
        fail(f"no sensor {sensor!r} is configured{hint}", exits.USAGE)
    if sensor not in config.failed_sensors and config.sensors[sensor].driver == "computed":
        fail(
            f"{sensor} stands below computed:, which this verb does not edit; change it in its file, then 'sensorlogd reload'",
            exits.USAGE,
        )
    same_daemon(path)
    return path, config


def _find_lines(config: Any, sensor: str) -> tuple[Path, str, SensorLines]:
    """(file, its text, the lines of it that describe the sensor)."""
    from sensorlogd.cli.sensor_file_place import read_text
    from sensorlogd.config.text import edits

    for file in config.sources:
        try:
            text = read_text(file)
        except OSError as error:
            fail(plain_errors.os_error(error))
        if (place := edits.place_of(text, sensor)) is not None:
            break
    else:
        fail(f"{sensor} is in none of {', '.join(map(str, config.sources))} any more; call this again")
    return file, text, place


def _is_own(path: Path, config: Any, file: Path, place: SensorLines) -> bool:
    """Whether the file describes this sensor only, and lies in an included folder, so that it can be removed."""
    from sensorlogd.cli.sensor_file_place import included_folders

    return file != path and place.alone and file.parent in included_folders(path, config.base_dir)


def _free_path_aside(file: Path) -> Path:
    number, aside = 1, file.with_name(file.name + REMOVED)
    while aside.exists():
        number += 1
        aside = file.with_name(f"{file.name}{REMOVED}.{number}")
    return aside


def _must_agree(dialogue: Dialogue, question: str) -> None:
    """Ask, and exit unless the answer is yes."""
    if dialogue.yes:
        return
    if not dialogue.possible:
        missing("--yes does it without")
    try:
        if not dialogue.agreed(question):
            raise Stopped
    except (Stopped, KeyboardInterrupt):
        click.echo("sensorlogd: stopped; nothing was changed", err=True)
        sys.exit(exits.INTERRUPTED)


def _must_be_free(config: Any, old: str, new: str) -> None:
    """Exit if the new name is taken, in the configuration or in the log, or if other readings would expire by it."""
    from sensorlogd.config.models import NAME
    from sensorlogd.storage.query.log_reader import LogReader, LogUnavailable

    if not NAME.fullmatch(new):
        fail(f"{new!r} is not a name; use letters, digits, '_' and '-', no blanks or dots", exits.USAGE)
    if new in config.sensors or new in config.failed_sensors:
        fail(f"there is a sensor {new!r} already; choose another name", exits.USAGE)
    try:
        with LogReader.open(config.database_path()) as log:
            stored = {series.sensor for series in log.series(retired=True)}
    except (LogUnavailable, sqlite3.Error, OSError):
        stored = set()
    if new in stored and old in stored:
        fail(
            f"the log has readings of an earlier sensor {new!r}, so those of {old!r} cannot go there; choose another name",
            exits.USAGE,
        )
    for glob in config.retention.sensors:
        if fnmatch.fnmatchcase(old, glob) != fnmatch.fnmatchcase(new, glob):
            fail(
                f"'retention: sensors: {glob}' of {config.path} fits {old!r} and {new!r} differently: how long readings are kept"
                " would change; put the new name there first, too"
            )


def _change(path: Path, change_it: Callable[[Any], None], done: str, without: str, way_out: str) -> None:
    """Carry out a change, or leave everything as it was. Exits if it cannot be done. ``way_out``: what to do where the
    configuration would not be valid any more."""
    from sensorlogd.cli.config_change import ConfigRefused, FileChange, NotPutBack, carry_out, one_at_a_time

    change = FileChange(like=path)
    try:
        with one_at_a_time(path.absolute().parent), interrupts.blocked():
            try:
                change_it(change)
            except BaseException:
                change.undo()
                raise
            _, outcome, doubt = carry_out(change, path)
    except NotPutBack as error:
        fail(str(error))
    except ConfigRefused as error:
        _fail_refused(error, way_out)
    except OSError as error:
        fail(f"{plain_errors.os_error(error)}; nothing was changed")
    click.echo(f"{done}; " + (f"the daemon has it: {outcome}" if outcome else f"the daemon learns of it when it starts{without}"))
    if doubt:
        fail(doubt)


def _fail_refused(error: Any, way_out: str) -> NoReturn:
    for problem in error.problems:
        click.echo(problem, err=True)
    if error.broken:
        fail(f"nothing was changed; {way_out}", exits.BAD_CONFIG)
    fail("nothing was changed", exits.FAILURE)
