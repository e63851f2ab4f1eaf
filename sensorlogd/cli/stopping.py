"""Ctrl-C (or SIGTERM) as something that is looked at and waited for, where an exception would come at a bad moment."""

from __future__ import annotations

import contextlib
import os
import select
import signal
from collections.abc import Iterator


class Stop:
    """Whether somebody asked for the end.

    Not a ``threading.Event``: its lock cannot be taken twice, and a signal handler that sets it while the main thread has just
    taken that lock to look or to wait waits for itself, for ever.
    """

    def __init__(self) -> None:
        self._read, self._write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._is_set = False

    def set(self, *_: object) -> None:
        """Also a signal handler, at any moment."""
        self._is_set = True
        with contextlib.suppress(OSError):  # full: whoever waits wakes anyway; closed: nobody waits
            os.write(self._write, b"s")

    def is_set(self) -> bool:
        return self._is_set

    def wait(self, seconds: float | None = None) -> bool:
        """Whether it is asked for, once it is or so many seconds have passed."""
        if not self._is_set:
            select.select([self._read], [], [], None if seconds is None else max(seconds, 0.0))
        return self._is_set

    def close(self) -> None:
        os.close(self._read)
        os.close(self._write)
        self._read = self._write = -1


@contextlib.contextmanager
def stop_by(*numbers: signal.Signals) -> Iterator[Stop]:
    """These signals ask for the end while this lasts; then they do again what they did. On the main thread."""
    stop = Stop()
    before = {number: signal.signal(number, stop.set) for number in numbers}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        stop.close()
