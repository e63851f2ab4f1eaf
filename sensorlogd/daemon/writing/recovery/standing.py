"""How the writer stands: the state that ``status`` shows, and the events and log lines that tell of its changes."""

from __future__ import annotations

import logging
from collections.abc import Callable

from sensorlogd.daemon.writing.intake.notices import Notices
from sensorlogd.daemon.writing.recovery.failures import Verdict
from sensorlogd.daemon.writing.totals import Totals, WriterState
from sensorlogd.event_kinds import EventKind

logger = logging.getLogger(__name__)

MAX_LOGGED_REASONS = 5  # that are logged of one blocking: some hold a number that changes


class Standing:
    """Changes the state of the writer, and tells of it. Owned by the writer thread."""

    def __init__(self, totals: Totals, notices: Notices, now_us: Callable[[], int]) -> None:
        self._totals = totals
        self._notices = notices
        self._now_us = now_us
        self._logged: set[str] = set()  # why it is blocked, as logged since it is

    def move(self, state: WriterState, reason: str) -> None:
        """Into a state that ``status`` shows."""
        before = self._totals.state
        if self._totals.move(state, reason, self._now_us()):
            logger.info("writer: %s -> %s %s", before.value, state.value, reason)
            self._notices.status_changed()

    def block(self, what: str, verdict: Verdict) -> None:
        """``what`` was refused, so readings are held. The first time is an event; each new reason is logged."""
        begins = self._totals.state is not WriterState.BLOCKED
        if begins:
            self._logged.clear()
        if verdict.reason not in self._logged and len(self._logged) < MAX_LOGGED_REASONS:
            self._logged.add(verdict.reason)
            logger.error("database: %s: %s; readings are held in memory and it is tried again", what, verdict.reason)
        if begins:
            self._notices.emit(verdict.event, None, verdict.reason)
        self.move(WriterState.BLOCKED, verdict.reason)

    def write(self, after_s: float) -> None:
        """The database accepts writes; ``after_s``: since its first refusal, if it was blocked."""
        if self._totals.state is WriterState.BLOCKED:
            logger.warning("database: accepts writes again after %.1f s", after_s)
            self._notices.emit(EventKind.RECOVERED, None, f"the database accepts writes again after {after_s:.1f} s")
        self.move(WriterState.WRITING, "")
