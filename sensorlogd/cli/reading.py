"""What the reading verbs share: which log, which series, which zone; and how their mistakes end."""

from __future__ import annotations

import functools
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import click

from sensorlogd.cli import exits
from sensorlogd.storage.database import Failure, classify
from sensorlogd.storage.file import opening
from sensorlogd.storage.query.log import Log, LogUnavailable, Series, UnknownSeries

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
        path = database(config_file, db)
        with troubles_told(path), Log.open(path) as log:
            return verb(log=log, **options)

    return wrapped


@contextmanager
def troubles_told(path: Path) -> Iterator[None]:
    """Whatever is wrong with the database is one line and exit 1."""
    try:
        yield
    except LogUnavailable as error:
        fail(str(error))
    except sqlite3.Error as error:
        fail(unreadable(path, error))
    except Exception as error:
        told_of_damage(path, error)
        raise


def unreadable(path: Path, error: sqlite3.Error) -> str:
    if classify(error) in (Failure.CORRUPT, Failure.NOTADB):
        return opening.damaged(path, error)
    return f"{path}: the database cannot be read: {error}"


def told_of_damage(path: Path, error: Exception) -> None:
    """Exit 1 with a line if the database is damaged: what is read of such a one can be anything. Else return."""
    if not isinstance(error, (click.ClickException, click.exceptions.Exit, click.Abort, OSError)):
        fault = opening.found_damage(path)
        if fault is not None:
            fail(opening.damaged(path, fault))
