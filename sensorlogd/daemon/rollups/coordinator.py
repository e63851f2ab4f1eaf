"""Roll-ups, seen from the main process: when to compute, the aggregator process, and the edge protocol.

Owns: the aggregator process and the channel to it. Everything here runs on the main thread (children are started from
there) but ``request``. ``on_readable`` and ``tick`` are called by the supervisor's loop, never block, and raise nothing
that the process, the writer or a lack of descriptors and memory may cause.

The edge protocol, and what would break if its steps swapped:
1. The writer is told the new edge. It takes effect between two commits; from then on every older arrival marks its
   minute dirty.
2. Only then is the aggregator asked to take its snapshot. (Earlier, a reading committed between snapshot and edge would
   be in neither the roll-up nor the dirty marks.)
3. Its rows are stored in slices; each is acknowledged before the next is sent.
4. The stored edge advances last. A crash before that repeats the block; upserts make that harmless.

A run belongs to the opening of the database that took its edge. What it computed is stored in no other: the writer
refuses it, and the run is begun anew there.
"""

from __future__ import annotations

import functools
import logging
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from enum import Enum
from pathlib import Path
from typing import Any

from sensorlogd.daemon.rollups import child, process
from sensorlogd.daemon.rollups.child import Child
from sensorlogd.daemon.rollups.messages import Done, Exit, Failed, Message, Rows, Stored, Work
from sensorlogd.daemon.rollups.rollup_run import Edge, Jobs, OpenDatabase, Run, Settled
from sensorlogd.daemon.sensing.backoff import Backoff
from sensorlogd.daemon.writing.failures import Damaged
from sensorlogd.daemon.writing.jobs import Superseded

log = logging.getLogger(__name__)

Emit = Callable[[str, str | None, str], None]

# After a long absence a run closes the buckets of so much time as takes it about RUN_S.
BLOCK_US, LEAST_BLOCK_US, MOST_BLOCK_US = 86_400_000_000, 3_600_000_000, 60 * 86_400_000_000
RUN_S = 10.0
HUNG_AFTER_S = 900.0  # a slice of work that takes longer than this is a hung process
STALLED_AFTER_S = 60.0  # a message is written in one go: one that stands still for so long is of a stopped process
ROWS_TRIGGER = 300_000  # so many new readings make a roll-up due before its interval has passed
STOP_WITHIN_S = 2.0


class AggregationState(Enum):
    """Where the protocol stands."""

    IDLE = "idle"
    EDGE = "edge"  # waiting for the writer to take the edge
    WORKING = "working"  # the process computes, the writer stores
    FINISHING = "finishing"  # waiting for the stored edge
    DOWN = "down"  # no process; restarted after a pause


