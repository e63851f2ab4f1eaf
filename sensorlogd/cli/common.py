"""What verbs have in common: finding the log, the series and the zone, and ending with an error."""

from __future__ import annotations

import errno
import functools
import os
import sqlite3
import sys
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from sensorlogd.cli import exits
from sensorlogd.storage.file import reader
from sensorlogd.storage.file.errors import Failure, classify
from sensorlogd.storage.query.log_reader import LogReader, LogUnavailable, UnknownSeries
from sensorlogd.storage.series.stored import Series

if TYPE_CHECKING:
    from sensorlogd.config.models import Config

T = TypeVar("T")
UTC_ASKED = "sensorlogd.utc"

config_option = click.option("-c", "--config", "config_file", type=click.Path(path_type=Path), help="the configuration file")
db_option = click.option("--db", metavar="FILE|URL", help="a database file (or sqlite:///FILE), without a configuration")


def tz_option(verb: Callable[..., Any]) -> Callable[..., Any]:
    """--tz, and --utc, which ``zone_of`` finds in the context."""
    named = click.option(
        "--tz", metavar="ZONE", help="time zone of times shown and read, e.g. Europe/Berlin (default: the configuration's)"
    )
    utc = click.option("--utc", is_flag=True, expose_value=False, callback=_note_utc, help="the same as --tz UTC")
    return named(utc(verb))


def _note_utc(ctx: click.Context, _: click.Parameter, on: bool) -> None:
    ctx.meta[UTC_ASKED] = on


def fail(message: str, status: int = exits.FAILURE) -> NoReturn:
    """Print a line on standard error, and exit."""
    click.echo(f"sensorlogd: {message}", err=True)
    sys.exit(status)


def now_us() -> int:
    return time.time_ns() // 1000


def listening_s(duration: str) -> float:
    """``--for`` of verbs that listen to a port, in seconds. Exits if it is not a duration from 100ms to 1h."""
    from sensorlogd.notation.durations import parse_duration

    try:
        seconds = parse_duration(duration) / 1e6
        if not 0.1 <= seconds <= 3600:
            raise ValueError(f"--for {duration} is not between 100ms and 1h")
    except ValueError as error:
        fail(str(error), exits.USAGE)
    return seconds


def database(config_file: Path | None, db: str | None) -> Path:
    """The database that -c, --db or the usual places name. Exits with a clear line if there is none."""
    if db is not None:
        if not db.removeprefix("sqlite:///"):
            fail(f"--db {db!r} names no file; write its path, e.g. --db /var/lib/sensorlogd/sensorlogd.db", exits.USAGE)
        path = Path(db.removeprefix("sqlite:///"))
        if os.path.isdir(path):
            fail(f"{path} is a folder; name the database file in it, e.g. {path / 'sensorlogd.db'}")
        return path
    from sensorlogd.config import light

    return read_from_config(config_file, light.database_path)


def read_from_config(config_file: Path | None, read: Callable[[Path], T]) -> T:
    """What ``read`` finds in the file of the configuration. Exits with a clear line if there is none or it cannot be read.

    A configuration that may not be read is an error, since its defaults could name another database.
    """
    from sensorlogd.cli import plain_errors
    from sensorlogd.config import light

    path: Path | None = None
    try:
        path = light.find(config_file)
        if path.exists():
            readable_file(path)
        return read(path)
    except light.ConfigNotFound as error:
        fail(f"{error}, or --db FILE", exits.BAD_CONFIG)
    except OSError as error:
        fail(f"the configuration cannot be read: {plain_errors.os_error(error, path)}", exits.BAD_CONFIG)
    except RuntimeError as error:  # a path with ~ in it, of a user without a home
        fail(f"{path}: {str(error).rstrip('.').lower()}; write the folder in full instead of ~", exits.BAD_CONFIG)


def load_config(config_file: Path | None) -> Config:
    """The whole configuration. Exits 78, with its mistakes printed, if it is not valid."""
    from sensorlogd.config.loader import ConfigErrors, load
    from sensorlogd.drivers.registry import options_for

    try:
        return read_from_config(config_file, lambda path: load(path, options_for))
    except ConfigErrors as errors:
        for mistake in errors.errors:
            click.echo(mistake, err=True)
        sys.exit(exits.BAD_CONFIG)


