"""The locks of the database and of the data directory while the database is open: their files may be removed."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Protocol

from sensorlogd.storage.file.holder import LockHeld


class Held(Protocol):
    """A lock on a file that somebody may remove (``daemon.main.process.lock``)."""

    def hold(self) -> bool: ...  # the lock is on the file that has the name now; True: on another than before. LockHeld, OSError


class HeldLocks:
    """The lock of the database at ``path`` and that of the data directory, if this process has one (``folder``)."""

    def __init__(self, path: Path, database: Held, folder: Held | None) -> None:
        self._path = path
        self._database = database
        self._folder = folder
        self._reported = ""  # who has the data directory, as it was reported last

    def hold(self) -> list[str]:
        """Take the locks anew whose files were removed. Returns what to report of it.

        Raises LockHeld if another process has the lock of the database by now: then only that may write. One that has the data
        directory, for another database, is reported once and hinders nothing. A file that cannot be made is tried again.
        """
        found = []
        with contextlib.suppress(OSError):
            if self._database.hold():
                found.append(f"the lock file of {self._path} was removed; it is locked anew")
        try:
            with contextlib.suppress(OSError):
                if self._folder is not None and self._folder.hold():
                    found.append("the lock file of the data directory was removed; it is locked anew")
            self._reported = ""
        except LockHeld as error:
            if str(error) != self._reported:
                found.append(f"the lock file of the data directory was removed: {error}")
            self._reported = str(error)
        return found
