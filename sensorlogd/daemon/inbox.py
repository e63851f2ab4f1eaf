"""The bounded queue between the reader threads and the writer.

Bounded by readings, and thereby in memory. A reader that finds it full waits a moment; if the writer still has not
taken anything, the oldest readings are dropped, counted by sensor. A closed inbox refuses a late hand-over instead of
losing it in silence.
"""

from __future__ import annotations

import threading
import time
from collections import deque

from sensorlogd.batch import Block


class Inbox:
    """``limit``: readings held at most (one hand-over larger than that is still taken whole)."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.closed = False
        self._blocks: deque[Block] = deque()
        self._rows = 0
        self._dropped: dict[str, int] = {}
        self._wanted = 1  # rows the writer waits for
        self._woken = False
        lock = threading.Lock()
        self._filled = threading.Condition(lock)
        self._room = threading.Condition(lock)

    @property
    def depth(self) -> int:
        """Readings waiting now."""
        return self._rows

    def put(self, block: Block, timeout_s: float = 0.5, *, drop: bool = True) -> bool:
        """Hand over. Waits up to ``timeout_s`` for room, then drops the oldest. False: nothing was taken, because the
        inbox is closed or, with ``drop=False``, still full.
        """
        with self._filled:
            if self._rows + block.rows > self.limit and self._rows and not self.closed:
                self._room.wait_for(lambda: self.closed or not self._rows or self._rows + block.rows <= self.limit, timeout_s)
            if self.closed:
                return False
            while self._rows and self._rows + block.rows > self.limit:
                if not drop:
                    return False
                self._drop_oldest()
            self._blocks.append(block)
            self._rows += block.rows
            if self._rows >= self._wanted or not block.rows:
                self._filled.notify()
            return True

    def _drop_oldest(self) -> None:
        block = self._blocks.popleft()
        self._rows -= block.rows
        if block.rows:
            self._dropped[block.sensor] = self._dropped.get(block.sensor, 0) + block.rows

    def get_all(self, max_rows: int, timeout_s: float, min_rows: int = 1) -> list[Block]:
        """Blocks in order, about ``max_rows`` readings, once ``min_rows`` are there or the time has passed.

        Returns early, with whatever is there, when woken, closed, or asked for by a block without readings.
        """
        taken: list[Block] = []
        with self._filled:
            if timeout_s > 0 and self._rows < min_rows:
                self._wanted = min_rows
                self._filled.wait_for(self._ready, timeout_s)
                self._wanted = 1
            self._woken = False
            rows = 0
            while self._blocks and (rows < max_rows):
                block = self._blocks.popleft()
                rows += block.rows
                taken.append(block)
            self._rows -= rows
            if taken:
                self._room.notify_all()
        return taken

    def _ready(self) -> bool:
        return self._woken or self.closed or self._rows >= self._wanted or any(not block.rows for block in self._blocks)

    def wait(self, timeout_s: float) -> None:
        """Sleep until woken or closed; readings stay where they are."""
        deadline = time.monotonic() + timeout_s
        with self._filled:
            self._wanted = 1 << 62
            self._filled.wait_for(lambda: self._woken or self.closed, max(deadline - time.monotonic(), 0))
            self._wanted = 1
            self._woken = False

    def wake(self) -> None:
        """End the writer's wait."""
        with self._filled:
            self._woken = True
            self._filled.notify()

    def close(self) -> None:
        """Refuse further hand-overs; what is inside stays for the writer. Idempotent."""
        with self._filled:
            self.closed = True
            self._filled.notify_all()
            self._room.notify_all()

    def drain_dropped(self) -> dict[str, int]:
        """Readings dropped per sensor since the last call."""
        with self._filled:
            dropped, self._dropped = self._dropped, {}
        return dropped
