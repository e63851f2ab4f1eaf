"""The only code that writes to the database.

Owns: the writer thread and the open database, both opened and closed in ``_run``.
From any thread: ``emit``, ``submit``, ``flush``, ``use_specs``, ``stop``, ``stats``; readings come through the ``Inbox``.
Promise: a reading that the inbox accepted is committed, spilled beside the database, or counted as lost with a reason. The
batch is kept until COMMIT has returned; whatever goes wrong before that, the same batch is tried again.

One turn of the loop: take what the inbox has, commit when it is due, run jobs, do one slice of upkeep and one of kept work.
Each of these is short and a transaction of its own, and each passes through ``_attempt``: what goes wrong inside is judged
in one place (``failures.decide``) and dealt with in one place (``_deal_with``).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from sensorlogd.batch import Block
from sensorlogd.daemon.timekeeping.judged_clock import JudgedClock
from sensorlogd.daemon.writing import ending, failures
from sensorlogd.daemon.writing.commit import Commit, Report, Timetable
from sensorlogd.daemon.writing.disk.space import Space
from sensorlogd.daemon.writing.disk.wal_growth import WalGrowth
from sensorlogd.daemon.writing.events import Event, EventQueue
from sensorlogd.daemon.writing.failures import Failing, LowSpace, Outcome, Verdict
from sensorlogd.daemon.writing.inbox import Inbox
from sensorlogd.daemon.writing.jobs import Job, Jobs, run_job
from sensorlogd.daemon.writing.kept_work import KeptWork
from sensorlogd.daemon.writing.opening import Opening
from sensorlogd.daemon.writing.pending import Flush, NewSpecs, Pending
from sensorlogd.daemon.writing.totals import Totals, WriterState, WriterStats
from sensorlogd.storage import catalog
from sensorlogd.storage.file.file_watch import FileGone
from sensorlogd.storage.file.opened import OpenDatabase, use_specs
from sensorlogd.storage.ingest.append import Appended
from sensorlogd.storage.maintenance.rescue import NoRescue
from sensorlogd.storage.maintenance.retention import RetentionPlan
from sensorlogd.storage.work import Worker

log = logging.getLogger(__name__)

T = TypeVar("T")

LOOK_FOR_DAMAGE_EVERY_S = 10.0
LOOK_FOR_DAMAGE_S = 0.01  # at each look: a gigabyte is read once in some hours
RESCUE_FOR_S = 60.0  # so long what was open is held on to while there is no room for a copy of it
JOBS_FOR_S = 0.05  # jobs are run for so long, then readings go first again
JOB_TRIES = 8  # by a database that takes readings meanwhile: then the job is told why
UPKEEP_TOLD_AT = 4  # failures in a row: for some the owner need not be called
UPKEEP_PAUSE_S = 60.0  # at most
SPECS_TRIES = 3


@dataclass(frozen=True, slots=True)
class WriterSettings:
    """commit_rows: a commit is due after so many readings even before commit_interval_s has passed.

    sets_aside: a damaged database is moved aside and a fresh one begun; else it is left where it is, and nothing written.
    """

    path: Path
    commit_interval_s: float = 1.0
    commit_rows: int = 50_000
    status_interval_s: float = 10.0
    latest_interval_s: float = 5.0
    min_free_bytes: int = 0
    sets_aside: bool = True


class Writer:
    """See the module. ``opening``: how the database is opened. ``report``: what the status tables are to say; called on the
    writer thread. ``workers``: who does which kind of kept work. ``rolls_up``: called when roll-ups are due. ``note_lost``: told how many readings could be stored nowhere."""

    def __init__(
        self,
        settings: WriterSettings,
        inbox: Inbox,
        opening: Opening,
        clock: JudgedClock,
        *,
        report: Callable[[], Report] = lambda: Report((), {}),
        workers: Sequence[Worker] = (),
        rolls_up: Callable[[], None] = lambda: None,
        note_lost: Callable[[int], None] = lambda readings: None,
    ) -> None:
        self.settings = settings
        self.inbox = inbox
        self.clock = clock
        self.now_us = clock.now_us
        self.ready = threading.Event()  # the database is open (or refused)
        self.events = EventQueue()
        self.opening = opening
        self._report = report
        self._rolls_up = rolls_up
        self._note_lost = note_lost
        self._db: OpenDatabase | None = None
        self._pending = Pending(inbox, settings.commit_rows, settings.commit_interval_s, clock.corrected)
        self._jobs = Jobs()
        self._totals = Totals()
        self._space = Space(settings.path, settings.min_free_bytes)
        self._work = KeptWork(workers, self._space)
        self._growth = WalGrowth(self.emit)
        self._times = Timetable(settings.status_interval_s, settings.latest_interval_s)
        self._status_now = threading.Event()  # a state changed: write the status tables with the next commit
        self._dropped: dict[str, int] = {}  # not told in the database yet
        self._look_at = time.monotonic() + LOOK_FOR_DAMAGE_EVERY_S
        self._failing = Failing(count=0)
        self._failing_since = 0.0
        self._retry_at = 0.0
        self._jobs_at = 0.0  # monotonic: a job that was refused is not tried again before
        self._upkeep_at = 0.0  # likewise upkeep and kept work
        self._upkeep_faults = 0
        self._specs_faults = 0
        self._stopping = threading.Event()
        self._stop_at = float("inf")  # monotonic: what is not stored by then is spilled
        self._refusal: Exception | None = None
        self.lost_at_end = 0  # readings that could be stored nowhere
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)

    # ---- from any thread -------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the thread; ``ready`` is set once the database is open or refused."""
        self._thread.start()

    def emit(self, kind: str, sensor: str | None, detail: str) -> None:
        """Record an event with the next commit. Never blocks."""
        self.events.put(Event(self.now_us(), kind, sensor, detail))
        self._status_now.set()

    def status_changed(self) -> None:
        """Ask for the status tables to be written with the next commit."""
        self._status_now.set()

    def submit(
        self, name: str, run: Callable[[OpenDatabase], T], *, transaction: bool = True, token: int | None = None
    ) -> Future[T]:
        """Run ``run(db)`` on the writer thread between two commits, in a transaction of its own.

        It may be run again if the database refuses it (locked, full), so it must be safe to repeat. With
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
        flush = Flush("", [])
        flush.done = Future()
        flush.done.set_running_or_notify_cancel()  # it travels with readings: cancelled on its way it would trip up their commit
        if not self.inbox.put(flush, 0.0):
            flush.done.set_exception(RuntimeError("the inbox is closed or full"))
        return flush.done

    def use_specs(self, specs: Sequence[catalog.SensorSpec], plan: RetentionPlan) -> None:
        """The configured sensors changed (a reload), and how long they are kept. What is in the inbox by now is stored under
        the former names; what is put after this call, under the new ones."""
        marker = NewSpecs("", [])
        marker.specs, marker.plan = list(specs), plan
        self.inbox.put(marker, 0.0)

    def stats(self) -> WriterStats:
        """A copy of the totals."""
        return self._totals.copy(self._pending.rows)

    def kept_work(self) -> list[dict[str, Any]]:
        """What is not over, for ``status``."""
        return self._work.snapshot()

    def wal(self) -> dict[str, Any]:
        """How long the write-ahead log is, and who holds it, for ``status``."""
        return self._growth.facts()

    def refusal(self) -> Exception | None:
        """Why the database must not be touched, if so."""
        return self._refusal

    def stop(self, within_s: float = 60.0) -> None:
        """Commit everything the (closed) inbox still holds, run the queued jobs, close. What cannot be stored within the time
        is spilled beside the database. Idempotent."""
        self._stop_at = min(self._stop_at, time.monotonic() + within_s)
        self._stopping.set()
        self.inbox.wake()

    def is_alive(self) -> bool:
        """Whether the thread runs; it never ends by itself but when it is refused or stopped."""
        return self._thread.is_alive()

    def join(self, timeout_s: float | None = None) -> bool:
        """True once the thread has ended."""
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def abandon(self) -> None:
        """The thread does not come back from the disk: spill what it holds, from outside. The process must end after this."""
        self._jobs.close("the writer hangs")
        self._give_up()
        self._pending.give_up("the writer hangs")

    # ---- the writer thread -----------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while self._refusal is None and not self._over():
                self._totals.beat(time.monotonic())
                self._turn()
        except Exception:
            log.exception("writer: stopped by an error of its own")
            raise
        finally:
            self._close()

    def _turn(self) -> None:
        if self._db is None and self._may_try():
            self._attempt("opening", self._open)
        self._pending.take(self._patience())
        if self._db is None or not self._may_try():
            return
        if self._commit_is_due():
            self._attempt("a commit", self._commit)
        now = time.monotonic()
        if self._is_well() and (now >= self._jobs_at or self._stopping.is_set()):
            self._run_jobs()
        if self._is_well() and now >= self._upkeep_at and not self._stopping.is_set():
            self._attempt("upkeep", self._one_slice)

    def _may_try(self) -> bool:
        """While something is failing, every so often only."""
        return time.monotonic() >= self._retry_at

    def _is_well(self) -> bool:
        return self._db is not None and not self._failing.count

    def _patience(self) -> float:
        """How long to wait for readings, in seconds; while the database is in trouble, for the next try."""
        now = time.monotonic()
        if not self._is_well() or now < self._retry_at:
            # The one batch is held; the inbox holds the rest and, when full, drops its oldest and counts.
            self.inbox.wait(0.05 if self._stopping.is_set() else min(max(self._retry_at - now, 0.0), 1.0))
            return 0.0 if self._stopping.is_set() else -1.0
        assert self._db is not None
        if self._stopping.is_set():
            return 0.0
        aside = 0.0 if self._db.upkeep.busy or self._work.busy else min(self._db.upkeep.due, self._work.due)
        due = min(self._times.status_at, max(aside, self._upkeep_at))
        if len(self._jobs):
            due = min(due, self._jobs_at)
        if self._pending.rows:
            due = min(due, self._pending.due_at)
        return min(max(due - now, 0.0), 1.0)

    def _commit_is_due(self) -> bool:
        now = time.monotonic()
        return (
            self._failing.count > 0
            or self._stopping.is_set()
            or self._pending.is_due(now)
            or now >= self._times.status_at
            or (len(self.events) > 0 and not self._pending.rows)
        )

    def _over(self) -> bool:
        """Asked to stop and either nothing is left or the time is."""
        if not self._stopping.is_set():
            return False
        if time.monotonic() >= self._stop_at:
            return True
        return not (self._pending.blocks or self.inbox.depth or len(self._jobs) or len(self.events)) and self._is_well()

    # ---- what it does ----------------------------------------------------------------------------------------------

    def _open(self) -> None:
        db, notes = self.opening.open(first=not self.ready.is_set())
        self._db = db
        for note in reversed(notes.before):
            self.events.put_first(note)
        for note in notes.after:
            self.events.put(note)
        for sensor, kind, n in notes.counted:
            self._totals.count(kind, {sensor: n})
        self._totals.set_given_up(notes.given_up)
        self._times.all_due()
        self._work.ordered()
        self.ready.set()

    def _commit(self) -> None:
        db = self._the_db()
        db.look_at_file()
        self._look_at_space(db)
        began = time.monotonic()
        blocks = self._pending.first()
        with_status = began >= self._times.status_at or self._status_now.is_set()
        self._status_now.clear()
        self._note_dropped()
        report = self._report_if(with_status)
        commit = Commit(
            blocks,
            self.events.waiting(self.now_us(), self.clock.correction_us),
            self._pending.retrying,
            report,
            self._dropped,
            marks=self.clock.stored(),
            latest_is_due=self._times.latest_is_due(began),
            latest_back_us=int(max(2 * self.settings.commit_interval_s, 5.0) * 1e6),
        )
        try:
            result = commit.run(db, self._totals, self.now_us)
        except Exception:
            self._pending.retrying = self._pending.retrying or commit.committing
            if with_status:
                self._status_now.set()
            raise
        self._committed(db, commit, result, began)

    def _committed(self, db: OpenDatabase, commit: Commit, result: Appended, began: float) -> None:
        self._pending.committed(len(commit.blocks))
        self.events.stored(len(commit.events))
        db.newest = {} if commit.wrote_latest else commit.newest
        db.upkeep.stored(result.stored)
        if commit.dropped:
            self._totals.set_given_up(self._totals.copy(0).given_up + sum(commit.dropped.values()))
            self._dropped = {}
        self._times.committed(commit, began)
        self._totals.committed(result, time.monotonic() - began, self.now_us())
        if result.poison_example:
            log.warning("writer: a reading could not be stored: %s", result.poison_example)
        new = self._pending.next_specs()
        if new is None:
            self._recovered()
        else:
            self._attempt("new sensors", lambda: self._use_specs(db, new))

    def _report_if(self, due: bool) -> Report | None:
        """What the status tables are to say. A fault in it costs the status, never the readings."""
        try:
            return self._report() if due else None
        except Exception:
            log.exception("writer: the status could not be told")
            self._times.postpone_status()
            return None

    def _use_specs(self, db: OpenDatabase, new: NewSpecs) -> None:
        db.upkeep.retention.plan(new.plan)
        for kind, sensor, detail in use_specs(db, new.specs, self.now_us()):
            self.emit(kind, sensor, detail)
            log.info("%s: %s: %s", sensor, kind, detail)
        self.opening.use_specs(new.specs, new.plan)
        self._pending.committed(1)
        self._specs_faults = 0
        self._work.ordered()
        self._recovered()

    def _look_at_space(self, db: OpenDatabase) -> None:
        """Raises LowSpace, unless old readings may give way and do."""
        try:
            self._space.look()
        except LowSpace:
            if not db.upkeep.make_room(db.conn, db.frontier):
                raise
            self._space.made_room()

    def _note_dropped(self) -> None:
        for sensor, n in self.inbox.drain_dropped().items():
            self._dropped[sensor] = self._dropped.get(sensor, 0) + n
            self.emit("dropped", sensor, f"{n} readings: the inbox was full")
            log.error("%s: %d readings dropped: the inbox was full", sensor, n)
            self._totals.count("dropped", {sensor: n})

    def _run_jobs(self) -> None:
        """Every job that is queued now, each in its own transaction; new readings go first again after 50 ms."""
        until = time.monotonic() + JOBS_FOR_S
        while self._is_well() and time.monotonic() < until and (job := self._jobs.first()) is not None:
            self._totals.beat(time.monotonic())
            self._attempt(job.name, lambda job=job: self._run_job(job), job=job)  # type: ignore[misc]
            if job.tries:  # it waits at the head of the queue
                until = 0.0

    def _run_job(self, job: Job[Any]) -> None:
        value = run_job(job, self._the_db())
        self._work.ordered()
        self._jobs.done(job, value)

    def _one_slice(self) -> None:
        db = self._the_db()
        db.upkeep.slice(db.conn, db.frontier, self.clock.safe_us())
        if not db.upkeep.busy or self._work.busy:
            self._work.slice(db, self.now_us())
            if self._work.rolls_up and not self._work.busy:
                self._work.rolls_up = False
                self._rolls_up()
        db.checkpoint_if_due()
        self._growth.look(db)
        self._upkeep_faults = 0
        if time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + LOOK_FOR_DAMAGE_EVERY_S
            db.look_for_damage(LOOK_FOR_DAMAGE_S)
        self._upkeep_faults = 0

    def _isolate(self) -> None:
        """A batch raised a fault of ours: store its blocks one by one, then its events; one that raises again is counted as
        poisoned. The status, which may be at fault, too, waits for its next time."""
        db = self._the_db()
        self._times.postpone_status()
        while (blocks := self._pending.first()) and self._db is db:
            self._store_alone(db, blocks[:1], ())
        for event in self.events.waiting(self.now_us(), self.clock.correction_us):
            if self._db is db:
                self._store_alone(db, (), [event])

    def _store_alone(self, db: OpenDatabase, blocks: Sequence[Block], events: Sequence[Event]) -> None:
        began = time.monotonic()
        commit = Commit(blocks, events, True, None, {})
        try:
            result = commit.run(db, self._totals, self.now_us)
        except Exception as error:
            db.rollback()
            if failures.decide(error, Failing()).outcome is not Outcome.HAND_BACK:
                raise
            log.exception("writer: this cannot be stored and is set aside: %s %s", [block.sensor for block in blocks], events)
            for block in blocks:
                self.emit("poisoned", block.sensor, f"{block.rows} readings: {error!r}")
            rows = sum(block.rows for block in blocks)
            result = Appended(rows=rows, poisoned={block.sensor: block.rows for block in blocks})
            commit.wrote_latest, commit.newest = False, db.newest
        self._committed(db, commit, result, began)

    def _the_db(self) -> OpenDatabase:
        assert self._db is not None
        return self._db

    # ---- when it fails ---------------------------------------------------------------------------------------------

    def _attempt(self, what: str, action: Callable[[], None], *, job: Job[Any] | None = None) -> None:
        """Every touch of the database. Nothing but the end of the interpreter leaves here."""
        try:
            action()
        except Exception as error:
            if self._db is not None:
                self._db.rollback()
            now = time.monotonic()
            if not self._failing.count:
                self._failing_since = now
            aside = self._upkeep_faults if what == "upkeep" else 0 if job is None else job.tries
            self._failing = Failing(
                max(self._failing.count, aside) + 1,
                now - self._failing_since,
                was_open=self.ready.is_set(),
                sets_aside=self.settings.sets_aside,
                a_job=job is not None or what in ("upkeep", "new sensors"),
            )
            self._deal_with(what, error, failures.decide(error, self._failing), job)

    def _deal_with(self, what: str, error: Exception, verdict: Verdict, job: Job[Any] | None) -> None:
        outcome = verdict.outcome
        if outcome is Outcome.HAND_BACK:
            self._hand_back(what, error, job)
            return
        goes_on = outcome in (Outcome.TRY_AGAIN, Outcome.HOLD, Outcome.REOPEN) and not verdict.is_damage
        if goes_on and (job is not None or what == "upkeep"):
            self._leave_alone(error, verdict, job)
            return
        self._retry_at = time.monotonic() + verdict.delay_s
        if outcome is Outcome.TRY_AGAIN:
            return
        if outcome is Outcome.REFUSE:
            self._refusal = error
            self._move(WriterState.REFUSED, verdict.reason)
            self.ready.set()
        elif outcome is Outcome.SET_ASIDE:
            self._set_aside(error, verdict.reason)
        elif outcome is Outcome.RESCUE:
            self._rescue(verdict)
        else:
            self._block(what, verdict)
            if outcome is Outcome.REOPEN:
                self._reopen()

    def _reopen(self) -> None:
        """But not if the file has been taken away meanwhile: with what is open all of it would go."""
        try:
            if self._db is not None:
                self._db.look_at_file()
        except FileGone as error:
            self._rescue(failures.decide(error, self._failing))
            return
        except Exception as error:
            log.debug("database: opened anew, and: %s", error)
        self._let_go()

    def _leave_alone(self, error: Exception, verdict: Verdict, job: Job[Any] | None) -> None:
        """A job or upkeep was refused. The next commit, which is due now, tells whether the database is in trouble. If it is
        not, the trouble is that of what was tried: it waits longer each time, and in the end whoever asked is told."""
        if job is None:
            self._postpone_upkeep(verdict.reason)
        else:
            job.tries += 1
            self._jobs_at = time.monotonic() + verdict.delay_s
            if job.tries >= JOB_TRIES:
                log.error("writer: %s was refused %d times: %s", job.name, job.tries, verdict.reason)
                self._jobs.failed(job, error)
        if verdict.outcome is Outcome.REOPEN:
            self._let_go()

    def _postpone_upkeep(self, reason: str) -> None:
        self._upkeep_faults += 1
        self._upkeep_at = time.monotonic() + min(0.1 * 2 ** min(self._upkeep_faults, 16), UPKEEP_PAUSE_S)
        if self._upkeep_faults == UPKEEP_TOLD_AT:
            log.error("database: upkeep fails: %s; readings are stored, and it is tried again", reason)
            self.emit("upkeep_failed", None, f"{reason}; readings are stored meanwhile, and it is tried again")

    def _hand_back(self, what: str, error: Exception, job: Job[Any] | None) -> None:
        """The fault is not the database's: who asked is told; what nobody asked for is left alone for a while."""
        self._failing = Failing(count=0)
        if job is not None:
            self._jobs.failed(job, error)
        elif what == "a commit":
            log.exception("writer: a batch of %d readings could not be stored; trying block by block", self._pending.rows)
            self._attempt("block by block", self._isolate)
        elif what == "upkeep":
            log.exception("writer: upkeep failed; it is tried again later")
            self._postpone_upkeep(f"{type(error).__name__}: {error}")
        else:
            log.exception("writer: %s failed; it is tried again later", what)
            self._retry_at = time.monotonic() + 1.0
            if what == "new sensors":
                self._specs_failed(error)
            if what == "block by block":
                self._pending.committed(1)

    def _specs_failed(self, error: Exception) -> None:
        """Readings wait behind the new sensors, and must not wait for ever."""
        self._specs_faults += 1
        if self._specs_faults >= SPECS_TRIES:
            self._specs_faults = 0
            self._pending.committed(1)
            reason = f"the new sensors could not be taken over: {type(error).__name__}: {error}"
            self.emit(
                "sensors_failed", None, f"{reason}; readings of those that are not known yet are counted as unknown_channel"
            )

    def _block(self, what: str, verdict: Verdict) -> None:
        if self._totals.state is not WriterState.BLOCKED:
            log.error("database: %s: %s; readings are held in memory and it is tried again", what, verdict.reason)
            self.emit(verdict.event, None, verdict.reason)
        self._move(WriterState.BLOCKED, verdict.reason)

    def _set_aside(self, error: Exception, reason: str) -> None:
        only_side_files = bool(getattr(error, "only_side_files", False))

        def run() -> None:
            self._tell_incident(self.opening.set_aside(self._db, reason, only_side_files), reason, only_side_files)

        self._attempt("setting aside", run)

    def _tell_incident(self, folder: Path, reason: str, only_side_files: bool) -> None:
        self._let_go()
        if only_side_files:
            log.error("database: %s: moved aside to %s; the file goes on as it is", reason, folder)
            self.emit("foreign_wal", None, f"{reason}; moved aside to {folder}; the file goes on as it is")
        else:
            log.critical("database: %s: moved aside to %s; a fresh one is started", reason, folder)
            self.emit("corrupt", None, f"{reason}; moved aside to {folder}; a fresh one is started")
        self._failing = Failing(count=0)
        self._retry_at = 0.0
        self._times.all_due()

    def _rescue(self, verdict: Verdict) -> None:
        """What is open lives as long as it is open: while there is no room for a copy it is held on to for a while."""
        db = self._the_db()
        removed = verdict.event == "database_removed"
        patient = self._failing.for_s < RESCUE_FOR_S and self.inbox.depth < self.inbox.limit // 2 and not self._stopping.is_set()
        try:
            outcome = self.opening.rescue(db, removed=removed, last_try=not patient)
        except (NoRescue, OSError) as error:
            if not self._stopping.is_set():
                self._retry_at = time.monotonic() + 1.0
                self._block("a rescue", replace(verdict, event="database_unavailable", reason=f"{verdict.reason}; {error}"))
                return
            outcome = f"what was open is lost: {error}"
        log.error("database: %s; %s", verdict.reason, outcome)
        self.emit(verdict.event, None, f"{verdict.reason}; {outcome}")
        self._let_go()
        self._failing = Failing(count=0)
        self._retry_at = 0.0

    def _recovered(self) -> None:
        if self._totals.state is WriterState.BLOCKED:
            lasted = time.monotonic() - self._failing_since
            log.warning("database: accepts writes again after %.1f s", lasted)
            self.emit("recovered", None, f"the database accepts writes again after {lasted:.1f} s")
        self._failing = Failing(count=0)
        self._retry_at = 0.0
        self._move(WriterState.WRITING, "")

    def _move(self, state: WriterState, reason: str) -> None:
        before = self._totals.state
        if self._totals.move(state, reason, self.now_us()):
            log.info("writer: %s -> %s %s", before.value, state.value, reason)
            self._status_now.set()

    def _let_go(self) -> None:
        if self._db is not None:
            self._db.let_go()
            self._db = None
        self._work.close()

    # ---- the end ---------------------------------------------------------------------------------------------------

    def _give_up(self) -> bool:
        """Spill what is left. True if nothing was."""
        self._pending.blocks += self.inbox.get_all(1 << 62, 0.0)  # with them whoever waits for a flush: all are told the end
        return ending.give_up(self._pending.blocks, self.events, self.settings.path, self.now_us(), self._count_lost)

    def _count_lost(self, readings: int) -> None:
        self.lost_at_end += readings
        self._note_lost(readings)

    def _close(self) -> None:
        """Last words: what could not be stored is spilled; the clean-shutdown mark; one file without a WAL if nobody reads."""
        try:
            self._say_last_words()
        finally:
            if self._refusal is None:
                self._move(WriterState.STOPPED, "")
            self.ready.set()

    def _say_last_words(self) -> None:
        self._work.close()
        self._jobs.close("the writer stopped")
        complete = self._refusal is not None or self._give_up()
        self._pending.give_up("the writer stopped")
        if self._db is not None:
            try:
                self._db.look_at_file()
                ending.last_words(self._db, self._report(), clean=complete, now_us=self.now_us(), marks=self.clock.stored())
            except FileGone as error:
                self._rescue(failures.decide(error, Failing()))
            except Exception as error:  # whatever it is: what was committed is safe, and the process ends now
                log.warning("database: could not be closed cleanly: %s", error)
                self._let_go()
            self._db = None
