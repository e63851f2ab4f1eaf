"""Turns Ctrl-C (or SIGTERM) into a flag that is polled or waited for, since an exception would come at a bad moment."""

from __future__ import annotations

import contextlib
import select
import signal
from collections.abc import Iterator

from sensorlogd.processes.wake_pipe import WakePipe


class Stop:
    """Whether somebody asked for the end.

    Not a ``threading.Event``: its lock cannot be taken twice, and a signal handler that sets it while the main thread has just
    taken that lock to look or to wait waits for itself, for ever.
    """

    def __init__(self) -> None:
        self._wake = WakePipe()
        self._is_set = False

    def set(self, *_: object) -> None:
        """Ask for the end; also a signal handler, at any moment."""
        self._is_set = True
        self._wake.wake()

    def is_set(self) -> bool:
        return self._is_set

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until the end is asked for or ``seconds`` have passed. Returns whether it is asked for."""
        if not self._is_set:
            select.select([self._wake.read_end], [], [], None if seconds is None else max(seconds, 0.0))
        return self._is_set

    def close(self) -> None:
        self._wake.close()


@contextlib.contextmanager
def stop_by(*numbers: signal.Signals) -> Iterator[Stop]:
    """Let these signals ask for the end inside the block; afterwards they do what they did before. On the main thread."""
    stop = Stop()
    before = {number: signal.signal(number, stop.set) for number in numbers}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        stop.close()
