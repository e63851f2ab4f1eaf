"""``alarms``: shows alarms, acknowledges and mutes them, and tests whether people would be notified."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from sensorlogd.cli import database_changes, exits, output
from sensorlogd.cli.common import (
    config_option,
    database,
    db_option,
    fail,
    load_config,
    now_us,
    tz_option,
    unreadable,
    zone_of,
)
from sensorlogd.notation import times
from sensorlogd.notation.durations import format_duration, parse_duration
from sensorlogd.storage.alarms import changes as stored_changes
from sensorlogd.storage.alarms import rows as alarm_rows
from sensorlogd.storage.alarms import states
from sensorlogd.storage.alarms.changes import ChangeRow
from sensorlogd.storage.alarms.states import AlarmRow
from sensorlogd.storage.query.log_reader import LogReader, LogUnavailable

if TYPE_CHECKING:
    from sensorlogd.daemon.control.requests.request import Request

T = TypeVar("T")
A = TypeVar("A")


@click.group(
    invoke_without_command=True,
    epilog="""\b
Examples:
  sensorlogd alarms                              what is raised, or waits to be acknowledged
  sensorlogd alarms list --all                   every alarm of every series
  sensorlogd alarms ack freezer_warm --note "door was open"
  sensorlogd alarms mute 'door_*' --for 2h
  sensorlogd alarms test me                      does a message arrive?
  sensorlogd alarms try --since -30d             how often would each have been raised?
