"""A child process and the channel to it, seen from the main thread. Only ``wait`` waits, and no longer than it is allowed."""

from __future__ import annotations

import socket
import subprocess
from typing import Protocol

from sensorlogd.daemon.rollups.messages import MessagePipe
from sensorlogd.processes import interrupts
from sensorlogd.processes.module_command import module_command


class Process(Protocol):
    """The part of ``subprocess.Popen`` that is used."""

    @property
    def pid(self) -> int: ...
    @property
    def returncode(self) -> int | None: ...
    def poll(self) -> int | None: ...
    def wait(self, timeout: float) -> int: ...
    def kill(self) -> None: ...


class Child:
    """A child process. ``channel``: to it and from it; it can be read when the process has sent something or ended."""

    def __init__(self, process: Process, channel: MessagePipe) -> None:
        self.channel = channel
        self._process = process

    @property
    def pid(self) -> int:
        return self._process.pid

    def alive(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def how_it_ended(self) -> str:
        code = self._process.returncode
        return f"ended by signal {-code}" if code is not None and code < 0 else f"ended with code {code}"

    def kill(self) -> None:
        """Kill the process, stopped (SIGSTOP) or not, and close the channel; ``reap`` tells when it is gone."""
        self.channel.close()
        self._process.kill()

    def reap(self) -> bool:
        """Collect the exit status of the process if it has ended, so that no zombie is left. Returns whether it has."""
        if self.alive():
            return False
        self.channel.close()
        return True

    def wait(self, deadline_s: float) -> bool:
        """As ``reap``, but wait this long for it."""
        try:
            self._process.wait(max(deadline_s, 0.0))
        except subprocess.TimeoutExpired:
            return False
        return self.reap()


def start(module: str, *arguments: str) -> Child:
    """Start a module as a process whose standard input is the channel. From the main thread only.

    Not by ``multiprocessing``: its spawn starts a second process that stays (6 MB), and this one would have to import what the
    other one runs. Raises OSError (no descriptor, no process, no memory to be had) or MemoryError; nothing is left behind then.
    """
    command, environment = module_command(module, *arguments)
    parent_end, child_end = socket.socketpair()
    with parent_end, child_end:
        with interrupts.blocked():
            process = subprocess.Popen(command, env=environment, stdin=child_end.fileno())
        return Child(process, MessagePipe(parent_end.detach()))
