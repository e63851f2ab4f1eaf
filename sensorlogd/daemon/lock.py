"""One daemon per data directory: an flock that the kernel releases whatever way the process ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path
from types import TracebackType

NAME = "sensorlogd.lock"


class LockHeld(Exception):
    """Another process has the data directory. ``pid`` is 0 if it did not leave its number."""

    def __init__(self, directory: Path, pid: int) -> None:
        who = f"by the sensorlogd with pid {pid}" if pid else "by another process"
        super().__init__(f"{directory} is in use {who}; stop it first, or give this one a data_dir of its own")
        self.pid = pid


class DataDirLock:
    """A context manager. Raises LockHeld, or OSError when the file cannot be made.

    The lock goes with the process, however it ends; a file left behind means nothing. Children do not inherit it.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._descriptor = -1

    def acquire(self) -> None:
        descriptor = os.open(self.directory / NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            text = os.pread(descriptor, 32, 0)
            os.close(descriptor)
            raise LockHeld(self.directory, int(text) if text.strip().isdigit() else 0) from None  # empty: taken just now
        except OSError:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        with contextlib.suppress(OSError):  # a full disk: the number is for people, the lock is the flock
            os.ftruncate(descriptor, 0)
            os.write(descriptor, f"{os.getpid()}\n".encode())

    def release(self) -> None:
        """The file stays: removing it would let two processes lock two files of one name."""
        if self._descriptor >= 0:
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> DataDirLock:
        self.acquire()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.release()
