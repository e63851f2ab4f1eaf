"""A look at what passes over a port, without being in its way: a bounded ring that fills only while somebody looks.

``offer`` is called by the reader's thread for every burst; while nobody looks it costs one comparison. Whoever looks asks
again and again with ``since``; what did not fit meanwhile is counted.
"""

from __future__ import annotations

import threading
import time
from collections import deque

LIMIT_BYTES = 256_000
LOOKING_S = 5.0  # after the last question nobody looks any more

Passed = tuple[int, str, bytes]  # time in µs UTC, "rx" or "tx", the bytes


class Tap:
    """One port's."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._until = 0.0
        self._ring: deque[Passed] = deque()
        self._held = 0
        self._first = 0  # number of the oldest entry in the ring
        self._dropped = 0

    def offer(self, now_us: int, data: bytes, direction: str = "rx") -> None:
        """Something passed (the port's thread)."""
        if not self._until or not data:
            return
        if time.monotonic() > self._until:
            self._forget()
            return
        with self._lock:
            self._ring.append((now_us, direction, data))
            self._held += len(data)
            while self._held > LIMIT_BYTES and len(self._ring) > 1:
                lost = len(self._ring.popleft()[2])
                self._held -= lost
                self._dropped += lost
                self._first += 1

    def since(self, number: int) -> tuple[int, int, list[Passed]]:
        """(number to ask with next, bytes dropped in all, what passed from ``number`` on)."""
        with self._lock:
            self._until = time.monotonic() + LOOKING_S
            skip = min(max(number - self._first, 0), len(self._ring))
            new = list(self._ring)[skip:]
            for _ in range(skip):  # seen: room for what comes
                self._held -= len(self._ring.popleft()[2])
            self._first += skip
            return self._first + len(new), self._dropped, new

    def _forget(self) -> None:
        with self._lock:
            self._until = 0.0
            self._first += len(self._ring)
            self._ring.clear()
            self._held = 0
