"""``web``: serves the dashboard and its API from a database, without a daemon; ``web token``: prints the address to open."""

from __future__ import annotations

import dataclasses
import logging
import socket
import sqlite3
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from sensorlogd.cli import exits, plain_errors
from sensorlogd.cli.common import config_option, database, db_option, fail, troubles_fail
from sensorlogd.storage.file.errors import Failure, classify
from sensorlogd.storage.query.log_reader import LogReader, LogUnavailable

if TYPE_CHECKING:
    from sensorlogd.web.settings import Settings


@click.group(
    invoke_without_command=True,
    epilog="""\b
Examples:
  sensorlogd web --db old.db                          look at a copied database
  sensorlogd web -c sensorlogd.yaml --listen :0 --auth token
  sensorlogd web token                                the address to open, with its token
""",
)
@config_option
@db_option
@click.option("--listen", metavar="HOST:PORT", help="default: 127.0.0.1:8321, or the configuration's")
@click.option("--auth", type=click.Choice(("token", "none")), help="who may look; must be said for an address others can reach")
@click.pass_context
def web(
    ctx: click.Context, config_file: Path | None, db: str | None, listen: str | None, auth: Literal["token", "none"] | None
) -> None:
    """Serve the dashboard and the API of a database. The daemon serves its own, unless web: {enabled: false}."""
    if ctx.invoked_subcommand is not None:
        ctx.obj = (config_file, db)
        return
    from sensorlogd.config.listen import auth_needed, split_listen
    from sensorlogd.web import token
    from sensorlogd.web.serving import server

    try:
        settings = _settings(config_file, db)
        if db is not None:  # of a configuration the daemon may still make it; a file that is named by itself is meant as it is
            _look_at(settings.database)
        if listen is not None:
            host, port = split_listen(listen)
            if auth is None and settings.auth == "none" and auth_needed(listen) is not None:
                fail(f"{listen} can be reached from other machines; say who may look: --auth token or --auth none", exits.USAGE)
            settings = dataclasses.replace(settings, host=host, port=port)
        if auth is not None:
            settings = dataclasses.replace(settings, auth=auth)
        if settings.auth == "token" and settings.token_file is not None:
            token.ensure(settings.token_file)
        logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s")
        with server.bind(settings) as listener:
            click.echo(f"serving {settings.database} at {server.url_of(listener, settings.base_path)}", err=True)
            server.make_server(settings).run(sockets=[listener])
    except ValueError as error:
        fail(str(error), exits.USAGE)
    except OSError as error:
        fail(plain_errors.os_error(error) if error.filename else error.strerror or str(error))
    except KeyboardInterrupt:
        sys.exit(exits.OK)


def _look_at(path: Path) -> None:
    """Exit if the file is not a log; a damaged log is served, since parts of it may be readable."""
    with troubles_fail(path):
        try:
            LogReader.open(path).close()
        except LogUnavailable as error:
            if not isinstance(error.__cause__, sqlite3.DatabaseError) or classify(error.__cause__) is not Failure.CORRUPT:
                raise
            click.echo(f"warning: {error}; what can be read of it is served", err=True)


@web.command(
    "token",
    epilog="""\b
Examples:
  sensorlogd web token -c sensorlogd.yaml
  sensorlogd web token --new                          from now on the old one opens nothing
""",
)
@config_option
@db_option
@click.option("--new", is_flag=True, help="make a new token; the old one and all logins end")
@click.pass_context
def token_(ctx: click.Context, config_file: Path | None, db: str | None, new: bool) -> None:
    """Print the address to open in a browser, with the token. Makes the token if there is none."""
    from sensorlogd.web import token

    above = ctx.obj or (None, None)
    settings = _settings(config_file or above[0], db or above[1])
    assert settings.token_file is not None
    try:
        found = token.ensure(settings.token_file, new=new)
    except OSError as error:
        fail(f"{settings.token_file}: {error.strerror}; run this as the user that the daemon runs as, or as root")
    if settings.auth == "none":
        click.echo("note: nobody is asked for it: the configuration does not say web: {auth: token}", err=True)
    host = socket.gethostname() if settings.host in ("0.0.0.0", "::") else settings.host
    host = f"[{host}]" if ":" in host else host
    click.echo(f"http://{host}:{settings.port}{settings.base_path}/login?token={found}")


def _settings(config_file: Path | None, db: str | None) -> Settings:
    """The settings of the web: from the configuration; with ``--db`` the defaults, and the token beside the database. Exits 78 for
    a broken configuration."""
    from sensorlogd import saved_views
    from sensorlogd.web import token
    from sensorlogd.web.settings import Settings

    if db is not None:
        path = database(config_file, db).absolute()
        return Settings(path, token_file=path.with_name(token.NAME), saved_views_file=path.with_name(saved_views.FILE))
    from sensorlogd.config import light
    from sensorlogd.config.loader import ConfigErrors, load
    from sensorlogd.drivers.registry import options_for

    try:
        return Settings.of(load(light.find(config_file), options_for))
    except light.ConfigNotFound as error:
        fail(f"{error}, or --db FILE", exits.BAD_CONFIG)
    except ConfigErrors as error:
        fail(str(error), exits.BAD_CONFIG)
