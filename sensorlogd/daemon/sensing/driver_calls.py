"""Calls of a driver are watched, so that one that does not return is reported: once, and again when it has returned."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from sensorlogd.daemon.timekeeping.clock import Clock
from sensorlogd.event_kinds import EventKind

T = TypeVar("T")

HUNG_US = 30_000_000  # a driver that does not return for this long (and for a heartbeat) is shown as stale


class DriverCalls:
    """``report(kind, detail)``: called, on the thread that noticed, for a call that hangs and for one that has returned after
    that. It must not block."""

    def __init__(self, clock: Clock, heartbeat_us: int, report: Callable[[EventKind, str], None]) -> None:
        self._clock = clock
        self._hung_after_us = max(HUNG_US, heartbeat_us)
        self._report = report
        self._lock = threading.Lock()  # guards the two below, together with what is reported of them
        self._inside: tuple[str, int] | None = None  # which call, since when (monotonic); replaced whole, so read without a lock
        self._reported = False

    def run(self, call: str, method: Callable[[], T]) -> T:
        """Call ``method``, which is the driver's ``call``. The sensor's thread only. Raises what it raises."""
        self._inside = (call, self._clock.monotonic_us())
        try:
            return method()
        finally:
            with self._lock:
                self._inside = None
                if self._reported:
                    self._reported = False
                    self._report(EventKind.RETURNED, "the driver has returned")

    def overdue(self) -> tuple[str, int] | None:
        """(what to say, for how many microseconds), if the driver should have returned long ago. Any thread."""
        inside = self._inside
        if inside is None:
            return None
        call, since_us = inside
        for_us = self._clock.monotonic_us() - since_us
        return (f"the driver does not return from {call}()", for_us) if for_us > self._hung_after_us else None

    def report_overdue(self) -> None:
        """Report, once, a driver that does not return. Called now and then on another thread."""
        with self._lock:  # else it may return in between, and nothing would say so
            overdue = self.overdue()
            if overdue is not None and not self._reported:
                self._reported = True
                self._report(EventKind.STALE, overdue[0])
