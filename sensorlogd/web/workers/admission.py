"""Who may ask: what the query threads and the worker processes have in common, whatever answers the question."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from sensorlogd.web.refusal import ApiError

MAX_WAITING_PER_PLACE = 16
MAX_WAIT_S = 15.0  # whoever asked longer ago has given up


class Admission:
    """Counts the questions that wait or are being answered, and refuses those that are too many. ``places``: how many can be answered
    at a time. ``retry_after_s``: when those who are too many may try again. ``admitted`` is for the thread of the event loop."""

    def __init__(self, places: int, retry_after_s: int) -> None:
        self.retry_after_s = retry_after_s
        self.refused = 0
        self.timeouts = 0  # questions that were ended because they took too long
        self._max_pending = places * (1 + MAX_WAITING_PER_PLACE)
        self._pending = 0

    @contextmanager
    def admitted(self, *, patient: bool, closed: bool) -> Generator[None, None, None]:
        """Count a question for as long as it lasts. ``patient``: it is never too many. Raises ApiError 503."""
        if closed:
            raise ending()
        if self._pending >= self._max_pending and not patient:
            raise self.busy()
        self._pending += 1
        try:
            yield
        finally:
            self._pending -= 1

    def busy(self) -> ApiError:
        """Count a refused question, and return the error for it."""
        self.refused += 1
        return ApiError(
            503,
            "busy",
            "too many questions are waiting for an answer",
            hint="try again",
            headers={"Retry-After": str(self.retry_after_s)},
        )


def ending() -> ApiError:
    """The error for a question that comes or is cut off while the server ends."""
    return ApiError(503, "ending", "the server is ending", hint="try again", headers={"Retry-After": "10"})
