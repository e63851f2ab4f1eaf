"""Which process holds a database, for programs that only look; ``daemon.main.process.lock`` takes the lock.

The lock is an flock on ``<resolved path of the database>.lock``, which the kernel releases whatever way its holder ends;
the file itself stays and means nothing. Its first line is the holder's pid (as the holder's own container counts), its
second the path of the control socket; it is missing if the holder has none (a verb that does the daemon's work).
"""

from __future__ import annotations

import fcntl
import os
from dataclasses import dataclass
from pathlib import Path

SUFFIX = ".lock"
CONTENT_MAX = 8192  # bytes; a path has at most 4096


class LockHeld(Exception):
    """Another process holds the lock. ``pid`` is 0 if it is not known."""

    def __init__(self, what: Path, pid: int, instead: str) -> None:
        who = f"by the sensorlogd with pid {pid}" if pid else "by another process"
        super().__init__(f"{what} is in use {who}; stop it first, or {instead}")
        self.pid = pid


@dataclass(frozen=True, slots=True)
class Holder:
    """The process that holds a database. ``pid`` 0: it is not in the file (the disk is full, or the lock was taken this moment).
    ``control``: path of its control socket; None if it has none."""

    pid: int
    control: Path | None


def lock_path(database: Path) -> Path:
    """One for each file, whichever links lead to it. Raises OSError for links that lead nowhere but round."""
    try:
        resolved = database.resolve()
    except RuntimeError as error:  # before Python 3.13
        raise OSError(str(error)) from error
    return resolved.with_name(resolved.name + SUFFIX)


def holder(database: Path) -> Holder | None:
    """The process that holds this database now; None if nobody does. The lock file needs to be readable only. Looking takes a
    shared lock for some microseconds; a process that wants the exclusive lock waits for that long. Raises OSError if neither the
    file can be read nor the kernel's list of locks names the holder.
    """
    path = lock_path(database)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except PermissionError:
        pid = _listed(path)
        if pid is None:
            raise
        return Holder(pid, None)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return parse(os.pread(descriptor, CONTENT_MAX, 0))
    finally:
        os.close(descriptor)
    return None


def parse(content: bytes) -> Holder:
    """Read what a holder wrote; a part that is malformed is left out."""
    pid, _, rest = content.partition(b"\n")
    control = rest.partition(b"\n")[0]
    return Holder(
        int(pid) if pid.isdigit() and len(pid) < 12 else 0,
        Path(os.fsdecode(control)) if control.startswith(b"/") and b"\0" not in control else None,
    )


def render(held: Holder) -> bytes:
    control = b"" if held.control is None else os.fsencode(held.control) + b"\n"
    return b"%d\n%s" % (held.pid, control)


def _listed(path: Path) -> int | None:
    """The pid that /proc/locks names for this file. A holder in another container is not listed."""
    try:
        status = os.stat(path)
        lines = Path("/proc/locks").read_text().splitlines()
    except OSError:
        return None
    key = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
    for line in lines:
        words = line.split()
        if len(words) >= 6 and words[1] == "FLOCK" and words[3] == "WRITE" and words[5] == key:
            return max(int(words[4]), 0)
    return None
