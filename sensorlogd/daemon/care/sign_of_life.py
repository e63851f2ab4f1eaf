"""Sends a sign of life (``heartbeat:``) to a monitor elsewhere, on a schedule. Only if readings were committed since
the last one, because a daemon that runs and stores none, as when all sensors are dead, is not well.

Events: ``heartbeat_failing``, ``heartbeat_recovered``.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from sensorlogd.alarms.notifying.targets import SendError, fetch
from sensorlogd.config.care import HeartbeatOptions
from sensorlogd.event_kinds import Emit, EventKind

logger = logging.getLogger(__name__)

WITHIN_S = 10.0


class SignOfLife:
    """Sends the signs of life that are due. For one thread. ``committed``: the number of readings committed so far;
    None while the database takes none."""

    def __init__(self, committed: Callable[[], int | None], emit: Emit) -> None:
        self._committed = committed
        self._emit = emit
        self._options = HeartbeatOptions()
        self._due_at = 0.0  # monotonic
        self._reported = 0  # readings
        self._fails = False

    def use(self, options: HeartbeatOptions) -> None:
        """Send it as ``options`` say from now on, the first one at once."""
        self._options = options
        self._due_at = 0.0

    def tick(self) -> None:
        """Send the sign of life if it is due and readings were committed since the last one. That it fails, and that it succeeds
        again, is an event. Called about every second; takes WITHIN_S at most."""
        if not (self._options.url or self._options.url_file) or time.monotonic() < self._due_at:
            return
        committed = self._committed()
        if committed is None or committed == self._reported:
            return
        self._due_at = time.monotonic() + self._options.every / 1e6
        try:
            fetch(self._options.url, self._options.url_file, WITHIN_S)
        except SendError as error:
            if not self._fails:
                logger.warning("heartbeat: %s; it is tried again", error)
                self._emit(EventKind.HEARTBEAT_FAILING, None, f"{error}; it is tried again")
            self._fails = True
            return
        self._reported = committed
        if self._fails:
            self._fails = False
            self._emit(EventKind.HEARTBEAT_RECOVERED, None, "the monitor is reached again")
