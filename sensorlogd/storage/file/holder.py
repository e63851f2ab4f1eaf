"""Who has a database: the looker's half of the lock that ``daemon.main.process.lock`` takes.

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
    """Another process has it. ``pid`` is 0 if it did not leave its number."""

    def __init__(self, what: Path, pid: int, instead: str) -> None:
        who = f"by the sensorlogd with pid {pid}" if pid else "by another process"
        super().__init__(f"{what} is in use {who}; stop it first, or {instead}")
        self.pid = pid


@dataclass(frozen=True, slots=True)
class Holder:
    """``pid`` 0: it did not leave its number (a full disk, or it came just now). ``control``: where it listens, if it does."""

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
    """Who has this database now; None: nobody. Needs to read the lock file, not to write it.

    Looking takes a shared lock for some microseconds, which who wants the exclusive one waits for. Raises OSError where
    it cannot be told: the file may not be read, and the kernel's list of locks does not name it.
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
    """What a holder wrote; whatever is not as it should be is left out."""
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
