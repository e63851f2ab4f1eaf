"""Carries out what verbs change: the running daemon does it, or this process under the daemon's lock."""

from __future__ import annotations

import os
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from sensorlogd.cli import asking_allowed, exits, plain_errors
from sensorlogd.cli.blocked_writer import BlockedWriterLimit
from sensorlogd.cli.common import database, fail, fail_if_damaged, load_config, read_from_config
from sensorlogd.cli.progress import Progress
from sensorlogd.storage.file import reader
from sensorlogd.storage.file.connecting import connect_to_read
from sensorlogd.storage.file.errors import Failure, classify, explain
from sensorlogd.storage.file.holder import holder
from sensorlogd.storage.maintenance import inspection
from sensorlogd.storage.query.log_reader import LogReader, LogUnavailable

if TYPE_CHECKING:
    from sensorlogd.config.models import Config
    from sensorlogd.daemon.control.answers import Freed
    from sensorlogd.daemon.control.offline import Offline
    from sensorlogd.daemon.control.requests.request import Request

PING_WITHIN_S = 5.0
CHECK_EVERY_S = 0.5  # how often the number of roll-ups left is read

A = TypeVar("A")
Act = Callable[["Request[Any]"], Any]


class Refused(Exception):
    """The daemon or the database refuses; the text says why."""


class Actor:
    """Carries out requests. ``offline``: this process does so itself under the lock of the database, because no daemon runs."""

    def __init__(self, act: Act, offline: Offline | None = None) -> None:
        self._act = act
        self.offline = offline

    def act(self, request: Request[A]) -> A:
        """Carry out a small step, see ``daemon.control.handlers.database``, and return its answer. Raises Refused."""
        answer: A = self._act(request)
        return answer

    def expected(self, epoch: int) -> int | None:
        """The epoch that a request names whose numbers were read from the database with this ``epoch``. None without a daemon: this
        process has given the file a new one, and holds its lock."""
        return epoch if self.offline is None else None

    def go_on(self, request: Request[Freed], show: Callable[[Freed], None]) -> None:
        """Repeat a step until it says that nothing is left; ``show`` gets each answer."""
        more = True
        while more:
            answer = self.act(request)
            show(answer)
            more = answer.more

    def roll_up(self) -> None:
        """Bring roll-ups up to date: a daemon does it by itself; without one they are made now."""
        from sensorlogd.daemon.control.requests.database import RollUpRequest

        if self.offline is None:
            self.act(RollUpRequest())
            return
        from sensorlogd.daemon.control.offline import OfflineError

        try:
            with Progress("rolling up", None) as bar:
                left = RollUpsLeft(self.offline.path, bar)
                self.offline.roll_up(left.update)
        except OfflineError as error:
            raise Refused(str(error)) from None


class RollUpsLeft:
    """Shows the roll-ups that are still to be computed as progress, in hours of series."""

    def __init__(self, path: Path, bar: Progress) -> None:
        self._path, self._bar = path, bar
        self._most, self._again = 0, 0.0

    def update(self) -> None:
        """Update the progress; cheap enough to be called all the time."""
        if time.monotonic() < self._again or not sys.stderr.isatty():
            return
        self._again = time.monotonic() + CHECK_EVERY_S
        try:
            with LogReader.open(self._path) as log:
                hours = inspection.hours_to_roll_up(log.conn)
        except (LogUnavailable, sqlite3.Error):
            return
        self._most = max(self._most, hours)
        if hours < self._most:  # before the first is done, nothing can be said about the time that all will take
            self._bar.reach(self._most - hours, self._most)
        else:
            self._bar.update(0)


def data_dir(config_file: Path | None, db: str | None) -> Path:
    """The folder with the lock and the control socket; that of the database if it was given with ``--db``."""
    if db is not None:
        return database(None, db).absolute().parent
    from sensorlogd.config import light

    return read_from_config(config_file, light.data_dir)


@contextmanager
def acting(config_file: Path | None, db: str | None, *, create: bool = False) -> Iterator[Actor]:
    """Yields an Actor. ``create``: make the database if there is none; without a daemon it learns the configured sensors first, so
    that the series which are stored into have the rules of their channels. Any error is one line and exit 1; a configuration
    that is not valid exits 78.
    """
    path, folder = database(config_file, db), data_dir(config_file, db)
    if not create and not path.exists():
        fail(reader.no_database(path))
    with refusals_fail(path):
        daemon = daemon_of(path, folder)
        if daemon is not None:
            click.echo("through the daemon", err=True)
            yield through(daemon)
        else:
            config = load_config(config_file) if create and db is None else None
            with _acting_offline(folder, path, config, make_folder=db is None) as actor:
                yield actor


@contextmanager
def refusals_fail(path: Path) -> Iterator[None]:
    """Turns any error that keeps a verb from changing a database into one line and exit 1."""
    try:
        yield
    except Refused as error:
        fail(str(error))
    except LogUnavailable as error:
        fail(str(error))
    except sqlite3.Error as error:
        if classify(error) in (Failure.CORRUPT, Failure.NOTADB):
            fail(reader.damaged(path, error))
        fail(f"the database refuses it: {explain(path, error)}")
    except Exception as error:
        fail_if_damaged(path, error)
        raise


