"""The bounded queue between the sensor threads and the writer.

Bounded by readings, and thereby in memory. A sensor thread that finds it full waits a moment; if the writer still has not
taken anything (a database that accepts no writes), readings are dropped, oldest first, counted by sensor, until it
does. A closed inbox refuses a late hand-over instead of losing it in silence.

One sensor never hurts another here either: what is dropped comes from the sensors that hold most, and the last
sixteenth is kept for those that hold little, so that they need not wait for one that babbles.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from sensorlogd.batch import Block

LITTLE = 64  # a sensor with at most limit/64 readings inside counts as one that holds little
RESERVE = 16  # of limit, for those


class Inbox:
    """The readings that wait for the writer. ``limit``: readings held at most (one hand-over larger than that is still taken
    whole). ``corrected``: a block with the stamps that it should have got, once it is known what time it was (``correct_early``).

    ``put`` is for any thread; all else but ``wake`` and ``close`` is the writer's.
    """

    def __init__(self, limit: int, corrected: Callable[[Block], Block] = lambda block: block) -> None:
        self.limit = limit
        self._corrected = corrected
        self._corrects = False
        self.closed = False
        self._blocks: deque[Block] = deque()
        self._rows = 0
        self._rows_of: dict[str, int] = {}  # readings inside, by sensor
        self._dropped: dict[str, int] = {}
        self._wanted = 1  # rows the writer waits for
        self._woken = False
        self._urgent = False  # a block without readings is inside: somebody waits for the writer to get there
        self._stalled = False  # a put has waited in vain: nobody waits again until the writer takes something
        lock = threading.Lock()  # guards all of the above
        self._filled = threading.Condition(lock)
        self._room = threading.Condition(lock)

    @property
    def depth(self) -> int:
        """Readings waiting now."""
        return self._rows

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits now, no block without readings either."""
        return not self._blocks

    def put(self, block: Block, timeout_s: float = 0.5, *, drop: bool = True) -> bool:
        """Hand over. Waits up to ``timeout_s`` for room, then drops the oldest. False: nothing was taken, because the
        inbox is closed or, with ``drop=False`` (for a source that can wait), has no room still.
        """
        with self._filled:
            if not self._fits_locked(block):
                self._room.wait_for(lambda: self.closed or (self._stalled and drop) or self._fits_locked(block), timeout_s)
            if self.closed:
                return False
            if not self._fits_locked(block):
                if not drop:
                    return False
                self._stalled = True
                self._room.notify_all()
                self._drop_locked(self._ceiling_locked(block) - block.rows)
            if self._corrects:
                self._correct(block)
            self._blocks.append(block)
            self._rows += block.rows
            self._rows_of[block.sensor] = self._rows_of.get(block.sensor, 0) + block.rows
            self._urgent = self._urgent or not block.rows
            if self._rows >= self._wanted or not block.rows:
                self._filled.notify()
            return True

    def _fits_locked(self, block: Block) -> bool:
        return not self._rows or not block.rows or self._rows + block.rows <= self._ceiling_locked(block)

    def _ceiling_locked(self, block: Block) -> int:
        little = self._rows_of.get(block.sensor, 0) + block.rows <= self.limit // LITTLE
        return self.limit if little else self.limit - self.limit // RESERVE

    def _drop_locked(self, rows: int) -> None:
        """Drop until about ``rows`` are left: the oldest of whoever holds most, until nobody holds more than another.

        One pass for many: a little more goes than is needed now, so that a full inbox is not searched at every put.
        """
        left = max(rows - self.limit // LITTLE, 0)
        level, sensors = left, sorted(self._rows_of.values())
        for index, own in enumerate(sensors):
            level = left // (len(sensors) - index)
            if own > level:
                break
            left -= own
        kept: deque[Block] = deque()
        for block in self._blocks:
            if self._rows_of[block.sensor] > level and block.rows:
                self._rows_of[block.sensor] -= block.rows
                self._rows -= block.rows
                self._dropped[block.sensor] = self._dropped.get(block.sensor, 0) + block.rows
            else:
                kept.append(block)
        self._blocks = kept

    def get_all(
        self, max_rows: int, timeout_s: float, min_rows: int = 1, is_last: Callable[[Block], bool] = lambda block: False
    ) -> list[Block]:
        """Blocks in order, about ``max_rows`` readings, once ``min_rows`` are there or the time has passed. What comes
        after a block that ``is_last`` stays inside.

        Returns early, with whatever is there, when woken, closed, or asked for by a block without readings.
        """
        taken: list[Block] = []
        with self._filled:
            if timeout_s > 0 and not self._ready_locked(min_rows):
                self._wanted = min_rows
                self._filled.wait_for(lambda: self._ready_locked(min_rows), timeout_s)
                self._wanted = 1
            self._woken = False
            rows = 0
            while self._blocks and rows < max_rows:
                block = self._blocks.popleft()
                rows += block.rows
                self._rows_of[block.sensor] -= block.rows
                taken.append(block)
                if is_last(block):
                    break
            self._rows -= rows
            if not self._blocks:
                self._rows_of.clear()
                self._urgent = False
            if taken:
                self._stalled = False
                self._room.notify_all()
        return taken

    def correct_early(self) -> None:
        """It is known now what time it was when the blocks inside were stamped: correct them, and those that still come. Each is
        corrected once, before anybody sees it, and stays the same object. Idempotent."""
        if self._corrects:
            return
        with self._filled:
            self._corrects = True
            for block in self._blocks:
                self._correct(block)

    def _correct(self, block: Block) -> None:
        better = self._corrected(block)
        if better is not block:
            block.columns = better.columns

    def waiting(self) -> list[Block]:
        """The blocks inside, in order; they stay there."""
        with self._filled:
            return list(self._blocks)

    def _ready_locked(self, rows: int) -> bool:
        return self._woken or self._urgent or self._rows >= rows

    def wait(self, timeout_s: float) -> None:
        """Sleep until woken or the time has passed; readings stay where they are."""
        with self._filled:
            self._wanted = 1 << 62
            self._filled.wait_for(lambda: self._woken, timeout_s)
            self._wanted = 1
            self._woken = False

    def wake(self) -> None:
        """End the writer's wait, or the next one if it is not waiting."""
        with self._filled:
            self._woken = True
            self._filled.notify()

    def close(self) -> None:
        """Refuse further hand-overs; what is inside stays for the writer. Idempotent."""
        with self._filled:
            self.closed = self._woken = True
            self._filled.notify()
            self._room.notify_all()

    def drain_dropped(self) -> dict[str, int]:
        """Readings dropped per sensor since the last call."""
        with self._filled:
            dropped, self._dropped = self._dropped, {}
        return dropped
