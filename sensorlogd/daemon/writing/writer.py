"""The only code that writes to the database: the loop, and what other threads may ask of it.

Owns: the writer thread and the open database, both opened and closed in ``_run``.
From any thread: ``emit``, ``submit``, ``flush``, ``use_specs``, ``stop``, ``stats``; readings come through the ``Inbox``.
Promise: a reading that the inbox accepted is committed, spilled beside the database, or counted as lost with a reason. The
batch is kept until COMMIT has returned; whatever goes wrong before that, the same batch is tried again.

One turn of the loop: take what the inbox has, commit when it is due (``storing``), run jobs (``jobs``), do one slice of upkeep
and one of kept work (``upkeep_task``). Each of these is short and a transaction of its own, and each passes through
``trouble.attempt``, the one place where errors of the database are handled.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, TypeVar

from sensorlogd.daemon.computing.computing import Formulas
from sensorlogd.daemon.writing.between_commits.jobs import Job
from sensorlogd.daemon.writing.build import WriterParts
from sensorlogd.daemon.writing.intake.pending import Flush, NewSpecs
from sensorlogd.daemon.writing.recovery.notes import Notes
from sensorlogd.daemon.writing.recovery.trouble import Task
from sensorlogd.daemon.writing.stopped import WriterStopped
from sensorlogd.daemon.writing.totals import WriterStats
from sensorlogd.event_kinds import Kind
from sensorlogd.storage.maintenance.retention import RetentionPlan
from sensorlogd.storage.open_database import OpenDatabase
from sensorlogd.storage.series import catalog

logger = logging.getLogger(__name__)

T = TypeVar("T")


class Writer:
    """The writer thread and what it owns; ``parts``: made for it alone."""

    def __init__(self, parts: WriterParts) -> None:
        self.inbox = parts.inbox
        self._clock = parts.clock
        self.now_us = parts.clock.now_us
        self.safe_us = parts.clock.safe_us
        self._opening = parts.opening
        self.ready = parts.trouble.ready  # the database is open (or refused)
        self._watcher = parts.watcher
        self._notices = parts.notices
        self._totals = parts.totals
        self._times = parts.times
        self._computing = parts.computing
        self._pending = parts.pending
        self._unstored = parts.unstored
        self._log = parts.log
        self._work = parts.work
        self._growth = parts.growth
        self._trouble = parts.trouble
        self._due = parts.due
        self._storing = parts.storing
        self._jobs = parts.jobs
        self._runner = parts.job_runner
        self._upkeep = parts.upkeep
        self._ending = parts.ending
        self._stopping = parts.stopping
        self._stop_at = float("inf")  # monotonic: what is not stored by then is spilled
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)

    # ---- from any thread -------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the thread; ``ready`` is set once the database is open or refused."""
        self._thread.start()

    def emit(self, kind: Kind, sensor: str | None, detail: str) -> None:
        """Record an event with the next commit. Never blocks."""
        self._notices.emit(kind, sensor, detail)

    def status_changed(self) -> None:
        """Ask for the status tables to be written with the next commit."""
        self._notices.status_changed()

    def submit(
        self, name: str, run: Callable[[OpenDatabase], T], *, transaction: bool = True, token: int | None = None
    ) -> Future[T]:
        """Run ``run(db)`` on the writer thread between two commits, in a transaction of its own.

        It may be run again if the database refuses it (locked, full), so it must be safe to repeat, or made ``Once``. With
        ``transaction=False`` it runs outside a transaction: after everything committed so far, before anything later.
        ``token``: of the opening it is for; another one fails it with Superseded. A future that is cancelled before its turn
        is not run.
        """
        future: Future[T] = Future()
        self._jobs.put(Job(name, run, transaction, token, future))
        self.inbox.wake()
        return future

    def flush(self) -> Future[None]:
        """Commit soon; done once everything the inbox held at this moment is committed.

        The request travels through the inbox like a reading, so all that came before it is stored with or before it.
        """
        flush = Flush()
        if not self.inbox.put(flush, 0.0):
            flush.done.set_exception(WriterStopped("the inbox of the writer is closed, because the daemon ends"))
        return flush.done

    def use_specs(self, specs: Sequence[catalog.SensorSpec], plan: RetentionPlan, formulas: Formulas | None = None) -> None:
        """The configured sensors changed (a reload), and how long they are kept, and what is computed (None: as before). What is
        in the inbox by now is stored under the former names; what is put after this call, under the new ones."""
        self.inbox.put(NewSpecs(list(specs), plan, formulas), 0.0)

    @property
    def open_token(self) -> int | None:
        """Which opening of the database jobs meet now; None: nothing is open. Any thread."""
        db = self._log.db
        return None if db is None else db.token

    def stats(self) -> WriterStats:
        """A copy of the totals."""
        return self._totals.copy(self._pending.rows)

    def kept_work(self) -> list[dict[str, Any]]:
        """What is not over, for ``status``."""
        return self._work.snapshot()

    def hindrance(self) -> str:
        """Why no kept work goes on, though some waits; empty while it does."""
        return self._upkeep.hindrance or self._work.hindrance

    def wal(self) -> dict[str, Any]:
        """How long the write-ahead log is, and who holds it, for ``status``."""
        return self._growth.facts()

    @property
    def clean_start(self) -> bool:
        """Whether the run before has closed the database, or there was none."""
        return self._opening.clean_start

    def refusal(self) -> Exception | None:
        """Why the database must not be touched, if so."""
        return self._trouble.refusal

    def stop(self, within_s: float = 60.0) -> None:
        """Commit everything the (closed) inbox still holds, run the queued jobs, close. What cannot be stored within the time
        is spilled beside the database. Idempotent."""
        self._stop_at = min(self._stop_at, time.monotonic() + within_s)
        self._stopping.set()
        self.inbox.wake()

    def is_alive(self) -> bool:
        """Whether the thread runs. It ends when it is stopped or the database is refused; at any other time that is a fault."""
        return self._thread.is_alive()

    def join(self, timeout_s: float | None = None) -> bool:
        """True once the thread has ended."""
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    @property
    def lost_at_end(self) -> int:
        """Readings that could be stored nowhere."""
        return self._ending.lost

    def abandon(self) -> None:
        """The thread does not come back from the disk: spill what it holds, from outside. The process must end after this."""
        self._jobs.close("the writer hangs")
        self._ending.abandon()

    # ---- the writer thread -----------------------------------------------------------------------------------------

    def _run(self) -> None:
        fault: Exception | None = None
        try:
            while self._trouble.refusal is None and not self._is_over():
                self._totals.beat(time.monotonic())
                self._turn()
        except Exception as error:
            fault = error
            logger.exception("writer: stopped by an error of its own")
            raise
        finally:
            self._close(fault)

    def _turn(self) -> None:
        """One round of the loop: open the database if need be, take what has come, commit what is due, run jobs, look after
        the database."""
        trouble = self._trouble
        if self._log.db is None and trouble.may_try():
            trouble.attempt(Task("opening", self._open))
        self._unstored.correct_early()
        self._pending.take(self._wait_s())
        self._unstored.dropped.count()
        self._show_watcher()
        if self._log.db is None or not trouble.may_try():
            return
        if trouble.failing.count or self._stopping.is_set() or self._due.is_due():
            self._storing.store()
        now = time.monotonic()
        if trouble.is_well() and (now >= self._runner.paused_until or self._stopping.is_set()):
            self._runner.run()
        if trouble.is_well() and now >= self._upkeep.paused_until and not self._stopping.is_set():
            trouble.attempt(self._upkeep)

    def _show_watcher(self) -> None:
        if self._trouble.is_well():
            self._watcher.observe(self._pending.blocks, well=True)
        else:
            self._watcher.observe([*self._pending.blocks, *self.inbox.waiting()], well=False)

    def _wait_s(self) -> float:
        """How long to wait for readings, in seconds; while the database is in trouble, for the next try."""
        now = time.monotonic()
        trouble, stopping = self._trouble, self._stopping.is_set()
        if not (trouble.is_well() and trouble.may_try()):
            # The one batch is held; the inbox holds the rest and, when full, drops its oldest and counts.
            self.inbox.wait(0.05 if stopping else min(max(trouble.retry_at - now, 0.0), 1.0))
            return 0.0 if stopping and self._clock.is_anchored else -1.0
        if stopping:
            return 0.0
        due = min(self._times.status_at, self._upkeep.due_at())
        if len(self._jobs):
            due = min(due, self._runner.paused_until)
        if self._pending.rows:
            due = min(due, self._pending.due_at)
        return min(max(due - now, 0.0), 1.0)

    def _is_over(self) -> bool:
        """Whether the loop ends: stop was requested, and nothing is left to store or the time is up."""
        if not self._stopping.is_set():
            return False
        return time.monotonic() >= self._stop_at or self._is_idle()

    def _is_idle(self) -> bool:
        return self._unstored.is_empty() and not len(self._jobs) and self.inbox.is_empty and self._trouble.is_well()

    def _open(self) -> None:
        """Open the database, and pass on what was found at the opening. It counts as open once all know it. Raises what
        ``Opening.open`` and ``Computing.opened`` raise; then it is closed again."""
        db, notes = self._opening.open(first=not self.ready.is_set(), beat=lambda: self._totals.beat(time.monotonic()))
        self._take_over_notes(notes)  # first: no later opening tells of this again
        try:
            self._watcher.note_opened(db)
            made = self._computing.opened(db, self.now_us())
        except BaseException:
            db.let_go()
            raise
        self._log.use(db)
        self._pending.add(made)
        self._times.all_due()
        self.ready.set()

    def _take_over_notes(self, notes: Notes) -> None:
        for note in reversed(notes.before):
            self._notices.events.put_first(note)
        for note in notes.after:
            self._notices.events.put(note)
        for sensor, kind, n in notes.counted:
            self._totals.count(kind, {sensor: n})
        self._totals.set_given_up(notes.given_up)

    def _close(self, fault: Exception | None = None) -> None:
        """The end of the thread. ``fault``: what has ended it, if it did not end by itself."""
        self._work.close()
        self._jobs.close("the writer stopped")
        self._ending.close(fault)
