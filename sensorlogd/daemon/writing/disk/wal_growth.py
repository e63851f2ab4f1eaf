"""A write-ahead log that grows: somebody reads for so long that it cannot be copied into the file. An event says
so, and names who reads."""

from __future__ import annotations

import time
from typing import Any

from sensorlogd.event_kinds import Emit, EventKind
from sensorlogd.notation.durations import format_size
from sensorlogd.storage.file.opened_file import CHECKPOINT_FRAMES
from sensorlogd.storage.file.wal_watch import holders
from sensorlogd.storage.open_database import OpenDatabase

CHECK_EVERY_S = 5.0
REPORT_FROM_FRAMES = 2 * CHECKPOINT_FRAMES  # longer than at any checkpoint that succeeds


class WalGrowth:
    """Watches how long the write-ahead log is. Owned by the writer thread; ``facts`` may be asked by any."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._check_at = 0.0
        self._reported = False
        self._facts: dict[str, Any] = {"wal_bytes": 0, "wal_held_by": ""}

    def facts(self) -> dict[str, Any]:
        """``wal_bytes``, and ``wal_held_by``: who reads for too long, if that is known; else empty."""
        return self._facts

    def check(self, db: OpenDatabase) -> None:
        """Every few seconds. Raises nothing of the database's."""
        now = time.monotonic()
        if now < self._check_at:
            return
        self._check_at = now + CHECK_EVERY_S
        held = db.wal_is_held and db.wal.frames() >= REPORT_FROM_FRAMES
        who = _name_holders(db) if held else ""
        size = db.wal.file_bytes()
        self._facts = {"wal_bytes": size, "wal_held_by": who}
        if held and not self._reported:
            self._emit(
                EventKind.WAL_HELD,
                None,
                f"the write-ahead log has grown to {format_size(size)}: {who} reads for so long that it cannot be copied into the"
                " file; it shrinks when that ends",
            )
        if self._reported and not held:
            self._emit(EventKind.WAL_RELEASED, None, f"nobody holds the write-ahead log any more; it has {format_size(size)}")
        self._reported = held


def _name_holders(db: OpenDatabase) -> str:
    found = [f"pid {pid} ({command})" for pid, command in holders(db.path)]
    return ", ".join(found) or "a program of another user"
