"""What sensors and alarms need beside ports: programs, files, folders, and addresses of a network."""

from __future__ import annotations

import glob
import os
import shutil
import socket
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from sensorlogd.config.models import Config
from sensorlogd.daemon.machine.finding import Finding
from sensorlogd.daemon.machine.user import ENTER, READ, User

SCHEMES = ("socket", "rfc2217")  # which name a machine and a port
LOCAL_SCHEMES = ("loop", "spy", "alt", "hwgrep", "cp2110")
_SYS = Path("/sys")
_LOOK_UP_S = 3.0
_UNKNOWN = (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME))  # not: no server answers now


def check(config: Config, user: User, *, names: bool = True) -> Iterator[Finding]:
    """``names``: whether machines are looked up by their names, which takes a moment and needs a network that is up."""
    for name, sensor in config.sensors.items():
        if not sensor.enabled:
            continue
        where, options = (
            f"sensors.{name}",
            cast(Any, sensor),
        )  # of a driver that is recognised by its name: none is imported for this
        port = getattr(sensor, "port", None)
        if isinstance(port, str) and "://" in port:
            yield from _check_url(f"{where}.port", port, names=names)
        if sensor.driver == "command":
            yield from _check_program(f"{where}.command", options.command, user, options.environment.get("PATH"))
            if options.directory is not None:
                yield from _check_path(f"{where}.directory", Path(options.directory), user, ENTER)
        elif sensor.driver == "sysfs":
            for file in options.files:
                yield from _check_kernel_file(f"{where}.files.{file}", options.file(file).path)
        elif sensor.driver == "replay":
            yield from _check_path(f"{where}.file", Path(options.file), user, READ)
    for name, target in config.notify.items():
        if target.command:
            yield from _check_program(f"notify.{name}.command", target.command, user)


def _check_url(where: str, port: str, *, names: bool) -> Iterator[Finding]:
    like = "write e.g. socket://192.168.1.20:4001 or rfc2217://192.168.1.20:4001"
    try:
        url = urlsplit(port)
        host, number = url.hostname, url.port
    except ValueError as error:
        yield Finding(where, f"{port}: {error}", like)
        return
    if url.scheme in LOCAL_SCHEMES:
        return
    if url.scheme not in SCHEMES:
        yield Finding(where, f"{port}: a port cannot be reached by {url.scheme}://", like)
    elif not host:
        yield Finding(where, f"{port} names no machine", like)
    elif not number:
        yield Finding(where, f"{port} names no port of that machine after a colon", like)
    elif names and (problem := _why_unknown(host)) is not None:
        yield Finding(where, f"the machine {host!r} is not known here ({problem})", "see how it is written, or write its address")


def _why_unknown(host: str) -> str | None:
    """Why no machine has that name; None if one has, or if no name server answers."""
    problem: list[str] = []

    def ask() -> None:
        try:
            socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except UnicodeError:
            problem.append("no name of a machine")
        except OSError as error:
            if error.errno in _UNKNOWN:
                problem.append(str(error.strerror))

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(_LOOK_UP_S)
    return problem[0] if problem else None


def _check_program(where: str, words: Sequence[str], user: User, search: str | None = None) -> Iterator[Finding]:
    """``search``: the PATH that a program without a folder is looked for on; None: that of this process."""
    program = words[0]
    if "/" in program:
        path = Path(program)
        found = list(_check_path(where, path, user, READ, "program"))
        if found:
            yield from found
            return
        if path.is_dir():
            yield Finding(where, f"{program} is a folder, not a program", "name a program in it")
            return
    else:
        programs = _programs_on_path(program, os.environ.get("PATH", os.defpath) if search is None else search)
        if not programs:
            yield Finding(where, f"{program}: there is no such program on the PATH", "install it, or write its whole name: /...")
            return
        path = next((path for path in programs if user.may(path, ENTER)), programs[0])
    if not path.stat().st_mode & 0o111:
        yield Finding(where, f"{program} is no program that can be run", f"chmod +x {program}, or name what runs it before it")
    elif not user.may(path, ENTER):
        yield Finding(where, f"{program}: the user {user.name} may not run it", f"its owner and mode decide: ls -ld {path}")


def _programs_on_path(program: str, search: str) -> list[Path]:
    """The programs of this name, in the order in which they are tried."""
    found = [shutil.which(program, path=folder) for folder in search.split(os.pathsep) if folder]
    return [Path(path) for path in found if path is not None]


def _check_path(where: str, path: Path, user: User, access: int, what: str = "file") -> Iterator[Finding]:
    """A file, or with ENTER a folder, that is there and may be used."""
    what = "folder" if access == ENTER else what
    try:
        if not path.exists():
            yield Finding(where, f"{path}: there is no such {what}", "see how its name is written")
        elif access == ENTER and not path.is_dir():
            yield Finding(where, f"{path} is a file, not a folder", "name a folder")
        elif what == "file" and path.is_dir():
            yield Finding(where, f"{path} is a folder, not a file", "name a file in it")
        elif (folder := user.kept_out_by(path)) is not None:
            yield Finding(where, f"{path}: the user {user.name} may not enter {folder}", f"move it, or chmod o+x {folder}")
        elif what != "program" and not user.may(path, access):
            yield Finding(where, f"{path}: the user {user.name} may not use it", f"its owner and mode decide: ls -ld {path}")
    except OSError as error:
        yield Finding(where, f"{path}: cannot be looked at: {error.strerror}", f"its owner and mode decide: ls -ld {path}")


def _check_kernel_file(where: str, path: str) -> Iterator[Finding]:
    from sensorlogd.drivers.sysfs.rules import folders

    kind, _, rest = path.partition(":")
    if path.startswith("/"):
        found = bool(glob.glob(path))
    else:
        chip, _, file = rest.partition("/")
        found = any((folder / file).exists() for folder in folders(kind, chip, _SYS))
    if not found:
        yield Finding(where, f"{path} is not there", "'sensorlogd sources' lists what there is")
