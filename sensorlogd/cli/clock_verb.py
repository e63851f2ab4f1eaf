"""``clock``: shows what the daemon thinks of this machine's clock, or declares the clock to be right."""

from __future__ import annotations

import json
import sqlite3
import sys
from pathlib import Path
from typing import Any

import click

from sensorlogd.cli import asking_allowed, exits, plain_errors
from sensorlogd.cli.common import config_option, database, db_option, fail, now_us, usual_zone
from sensorlogd.cli.database_changes import data_dir
from sensorlogd.notation import times
from sensorlogd.storage import meta
from sensorlogd.storage.query.log_reader import LogReader, LogUnavailable

ASK_S = 10.0


@click.command(
    epilog="""\b
Examples:
  sensorlogd clock
  sensorlogd clock --believe                the clock is right: go by it from now on
  sensorlogd clock --format json | jq .clock.state
\b
Exit status: 0 the clock is believed; 1 it is not, or the daemon is not running.
"""
)
@config_option
@db_option
@click.option("--believe", is_flag=True, help="say that the clock is right as it is now; holds until it is set again")
@click.option("--format", "form", type=click.Choice(("table", "json")), help="default: table")
def clock(config_file: Path | None, db: str | None, believe: bool, form: str | None) -> None:
    """Show what the daemon thinks of the clock, or say that it is right."""
    state = _of_the_daemon(data_dir(config_file, db), believe)
    if state is None and believe:
        fail("no daemon runs that could believe it; start it (it says in 'sensorlogd events' if it does not)")
    if state is None:
        state = _of_the_database(database(config_file, db))
    if form == "json":
        click.echo(json.dumps(state, ensure_ascii=False, indent=1))
    else:
        _print_clock(state)
    if not state["running"] or (state["clock"] or {}).get("state") != "believed":
        sys.exit(exits.FAILURE)


def _of_the_daemon(folder: Path, believe: bool) -> dict[str, Any] | None:
    """The daemon's answer; None if none runs."""
    from sensorlogd.daemon.control import control_socket
    from sensorlogd.daemon.control.requests.daemon import ClockRequest
    from sensorlogd.daemon.control.requests.registry import encode

    try:
        answer = control_socket.ask_patiently(folder, encode(ClockRequest(believe)), ASK_S)
    except (ConnectionError, FileNotFoundError):
        return None
    except PermissionError:
        fail(asking_allowed.refusal(folder))
    except OSError as error:
        fail(f"the daemon does not answer: {plain_errors.os_error(error, folder)}; see 'sensorlogd status'")
    except ValueError as error:
        fail(f"the daemon does not answer: {error}; see 'sensorlogd status'")
    if not answer.pop("ok", False):
        fail(f"the daemon refuses it: {answer.get('error')}")
    return {"running": True, **answer}


def _of_the_database(path: Path) -> dict[str, Any]:
    """What the daemon wrote last, in the shape of its answer. ``safe_us``: the time that the next start goes by."""
    try:
        with LogReader.open(path) as log:
            believed = log.meta().get(meta.BELIEVED_US)
            stored_clock = log.daemon().get("clock")
    except LogUnavailable as error:
        fail(str(error))
    except sqlite3.Error as error:
        fail(f"{path}: the database cannot be read: {error}; see 'sensorlogd status'")
    return {"running": False, "clock": stored_clock, "wall_us": now_us(), "safe_us": None if believed is None else int(believed)}


def _print_clock(state: dict[str, Any]) -> None:
    zone = usual_zone()
    running, clock, safe = state["running"], state["clock"], state["safe_us"]
    click.echo("daemon    " + ("running" if running else "not running; what it wrote last is shown"))
    click.echo(f"machine   {times.format_time(state['wall_us'], zone)}")
    if running:
        click.echo(f"readings  {times.format_time(state['stamp_us'], zone)}")
        click.echo(f"expiry    {times.format_time(safe, zone)}")
    elif safe is not None:
        click.echo(f"believed  {times.format_time(safe, zone)}, when it was last stored")
    if clock is None:
        click.echo("clock     nothing is known of it")
        return
    click.echo(f"clock     {clock['state']} since {times.format_time(clock['since_us'], zone)}")
    click.echo(f"          {clock['sentence']}")
    if clock["synchronised"] is not True:
        nobody = "nobody here tells whether it is" if clock["synchronised"] is None else "it is not"
        click.echo(f"          {nobody} synchronised with a time server")
