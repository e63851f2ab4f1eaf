"""The coordinator's handle of the aggregator process: started, listened to, checked, ended, and started again."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sensorlogd.daemon.rollups import child_process
from sensorlogd.daemon.rollups.child_process import Child
from sensorlogd.daemon.rollups.messages import Exit, Message

logger = logging.getLogger(__name__)

HUNG_AFTER_S = 900.0  # a slice of work that takes longer than this is a hung process
STALLED_AFTER_S = 60.0  # a message is written at once: if half of one stands for this long, the process is stopped


class Aggregator:
    """Owns the aggregator process, and those before it that are not gone yet. Nothing here waits but ``stop``.

    ``start``: starts one, or raises OSError or MemoryError. ``restarts``: how often that was done again; -1 before the first
    start."""

    def __init__(self, start: Callable[[], Child], monotonic: Callable[[], float] = time.monotonic) -> None:
        self.restarts = -1
        self._start = start
        self._monotonic = monotonic
        self._child: Child | None = None
        self._killed: list[Child] = []
        self._start_at = 0.0
        self._active_at = 0.0  # when the process last sent a message, or was sent one
        self._heard = 0  # bytes
        self._heard_at = 0.0

    @property
    def is_up(self) -> bool:
        return self._child is not None

    @property
    def pid(self) -> int | None:
        return None if self._child is None else self._child.pid

    def waitables(self) -> list[Any]:
        """Readable when the process has sent something or ended."""
        return [] if self._child is None else [self._child.channel]

    # ---- talking ---------------------------------------------------------------------------------------------------

    def send(self, message: Message) -> None:
        """Send a message. If the process does not read any more, ``check`` finds that out."""
        self._active_at = self._monotonic()
        if self._child is not None:
            self._child.channel.send(message)

    def receive(self) -> list[Message]:
        """The messages that have arrived since the last call."""
        if self._child is None:
            return []
        channel = self._child.channel
        messages = channel.receive()
        now = self._monotonic()
        if messages:
            self._active_at = now
        if channel.heard != self._heard:
            self._heard, self._heard_at = channel.heard, now
        return messages

    def hung_up(self) -> str:
        """Why the channel to the process has ended; empty while it is open."""
        return "" if self._child is None else self._child.channel.ended

    # ---- its life --------------------------------------------------------------------------------------------------

    def start_if_due(self) -> str:
        """Start the process if one is due. Returns why it could not be started; empty otherwise."""
        if self._child is not None or self._monotonic() < self._start_at:
            return ""
        try:
            self._child = self._start()
        except (OSError, MemoryError) as error:
            return f"cannot be started: {error}"
        self._heard = 0
        self.restarts += 1
        return ""

    def check(self, *, computes: bool) -> str:
        """Why the process has to be replaced; empty while it is well. ``computes``: the process owes an answer."""
        self._forget_ended()
        if self._child is None:
            return ""
        now = self._monotonic()
        self._child.channel.flush()
        if not self._child.alive():
            return self._child.how_it_ended()
        if computes and now - self._active_at > HUNG_AFTER_S:
            return f"gave no answer for {HUNG_AFTER_S:.0f} s"
        if self._child.channel.partial and now - self._heard_at > STALLED_AFTER_S:
            return f"stopped in the middle of a message for {STALLED_AFTER_S:.0f} s"
        return ""

    def replace(self, after_s: float = 0.0) -> None:
        """Kill the process; another one is due after ``after_s`` seconds."""
        if self._child is not None:
            self._child.kill()
            self._killed.append(self._child)
        self._child = None
        self._start_at = self._monotonic() + after_s

    def stop(self, deadline_s: float, *, computes: bool) -> None:
        """End the process within the deadline: one that waits for work is asked to exit, one that computes or does not exit is
        killed. Idempotent; no other is started afterwards.
        """
        until = time.monotonic() + deadline_s
        child, self._child = self._child, None
        self._start_at = float("inf")
        if child is not None:
            child.channel.send(Exit())
            child.channel.close()
            if computes or not child.wait(deadline_s / 2):
                child.kill()
            self._killed.append(child)
        self._killed = [killed for killed in self._killed if not killed.wait(max(until - time.monotonic(), 0.0))]
        for killed in self._killed:
            logger.error("aggregator: process %s cannot be killed; left behind", killed.pid)

    def _forget_ended(self) -> None:
        self._killed = [killed for killed in self._killed if not killed.reap()]


def start_aggregator(path: Path) -> Child:
    """Start an aggregator process for the database at ``path``. From the main thread only. Raises OSError, MemoryError."""
    return child_process.start("sensorlogd.daemon.rollups.spawn_main", str(path))
