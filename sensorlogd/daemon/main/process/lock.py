"""One daemon per data directory and one writer per database: flocks, which the kernel releases however the process ends. A
program that only wants to know the holder calls ``storage.file.holder``, which also documents the content of the lock file.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from sensorlogd.storage import meta
from sensorlogd.storage.file.holder import CONTENT_MAX, Holder, LockHeld, holder, lock_path, parse, render
from sensorlogd.storage.file.identity import file_identity

__all__ = ["NAME", "DataDirLock", "DatabaseLock", "Holder", "LockHeld", "holder", "lock_path"]

NAME = "sensorlogd.lock"
PATIENCE_S = 1.0  # retries, because each program that looks holds a shared lock for some microseconds
RETRY_S = 0.005

# What the lock file of a database remembers, overwritten in place (``DatabaseLock``):
#
#     byte 0        LOST_AT                     OPENED_AT      TIME_AT
#     who holds it  "lost " and 20 digits       " opened\n"    "time BELIEVED_US BOOT", filled with line ends
#     (holder.py)   LOST_BYTES                  OPENED_BYTES   TIME_BYTES
#
# A file of an older release ends sooner: what it lacks is not known.
LOST_AT = 4_000  # after the longest path of a control socket, and in the first page of the file
_LOST = b"lost "
_LOST_DIGITS = 20
LOST_BYTES = len(_LOST) + _LOST_DIGITS
_OPENED = b" opened\n"
OPENED_AT = LOST_AT + LOST_BYTES
OPENED_BYTES = len(_OPENED)
TIME_AT = OPENED_AT + OPENED_BYTES
TIME_BYTES = 120


class _Lock:
    """A lock file, and a context manager that holds it. Raises LockHeld, or OSError when the file cannot be made.

    The lock goes with the process, however it ends; a file left behind means nothing. Children do not inherit it.
    """

    def __init__(self, guarded: Path, instead: str, control: Path | None = None) -> None:
        self._guarded = guarded
        self._instead = instead
        self._control = control
        self._descriptor = -1

    def _path(self) -> Path:
        raise NotImplementedError

    def acquire(self) -> None:
        """Take the lock, and write who holds it. Raises LockHeld, OSError."""
        path = self._path()
        give_up = time.monotonic() + PATIENCE_S
        descriptor = self._try_to_lock(path)
        while descriptor < 0:
            if time.monotonic() > give_up:
                raise LockHeld(self._guarded, 0, self._instead)
            time.sleep(RETRY_S)
            descriptor = self._try_to_lock(path)
        self._descriptor = descriptor
        with contextlib.suppress(OSError):  # a full disk: the number is for people, the lock is the flock
            self._write_holder(descriptor)

    def hold(self) -> bool:
        """See to it that the lock is on the file that has the name now: removed with its folder, the locked one guards nothing,
        and another process may have locked a new one. Whether it was another. Raises LockHeld, OSError; then all is as before.
        """
        former = self._descriptor
        if former < 0 or _is_file_of(former, self._path()):
            return False
        self.acquire()
        os.close(former)
        return True

    def _write_holder(self, descriptor: int) -> None:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, render(Holder(os.getpid(), self._control)), 0)

    def _wipe_holder(self, descriptor: int) -> None:
        os.ftruncate(descriptor, 0)

    def _try_to_lock(self, path: Path) -> int:
        """A descriptor that holds the lock; -1 if a program is looking at the file this moment. Raises LockHeld."""
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            if _flocked(descriptor, fcntl.LOCK_EX):
                if _is_file_of(descriptor, path):
                    kept, descriptor = descriptor, -1
                    return kept
            elif not _flocked(descriptor, fcntl.LOCK_SH):
                raise LockHeld(self._guarded, parse(os.pread(descriptor, CONTENT_MAX, 0)).pid, self._instead)
            return -1
        finally:
            if descriptor >= 0:
                os.close(descriptor)

    def release(self) -> None:
        """The file stays: removing it would let two processes lock two files of one name. Idempotent."""
        if self._descriptor >= 0:
            with contextlib.suppress(OSError):
                self._wipe_holder(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.release()


class DataDirLock(_Lock):
    """A data directory has one daemon: its control socket and last-good.yaml live there."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory, "give this one a data_dir of its own")

    def _path(self) -> Path:
        return self._guarded / NAME