""",
)
@config_option
@db_option
@click.pass_context
def alarms(context: click.Context, config_file: Path | None, db: str | None) -> None:
    """Show alarms, acknowledge and mute them, test who is notified."""
    if context.invoked_subcommand is None:
        context.invoke(list_, everything=False, form=None, config_file=config_file, db=db, tz=None)
    elif config_file is not None or db is not None:
        raise click.UsageError(f"write it after the verb: sensorlogd alarms {context.invoked_subcommand} -c FILE")


def _answer_from_log(config_file: Path | None, db: str | None, question: Callable[[LogReader], T]) -> T:
    path = database(config_file, db)
    try:
        with LogReader.open(path) as log:
            return question(log)
    except LogUnavailable as error:
        fail(str(error))
    except sqlite3.Error as error:
        fail(unreadable(path, error))


@alarms.command("list")
@click.option("--all", "everything", is_flag=True, help="also those that are normal")
@output.format_option
@config_option
@db_option
@tz_option
def list_(everything: bool, form: str | None, config_file: Path | None, db: str | None, tz: str | None) -> None:
    """What is raised, pending, muted, or waits to be acknowledged."""
    zone = zone_of(tz)
    rows = _answer_from_log(config_file, db, lambda log: states.by_urgency(log.conn))
    shown = [row for row in rows if everything or row.shown != "normal"]
    output.write(
        (alarm_rows.alarm_row(row, lambda us: times.format_time(us, zone)) for row in shown), alarm_rows.ALARM_COLUMNS, form
    )
    if not shown:
        click.echo(f"all is well: {len(rows)} alarms are normal" if rows else "no alarms are configured", err=True)


@alarms.command()
@click.argument("name")
@config_option
@db_option
@tz_option
def show(name: str, config_file: Path | None, db: str | None, tz: str | None) -> None:
    """All that is known of NAME (an alarm, or alarm/series), and its last changes."""
    zone = zone_of(tz)

    def when(us: int) -> str:
        return times.format_time(us, zone)

    def question(log: LogReader) -> tuple[list[AlarmRow], list[ChangeRow]]:
        alarm = name.partition("/")[0]
        return states.by_urgency(log.conn), stored_changes.newest(log.conn, None, 20, alarm)

    rows, changes = _answer_from_log(config_file, db, question)
    chosen = [row for row in rows if name in (row.name, f"{row.name}/{row.subject}")]
    if not chosen:
        _fail_unknown(name, rows)
    for row in chosen:
        for key, value in alarm_rows.alarm_row(row, when).items():
            if value not in (None, ""):
                click.echo(f"{key:<12} {value}")
        click.echo("")
    subjects = {row.subject for row in chosen}
    output.write(
        (alarm_rows.change_row(change, when) for change in changes if change.subject in subjects),
        alarm_rows.CHANGE_COLUMNS,
        "table",
    )


def _fail_unknown(name: str, rows: list[AlarmRow]) -> None:
    from sensorlogd.config.validation.names import closest

    known = sorted({row.name for row in rows})
    fail(f"no alarm {name!r}{closest(name, known)}; known: {', '.join(known) or 'none'}", exits.USAGE)


@alarms.command()
@click.argument("names", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="all that wait for it")
@click.option("--note", default="", help="what was found, for whoever reads the history")
@config_option
@db_option
def ack(names: tuple[str, ...], everything: bool, note: str, config_file: Path | None, db: str | None) -> None:
    """Acknowledge NAMES (alarm, alarm/series, globs): you know, and nobody need be notified again."""
    if not names and not everything:
        raise click.UsageError("name the alarms, or say --all")
    from sensorlogd.daemon.control.requests.alarms import AlarmAckRequest

    done = _act_on_alarms(config_file, db, AlarmAckRequest(names, note)).acknowledged
    click.echo(f"acknowledged: {', '.join(done)}" if done else "none of them waits to be acknowledged", err=True)
    if not done:
        sys.exit(exits.NO_DATA)


@alarms.command()
@click.argument("names", nargs=-1, required=True)
@click.option("--for", "for_", metavar="TIME", help="for how long, e.g. 2h")
@click.option("--end", is_flag=True, help="end it now")
@click.option("--note", default="", help="why")
@config_option
@db_option
def mute(names: tuple[str, ...], for_: str | None, end: bool, note: str, config_file: Path | None, db: str | None) -> None:
    """Mute NAMES for a while: they are judged, and nobody is notified."""
    if (for_ is None) != end:
        raise click.UsageError("say for how long: --for 2h (or --end)")
    try:
        for_us = 0 if for_ is None else parse_duration(for_)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--for") from None
    if for_ is not None and for_us <= 0:
        raise click.BadParameter(f"{for_} is not more than 0s; --end ends it", param_hint="--for")
    from sensorlogd.daemon.control.requests.alarms import AlarmMuteRequest

    done = _act_on_alarms(config_file, db, AlarmMuteRequest(names, for_us, note))
    what = f"muted for {format_duration(for_us)}" if for_us else "no longer muted"
    if now := [name for name in done.muted if name not in done.later]:
        click.echo(f"{what}: {', '.join(now)}", err=True)
    if done.later:
        click.echo(f"no longer muted, and announced, when the daemon runs: {', '.join(done.later)}", err=True)


@alarms.command()
@click.argument("target")
@config_option
def test(target: str, config_file: Path | None) -> None:
    """Send a message to TARGET (a name under notify:) now, and say whether it was taken."""
    config = load_config(config_file)
    daemon = _find_daemon(config.database_path(), config.data_dir())
    if daemon is not None:
        from sensorlogd.daemon.control.requests.alarms import AlarmTestRequest

        click.echo("through the daemon", err=True)
        with _refusals_fail():
            error = database_changes.through(daemon).act(AlarmTestRequest(target)).error
    else:
        import socket

        from sensorlogd.daemon.control.handlers.alarms import send_test

        try:
            error = send_test(config, target, socket.gethostname(), now_us())
        except ValueError as unknown:
            fail(str(unknown), exits.USAGE)
    if error:
        fail(f"{target}: {error}")
    click.echo(f"{target}: taken; look whether it arrived")


@alarms.command()
@click.argument("name", required=False, default="*")
@click.option("--since", metavar="TIME", help="e.g. -7d")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True)
@output.format_option
@config_option
@db_option
@tz_option
def history(
    name: str, since: str | None, limit: int, form: str | None, config_file: Path | None, db: str | None, tz: str | None
) -> None:
    """What was raised, returned, acknowledged, muted, and when."""
    zone = zone_of(tz)
    since_us = _parse_since(since, zone)
    changes = _answer_from_log(config_file, db, lambda log: stored_changes.newest(log.conn, since_us, limit, name))
    output.write(
        (alarm_rows.change_row(change, lambda us: times.format_time(us, zone)) for change in changes),
        alarm_rows.CHANGE_COLUMNS,
        form,
    )


@alarms.command("try")
@click.argument("name", required=False)
@click.option("--since", metavar="TIME", default="-30d", show_default=True)
@output.format_option
@config_option
@tz_option
def try_(name: str | None, since: str, form: str | None, config_file: Path | None, tz: str | None) -> None:
    """How often each alarm (or NAME) would have been raised by what is stored, as the file stands now.

    Before a line is drawn: would it have nagged, would it have missed? Nobody is notified.
    """
    from dataclasses import replace

    from sensorlogd.alarms.plan import plan
    from sensorlogd.alarms.rehearsal import rehearse

    zone, config = zone_of(tz), load_config(config_file)
    wanted = plan(config)
    if name is not None:
        if name not in config.alarms:
            fail(f"no alarm {name!r}; known: {', '.join(config.alarms) or 'none'}", exits.USAGE)
        wanted = replace(wanted, definitions=tuple(definition for definition in wanted.definitions if definition.name == name))
    since_us, until_us = _parse_since(since, zone) or 0, now_us()

    def question(log: LogReader) -> list[dict[str, Any]]:
        return [
            {
                "alarm": rehearsed.name,
                "series": rehearsed.subject,
                "raised": rehearsed.raised,
                "in_alarm": format_duration(rehearsed.in_alarm_us // 1_000_000 * 1_000_000),
                "last": None if rehearsed.last_us is None else times.format_time(rehearsed.last_us, zone),
                "readings": rehearsed.readings,
            }
            for rehearsed in rehearse(log, wanted, since_us, until_us)
        ]

    found = _answer_from_log(config_file, None, question)
    output.write(found, ("alarm", "series", "raised", "in_alarm", "last", "readings"), form)
    if not found:
        click.echo("nothing of these series is stored in that time", err=True)
        sys.exit(exits.NO_DATA)


# ---- what they share ---------------------------------------------------------------------------------------------------


def _parse_since(text: str | None, zone: str) -> int | None:
    try:
        return None if text is None else times.parse_time(text, now_us(), zone)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--since") from None


def _find_daemon(path: Path, folder: Path) -> Path | None:
    try:
        return database_changes.daemon_of(path, folder)
    except database_changes.Refused as error:
        fail(str(error))


def _act_on_alarms(config_file: Path | None, db: str | None, request: Request[A]) -> A:
    with database_changes.acting(config_file, db) as actor, _refusals_fail():
        return actor.act(request)


@contextmanager
def _refusals_fail() -> Iterator[None]:
    """Turns a name that does not exist into a usage error."""
    try:
        yield
    except database_changes.Refused as error:
        fail(str(error), exits.USAGE if str(error).startswith("no ") else exits.FAILURE)
