"""The DriverContext of a driver under test, which watches what the driver does with it and leaves behind."""

from __future__ import annotations

import gc
import os
import select
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sensorlogd.drivers.contract import DriverContext
from sensorlogd.processes.wake_pipe import WakePipe

LEAK_GRACE_S = 1.0


@dataclass
class WatchedContext:
    """The descriptors and callbacks of a DriverContext, and what the driver has done wrong so far."""

    findings: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    stop: threading.Event = field(default_factory=threading.Event)
    call: str = ""  # what of the driver is running
    abandoned: bool = False

    def __post_init__(self) -> None:
        self._pipe = WakePipe()
        self._lock = threading.Lock()
        now_us: Callable[[], int] = lambda: time.time_ns() // 1000  # noqa: E731
        self.context = DriverContext("conformance", self._pipe.read_end, self.stop.wait, now_us, self.count, self.event)

    def count(self, name: str, n: int, example: str) -> None:
        """``DriverContext.count``. What does not fit its types is a finding. ``counts`` has how often each name was counted, not the
        sum of the numbers."""
        if not (isinstance(name, str) and isinstance(n, int) and n > 0 and isinstance(example, str)):
            self.findings.append(f"count({name!r}, {n!r}, {example!r}): must be a name, a number above 0, and a text")
        self.counts[name] = self.counts.get(name, 0) + 1

    def event(self, kind: str, detail: str) -> None:
        """``DriverContext.event``: what does not fit its types is a finding; an event itself is none."""
        if not (isinstance(kind, str) and isinstance(detail, str)):
            self.findings.append(f"event({kind!r}, {detail!r}): must be two texts")

    def wake(self) -> None:
        """Ask the driver to stop, through both ``wake_fd`` and ``wait``; any thread may call this."""
        self._pipe.wake()  # first: a driver that is woken by the other and reads from it finds something
        self.stop.set()

    def close(self) -> None:
        """Close the descriptors; a second call does nothing. That the driver has read from ``wake_fd`` becomes a finding."""
        with self._lock:
            if self._pipe.read_end < 0:
                return
            waiting = select.poll()
            waiting.register(self._pipe.read_end, select.POLLIN)
            if self.stop.is_set() and not waiting.poll(0):
                self.findings.append("the driver read from wake_fd: it must only wait for it")
            self._pipe.close()


Scenario = Callable[[WatchedContext], None]


def run(scenario: Scenario, deadline_s: float, stop_s: float) -> list[str]:
    """The findings of one scenario, and of what the driver leaves behind after it. It takes no longer than the time limits of
    both together."""
    before = belongings()
    host = WatchedContext()
    raised: list[BaseException] = []

    def worker() -> None:
        try:
            scenario(host)
        except BaseException as error:  # whatever it is, it is a finding
            raised.append(error)
        finally:
            if host.abandoned:
                host.close()

    thread = threading.Thread(target=worker, name="conformance", daemon=True)
    thread.start()
    thread.join(deadline_s)
    if thread.is_alive():
        host.wake()
        thread.join(stop_s)
    if thread.is_alive():
        host.abandoned = True  # it keeps its descriptors until it returns after all
        if not thread.is_alive():
            host.close()
        return [*host.findings, f"{host.call} does not return, not even when told to stop"]
    host.close()
    for error in raised:
        host.findings.append(str(error) if isinstance(error, Broken) else f"{host.call} raised {type(error).__name__}: {error}")
    raised.clear()
    host.findings += left_behind(before)
    return host.findings


class Broken(Exception):
    """The scenario cannot be continued; the text is the finding."""


def belongings() -> tuple[set[Any], dict[str, str], set[str]]:
    """The threads, open files and child processes of this process."""
    files = {}
    children: set[str] = set()
    for entry in os.listdir("/proc/self/fd") if os.path.isdir("/proc/self/fd") else ():
        try:
            files[entry] = os.readlink(f"/proc/self/fd/{entry}")
        except OSError:
            continue  # the descriptor of this very listing
    for task in Path("/proc/self/task").glob("*/children"):
        try:
            children |= set(task.read_text().split())
        except OSError:
            continue  # a thread that has just ended
    return set(threading.enumerate()), files, children


def left_behind(before: tuple[set[Any], dict[str, str], set[str]]) -> list[str]:
    """What there is that was not there ``before`` (see ``belongings``), as findings; it may take LEAK_GRACE_S to go."""
    end = time.monotonic() + LEAK_GRACE_S
    while True:
        gc.collect()
        now = belongings()
        threads = [thread.name for thread in now[0] - before[0] if thread.is_alive()]
        files = sorted(target for entry, target in now[1].items() if before[1].get(entry) != target)
        children = sorted(now[2] - before[2])
        if not (threads or files or children) or time.monotonic() > end:
            found = (("threads", threads), ("open files", files), ("processes", children))
            return [f"leaves {what} behind after close(): {', '.join(names)}" for what, names in found if names]
        time.sleep(0.01)
