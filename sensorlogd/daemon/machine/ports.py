"""Serial ports: whether they are there, whether they may be used, by whom they are used, and at what speed."""

from __future__ import annotations

import os
import re
import stat
import termios
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from sensorlogd.config.models import Config
from sensorlogd.daemon.machine.finding import Finding
from sensorlogd.daemon.machine.user import READ, WRITE, User
from sensorlogd.drivers import ports

_WINDOWS = re.compile(r"(\\\\\.\\)?COM\d+:?", re.IGNORECASE)
_MEMORY = 1  # the major number of /dev/null and its like
# Those of the kernel, and odd ones that instruments do use: MIDI, vehicles, an ESP8266 that starts, SBUS, DMX and printers.
SPEEDS = sorted(
    {int(name[1:]) for name in dir(termios) if re.fullmatch(r"B[1-9]\d+", name)}
    | {10_400, 14_400, 28_800, 31_250, 56_000, 74_880, 76_800, 100_000, 128_000, 250_000, 256_000}
)


def check(
    config: Config, user: User, *, own_pids: Collection[int] = (), present: Callable[[], list[str]] | None = None
) -> Iterator[Finding]:
    """``own_pids``: processes that may hold the ports; ``present``: the stable names of the ports that are there."""
    for name, sensor in config.sensors.items():
        port = getattr(sensor, "port", None)
        if not sensor.enabled or not isinstance(port, str) or "://" in port:
            continue
        where = f"sensors.{name}"
        found = _check_port(f"{where}.port", port, user, own_pids, present or _present)
        if found is not None:
            yield found
        speed = getattr(sensor, "baudrate", None)
        if isinstance(speed, int) and speed not in SPEEDS:
            near = min(SPEEDS, key=lambda usual: abs(usual - speed))
            yield Finding(
                f"{where}.baudrate",
                f"{speed} is no usual speed, and many adapters cannot be set to it",
                f"{near} is the nearest usual one",
            )


def _present() -> list[str]:
    return [port.stable for port in ports.connected()]


def _check_port(where: str, port: str, user: User, own_pids: Collection[int], present: Callable[[], list[str]]) -> Finding | None:
    """Why ``user`` cannot use a port, or who else has it open; None if nothing is in the way."""
    if _WINDOWS.fullmatch(port):
        return Finding(
            where,
            f"{port} is a port of Windows; on this machine ports are files under /dev",
            _suggest_ports(present(), "name the port of the device"),
        )
    try:
        mode = os.stat(port)
    except FileNotFoundError:
        if "/" not in port and Path("/dev", port).exists():
            return Finding(where, f"{port}: no such port here", f"write the whole name: /dev/{port}")
        return Finding(where, f"{port}: no such port: it is not there, or not plugged in", _suggest_ports(present()))
    except OSError as error:
        return Finding(where, f"{port}: cannot be looked at: {error.strerror}", "name a port that 'sensorlogd ports' lists")
    if not stat.S_ISCHR(mode.st_mode) or os.major(mode.st_rdev) == _MEMORY:
        return Finding(where, f"{port} is no serial port", _suggest_ports(present(), "name the port of the device"))
    if not user.may(Path(port), READ | WRITE):
        return _forbidden_finding(where, port, user)
    return _held_finding(where, port, own_pids)


def _suggest_ports(present: list[str], otherwise: str = "plug the device in") -> str:
    if not present:
        return f"{otherwise} ('sensorlogd ports' lists what is there; now there is none)"
    return f"{otherwise}, or one that is there: {', '.join(present[:4])}{' ...' if len(present) > 4 else ''}"


def _forbidden_finding(where: str, port: str, user: User) -> Finding:
    problem = f"{port}: the user {user.name} may not read and write it"
    group = ports.group_that_opens(port)
    if group is None:
        return Finding(where, problem, f"its owner and mode decide: ls -lL {port}")
    again = ", then log in again" if user.me else ", then restart the daemon"
    return Finding(where, problem, f"it belongs to the group {group}: sudo usermod -aG {group} {user.name}{again}")


def _held_finding(where: str, port: str, own_pids: Collection[int]) -> Finding | None:
    holder = ports.holder(port)
    number = re.search(r"pid (\d+)", holder)
    if number is None or int(number[1]) in own_pids:
        return None
    return Finding(where, f"{port} is used by {holder}", "stop that program, or both get a part of the data only")
