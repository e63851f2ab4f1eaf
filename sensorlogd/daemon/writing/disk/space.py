"""How much room the disk has. Checked every few seconds, because a full disk harms every program on the machine."""

from __future__ import annotations

import os
import time
from pathlib import Path

from sensorlogd.daemon.writing.recovery.failures import LowSpace

CHECK_EVERY_S = 5.0
RESERVE = 8_000_000  # bytes that work which lets the file grow leaves free above min_free, for readings


class Space:
    """The room on the disk that holds ``database``. ``min_free`` 0: never too little."""

    def __init__(self, database: Path, min_free: int) -> None:
        self.folder = Path(os.path.realpath(database)).parent  # where SQLite writes, whatever link leads there
        self.min_free = min_free
        self._check_at = 0.0

    def free(self) -> int | None:
        """Bytes; None if the disk does not tell."""
        try:
            found = os.statvfs(self.folder)
        except OSError:
            return None
        return found.f_bavail * found.f_frsize

    def check(self) -> None:
        """Raises LowSpace. Every few seconds; while there is too little, at each call."""
        now = time.monotonic()
        if not self.min_free or now < self._check_at:
            return
        free = self.free()
        if free is not None and free < self.min_free:
            self._check_at = 0.0
            raise LowSpace(self.folder, free, self.min_free)
        self._check_at = now + CHECK_EVERY_S

    def made_room(self) -> None:
        """The file has free pages inside: it need not grow for a while."""
        self._check_at = time.monotonic() + CHECK_EVERY_S

    def allows_growth(self) -> bool:
        """Whether work that lets the file grow may go on."""
        free = self.free()
        return free is None or free >= self._needed_to_grow()

    def too_little(self) -> str:
        """Why work that makes the file larger has to wait, for people."""
        return f"{self.free() or 0:,} bytes of disk are free, and it needs {self._needed_to_grow():,}"

    def _needed_to_grow(self) -> int:
        return self.min_free + max(RESERVE if self.min_free else RESERVE // 8, self.min_free // 20)
