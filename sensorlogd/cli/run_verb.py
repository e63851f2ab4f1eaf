"""``sensorlogd run``: the daemon in the foreground."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from sensorlogd.cli import exits, plain_errors
from sensorlogd.cli.common import read_from_config
from sensorlogd.config import light
from sensorlogd.config.loader import ConfigErrors, load
from sensorlogd.config.models import Config
from sensorlogd.daemon.main.process import logs
from sensorlogd.daemon.main.process.lock import LockHeld
from sensorlogd.daemon.main.reloading import last_good
from sensorlogd.daemon.main.run import run_daemon
from sensorlogd.drivers.registry import options_for
from sensorlogd.notation.plurals import plural


@click.command(
    epilog="""\b
Examples:
  sensorlogd run -c sensorlogd.yaml     log until Ctrl-C (a second Ctrl-C leaves at once)
  sensorlogd run --strict               do not fall back to last-good.yaml if the configuration is broken
  sensorlogd reload                     read the configuration again; only what changed restarts
\b
Exit status: 0 stopped as asked; 1 failure (another daemon owns the data directory); 78 bad configuration or a
database that is not ours to touch.
"""
)
@click.option("-c", "--config", "config_file", type=click.Path(path_type=Path), help="the configuration file")
@click.option("--strict", is_flag=True, help="exit 78 on a broken configuration instead of using last-good.yaml")
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    help="default: info, or the configuration's",
)
@click.option("--no-web", is_flag=True, help="serve no pages, whatever the configuration says")
def run(config_file: Path | None, strict: bool, log_level: str | None, no_web: bool) -> None:
    """Run the daemon in the foreground (systemd starts this).

    Logs every sensor of the configuration until SIGTERM or Ctrl-C. SIGHUP reloads the configuration.
    """
    path = read_from_config(config_file, lambda path: path)
    config, problems = _load_or_last_good(path, strict)
    logs.setup(log_level or config.daemon.log_level)
    logs.trace_crashes()
    try:
        status = run_daemon(config, lambda: load(path, options_for), problems=problems, pages=not no_web)
    except LockHeld as error:
        click.echo(f"sensorlogd: {error}", err=True)
        sys.exit(exits.FAILURE)
    except OSError as error:
        click.echo(f"sensorlogd: {_in_the_way(config) or plain_errors.os_error(error)}", err=True)
        sys.exit(exits.FAILURE)
    sys.exit(status)


def _in_the_way(config: Config) -> str:
    """Why this user cannot keep files in the folders of the log, in the words of ``check``; empty if that is not the reason."""
    from sensorlogd.daemon.machine.folders import folders
    from sensorlogd.daemon.machine.user import User

    return next((str(found) for found in folders(config, User.current())), "")


def _load_or_last_good(path: Path, strict: bool) -> tuple[Config, list[str]]:
    """The configuration and, if it is last-good.yaml, the errors of the file that was asked for. Exits 78 if neither."""
    try:
        return load(path, options_for), []
    except ConfigErrors as rejected:
        problems = [str(error) for error in rejected.errors]
    for problem in problems:
        click.echo(problem, err=True)
    found = f"{len(problems)} {plural(len(problems), 'error')}"
    if not strict:
        kept = read_from_config(path, light.data_dir) / last_good.NAME
        if kept.exists():
            try:
                config = load(kept, options_for)
            except ConfigErrors as error:
                click.echo(f"sensorlogd: {kept} cannot be used either: {error.errors[0]}", err=True)
            else:
                click.echo(f"sensorlogd: {found}; starting from {kept} until they are mended", err=True)
                return config, problems
    click.echo(f"sensorlogd: {found} in {path}; mend them (try: sensorlogd check {path})", err=True)
    sys.exit(exits.BAD_CONFIG)
