"""Finds every process that a run of a program has started, whatever session or process group it has moved to.

A process belongs to a run if one of these holds: it descends from the run's first process, is of its session, or carries the
run's mark in its environment. The mark is inherited by what has gone into the background of the background, whose parents have
ended. Only a process that has left the session, whose parents have ended and that was given another environment, is not found.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import select
import signal
import time
from dataclasses import dataclass

MARK = "SENSORLOGD_RUN"
ROUNDS = 50  # of killing what was started meanwhile


def new_mark() -> str:
    """The value of MARK for one run."""
    return secrets.token_hex(12)


@dataclass(frozen=True, slots=True)
class _Process:
    """A process, as read from /proc/PID/stat. ``started``: clock ticks since boot; it tells apart two processes that had the same
    number."""

    pid: int
    parent: int
    session: int
    started: int


def end(first: int, mark: str, grace_s: float) -> None:
    """End all of a run: SIGTERM, and after ``grace_s`` at most SIGKILL, until nothing is left, in ROUNDS rounds at most.

    ``first`` is our child and not reaped yet, so that nobody else can have its number. Never raises.
    """
    terminated = belonging(first, mark)
    _signal(terminated, signal.SIGTERM)
    left = _wait_for_end(terminated, time.monotonic() + grace_s)
    for _ in range(ROUNDS):
        left |= belonging(first, mark)
        if not left:
            return
        _signal(left, signal.SIGKILL)
        left = _wait_for_end(left, time.monotonic() + 0.2)


def belonging(first: int, mark: str) -> frozenset[_Process]:
    """The living processes of a run, ``first`` among them while it lives. Empty if ``first`` has been reaped."""
    every = {process.pid: process for process in map(_read_process, _pids()) if process is not None}
    root = every.get(first) or _read_process(first, dead_too=True)
    if root is None:
        return frozenset()
    word = f"{MARK}={mark}".encode()
    later = [process for process in every.values() if process.started >= root.started]
    found = {
        process.pid
        for process in later
        if process.pid == first or process.session == first or _has_in_environment(process.pid, word)
    }
    children: dict[int, list[int]] = {}
    for process in later:
        children.setdefault(process.parent, []).append(process.pid)
    new = list(found | {first})
    while new:
        new = [pid for parent in new for pid in children.get(parent, ()) if pid not in found]
        found.update(new)
    return frozenset(every[pid] for pid in found)


def _pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _read_process(pid: int, *, dead_too: bool = False) -> _Process | None:
    """The process with this number; None if it has ended, also if it is a zombie."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    if fields[0] in (b"Z", b"X") and not dead_too:
        return None
    return _Process(pid, int(fields[1]), int(fields[3]), int(fields[19]))


def _has_in_environment(pid: int, word: bytes) -> bool:
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return word in file.read().split(b"\0")
    except OSError:
        return False  # another user's


def _signal(processes: frozenset[_Process], number: int) -> None:
    """Send a signal through a pidfd, because the number alone may belong to another process by now."""
    for process in processes:
        with contextlib.suppress(OSError):  # ended, or another user's by now (setuid)
            handle = os.pidfd_open(process.pid)
            try:
                if _still_living(frozenset((process,))):
                    signal.pidfd_send_signal(handle, number)
            finally:
                os.close(handle)


def _wait_for_end(processes: frozenset[_Process], until: float) -> frozenset[_Process]:
    """The processes that still live at ``until``; returns earlier if none does."""
    left = _still_living(processes)
    while left and (wait := until - time.monotonic()) > 0:
        with contextlib.suppress(OSError):  # ended in between
            handle = os.pidfd_open(next(iter(left)).pid)
            try:
                poll = select.poll()
                poll.register(handle, select.POLLIN)
                poll.poll(wait * 1000)
            finally:
                os.close(handle)
        left = _still_living(left)
    return left


def _still_living(processes: frozenset[_Process]) -> frozenset[_Process]:
    """Those of the processes that have not ended; another process with the number of one is none of them."""
    looked = ((process, _read_process(process.pid)) for process in processes)
    return frozenset(process for process, now in looked if now is not None and now.started == process.started)
