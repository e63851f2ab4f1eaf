"""Roll-ups, seen from the main process: when to compute, the aggregator process, and the edge protocol.

Owns: the aggregator process and its pipe. Everything here runs on the main thread (children are started from there);
``on_readable`` and ``tick`` are called by the supervisor's loop and never block.

The edge protocol, and what would break if its steps swapped:
1. The writer is told the new edge. It takes effect between two commits; from then on every older arrival marks its
   minute dirty.
2. Only then is the aggregator asked to take its snapshot. (Earlier, a reading committed between snapshot and edge would
   be in neither the roll-up nor the dirty marks.)
3. Its rows are stored in slices; each is acknowledged before the next is sent.
4. The stored edge advances last. A crash before that repeats the block; upserts make that harmless.
"""

from __future__ import annotations

import logging
import multiprocessing
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import Future
from enum import Enum
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from sensorlogd.daemon import aggregator_process
from sensorlogd.daemon.writer import Writer
from sensorlogd.storage import apply
from sensorlogd.storage.append import MINUTE_US

log = logging.getLogger(__name__)

GRACE_US = 5_000_000  # readings this late still count as on time; later ones mark their minute dirty
# After a long absence a run closes the buckets of so much time as takes it about RUN_S.
BLOCK_US, LEAST_BLOCK_US, MOST_BLOCK_US = 86_400_000_000, 3_600_000_000, 60 * 86_400_000_000
RUN_S = 10.0
HUNG_AFTER_S = 900.0  # a slice of work that takes longer than this is a hung process
ROWS_TRIGGER = 300_000  # so many new readings make a roll-up due before its interval has passed


class AggregationState(Enum):
    """Where the protocol stands."""

    IDLE = "idle"
    EDGE = "edge"  # waiting for the writer to take the edge
    WORKING = "working"  # the process computes, the writer stores
    FINISHING = "finishing"  # waiting for the stored edge
    DOWN = "down"  # no process; restarted after a pause


