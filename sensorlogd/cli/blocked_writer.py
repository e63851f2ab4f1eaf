"""Ends a verb that does the daemon's work if the database takes nothing, instead of waiting for ever."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any

BLOCKED_FOR_S = 5.0
CHECK_EVERY_S = 0.2


class BlockedWriterLimit:
    """A context manager: ends the process with status 1 once the offline writer has been blocked for too long.

    Some waits for the writer have no limit (opening, a step, closing), so a separate thread watches it. Ending the process is as
    safe as any kill: what was committed stays, the rest is lost.
    """

    def __init__(self, path: Path, offline: Any, blocked_for_s: float = BLOCKED_FOR_S) -> None:
        self._path = path
        self._offline = offline
        self._blocked_for_s = blocked_for_s
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="blocked-writer", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        """The thread that ends the process when the writer has been blocked for too long without a pause."""
        since: float | None = None
        while not self._over.wait(CHECK_EVERY_S):
            reason = blocked_because(self._offline)
            if reason is None:
                since = None
            elif since is None:
                since = time.monotonic()
            elif time.monotonic() - since > self._blocked_for_s:
                print(f"sensorlogd: {self._path}: the database takes nothing: {reason}; given up", file=sys.stderr, flush=True)
                os._exit(1)


def blocked_because(offline: Any) -> str | None:
    """Why the writer cannot write; None if it can, or does not run yet."""
    writer = getattr(offline, "writer", None)
    if writer is None:
        return None
    stats = writer.stats()
    if stats.state.value == "blocked" or (stats.state.value == "opening" and stats.state_reason):
        return str(stats.state_reason or "no reason was given")
    return None
