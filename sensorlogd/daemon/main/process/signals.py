"""What ends the main thread's wait: signals, and other threads. Handlers set a plain flag and write to a descriptor."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from types import FrameType

from sensorlogd.daemon.main.reloading.change import ConfigChange
from sensorlogd.processes import interrupts


@dataclass(slots=True)
class Requested:
    """What signals and the control socket asked for since the loop last looked. ``stop_at``: monotonic, when it was asked.

    ``reloads``: who waits for the outcome of one: what changed, or why nothing did.
    """

    stop: bool = False
    stop_at: float = 0.0
    reloads: deque[Future[list[str] | ConfigChange]] = field(default_factory=deque)
    reload_by_signal: bool = False

    @property
    def reload(self) -> bool:
        return self.reload_by_signal or bool(self.reloads)

    def ask_stop(self) -> None:
        """Of several the first counts."""
        if not self.stop:
            self.stop_at = time.monotonic()
        self.stop = True

    def ask_reload_by_signal(self) -> None:
        """A reload for whose outcome nobody waits."""
        self.reload_by_signal = True

    def ask_reload(self) -> Future[list[str] | ConfigChange]:
        """Any thread."""
        outcome: Future[list[str] | ConfigChange] = Future()
        self.reloads.append(outcome)
        return outcome

    def take_reloads(self) -> list[Future[list[str] | ConfigChange]]:
        """Called by the main thread before it reloads. Returns who waits for the outcome; a request that comes meanwhile is among
        them or in the next call."""
        self.reload_by_signal = False
        waiting = []
        while self.reloads:  # one by one: another thread may be adding one, and must not add it to a list that is gone
            waiting.append(self.reloads.popleft())
        return waiting


def take_signals(requested: Requested, wake: Callable[[], None]) -> Callable[[], None]:
    """SIGTERM and SIGINT ask for the end, SIGHUP for a reload; the function returned puts back what was before."""
    if threading.current_thread() is not threading.main_thread():
        return lambda: None

    was_interrupted = False

    def stop(number: int, _: FrameType | None) -> None:
        nonlocal was_interrupted
        if number == signal.SIGINT:
            if was_interrupted:
                os._exit(interrupts.STATUS)  # the second signal ends the process at once; what is committed is safe
            was_interrupted = True
        requested.ask_stop()
        wake()

    def reload(*_: object) -> None:
        requested.ask_reload_by_signal()
        wake()

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    before[signal.SIGHUP] = signal.signal(signal.SIGHUP, reload)

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    return restore
