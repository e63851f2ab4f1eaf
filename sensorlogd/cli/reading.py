"""What the reading verbs share: which log, which series, which zone; and how their mistakes end."""

from __future__ import annotations

import functools
import sqlite3
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import click

from sensorlogd.cli import exits
from sensorlogd.storage.reader import Log, LogUnavailable, Series, UnknownSeries

config_option = click.option("-c", "--config", "config_file", type=click.Path(path_type=Path), help="the configuration file")
db_option = click.option("--db", metavar="FILE|URL", help="a database file (or sqlite:///FILE), without a configuration")
tz_option = click.option("--tz", metavar="ZONE", help="time zone of times shown and read, e.g. Europe/Berlin (default: UTC)")


def fail(message: str, status: int = exits.FAILURE) -> NoReturn:
    """One line on stderr, and out."""
    click.echo(f"sensorlogd: {message}", err=True)
    sys.exit(status)


def now_us() -> int:
    return time.time_ns() // 1000


def database(config_file: Path | None, db: str | None) -> Path:
    """The database that is meant. Exits with a clear line if none is."""
    if db is not None:
        return Path(db.removeprefix("sqlite:///"))
    from sensorlogd.config import light

    try:
        return light.database_path(light.find(config_file))
    except light.ConfigNotFound as error:
        fail(f"{error}, or --db FILE", exits.BAD_CONFIG)


def zone_of(tz: str | None) -> str:
    from sensorlogd import times

    try:
        return times.zone(tz or "UTC")
    except ValueError as error:
        fail(str(error), exits.USAGE)


def series_of(log: Log, patterns: tuple[str, ...]) -> list[Series]:
    try:
        return log.series(patterns)
    except UnknownSeries as error:
        fail(str(error), exits.USAGE)


def reads_the_log(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Give ``verb`` a ``log`` argument, with -c and --db; whatever is wrong with the file is one line and exit 1."""

    @config_option
    @db_option
    @functools.wraps(verb)
    def wrapped(config_file: Path | None, db: str | None, **options: Any) -> Any:
        try:
            with Log.open(database(config_file, db)) as log:
                return verb(log=log, **options)
        except LogUnavailable as error:
            fail(str(error))
        except sqlite3.Error as error:
            fail(f"the database cannot be read: {error}")

    return wrapped
