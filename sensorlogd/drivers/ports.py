"""The serial ports of this machine: which are connected, their stable names, and which process has one open. pySerial is only
needed for the list."""

from __future__ import annotations

import grp
import os
import select
import stat
from dataclasses import dataclass
from pathlib import Path

_OVERFLOW = Path("/proc/sys/kernel/overflowgid")
_LINKS = (Path("/dev/serial/by-id"), Path("/dev/serial/by-path"))


@dataclass(frozen=True, slots=True)
class PortInfo:
    """A serial port of this machine. ``stable``: the name to put into a configuration. ``shared``: another adapter has the same
    by-id name."""

    device: str
    stable: str
    description: str
    held_by: str
    shared: bool = False


def connected() -> list[PortInfo]:
    """The serial ports that exist now, in order of their device names."""
    from serial.tools import list_ports

    found = []
    for port in sorted(list_ports.comports(), key=lambda port: port.device):
        stable, shared = stable_name(port.device)
        text = " ".join(filter(None, (port.manufacturer, port.product))) or port.description or ""
        found.append(PortInfo(port.device, stable, "" if text == "n/a" else text, holder(port.device), shared))
    return found


def stable_name(device: str, links: tuple[Path, ...] = _LINKS) -> tuple[str, bool]:
    """The by-id name of a device, else its by-path name, else its own name; and whether its by-id name is ambiguous.

    Two adapters without a serial number share one by-id name: it points to whichever was plugged in last, so the
    by-path name (which socket it is in) is the stable one then.
    """
    target = os.path.realpath(device)
    by_id = _links_to(links[0], target)
    by_path = _links_to(links[1], target)
    serial_numberless = bool(by_id) and _is_ambiguous(by_id[0])
    if by_id and not serial_numberless:
        return by_id[0], False
    if by_path:
        return by_path[0], serial_numberless
    return (by_id[0], serial_numberless) if by_id else (device, False)


def _links_to(folder: Path, target: str) -> list[str]:
    try:
        return sorted(str(link) for link in folder.iterdir() if os.path.realpath(link) == target)
    except OSError:
        return []


def _is_ambiguous(link: str) -> bool:
    """Whether several USB devices would get this by-id name: same vendor and product, no serial number in it."""
    device = Path(os.path.realpath(link)).name
    mine = _usb_identity(device)
    if mine is None:
        return False
    others = [_usb_identity(other.name) for other in Path("/sys/class/tty").glob("tty[UA]*") if other.name != device]
    return not mine[2] and any(other is not None and other[:2] == mine[:2] for other in others)


def _usb_identity(name: str) -> tuple[str, str, str] | None:
    """(vendor, product, serial number) of a USB tty; None for any other."""
    try:
        node = Path(f"/sys/class/tty/{name}/device").resolve()
    except OSError:
        return None
    for folder in (node, *node.parents):
        if (folder / "idVendor").exists():
            return tuple(
                (folder / part).read_text().strip() if (folder / part).exists() else ""
                for part in ("idVendor", "idProduct", "serial")
            )  # type: ignore[return-value]
    return None


def holder(port: str) -> str:
    """``name (pid N)`` of a process that has the port open, if this user may see it; else an empty text."""
    target = os.path.realpath(port)
    for process in Path("/proc").iterdir():
        if not process.name.isdigit() or int(process.name) == os.getpid():
            continue
        try:
            for descriptor in (process / "fd").iterdir():
                if os.path.realpath(descriptor) == target:
                    return f"{(process / 'comm').read_text().strip()} (pid {process.name})"
        except OSError:
            continue  # another user's process, or one that has just ended
    return ""


def has_hung_up(fd: int) -> bool:
    """Whether nothing can come from a port any more: the device has gone, or the other end has closed the connection.

    That nothing was read does not say so: a terminal of which no byte is waited for (VMIN 0) gives b"" also where another program
    has read what ``poll`` had announced.
    """
    poll = select.poll()
    poll.register(fd, select.POLLRDHUP)  # POLLHUP and POLLERR, which a terminal has, come unasked
    return bool(poll.poll(0))


def group_that_opens(port: str) -> str | None:
    """The group whose members may read and write a device; None if no membership helps, or it is unknown.

    In a sandbox with users of its own (PrivateUsers of systemd) groups of the machine look like nobody's.
    """
    try:
        found = os.stat(port)
        unknown = int(_OVERFLOW.read_text())
    except (OSError, ValueError):
        return None
    if found.st_gid in (0, unknown) or stat.S_IMODE(found.st_mode) & 0o060 != 0o060:
        return None
    try:
        return grp.getgrgid(found.st_gid).gr_name
    except KeyError:
        return None


def permission_hint(port: str) -> str:
    """What a user has to do who may not open a port."""
    group = group_that_opens(port)
    if group is None:
        return f"its owner and mode decide who may: ls -lL {port}"
    return f"the user must be in the group {group}: sudo usermod -aG {group} $USER, then log in again"
