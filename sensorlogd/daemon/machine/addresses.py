"""The address of the pages: whether this machine has it, and who listens there already."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import os
import socket
from collections.abc import Collection, Iterator
from pathlib import Path

from sensorlogd.config.listen import split_listen
from sensorlogd.config.models import Config
from sensorlogd.daemon.machine.finding import Finding

_LISTENS = "0A"  # the state in /proc/net/tcp
_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_UNPRIVILEGED = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")


def check(config: Config, uid: int, own_pids: Collection[int] = ()) -> Iterator[Finding]:
    """``own_pids``: processes that may listen there."""
    if not config.web.enabled:
        return
    host, port = split_listen(config.web.listen)
    where, address = "web.listen", config.web.listen
    absent = _why_absent(host)
    if absent is not None:
        yield Finding(where, f"{address}: {absent}", "127.0.0.1 is this machine alone, 0.0.0.0 every address it has (with auth:)")
        return
    if uid != 0 and 0 < port < _first_unprivileged_port():
        yield Finding(
            where, f"{address}: only root may listen on ports below {_first_unprivileged_port()}", "take one above, e.g. 8321"
        )
    inode = listening(host, port)
    if inode is None:
        return
    pid = owner(inode)
    if pid is None or not _is_own_process(pid, own_pids):
        who = (
            "another program (of another user: sudo ss -tlnp tells which)" if pid is None else f"{_program_name(pid)} (pid {pid})"
        )
        yield Finding(
            where,
            f"{address} is used by {who}",
            f"stop that program, or take another port, e.g. {port + 1 if port < 65535 else 8321}",
        )


def _why_absent(host: str) -> str | None:
    """Why this machine does not have the address. Found out without listening on it."""
    try:
        found = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        return f"the name {host!r} is not known here ({error.strerror})"
    for family, kind, _, _, address in found:
        with contextlib.suppress(OSError), socket.socket(family, kind) as tried:
            try:
                tried.bind(address)  # port 0: any that is free
            except OSError as error:
                if error.errno == errno.EADDRNOTAVAIL:
                    continue
            return None
    return f"no network interface of this machine has the address {host}"


def _first_unprivileged_port() -> int:
    try:
        return int(_UNPRIVILEGED.read_text())
    except (OSError, ValueError):
        return 1024


def listening(host: str, port: int) -> int | None:
    """The inode of the socket that takes the connections to this address; None: there is none, or it is not known."""
    if not port:
        return None
    with contextlib.suppress(OSError):
        mine = {_parse_address(str(found[4][0])) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}
        for table in _TABLES:
            for line in table.read_text().splitlines()[1:]:
                words = line.split()
                text, _, number = words[1].partition(":")
                if words[3] != _LISTENS or int(number, 16) != port:
                    continue
                theirs = _parse_address(_unpack_address(text))
                if theirs.is_unspecified or theirs in mine or any(address.is_unspecified for address in mine):
                    return int(words[9])
    return None


def _parse_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    found = ipaddress.ip_address(text.partition("%")[0])
    return getattr(found, "ipv4_mapped", None) or found


def _unpack_address(text: str) -> str:
    """An address of /proc/net: words of 32 bits, each in the order of the machine."""
    raw = bytes.fromhex(text)
    swapped = b"".join(raw[start : start + 4][::-1] for start in range(0, len(raw), 4)) if _is_little_endian() else raw
    return socket.inet_ntop(socket.AF_INET if len(raw) == 4 else socket.AF_INET6, swapped)


def _is_little_endian() -> bool:
    import sys

    return sys.byteorder == "little"


def owner(inode: int) -> int | None:
    """The process that has the socket with this inode, if this user may see it."""
    target = f"socket:[{inode}]"
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            with contextlib.suppress(OSError):
                if any(os.readlink(link) == target for link in (process / "fd").iterdir()):
                    return int(process.name)
    return None


def _is_own_process(pid: int, own_pids: Collection[int]) -> bool:
    """Whether it is one of them, or was started by one of them."""
    while pid > 1:
        if pid in own_pids:
            return True
        try:
            pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            return False
    return False


def _program_name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return "a program"
