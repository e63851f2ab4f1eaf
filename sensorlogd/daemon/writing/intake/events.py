"""A bounded queue of events on their way to the database: any thread may add one, the writer stores them with its commits."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from sensorlogd.event_kinds import EventKind, Kind
from sensorlogd.notation.plurals import plural

MAX_EVENTS = 10_000


class Event(NamedTuple):
    """Something that happened, on its way to the database. ``ts_us``: when it happened."""

    ts_us: int
    kind: Kind
    sensor: str | None
    detail: str


class EventQueue:
    """The events that wait for a commit. When the queue is full the newest events are dropped, because the first ones show the
    cause; how many is recorded as an event, too."""

    def __init__(self, limit: int = MAX_EVENTS, note: Callable[[Event], None] = lambda event: None) -> None:
        """``note``: called with each event, on the thread that adds it."""
        self._note = note
        self._most = limit
        self._lock = threading.Lock()
        self._events: deque[Event] = deque()
        self._withheld = 0

    def put(self, event: Event) -> None:
        self._note(event)
        with self._lock:
            if len(self._events) < self._most:
                self._events.append(event)
            else:
                self._withheld += 1

    def put_first(self, event: Event) -> None:
        """Put an event before all that wait, because it happened earlier."""
        self._note(event)
        with self._lock:
            self._events.appendleft(event)

    def waiting(self, now_us: int, correction_us: Callable[[int], int] = lambda ts_us: 0) -> list[Event]:
        """All that is to be stored now; they stay until ``note_stored``. If events were dropped, one that says how many
        joins the queue first, and the count begins anew. ``correction_us``: what to add to a time that was stamped
        before it was known what to believe of the clock."""
        with self._lock:
            if self._withheld and len(self._events) <= self._most:
                detail = (
                    f"{self._withheld} {plural(self._withheld, 'event was', 'events were')}"
                    " too many to keep while the database accepted none"
                )
                self._events.append(Event(now_us, EventKind.EVENTS_DROPPED, None, detail))
                self._withheld = 0
            return [event._replace(ts_us=event.ts_us + correction_us(event.ts_us)) for event in self._events]

    def note_stored(self, count: int) -> None:
        """The first ``count`` are in the database."""
        with self._lock:
            for _ in range(count):
                self._events.popleft()

    def __len__(self) -> int:
        return len(self._events)
