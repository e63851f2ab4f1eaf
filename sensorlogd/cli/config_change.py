"""Changes the configuration's files as a whole: the change is checked, loaded by the running daemon, or undone."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sensorlogd import files
from sensorlogd.cli import plain_errors
from sensorlogd.config import light
from sensorlogd.config.loader import ConfigErrors, load
from sensorlogd.config.models import Config
from sensorlogd.drivers.registry import options_for


class ConfigRefused(Exception):
    """The change was refused; the files are as before. ``problems``: why, a line each; ``broken``: the configuration would not be
    valid."""

    def __init__(self, problems: list[str], *, broken: bool = False) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems
        self.broken = broken


class NotPutBack(Exception):
    """A refused change could not be undone, or only a part of it; the text says what is left."""


class FileChange:
    """Records files and folders that are changed, so that it can be undone. New ones get the owner and the mode of ``like``, if
    that exists."""

    def __init__(self, like: Path | None) -> None:
        self._like = like
        self._back: list[tuple[str, Path, Any]] = []

    def folder(self, path: Path) -> None:
        """Make a folder unless it exists. Raises OSError."""
        if not path.is_dir():
            path.mkdir()
            self._back.append(("folder", path, None))
            self._as_alike(path)

    def write(self, path: Path, text: str) -> None:
        """Write a file, new or existing. Raises OSError; the file is as before then."""
        before = path.read_bytes() if path.exists() else None
        with files.written(path) as file:
            file.write(text.encode("utf-8"))
        self._back.append(("file", path, before))
        if before is None:
            self._as_alike(path)

    def move(self, path: Path, to: Path) -> None:
        """Rename a file to ``to``, which must not exist. Raises OSError."""
        path.rename(to)
        files.sync_folder(path.parent)
        self._back.append(("moved", path, to))

    def undo(self) -> None:
        """Undo every step, the last one first. Raises NotPutBack."""
        while self._back:
            kind, path, before = self._back.pop()
            try:
                self._undo_step(kind, path, before)
            except OSError as error:
                raise NotPutBack(
                    f"it was refused, and cannot be put back: {plain_errors.os_error(error, path)}; see to it by hand"
                ) from error

    def _undo_step(self, kind: str, path: Path, before: Any) -> None:
        """Undo one step: remove the folder, move the file back, or write what it held before (None: it was not there). Raises
        OSError."""
        if kind == "folder":
            with contextlib.suppress(OSError):  # somebody has put another file into it meanwhile
                path.rmdir()
        elif kind == "moved":
            before.rename(path)
        elif before is None:
            path.unlink(missing_ok=True)
        else:
            with files.written(path) as file:
                file.write(before)

    def _as_alike(self, path: Path) -> None:
        """Give ``path`` owner and mode of the configuration: the daemon, which must read it, is often another user than root, who
        changes it."""
        if self._like is None:
            return
        with contextlib.suppress(OSError):
            like = self._like.stat()
            mode = stat.S_IMODE(like.st_mode) & 0o666
            if path.is_dir():
                mode |= (mode & 0o444) >> 2
            with contextlib.suppress(OSError):
                os.chown(path, like.st_uid if os.geteuid() == 0 else -1, like.st_gid)
            path.chmod(mode)


@contextlib.contextmanager
def one_at_a_time(folder: Path) -> Iterator[None]:
    """Wait until no other process changes the configuration in ``folder``. Does nothing where the folder cannot be locked."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        yield
        return
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def carry_out(change: FileChange, path: Path) -> tuple[Config, str | None, str]:
    """Check what has been written so far, and have the daemon reload it. Returns (the configuration, the outcome that the daemon
    reports or None, what is in doubt or an empty text). The outcome is None if no daemon runs, or if its answer is in doubt.

    Raises ConfigRefused after everything was put back, NotPutBack if that failed.
    """
    from sensorlogd.cli import reload_verb

    try:
        config = load(path, options_for)
        answer = reload_verb.ask(light.data_dir(path), path)
    except ConfigErrors as errors:
        change.undo()
        raise ConfigRefused([str(mistake) for mistake in errors.errors], broken=True) from None
    except reload_verb.Unanswered as error:
        if error.unknown:
            return config, None, str(error)
        change.undo()
        raise ConfigRefused([str(error)]) from None
    except BaseException:
        change.undo()
        raise
    if answer is None:
        return config, None, ""
    if not answer.get("ok"):
        change.undo()
        problems = [str(problem) for problem in answer.get("errors") or [answer.get("error") or "it does not say why"]]
        raise ConfigRefused([f"the daemon refuses it: {problem}" for problem in problems], broken=bool(answer.get("errors")))
    return config, str(answer.get("outcome") or "the new configuration is in use"), ""


def other_configuration(path: Path) -> str | None:
    """The configuration file of the daemon with this data folder, if it is another one than ``path``; else None."""
    from sensorlogd.daemon.control import control_socket
    from sensorlogd.daemon.control.requests.daemon import StatusRequest
    from sensorlogd.daemon.control.requests.registry import encode

    try:
        facts = control_socket.ask(light.data_dir(path), encode(StatusRequest()), 10.0)
        named = Path(str(facts.get("daemon", facts).get("config_path") or ""))
        if not named.name:
            return None
        if not named.is_absolute():
            named = Path(os.readlink(f"/proc/{int(facts.get('daemon', facts)['pid'])}/cwd")) / named
    except (OSError, ValueError, KeyError, TypeError, AttributeError, light.ConfigNotFound):
        return None  # none runs, or it cannot be seen from here: then the reload fails
    return None if os.path.realpath(named) == os.path.realpath(path) else str(named)
