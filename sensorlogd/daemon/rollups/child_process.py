"""A child process and the channel to it, seen from the main thread. Only ``wait`` waits, and no longer than it is told."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from typing import Any, Protocol

from sensorlogd.daemon.rollups.messages import MessagePipe
from sensorlogd.processes import interrupts

_LOOK_S = 0.005


class Process(Protocol):
    """The part of ``multiprocessing.Process`` that is used."""

    @property
    def pid(self) -> int | None: ...
    @property
    def sentinel(self) -> int: ...
    @property
    def exitcode(self) -> int | None: ...
    def is_alive(self) -> bool: ...
    def kill(self) -> None: ...
    def close(self) -> None: ...


class Child:
    """A child process. ``channel``: to it and from it."""

    def __init__(self, process: Process, channel: MessagePipe) -> None:
        self.channel = channel
        self._process = process
        self._reaped = False

    @property
    def pid(self) -> int | None:
        return self._process.pid

    def waitables(self) -> list[Any]:
        """Readable when the process has sent something or ended."""
        return [self.channel, self._process.sentinel]

    def alive(self) -> bool:
        """Whether it has not ended."""
        return self._process.is_alive()

    def how_it_ended(self) -> str:
        code = self._process.exitcode
        return f"ended by signal {-code}" if code is not None and code < 0 else f"ended with code {code}"

    def kill(self) -> None:
        """Kill the process, stopped (SIGSTOP) or not, and close the channel; ``reaped`` tells when it is gone."""
        self.channel.close()
        self._process.kill()

    def reaped(self) -> bool:
        """Whether the process has ended; it is then reaped, so that no zombie is left."""
        if not self._reaped and not self._process.is_alive():
            self.channel.close()
            self._process.close()
            self._reaped = True
        return self._reaped

    def wait(self, deadline_s: float) -> bool:
        """As ``reaped``, but wait so long for it."""
        until = time.monotonic() + deadline_s
        if not self._reaped:
            wait([self._process.sentinel], deadline_s)
        # The sentinel closes a moment before the process can be reaped.
        while not self.reaped():
            left = until - time.monotonic()
            if left <= 0:
                return False
            time.sleep(min(_LOOK_S, left))
        return True


def start(target: Callable[..., None], *arguments: Any, name: str) -> Child:
    """Spawn a process that runs ``target(connection, *arguments)``. From the main thread only.

    Raises OSError (no descriptor, no process, no memory to be had) or MemoryError; nothing is left behind then.
    """
    context = multiprocessing.get_context("spawn")
    parent_end: Connection
    child_end: Connection
    parent_end, child_end = context.Pipe()
    try:
        process = context.Process(target=target, args=(child_end, *arguments), name=name, daemon=True)
        resource_tracker.ensure_running()  # to start it unblocks signals
        with interrupts.blocked():
            process.start()
    except BaseException:
        parent_end.close()
        raise
    finally:
        child_end.close()
    return Child(process, MessagePipe(parent_end))
