"""Parts of the daemon that may fail to start. A failure costs that part only, is reported once, and the start is tried again."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from sensorlogd.daemon.backoff import Backoff
from sensorlogd.event_kinds import Emit, EventKind

logger = logging.getLogger(__name__)


class Startables:
    """The parts, by name. ``missing``: part -> why it has not started. For the main thread."""

    def __init__(self, emit: Emit, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.missing: dict[str, str] = {}
        self._emit = emit
        self._monotonic = monotonic
        self._starts: dict[str, Callable[[], None]] = {}
        self._again: dict[str, float] = {}
        self._pauses: dict[str, Backoff] = {}

    def start(self, name: str, start: Callable[[], None]) -> None:
        """Call ``start`` now, and again later as long as it raises OSError or RuntimeError (no descriptor, no memory, no
        thread)."""
        self._starts[name] = start
        self._try_to_start(name)

    def forget(self, name: str) -> None:
        """Do not try to start ``name`` any more."""
        for known in (self._starts, self._again, self._pauses, self.missing):
            known.pop(name, None)

    def tick(self) -> None:
        """Try again to start the parts that are due."""
        now = self._monotonic()
        for name in [name for name, due_at in self._again.items() if now >= due_at]:
            self._try_to_start(name)

    def _try_to_start(self, name: str) -> None:
        """Start a part, or note why it does not start and when it is tried again. Each new reason is an event, and a late
        success."""
        try:
            self._starts[name]()
        except (OSError, RuntimeError) as error:
            reason = str(error)
            if self.missing.get(name) != reason:
                logger.error("%s cannot start: %s; everything else goes on, and it is tried again", name, reason)
                self._emit(EventKind.PART_FAILED, None, f"{name} cannot start: {reason}; it is tried again")
            self.missing[name] = reason
            pause = self._pauses.setdefault(name, Backoff(first_s=0.5, quick_s=2.0, quick_for=5, cap_s=60.0))
            self._again[name] = self._monotonic() + pause.next_s()
            return
        if name in self.missing:
            logger.warning("%s has started", name)
            self._emit(EventKind.PART_STARTED, None, f"{name} has started")
        for known in (self._again, self._pauses, self.missing):
            known.pop(name, None)