class Aggregation:
    """``interval_s``: how often buckets are closed. ``zone``: of the 1d tier. ``now_us``: wall clock."""

    def __init__(self, writer: Writer, path: Path, interval_s: float, zone: str, now_us: Callable[[], int]) -> None:
        self.writer = writer
        self.path = path
        self.interval_s = interval_s
        self.zone = zone
        self.now_us = now_us
        self.state = AggregationState.DOWN
        self.runs = 0
        self.restarts = -1
        self.last_seconds = 0.0
        self.longest_store_s = 0.0  # the longest that storing roll-ups held the writer
        self.last_error = ""
        self.patience = 1.0  # so many times longer may storing roll-ups hold the writer; more where no readings wait
        self._process: multiprocessing.process.BaseProcess | None = None
        self._pipe: Connection | None = None
        self._restart_at = 0.0
        self._due = time.monotonic() + min(interval_s, 5.0)
        self._active_at = 0.0
        self._old_edge_us = 0
        self._new_edge_us = 0
        self._block_us = BLOCK_US
        self._behind = False
        self._rows_seen = 0
        self._want = False
        self._more = False
        self._left = False
        self._stored_from = self._stored_until = 0.0
        self._not_before = 0.0
        self._outcomes: list[tuple[str, Future[Any]]] = []  # futures to look at in tick()
        self.wake: Callable[[], None] = lambda: None  # set by the supervisor; called from the writer thread

    # ---- the supervisor's loop -------------------------------------------------------------------------------------

    def waitables(self) -> list[Any]:
        """What the loop should wait for besides its own wake-up."""
        if self._process is None or self._pipe is None:
            return []
        return [self._pipe, self._process.sentinel]

    @property
    def wanted(self) -> bool:
        """Whether another run is due at once."""
        return self._want

    def request(self) -> None:
        """Make a run due now (any thread)."""
        self._want = True
        self.wake()

    def tick(self) -> None:
        """Advance whatever can be advanced; called at least every second and after every wake-up."""
        now = time.monotonic()
        for name, future in [entry for entry in self._outcomes if entry[1].done()]:
            self._outcomes.remove((name, future))
            self._settled(name, future)
        if self._process is not None and not self._process.is_alive():
            self._lost(f"the aggregator ended with code {self._process.exitcode}")
        if self.state is AggregationState.DOWN:
            if now >= self._restart_at:
                self._start()
            return
        if self.state is AggregationState.WORKING and now - self._active_at > HUNG_AFTER_S:
            self._kill(f"no answer for {HUNG_AFTER_S:.0f} s")
            return
        if self.state is AggregationState.IDLE and self._is_due(now):
            self._begin(now)

    def on_readable(self) -> None:
        """A message from the process."""
        if self._pipe is None:
            return
        try:
            while self._pipe is not None and self._pipe.poll():
                self._message(self._pipe.recv())
        except (EOFError, OSError):
            self._lost("the aggregator closed its pipe")

    def stop(self, deadline_s: float = 5.0) -> None:
        """End the process: asked first, then terminated, then killed."""
        process, pipe = self._process, self._pipe
        self._process = self._pipe = None
        self.state = AggregationState.DOWN
        self._restart_at = float("inf")
        if process is None or pipe is None:
            return
        try:
            pipe.send(("exit",))
        except OSError:
            log.debug("the aggregator is gone already")
        pipe.close()  # a child waiting for an answer sees the end and leaves
        process.join(min(deadline_s, 1.0))
        if process.is_alive():
            process.terminate()
            process.join(deadline_s)
        if process.is_alive():
            process.kill()
            process.join(deadline_s)
        process.close()

    # ---- inside ----------------------------------------------------------------------------------------------------

    def _is_due(self, now: float) -> bool:
        if now < self._not_before:
            return False
        rows = self.writer.stats().committed
        return self._want or now >= self._due or rows - self._rows_seen >= ROWS_TRIGGER

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(
            target=aggregator_process.main, args=(theirs, str(self.path)), name="sensorlogd-aggregator", daemon=True
        )
        process.start()
        theirs.close()
        self._process, self._pipe = process, ours
        self.restarts += 1
        self.state = AggregationState.IDLE

    def _begin(self, now: float) -> None:
        """Step 1: tell the writer the edge."""
        self._want = False
        self._due = now + self.interval_s
        self._not_before = now + min(1.0, self.interval_s)  # late data that never ends must not keep a core busy
        self._rows_seen = self.writer.stats().committed
        edge = self.now_us() - GRACE_US
        edge -= edge % MINUTE_US
        zone = self.zone

        block_us, now_us = self._block_us, self.now_us()

        def take_edge(conn: sqlite3.Connection) -> tuple[int, int, bool]:
            apply.use_day_zone(conn, zone, now_us)
            stored, target = apply.take_edge(conn, edge, block_us)
            self.writer.frontier.edge_us = target
            return stored, target, target < edge

        self.state = AggregationState.EDGE
        self._submit("edge", take_edge)

    def _submit(self, name: str, job: Callable[[sqlite3.Connection], Any]) -> None:
        future = self.writer.submit(f"roll-up {name}", job)
        self._outcomes.append((name, future))
        future.add_done_callback(self._done)

    def _done(self, _: Future[Any]) -> None:
        """On the writer thread, after the commit."""
        self._stored_until = time.monotonic()
        self.wake()

    def _settled(self, name: str, future: Future[Any]) -> None:
        error = future.exception()
        if error is not None:
            self._kill(f"{name}: {error}")
            return
        if name == "edge" and self.state is AggregationState.EDGE:
            self._old_edge_us, self._new_edge_us, self._behind = future.result()
            self.state = AggregationState.WORKING
            self._send(("work", self._old_edge_us, self._new_edge_us, self.zone))
        elif name == "rows" and self.state is AggregationState.WORKING:
            took = self._stored_until - self._stored_from
            self.longest_store_s = max(self.longest_store_s, took)
            self._send(("ok", took / self.patience))
        elif name == "finish" and self.state is AggregationState.FINISHING:
            self.runs += 1
            if self._behind:
                change = min(max(RUN_S / max(self.last_seconds, 0.01), 0.2), 2.0)
                self._block_us = min(max(int(self._block_us * change), LEAST_BLOCK_US), MOST_BLOCK_US)
            if self._behind or self._more:
                self._not_before = 0.0
            self._want = self._want or self._behind or self._more or self._left
            self.state = AggregationState.IDLE

    def _send(self, message: tuple[Any, ...]) -> None:
        self._active_at = time.monotonic()
        try:
            if self._pipe is not None:
                self._pipe.send(message)
        except OSError:
            self._lost("the aggregator does not listen any more")

    def _message(self, message: tuple[Any, ...]) -> None:
        self._active_at = time.monotonic()
        if self.state is not AggregationState.WORKING:
            return
        kind = message[0]
        if kind == "rows":
            _, rows, deletes, marks, advances = message

            def store(conn: sqlite3.Connection) -> None:
                self._stored_from = time.monotonic()
                apply.apply_rows(conn, rows)
                apply.delete_rows(conn, deletes)
                apply.clear_marks(conn, marks)
                apply.advance_stale(conn, advances)

            self._submit("rows", store)
        elif kind == "done":
            _, self.last_seconds, self._more, self._left = message
            self.last_error = ""
            edge = self._new_edge_us
            self.state = AggregationState.FINISHING
            self._submit("finish", lambda conn: apply.set_edge(conn, edge))
        elif kind == "failed":
            self._failed(message[1])
            self.state = AggregationState.IDLE

    def _failed(self, reason: str) -> None:
        if reason != self.last_error:
            log.error("aggregator: %s; roll-ups are tried again at their next turn", reason)
            self.writer.emit("aggregator_failed", None, reason)
        self.last_error = reason

    def _kill(self, reason: str) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.join(5.0)
        self._lost(reason)

    def _lost(self, reason: str) -> None:
        """What the dead process computed is discarded: its state machine is, and the stored edge did not move."""
        self._failed(reason)
        if self._pipe is not None:
            self._pipe.close()
        if self._process is not None:
            self._process.join(1.0)
            self._process.close()
        self._process = self._pipe = None
        self._outcomes.clear()
        self.state = AggregationState.DOWN
        self._restart_at = time.monotonic() + 5.0
        self._want = True