class DatabaseLock(_Lock):
    """A database has one writer, whichever data directory or link it is reached by.

    ``control``: where whoever wants something of the holder finds it; None: it does not listen.

    The file also keeps the one number that must outlive a disk without any room: how many readings could be stored
    nowhere. It stands at ``LOST_AT`` (see the drawing above), in room that is taken when the lock is, and is
    overwritten in place. Behind it stands whether a database was ever open here: then one that is empty or not there
    has gone, it was not begun yet. And the time that was believed last (see ``daemon.timekeeping.believed_time``): a
    database that is begun anew in place of a damaged one does not know it, and a start with a wrong clock would expire what
    comes back."""

    def __init__(self, database: Path, control: Path | None) -> None:
        super().__init__(database, "name another database", control if control is None else control.absolute())
        self.lost = 0  # readings; of earlier runs too, until somebody has stored the number and said ``forget_lost``
        self.was_opened = False
        self.believed: dict[str, str] = {}  # as ``believed_time.to_store`` gave it; empty: nothing is known

    def note_lost(self, readings: int) -> None:
        """Add to the number of readings that could be stored nowhere. Raises nothing: at this point only stderr is left to report
        to."""
        self.lost += readings
        with contextlib.suppress(OSError):
            os.pwrite(self._descriptor, self._lost_text(), LOST_AT)

    def forget_lost(self) -> None:
        """Set the number to 0, after it was stored in the database."""
        if self.lost:
            self.lost = 0
            self.note_lost(0)

    def note_opened(self) -> None:
        """Note that a database was open here. Raises nothing."""
        if not self.was_opened:
            self.was_opened = True
            with contextlib.suppress(OSError):
                os.pwrite(self._descriptor, _OPENED, OPENED_AT)

    def note_time(self, believed: dict[str, str]) -> None:
        """What ``believed_time.to_store`` gives; empty: nothing is believed now, what was noted stays. Raises nothing."""
        if believed:
            self.believed = dict(believed)
            with contextlib.suppress(OSError):
                os.pwrite(self._descriptor, self._time_line(), TIME_AT)

    def _lost_text(self) -> bytes:
        return _LOST + str(self.lost).zfill(_LOST_DIGITS).encode()

    def _time_line(self) -> bytes:
        if not self.believed:
            return b""
        return f"time {self.believed[meta.BELIEVED_US]} {self.believed[meta.BELIEVED_BOOT]}".encode().ljust(TIME_BYTES, b"\n")

    def _path(self) -> Path:
        return lock_path(self._guarded)

    def hold(self) -> bool:
        """As above; what was remembered is noted in the new file, too."""
        lost, was_opened, believed = self.lost, self.was_opened, self.believed
        if not super().hold():
            return False
        self.lost, self.was_opened, self.believed = max(lost, self.lost), was_opened or self.was_opened, believed or self.believed
        with contextlib.suppress(OSError):
            self._note_all(self._descriptor)
        return True

    def _write_holder(self, descriptor: int) -> None:
        lost = os.pread(descriptor, LOST_BYTES, LOST_AT)
        if lost.startswith(_LOST) and lost.removeprefix(_LOST).isdigit():
            self.lost = int(lost.removeprefix(_LOST))
        self.was_opened = os.pread(descriptor, OPENED_BYTES, OPENED_AT) == _OPENED
        self.believed = _parse_time(os.pread(descriptor, TIME_BYTES, TIME_AT))
        self._note_all(descriptor)

    def _note_all(self, descriptor: int) -> None:
        content = render(Holder(os.getpid(), self._control))
        tail = self._lost_text() + (_OPENED + self._time_line() if self.was_opened else b"")
        os.pwrite(descriptor, content.ljust(LOST_AT, b"\n") + tail, 0)

    def _wipe_holder(self, descriptor: int) -> None:
        os.pwrite(descriptor, b"\n" * LOST_AT, 0)


def _parse_time(text: bytes) -> dict[str, str]:
    word, _, rest = text.decode("ascii", "replace").rstrip("\n").partition(" ")
    believed_us, _, boot = rest.partition(" ")
    sensible = word == "time" and believed_us.isdecimal() and len(believed_us) <= 16  # microseconds, until 2286
    return {meta.BELIEVED_US: believed_us, meta.BELIEVED_BOOT: boot} if sensible else {}


def _flocked(descriptor: int, how: int) -> bool:
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_file_of(descriptor: int, path: Path) -> bool:
    """Whether the file of that name is still the one that was opened; else the lock would guard nothing."""
    try:
        return file_identity(path) == file_identity(descriptor)
    except FileNotFoundError:
        return False