class Aggregation:
    """``interval_s``: how often buckets are closed. ``zone``: of the 1d tier. ``now_us``: the wall clock that edges follow.

    ``wake``: ends the loop's wait; called from any thread. ``emit``: records an event; the writer's unless given.
    ``start_child``, ``monotonic``, ``backoff``: for tests.
    """

    def __init__(
        self,
        writer: Jobs,
        path: Path,
        interval_s: float,
        zone: str,
        now_us: Callable[[], int],
        *,
        wake: Callable[[], None] = lambda: None,
        emit: Emit | None = None,
        start_child: Callable[[Path], Child] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        backoff: Backoff | None = None,
    ) -> None:
        self.writer = writer
        self.path = path
        self.interval_s = interval_s
        self.zone = zone
        self.now_us = now_us
        self.wake = wake
        self.emit = emit or writer.emit
        self.state = AggregationState.DOWN
        self.runs = 0
        self.restarts = -1
        self.last_seconds = 0.0
        self.longest_store_s = 0.0  # the longest that storing roll-ups held the writer
        self.last_error = ""
        self.patience = 1.0  # so many times longer may storing roll-ups hold the writer; more where no readings wait
        self._start_child = start_child or _start_aggregator
        self._monotonic = monotonic
        self._backoff = backoff or Backoff(first_s=1.0, quick_s=5.0, quick_for=5, cap_s=60.0)
        self._child: Child | None = None
        self._killed: list[Child] = []  # not gone yet
        self._damage_seen_by: int | None = None  # the opening on which the process found damage the last time
        self._run = Run(now_us, zone, BLOCK_US, over=True)
        self._settled: deque[Settled] = deque()  # put by the writer thread
        self._restart_at = 0.0
        self._due = monotonic() + min(interval_s, 5.0)
        self._not_before = 0.0
        self._active_at = self._heard_at = 0.0
        self._heard = 0
        self._block_us = BLOCK_US
        self._rows_seen = 0
        self._want = False
        self._more = False
        self._left = False

    # ---- the supervisor's loop -------------------------------------------------------------------------------------

    def waitables(self) -> list[Any]:
        """What the loop should wait for to be readable, besides its own wake-up."""
        return [] if self._child is None else self._child.waitables()

    @property
    def wanted(self) -> bool:
        """Whether another run is due at once."""
        return self._want

    @property
    def pid(self) -> int | None:
        """Of the aggregator process, while there is one."""
        return None if self._child is None else self._child.pid

    def request(self) -> None:
        """Make a run due now (any thread)."""
        self._want = True
        self.wake()

    def on_readable(self) -> None:
        """Take what the process said."""
        if self._child is None:
            return
        channel = self._child.channel
        for message in channel.receive():
            self._active_at = self._monotonic()
            self._hear(message)
            if self._child is None:
                return
        if channel.heard != self._heard:
            self._heard, self._heard_at = channel.heard, self._monotonic()
        if channel.ended:
            self._lose(f"the aggregator {channel.ended}")

    def tick(self) -> None:
        """Advance whatever can be advanced; called at least every second and after every wake-up."""
        self.on_readable()
        while self._settled:
            self._settle(self._settled.popleft())
        self._killed = [one for one in self._killed if not one.reaped()]
        now = self._monotonic()
        if self._child is not None:
            self._child.channel.flush()
            self._look_at_child(self._child, now)
        if self._child is None and now >= self._restart_at:
            self._start()
        if self.state is AggregationState.IDLE and self._is_due(now):
            self._begin(now)

    def stop(self, deadline_s: float = STOP_WITHIN_S) -> None:
        """End the process within the deadline: one that waits for work is asked, one that computes or does not end is killed.

        Idempotent; ``tick`` starts nothing afterwards.
        """
        until = time.monotonic() + deadline_s
        ours, self._child = self._child, None
        computes = self.state is AggregationState.WORKING
        self._run.over = True
        self.state = AggregationState.DOWN
        self._restart_at = float("inf")
        if ours is not None:
            ours.channel.send(Exit())
            ours.channel.close()
            if computes or not ours.wait(deadline_s / 2):
                ours.kill()
            self._killed.append(ours)
        self._killed = [one for one in self._killed if not one.wait(max(until - time.monotonic(), 0.0))]
        for one in self._killed:
            log.error("aggregator: process %s cannot be killed; left behind", one.pid)

    # ---- the process -----------------------------------------------------------------------------------------------

    def _start(self) -> None:
        try:
            self._child = self._start_child(self.path)
        except (OSError, MemoryError) as error:
            self._lose(f"the aggregator cannot be started: {error}")
            return
        self._heard = 0
        self.restarts += 1
        self.state = AggregationState.IDLE

    def _look_at_child(self, ours: Child, now: float) -> None:
        if not ours.alive():
            self._lose(f"the aggregator {ours.how_it_ended()}")
        elif self.state is AggregationState.WORKING and not self._run.storing and now - self._active_at > HUNG_AFTER_S:
            self._lose(f"the aggregator gave no answer for {HUNG_AFTER_S:.0f} s")
        elif ours.channel.partial and now - self._heard_at > STALLED_AFTER_S:
            self._lose(f"the aggregator stopped in the middle of a message for {STALLED_AFTER_S:.0f} s")

    def _lose(self, reason: str) -> None:
        """What that process computed and is not stored yet is discarded: the stored edge did not move."""
        self._tell(reason)
        self._replace()
        self._restart_at = self._monotonic() + self._backoff.next_s()

    def _replace(self) -> None:
        """End the process, whatever it does, and the run with it; the next ``tick`` starts another."""
        self._run.over = True
        if self._child is not None:
            self._child.kill()
            self._killed.append(self._child)
        self._child = None
        self.state = AggregationState.DOWN
        self._restart_at = self._monotonic()
        self._want = True

    def _tell(self, reason: str) -> None:
        """Once for each reason, until a run succeeds."""
        if reason != self.last_error:
            log.error("aggregator: %s; roll-ups are tried again at their next turn", reason)
            self.emit("aggregator_failed", None, reason)
        self.last_error = reason

    # ---- a run -----------------------------------------------------------------------------------------------------

    def _is_due(self, now: float) -> bool:
        if now < self._not_before:
            return False
        return self._want or now >= self._due or self.writer.stats().committed - self._rows_seen >= ROWS_TRIGGER

    def _begin(self, now: float) -> None:
        """Step 1: tell the writer the edge."""
        self._want = False
        self._due = now + self.interval_s
        self._not_before = now + min(1.0, self.interval_s)  # late data that never ends must not keep a core busy
        self._rows_seen = self.writer.stats().committed
        self._run = Run(self.now_us, self.zone, self._block_us)
        self.state = AggregationState.EDGE
        self._submit("edge", self._run.take_edge)

    def _submit(self, step: str, job: Callable[[OpenDatabase], Any]) -> None:
        run = self._run
        future = self.writer.submit(f"roll-up {step}", job, token=run.token)
        future.add_done_callback(functools.partial(self._done, run, step))

    def _done(self, run: Run, step: str, future: Future[Any]) -> None:
        """On the writer thread, after the commit."""
        self._settled.append(Settled(run, step, future, time.monotonic()))
        self.wake()

    def _settle(self, settled: Settled) -> None:
        run, future = settled.run, settled.future
        if run.over:
            return
        error = None if future.cancelled() else future.exception()
        if isinstance(error, Superseded):
            self._superseded()
        elif future.cancelled() or error is not None:
            self._not_stored(f"{settled.step}: {error or 'the writer ended'}")
        elif settled.step == "edge":
            self._edge_taken(run, future.result())
        elif settled.step == "rows":
            took = settled.at - future.result()
            self.longest_store_s = max(self.longest_store_s, took)
            run.storing = False
            self._send(Stored(took / self.patience))
        else:
            self._finished(run)

    def _superseded(self) -> None:
        """Another file is open: its roll-ups are wanted, those of the one before are nobody's."""
        if self.state is AggregationState.WORKING:
            self._replace()  # it reads a snapshot of the file before
        else:
            self._end_run()
            self._want = True

    def _not_stored(self, reason: str) -> None:
        """The writer refused a step."""
        if self.state is AggregationState.WORKING:
            self._lose(reason)
            return
        self._tell(reason)  # the process has no part in it
        self._end_run()
        self._want = True
        self._not_before = self._monotonic() + self._backoff.next_s()

    def _end_run(self) -> None:
        self._run.over = True
        self.state = AggregationState.IDLE

    def _edge_taken(self, run: Run, edge: Edge) -> None:
        """Step 2."""
        run.begin(edge)
        self.state = AggregationState.WORKING
        self._send(Work(edge.old_us, edge.new_us, self.zone))

    def _send(self, message: Message) -> None:
        self._active_at = self._monotonic()
        if self._child is not None:
            self._child.channel.send(message)  # if it does not listen any more, the next look at it tells

    def _hear(self, message: Message) -> None:
        if self.state is not AggregationState.WORKING or self._run.storing:
            self._lose(f"the aggregator said {type(message).__name__} out of turn")
        elif isinstance(message, Rows):
            self._run.storing = True  # step 3
            self._submit("rows", functools.partial(self._run.store, message))
        elif isinstance(message, Done):
            self.last_seconds, self._more, self._left = message.seconds, message.more, message.left
            self.state = AggregationState.FINISHING
            self._submit("finish", self._run.finish)
        elif isinstance(message, Failed):
            self._tell(message.reason)
            self._end_run()
            if message.damaged:
                self._found_damage(message.reason)
        else:
            self._lose(f"the aggregator said {type(message).__name__}, which is not for it to say")

    def _found_damage(self, reason: str) -> None:
        """It reads what the writer does not. Twice on the same opening is no accident: the writer deals with it as with its own."""
        token = self._run.token
        if token is not None and token == self._damage_seen_by:
            self.writer.submit("damage", _damage(f"found by the aggregator: {reason}"), token=token)
            return
        self._damage_seen_by = token
        self._want = True
        self._not_before = self._monotonic() + 1.0

    def _finished(self, run: Run) -> None:
        """Step 4 is committed."""
        self._end_run()
        self.runs += 1
        self.last_error = ""
        self._backoff.reset()
        if run.behind:
            change = min(max(RUN_S / max(self.last_seconds, 0.01), 0.2), 2.0)
            self._block_us = min(max(int(self._block_us * change), LEAST_BLOCK_US), MOST_BLOCK_US)
        if run.behind or self._more:
            self._not_before = 0.0
        self._want = self._want or run.behind or self._more or self._left


def _damage(reason: str) -> Callable[[OpenDatabase], None]:
    def job(_: OpenDatabase) -> None:
        raise Damaged(reason)

    return job


def _start_aggregator(path: Path) -> Child:
    return child.start(process.main, str(path), name="sensorlogd-aggregator")
