"""What a process remembers of its database outside of it."""

from __future__ import annotations

from typing import Protocol

from sensorlogd.daemon.writing.recovery.locks import Held


class Remembered(Held, Protocol):
    """What outlives the process beside the database, in its lock file (``daemon.main.process.lock.DatabaseLock``)."""

    lost: int  # readings that a run without any room could store nowhere
    was_opened: bool  # a database was open here once
    believed: dict[str, str]  # the time believed last, as ``believed_time.to_store`` gave it

    def forget_lost(self) -> None: ...
    def note_opened(self) -> None: ...
    def note_time(self, believed: dict[str, str]) -> None: ...
