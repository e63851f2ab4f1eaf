"""Takes what the parts of the writer report: events, to be stored with the next commit, and that the status tables are out of
date."""

from __future__ import annotations

import threading
from collections.abc import Callable

from sensorlogd.daemon.writing.intake.events import Event, EventQueue
from sensorlogd.event_kinds import Kind


class Notices:
    """What other threads report to the writer. Any thread may report; only the writer calls ``take_status``."""

    def __init__(self, now_us: Callable[[], int], note: Callable[[Event], None]) -> None:
        """``note``: called with each event, on the thread that reports it."""
        self.events = EventQueue(note=note)
        self._now_us = now_us
        self._status_now = threading.Event()

    def emit(self, kind: Kind, sensor: str | None, detail: str) -> None:
        """Record an event of this moment with the next commit. Never blocks."""
        self.put(Event(self._now_us(), kind, sensor, detail))

    def put(self, event: Event) -> None:
        """As ``emit``, with its own time."""
        self.events.put(event)
        self._status_now.set()

    def status_changed(self) -> None:
        """Ask for the status tables to be written with the next commit."""
        self._status_now.set()

    def take_status(self) -> bool:
        """Whether the status tables are to be written; the caller writes them, or calls ``status_changed`` again."""
        if not self._status_now.is_set():
            return False  # not cleared: what another thread asks for at this moment stays
        self._status_now.clear()
        return True
