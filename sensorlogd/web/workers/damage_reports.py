"""Log lines of the web process on damage of the database."""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path

logger = logging.getLogger(__name__)

SAME_MESSAGE_EVERY_S = 60.0


class DamageReports:
    """Writes log lines on what is wrong with the database; the same message at most once a minute, because open pages ask every few
    seconds. Any thread may call it."""

    def __init__(self, database: Path) -> None:
        self.database = database
        self._last_message, self._again_at = "", 0.0
        self._lock = threading.Lock()

    def __call__(self, message: str) -> None:
        now = time.monotonic()
        with self._lock:
            if message == self._last_message and now < self._again_at:
                return
            self._last_message, self._again_at = message, now + SAME_MESSAGE_EVERY_S
        logger.warning("%s: %s", self.database, message)
