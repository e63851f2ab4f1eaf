"""A look at what passes over a port, without being in its way: a bounded ring that fills only while somebody looks.

``offer`` is called by the port's threads for every burst; while nobody looks it adds up a length. Whoever looks asks again
and again with ``since``. Places in the stream are counted in bytes, so that each of several who look learns what it missed.
"""

from __future__ import annotations

import threading
import time
from collections import deque

MAX_HELD_BYTES = 256_000
LOOKING_S = 5.0  # after the last question nobody looks any more

Passed = tuple[int, str, bytes]  # time in µs UTC, "rx" or "tx", the bytes


class Tap:
    """The ring of one port."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._until = 0.0
        self._ring: deque[Passed] = deque()
        self._held = 0
        self._passed = 0  # bytes so far; the ring holds the last ``_held`` of them

    def offer(self, now_us: int, data: bytes, direction: str = "rx") -> None:
        """Something passed (any of the port's threads)."""
        with self._lock:
            self._passed += len(data)
            if time.monotonic() > self._until:
                self._ring.clear()
                self._held = 0
                return
            self._ring.append((now_us, direction, data))
            self._held += len(data)
            while self._held > MAX_HELD_BYTES and len(self._ring) > 1:
                self._held -= len(self._ring.popleft()[2])

    def since(self, place: int | None) -> tuple[int, int, list[Passed]]:
        """(place to ask with next, bytes missed since ``place``, what passed from there on). None: begin here."""
        with self._lock:
            self._until = time.monotonic() + LOOKING_S
            if place is None:
                return self._passed, 0, []
            position = self._passed - self._held
            missed = max(position - place, 0)
            new = []
            for entry in self._ring:
                if position >= place:
                    new.append(entry)
                position += len(entry[2])
            return self._passed, missed, new

    def held(self) -> int:
        """Bytes in the ring."""
        return self._held
