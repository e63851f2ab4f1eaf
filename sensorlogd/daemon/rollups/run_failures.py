"""What has gone wrong with roll-ups since a run last succeeded."""

from __future__ import annotations

import logging

from sensorlogd.daemon.backoff import Backoff
from sensorlogd.event_kinds import Emit, EventKind

logger = logging.getLogger(__name__)


class RunFailures:
    """What has failed since a run last succeeded. ``last_error``: empty if nothing has. ``emit``: records an event."""

    def __init__(self, emit: Emit, backoff: Backoff) -> None:
        self.last_error = ""
        self._emit = emit
        self._backoff = backoff
        self._damage_seen_on: int | None = None

    def report(self, reason: str) -> None:
        """Log and record each reason once, until a run succeeds."""
        if reason != self.last_error:
            logger.error("aggregator: %s; roll-ups are tried again at their next turn", reason)
            self._emit(EventKind.AGGREGATOR_FAILED, None, reason)
        self.last_error = reason

    def pause_s(self) -> float:
        """Seconds to wait now; longer each time."""
        return self._backoff.next_s()

    def over(self) -> None:
        """A run succeeded."""
        self.last_error = ""
        self._backoff.reset()

    def is_damage(self, opening: int | None) -> bool:
        """Note that damage was found on this opening of the database. Returns True at the second time, which is no accident any
        more."""
        again = opening is not None and opening == self._damage_seen_on
        self._damage_seen_on = opening
        return again