def readable_file(path: Path) -> None:
    """Raises OSError, with the name in it, for what is a folder or may not be read. Opens nothing: it may be a pipe."""
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not os.access(path, os.R_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))


def zone_of(tz: str | None) -> str:
    """The zone of times shown and read: --utc or --tz, else ``daemon: {timezone}``, of a database by itself that of its days."""
    from sensorlogd.notation import times

    ctx = click.get_current_context(silent=True)
    if ctx is not None and ctx.meta.get(UTC_ASKED):
        if tz not in (None, "UTC"):
            fail(f"--utc and --tz {tz} exclude each other; leave one out", exits.USAGE)
        return "UTC"
    try:
        return times.zone(tz) if tz is not None else usual_zone()
    except ValueError as error:
        fail(str(error), exits.USAGE)


def usual_zone() -> str:
    """The zone of the log that -c or --db of the running verb names; UTC if it names none, or none that exists."""
    from sensorlogd.notation import times

    ctx = click.get_current_context(silent=True)
    given = {} if ctx is None else ctx.params
    named = _zone_of_log(database(None, given["db"])) if given.get("db") else _zone_of_config(given.get("config_file"))
    try:
        return times.zone(named or "UTC")
    except ValueError:
        return "UTC"


def _zone_of_log(path: Path) -> str | None:
    """The zone in which the days of the log's roll-ups begin at midnight; None if it has none."""
    try:
        with LogReader.open(path) as log:
            return log.meta().get("day_zone")
    except (LogUnavailable, sqlite3.Error, OSError):
        return None  # the verb says it


def _zone_of_config(config_file: Path | None) -> str | None:
    """``daemon.timezone`` as written; the rest of the file is not checked."""
    from sensorlogd.config import light

    try:
        path = light.find(config_file)
        return light.timezone(path) if path.is_file() else None
    except (light.ConfigNotFound, OSError, ValueError):
        return None


def sensors_of_config() -> set[str]:
    """The sensors of the configuration that the running verb reads, as written; none with --db, or if it cannot be read."""
    from sensorlogd.config import light

    given = click.get_current_context().params
    if given.get("db"):
        return set()
    try:
        return set(light.sensor_names(light.find(given.get("config_file"))))
    except (light.ConfigNotFound, OSError, ValueError):
        return set()


def series_of(log: LogReader, patterns: tuple[str, ...]) -> list[Series]:
    try:
        return log.series(patterns)
    except UnknownSeries as error:
        fail(str(error), exits.USAGE)


def no_such_sensor(name: str, sensors: Collection[str], others: Collection[str] = ()) -> NoReturn:
    """Exit 2 because ``name`` is none of ``sensors``, with the nearest of them and of ``others``, or with all sensors."""
    from sensorlogd.config.validation.names import closest

    there = f"; there are {', '.join(sorted(sensors))}" if sensors else "; there is none yet"
    fail(f"no sensor {name!r}{closest(name, {*sensors, *others}) or there}", exits.USAGE)


def reads_the_log(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Give ``verb`` a ``log`` argument, with -c and --db; any error of the file is one line and exit 1."""

    @config_option
    @db_option
    @functools.wraps(verb)
    def wrapped(config_file: Path | None, db: str | None, **options: Any) -> Any:
        path = database(config_file, db)
        with troubles_fail(path), LogReader.open(path) as log:
            return verb(log=log, **options)

    return wrapped


@contextmanager
def troubles_fail(path: Path) -> Iterator[None]:
    """Turns any error of the database into one line and exit 1."""
    try:
        yield
    except LogUnavailable as error:
        fail(str(error))
    except sqlite3.Error as error:
        fail(unreadable(path, error))
    except Exception as error:
        fail_if_damaged(path, error)
        raise


def unreadable(path: Path, error: sqlite3.Error) -> str:
    if classify(error) in (Failure.CORRUPT, Failure.NOTADB):
        return reader.damaged(path, error)
    return f"{path}: the database cannot be read: {error}"


def fail_if_damaged(path: Path, error: Exception) -> None:
    """Exit 1 with a line if the database is damaged, since a damaged one can cause any error. Else return."""
    if not isinstance(error, (click.ClickException, click.exceptions.Exit, click.Abort, OSError)):
        fault = reader.found_damage(path)
        if fault is not None:
            fail(reader.damaged(path, fault))
