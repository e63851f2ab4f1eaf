"""``reload``: has the running daemon read its configuration again, and reports the outcome."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, NoReturn

import click

from sensorlogd.cli import asking_allowed, exits
from sensorlogd.cli.common import config_option, fail
from sensorlogd.config import light
from sensorlogd.config.light import ConfigNotFound, find
from sensorlogd.notation.plurals import plural

WITHIN_S = 60.0  # the daemon itself gives up after less


@click.command(
    epilog="""\b
Examples:
  sensorlogd reload
  sensorlogd reload -c /etc/sensorlogd/sensorlogd.yaml && sensorlogd status
\b
Exit status: 0 the new configuration is in use; 1 no daemon runs, or it does not answer; 78 the file is broken, or the daemon runs
another one: nothing was changed.
"""
)
@config_option
def reload(config_file: Path | None) -> None:
    """Make the running daemon read its configuration again; wait for the outcome and tell it.

    All or nothing: a broken file changes nothing, and all its mistakes are shown. Otherwise only what changed restarts.
    """
    try:
        path = find(config_file)
        folder = light.data_dir(path)
    except ConfigNotFound as error:
        fail(str(error), exits.BAD_CONFIG)
    answer = _ask_or_fail(folder, path)
    if answer is None:
        _fail_without_daemon(path, folder)
    if not answer.get("ok"):
        _fail_refused(answer)
    click.echo(f"reloaded: {answer.get('outcome') or 'the new configuration is in use'}")
    for part in answer.get("restart_needed", ()):
        click.echo(f"changes under '{part}:' take effect at the next restart of the daemon", err=True)
    for problem in answer.get("problems", ()):
        click.echo(f"warning: {problem}", err=True)


class Unanswered(Exception):
    """The daemon may not be asked, or does not answer; the text says which. ``unknown``: it may have done it."""

    def __init__(self, text: str, *, unknown: bool = False) -> None:
        super().__init__(text)
        self.unknown = unknown


def ask(folder: Path, path: Path) -> dict[str, Any] | None:
    """The daemon's answer; None if none listens there. ``path``: the configuration that it is to read. Raises Unanswered."""
    from sensorlogd.daemon.control import control_socket
    from sensorlogd.daemon.control.requests.daemon import ReloadRequest
    from sensorlogd.daemon.control.requests.registry import encode

    try:
        return control_socket.ask_patiently(folder, encode(ReloadRequest(os.path.realpath(path))), WITHIN_S)
    except PermissionError:
        raise Unanswered(asking_allowed.refusal(folder)) from None
    except (ConnectionRefusedError, FileNotFoundError, NotADirectoryError):
        return None
    except TimeoutError:
        problem = f"the daemon does not answer within {WITHIN_S:.0f} s; the outcome will be in 'sensorlogd events'"
        raise Unanswered(problem, unknown=True) from None
    except (OSError, ValueError) as error:
        problem = f"the daemon did not answer ({error}); the outcome is in 'sensorlogd events'"
        raise Unanswered(problem, unknown=True) from None


def _ask_or_fail(folder: Path, path: Path) -> dict[str, Any] | None:
    """``ask``, but exits if the daemon may not be asked or does not answer."""
    try:
        return ask(folder, path)
    except Unanswered as error:
        fail(str(error))


def _fail_without_daemon(path: Path, folder: Path) -> NoReturn:
    """No daemon: say so, but a broken file first, whose data folder may not be what it seems."""
    from sensorlogd.config.loader import ConfigErrors, load
    from sensorlogd.drivers.registry import options_for

    nobody = f"no daemon runs with the data folder {folder}"
    try:
        load(path, options_for)
    except ConfigErrors as errors:
        for mistake in errors.errors:
            click.echo(mistake, err=True)
        fail(f"{path} is broken, and {nobody}; nothing was changed", exits.BAD_CONFIG)
    fail(f"{nobody}; start it: sensorlogd run -c {path}, or sudo systemctl start sensorlogd")


def _fail_refused(answer: dict[str, Any]) -> NoReturn:
    problems = answer.get("errors")
    if not problems:  # the request itself failed
        fail(f"the daemon could not do it: {answer.get('error') or 'it does not say why'}")
    for problem in problems:
        click.echo(problem, err=True)
    many = f"{len(problems)} {plural(len(problems), 'error')}"
    click.echo(f"sensorlogd: {many}: nothing was changed, the daemon goes on with the configuration it has", err=True)
    sys.exit(exits.BAD_CONFIG)
