"""Hands the steps of runs to the writer, and hands them back when it has dealt with them."""

from __future__ import annotations

import functools
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from sensorlogd.daemon.rollups.rollup_run import JobDatabase, JobQueue, RollUpRun
from sensorlogd.daemon.writing.recovery.failures import DamageFound


@dataclass(frozen=True, slots=True)
class StepResult:
    """A step that the writer has dealt with, and when it had (monotonic)."""

    run: RollUpRun
    step: str
    future: Future[Any]
    at: float


class WriterSteps:
    """The way of a step to the writer and back; for the main thread. ``wake``: ends its wait; called on the writer thread."""

    def __init__(self, writer: JobQueue, wake: Callable[[], None]) -> None:
        self._writer = writer
        self._wake = wake
        self._results: deque[StepResult] = deque()  # put by the writer thread

    def submit(self, run: RollUpRun, step: str, job: Callable[[JobDatabase], Any]) -> None:
        """``results`` returns the step when the writer is done with it."""
        future = self._writer.submit(f"roll-up {step}", job, token=run.token)
        future.add_done_callback(functools.partial(self._note_result, run, step))

    def _note_result(self, run: RollUpRun, step: str, future: Future[Any]) -> None:
        """On the writer thread, after the commit."""
        self._results.append(StepResult(run, step, future, time.monotonic()))
        self._wake()

    def results(self) -> Iterator[StepResult]:
        """The steps that the writer has dealt with since the last call, in that order."""
        while self._results:
            yield self._results.popleft()

    def report_damage(self, reason: str, token: int | None) -> None:
        """Have the writer treat the damage as if it had found it itself."""

        def job(_: JobDatabase) -> None:
            raise DamageFound(reason)

        self._writer.submit("damage", job, token=token)
