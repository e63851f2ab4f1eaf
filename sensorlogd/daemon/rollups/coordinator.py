"""The coordinator of roll-ups, in the main process: the edge protocol between the writer and the aggregator process.

Everything here runs on the main thread (children are started from there), but for what says "Any thread".
``on_readable`` and ``tick`` are called by the supervisor's loop, never block, and raise nothing that the process, the
writer or a lack of descriptors and memory may cause.

The edge protocol, and what would break if its steps swapped:
1. The writer is given the new edge. It takes effect between two commits; from then on every older arrival marks its
   minute dirty.
2. Only then is the aggregator asked to take its snapshot. (Earlier, a reading committed between snapshot and edge would
   be in neither the roll-up nor the dirty marks.)
3. Its rows are stored in slices; each is acknowledged before the next is sent.
4. The stored edge advances last. A crash before that repeats the block; upserts make that harmless.

A run belongs to the opening of the database that took its edge. The writer refuses its rows in any other opening, and a new run
is begun there. A process that waits for the writer may hold a snapshot, and with it a lock that keeps the writer from opening the
file: so the process is ended as soon as the opening that it works for is closed.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Any

from sensorlogd.daemon.backoff import Backoff
from sensorlogd.daemon.rollups.aggregator import Aggregator, start_aggregator
from sensorlogd.daemon.rollups.child_process import Child
from sensorlogd.daemon.rollups.messages import Failed, Message, Rows, RowsStored, RunDone, Work
from sensorlogd.daemon.rollups.rollup_run import Edge, JobQueue, RollUpRun
from sensorlogd.daemon.rollups.run_failures import RunFailures
from sensorlogd.daemon.rollups.schedule import BLOCK_US, Schedule
from sensorlogd.daemon.rollups.writer_steps import StepResult, WriterSteps
from sensorlogd.daemon.writing.between_commits.jobs import Superseded

STOP_WITHIN_S = 2.0


class CoordinatorState(Enum):
    """Where the protocol stands."""

    IDLE = "idle"
    EDGE = "edge"  # waiting for the writer to take the edge
    WORKING = "working"  # the process computes, the writer stores
    FINISHING = "finishing"  # waiting for the stored edge
    DOWN = "down"  # no process; restarted after a pause


class Coordinator:
    """Owns the aggregator process (through ``Aggregator``) and the run in progress.

    ``interval_s``: how often buckets are closed. ``zone``: of the 1d resolution. ``now_us``: the wall clock that edges follow.
    ``wake``: ends the loop's wait; called from any thread. ``slice_factor``: slices of rows may occupy the writer this many times
    longer than while a daemon's readings wait for them. ``start_child``, ``monotonic``, ``backoff``: for tests.
    """

    def __init__(
        self,
        writer: JobQueue,
        path: Path,
        interval_s: float,
        zone: str,
        now_us: Callable[[], int],
        *,
        wake: Callable[[], None] = lambda: None,
        slice_factor: float = 1.0,
        start_child: Callable[[Path], Child] = start_aggregator,
        monotonic: Callable[[], float] = time.monotonic,
        backoff: Backoff | None = None,
    ) -> None:
        self.runs = 0
        self.longest_store_s = 0.0  # seconds: the longest that storing roll-ups has occupied the writer
        self._zone = zone
        self._now_us = now_us
        self._wake = wake
        self._slice_factor = slice_factor
        self._monotonic = monotonic
        self._aggregator = Aggregator(lambda: start_child(path), monotonic)
        self._schedule = Schedule(interval_s, lambda: writer.stats().committed, monotonic())
        self._writer_steps = WriterSteps(writer, wake)
        self._writer = writer
        self._trouble = RunFailures(writer.emit, backoff or Backoff(first_s=1.0, quick_s=5.0, quick_for=5, cap_s=60.0))
        self._run = RollUpRun(now_us, zone, BLOCK_US, over=True)

    # ---- how it stands ---------------------------------------------------------------------------------------------

    @property
    def state(self) -> CoordinatorState:
        """Any thread."""
        run = self._run
        if not self._aggregator.is_up:
            return CoordinatorState.DOWN
        if run.over:
            return CoordinatorState.IDLE
        if run.token is None:
            return CoordinatorState.EDGE
        return CoordinatorState.WORKING if run.done is None else CoordinatorState.FINISHING

    @property
    def wanted(self) -> bool:
        """Whether another run is due at once."""
        return self._schedule.wanted

    @property
    def last_error(self) -> str:
        """Empty once a run has succeeded."""
        return self._trouble.last_error

    @property
    def restarts(self) -> int:
        """How often the aggregator process was started again."""
        return self._aggregator.restarts

    @property
    def pid(self) -> int | None:
        """The process id of the aggregator, while there is one."""
        return self._aggregator.pid

    # ---- the supervisor's loop -------------------------------------------------------------------------------------

    def waitables(self) -> list[Any]:
        """What the loop should wait for to be readable, besides its own wake-up."""
        return self._aggregator.waitables()

    def request(self) -> None:
        """Make a run due now (any thread)."""
        self._schedule.want()
        self._wake()

    def on_readable(self) -> None:
        """Take what the process said."""
        for message in self._aggregator.receive():
            self._handle_message(message)
            if not self._aggregator.is_up:
                return
        if ended := self._aggregator.hung_up():
            self._lose_process(ended)

    def tick(self) -> None:
        """Advance whatever can be advanced; called at least every second and after every wake-up."""
        self.on_readable()
        for result in self._writer_steps.results():
            self._take_result(result)
        if not self._run.over and self._run.token not in (None, self._writer.open_token):
            self._end_superseded_run()
        computes = self.state is CoordinatorState.WORKING and not self._run.storing
        if given_up := self._aggregator.check(computes=computes) or self._aggregator.start_if_due():
            self._lose_process(given_up)
        now = self._monotonic()
        if self.state is CoordinatorState.IDLE and self._schedule.is_due(now):
            self._begin_run(now)

    def stop(self, deadline_s: float = STOP_WITHIN_S) -> None:
        """End the process within the deadline. Idempotent; ``tick`` starts nothing afterwards."""
        computes = self.state is CoordinatorState.WORKING
        self._run.end()
        self._aggregator.stop(deadline_s, computes=computes)

    # ---- the run goes on -------------------------------------------------------------------------------------------

    def _begin_run(self, now: float) -> None:
        """Step 1: tell the writer the edge."""
        self._schedule.note_begin(now)
        self._run = RollUpRun(self._now_us, self._zone, self._schedule.block_us)
        self._writer_steps.submit(self._run, "edge", self._run.take_edge)

    def _take_result(self, result: StepResult) -> None:
        """Go on with the run after a step that the writer has dealt with, or end it if that step failed."""
        run, future = result.run, result.future
        if run.over:
            return
        error = None if future.cancelled() else future.exception()
        if isinstance(error, Superseded):
            self._end_superseded_run()
        elif future.cancelled() or error is not None:
            self._note_step_refusal(f"{result.step}: {error or 'the writer ended'}")
        elif result.step == "edge":
            self._send_work(run, future.result())
        elif result.step == "rows":
            self._acknowledge_rows(run, result.at - future.result())
        else:
            self._end_run(run)

    def _send_work(self, run: RollUpRun, edge: Edge) -> None:
        """Step 2: give the process its work."""
        run.begin(edge)
        self._aggregator.send(Work(edge.old_us, edge.new_us, self._zone))

    def _handle_message(self, message: Message) -> None:
        """Have the writer do what the process says. A process that says anything out of turn is replaced."""
        if self.state is not CoordinatorState.WORKING or self._run.storing:
            self._lose_process(f"said {type(message).__name__} out of turn")
        elif isinstance(message, Rows):
            self._run.rows_sent()  # step 3
            self._writer_steps.submit(self._run, "rows", functools.partial(self._run.store, message))
        elif isinstance(message, RunDone):
            self._run.note_computed(message)
            self._writer_steps.submit(self._run, "finish", self._run.finish)
        elif isinstance(message, Failed):
            self._note_process_failure(message)
        else:
            self._lose_process(f"said {type(message).__name__}, which is not for it to say")

    def _acknowledge_rows(self, run: RollUpRun, took_s: float) -> None:
        self.longest_store_s = max(self.longest_store_s, took_s)
        run.note_rows_stored()
        self._aggregator.send(RowsStored(took_s / self._slice_factor))

    def _end_run(self, run: RollUpRun) -> None:
        """Step 4 is committed: the run is over."""
        run.end()
        self.runs += 1
        self._trouble.over()
        assert run.done is not None
        self._schedule.note_end(run.done.seconds, more_to_close=run.more_to_close, more=run.done.more, left=run.done.left)

    # ---- the run ends before its time ------------------------------------------------------------------------------

    def _lose_process(self, how: str) -> None:
        """End the run. Rows that are computed and not stored yet are discarded, which is safe because the stored edge has not
        moved."""
        self._report_and_replace(f"the aggregator {how}")

    def _report_and_replace(self, reason: str) -> None:
        self._trouble.report(reason)
        self._replace_process(self._trouble.pause_s())

    def _replace_process(self, after_s: float = 0.0) -> None:
        """End the process, whatever it does, and the run with it; a ``tick`` starts another."""
        self._run.end()
        self._aggregator.replace(after_s)
        self._schedule.want()

    def _end_superseded_run(self) -> None:
        """Another file is open: end the run for the file before it, whose roll-ups nobody needs any more."""
        if self.state is CoordinatorState.WORKING:
            self._replace_process()  # the process reads a snapshot of the former file
            return
        self._run.end()
        self._schedule.want()

    def _note_step_refusal(self, reason: str) -> None:
        """The writer refused a step."""
        if self.state is CoordinatorState.WORKING:
            self._report_and_replace(reason)
            return
        self._trouble.report(reason)  # the fault is not the process's
        self._run.end()
        self._schedule.put_off(self._monotonic() + self._trouble.pause_s())

    def _note_process_failure(self, message: Failed) -> None:
        """The process could not finish. If it found damage, report it to the writer, which may never read those pages."""
        self._trouble.report(message.reason)
        self._run.end()
        if not message.damaged:
            return
        if self._trouble.is_damage(self._run.token):
            self._writer_steps.report_damage(f"found by the aggregator: {message.reason}", self._run.token)
        else:
            self._schedule.put_off(self._monotonic() + 1.0)