def daemon_of(path: Path, folder: Path) -> Path | None:
    """The data directory of the daemon that holds this database; None if none does. Raises Refused if its holder does not listen.

    ``folder``: tried if the holder cannot be seen. That a daemon listens there is not enough: it may have another database.
    """
    from sensorlogd.daemon.control import control_socket
    from sensorlogd.daemon.control.requests.daemon import PingRequest
    from sensorlogd.daemon.control.requests.registry import encode

    seen, held = True, None
    try:
        held = holder(path)
    except OSError:
        seen = False
    if seen and held is None:
        return None
    control_folder = folder if held is None or held.control is None else held.control.parent
    try:
        answer = control_socket.ask_patiently(control_folder, encode(PingRequest()), PING_WITHIN_S)
        if answer.get("ok"):
            return control_folder
        why = str(answer.get("error") or "it refuses")
    except PermissionError:
        raise Refused(asking_allowed.refusal(control_folder)) from None
    except (OSError, ValueError) as error:
        why = str(error) or type(error).__name__
    if held is None:
        return None
    who = f"pid {held.pid}" if held.pid else "another process"
    if held.control is None:
        raise Refused(f"{path}: {who} works on the database just now; try again when it is done")
    raise Refused(
        f"{path}: the daemon ({who}) has the database and does not answer at {held.control} ({why}); see 'sensorlogd status'"
    )


def through(folder: Path) -> Actor:
    """An Actor that sends its requests to the daemon which listens in ``folder``."""
    return Actor(_act_through_daemon(folder))


def _act_through_daemon(folder: Path) -> Act:
    """A function that asks the daemon. It raises Refused, also if the daemon does not answer any more."""
    from sensorlogd.daemon.control import control_socket
    from sensorlogd.daemon.control.requests.registry import encode

    def act(request: Request[Any]) -> Any:
        try:
            answer = control_socket.ask_patiently(folder, encode(request), 60.0)
        except (OSError, ValueError) as error:
            raise Refused(f"the daemon does not answer any more: {error}; what was done so far is stored, call again") from None
        if not answer.get("ok"):
            raise Refused(str(answer.get("error")).partition(": ")[2] or str(answer.get("error")))
        try:
            return request.answer.of(answer)
        except (ValueError, TypeError) as error:
            raise Refused(f"the daemon, of another release, answers something else: {error}") from None

    return act


@contextmanager
def _acting_offline(folder: Path, path: Path, config: Config | None, *, make_folder: bool) -> Iterator[Actor]:
    """Yields an Actor that holds the lock of the database and does the work itself. ``config``: whose sensors the database is to
    know, and whose retention holds for what is stored; None: those it knows, and none. ``make_folder``: make the data directory if it is not there. Raises Refused, LogUnavailable,
    sqlite3.Error."""
    from sensorlogd.daemon.control.offline import Offline, OfflineError
    from sensorlogd.daemon.main.process.lock import LockHeld
    from sensorlogd.daemon.sensing.build import retention_plan, sensor_specs
    from sensorlogd.storage.file.errors import DatabaseError

    try:
        if make_folder:  # the data directory of a configuration; a path from the command line is more likely mistyped
            folder.mkdir(parents=True, exist_ok=True)
        elif not folder.is_dir():
            raise Refused(f"{folder}: no such folder")
        make_ready(path)
        offline = (
            Offline(path)
            if config is None
            else Offline(path, config.daemon.timezone, sensor_specs(config), retention_plan(config))
        )
        with BlockedWriterLimit(path, offline), offline:

            def act(request: Request[Any]) -> Any:
                try:
                    return offline.do(request)
                except sqlite3.Error:
                    raise
                except Exception as error:  # the same words as the daemon's answer
                    raise Refused(str(error)) from error

            yield Actor(act, offline)
    except OSError as error:
        raise Refused(plain_errors.os_error(error)) from None
    except (LockHeld, OfflineError, DatabaseError) as error:
        raise Refused(str(error)) from None


def make_ready(path: Path) -> None:
    """Check that this process can write an existing database: ours, sound, and not in the middle of a change.

    Raises Refused, LogUnavailable, sqlite3.Error, LockHeld.
    """
    from sensorlogd.daemon.main.process.lock import DatabaseLock
    from sensorlogd.storage.maintenance import inspection

    check_owner(path)
    reader.refuse_foreign_sides(path)
    if not reader.size_of(path):
        return
    if reader.interrupted(path):
        with DatabaseLock(path, None):
            reader.undo_interrupted(path)
    with closing(connect_to_read(path, timeout_s=reader.BUSY_WITHIN_S)) as conn:
        fault = next(inspection.faults_of_small_tables(conn), None)
    if fault is not None:
        raise LogUnavailable(reader.damaged(path, fault))


def readable(path: Path) -> LogReader:
    """Open the log for a verb that goes on to change it; a change that was cut off halfway is undone first.

    Raises LogUnavailable, sqlite3.Error.
    """
    from sensorlogd.daemon.main.process.lock import DatabaseLock, LockHeld

    if path.exists() and reader.interrupted(path):
        try:
            check_owner(path)
            with DatabaseLock(path, None):
                reader.undo_interrupted(path)
        except (Refused, LockHeld, OSError) as error:
            raise LogUnavailable(str(error)) from None
    return LogReader.open(path)


def check_owner(path: Path) -> None:
    """Refuse another user than the owner: the daemon could not open the files (WAL) which that user would leave."""
    try:
        owner = path.stat().st_uid
    except OSError:
        return
    if owner != os.geteuid():
        import pwd

        try:
            name = pwd.getpwuid(owner).pw_name
        except KeyError:
            name = f"#{owner}"
        raise Refused(f"{path} belongs to {name}, and no daemon runs that could do it: run this as {name} (sudo -u '{name}' ...)")


def confirm(question: str, *, yes: bool) -> None:
    """Ask before something is changed; without a terminal ``--yes`` must be given."""
    if yes:
        return
    if not sys.stdin.isatty():
        fail(f"{question} Say --yes, or --dry-run to see only", exits.USAGE)
    if not click.confirm(question, err=True):
        sys.exit(exits.FAILURE)
