"""A pipe that ends a wait: what one thread waits for, every other thread and every signal handler may wake."""

from __future__ import annotations

import contextlib
import os
import threading


class WakePipe:
    """``read_end``: the descriptor to wait for; -1 once it is closed. Closed at the end of a ``with``. Raises OSError if no
    descriptors are left.

    For any thread, also one that outlives whoever waits, and for signal handlers."""

    def __init__(self) -> None:
        self.read_end, self._write_end = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        # Nobody writes to a descriptor that was just closed and is used for something else by now. A signal handler may
        # interrupt its own thread while that holds the lock, so it can be taken twice.
        self._lock = threading.RLock()

    def __enter__(self) -> WakePipe:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def wake(self) -> None:
        """End the wait, or the next one; nothing once it is closed."""
        with self._lock:
            if self._write_end >= 0:
                with contextlib.suppress(BlockingIOError):  # full: whoever waits is about to wake anyway
                    os.write(self._write_end, b"w")

    def clear(self) -> None:
        """The next wait is one again. For the thread that waits."""
        with contextlib.suppress(BlockingIOError):
            while os.read(self.read_end, 4096):
                pass

    def close(self) -> None:
        """Idempotent."""
        with self._lock:
            ends = self.read_end, self._write_end
            self.read_end = self._write_end = -1  # first: a signal handler may come at any moment
            for end in ends:
                if end >= 0:
                    os.close(end)
