"""The one place that handles errors of the database: every access to it is a ``Task`` that passes through ``Trouble.attempt``.

``failures.decide`` says what an error means. What it means for the database is dealt with here: held, opened anew, rescued, set
aside, refused. What it means for the thing that was tried, that thing knows: ``Task.refused`` and ``Task.failed``.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from sensorlogd.daemon.writing.bookkeeping import Bookkeeping
from sensorlogd.daemon.writing.intake.inbox import Inbox
from sensorlogd.daemon.writing.recovery import failures
from sensorlogd.daemon.writing.recovery.failures import Failing, Remedy, Verdict
from sensorlogd.daemon.writing.recovery.open_log import OpenLog
from sensorlogd.daemon.writing.recovery.opening import Opening
from sensorlogd.daemon.writing.totals import WriterState
from sensorlogd.event_kinds import EventKind
from sensorlogd.storage.file.file_watch import FileCut, FileGone, FileOverwritten
from sensorlogd.storage.salvage.rescue import NoRescue

logger = logging.getLogger(__name__)

MOST_REASONS = 5  # that are logged of one blocking: some hold a number that changes
RESCUE_FOR_S = 60.0  # so long what was open is held on to while there is no room for a copy of it


@dataclass
class Task:
    """Something that is tried on the database.

    ``is_secondary``: readings do not wait for it; if it is refused, commits go on and show how the database is. ``own_faults``: an
    error that SQLite has no clear code for is its own. ``tries``: how often in a row it was refused.
    """

    name: str
    run: Callable[[], None]
    is_secondary: bool = False
    own_faults: bool = False
    tries: int = 0

    def refused(self, error: Exception, verdict: Verdict) -> None:
        """Called for a task that ``is_secondary``: the database has refused it, whether or not the database itself is in trouble."""

    def failed(self, error: Exception) -> bool:
        """The fault is not the database's. Returns whether to wait a second before anything is tried again."""
        logger.exception("writer: %s failed; it is tried again later", self.name)
        return True


class Trouble:
    """Runs tasks and deals with their errors. Owned by the writer thread; any thread may read ``refusal`` and wait for ``ready``.

    ``ready``: set once the database is open, or refused. ``sets_aside``: whether a damaged file may be moved aside."""

    def __init__(
        self,
        log: OpenLog,
        books: Bookkeeping,
        opening: Opening,
        inbox: Inbox,
        now_us: Callable[[], int],
        stopping: threading.Event,
        *,
        sets_aside: bool,
    ) -> None:
        self.ready = threading.Event()
        self.refusal: Exception | None = None
        self.retry_at = 0.0  # monotonic: nothing is tried before
        self.failing = Failing(count=0)
        self._since = 0.0
        self._reasons: set[str] = set()  # why it is blocked, as logged since it is
        self._log = log
        self._totals, self._notices, self._times = books.totals, books.notices, books.times
        self._opening = opening
        self._inbox = inbox
        self._now_us = now_us
        self._stopping = stopping
        self._sets_aside = sets_aside

    def may_try(self) -> bool:
        """Whether it is time to try again, while something is failing."""
        return time.monotonic() >= self.retry_at

    def is_well(self) -> bool:
        return self._log.db is not None and not self.failing.count

    def attempt(self, task: Task) -> None:
        """Run the task and handle every error; only KeyboardInterrupt and SystemExit are raised."""
        try:
            task.run()
        except Exception as error:
            if self._log.db is not None:
                self._log.db.rollback()
            now = time.monotonic()
            if not self.failing.count:
                self._since = now
            self.failing = Failing(
                max(self.failing.count, task.tries) + 1,
                now - self._since,
                was_open=self.ready.is_set(),
                sets_aside=self._sets_aside,
                own_faults=task.own_faults,
            )
            self._carry_out(task, error, failures.decide(error, self.failing))

    def recovered(self) -> None:
        """A commit has succeeded: the trouble is over."""
        if self._totals.state is WriterState.BLOCKED:
            lasted = time.monotonic() - self._since
            logger.warning("database: accepts writes again after %.1f s", lasted)
            self._notices.emit(EventKind.RECOVERED, None, f"the database accepts writes again after {lasted:.1f} s")
        self._forget_failures()
        self.move(WriterState.WRITING, "")

    def move(self, state: WriterState, reason: str) -> None:
        """Into a state that ``status`` shows."""
        before = self._totals.state
        if self._totals.move(state, reason, self._now_us()):
            logger.info("writer: %s -> %s %s", before.value, state.value, reason)
            self._notices.status_changed()

    def rescue(self, verdict: Verdict) -> None:
        """What is open lives as long as it is open: while there is no room for a copy it is held on to for a while."""
        removed = verdict.event is EventKind.DATABASE_REMOVED
        patient = self.failing.for_s < RESCUE_FOR_S and self._inbox.depth < self._inbox.limit // 2
        last_try = not patient or self._stopping.is_set()
        try:
            outcome = self._opening.rescue(
                self._log.opened(), removed=removed, last_try=last_try, beat=lambda: self._totals.beat(time.monotonic())
            )
        except (NoRescue, OSError) as error:
            if not self._stopping.is_set():
                self.retry_at = time.monotonic() + 1.0
                self._report_blocked(
                    "a rescue", replace(verdict, event=EventKind.DATABASE_UNAVAILABLE, reason=f"{verdict.reason}; {error}")
                )
                return
            outcome = f"what was open is lost: {error}"
        logger.error("database: %s; %s", verdict.reason, outcome)
        self._notices.emit(verdict.event, None, f"{verdict.reason}; {outcome}")
        self._log.let_go()
        self._forget_failures()

    def _forget_failures(self) -> None:
        self.failing = Failing(count=0)
        self.retry_at = 0.0

    def _carry_out(self, task: Task, error: Exception, verdict: Verdict) -> None:
        """Do what the verdict on an error of a task says."""
        remedy = verdict.remedy
        if remedy is Remedy.HAND_BACK:
            self.failing = Failing(count=0)
            if task.failed(error):
                self.retry_at = time.monotonic() + 1.0
            return
        if task.is_secondary and remedy in (Remedy.TRY_AGAIN, Remedy.HOLD, Remedy.REOPEN) and not verdict.is_damage:
            # The next commit, which is due now, tells whether the database is in trouble. If it is not, this is the task's own.
            task.refused(error, verdict)
            if remedy is Remedy.REOPEN:
                self._log.let_go()
            return
        self.retry_at = time.monotonic() + verdict.delay_s
        if remedy is Remedy.TRY_AGAIN:
            return
        if remedy is Remedy.REFUSE:
            self.refusal = error
            self.move(WriterState.REFUSED, verdict.reason)
            self.ready.set()
        elif remedy is Remedy.SET_ASIDE:
            cause = self._find_cause(error)
            self._set_aside(cause, verdict.reason if cause is error else f"{cause} ({verdict.reason})")
        elif remedy is Remedy.RESCUE:
            self.rescue(verdict)
        else:
            self._report_blocked(task.name, verdict)
            if remedy is Remedy.REOPEN:
                self._reopen()

    def _report_blocked(self, what: str, verdict: Verdict) -> None:
        begins = self._totals.state is not WriterState.BLOCKED
        if begins:
            self._reasons.clear()
        if verdict.reason not in self._reasons and len(self._reasons) < MOST_REASONS:
            self._reasons.add(verdict.reason)
            logger.error("database: %s: %s; readings are held in memory and it is tried again", what, verdict.reason)
        if begins:
            self._notices.emit(verdict.event, None, verdict.reason)
        self.move(WriterState.BLOCKED, verdict.reason)

    def _reopen(self) -> None:
        """Close the database, to be opened anew. If the file was taken away meanwhile it is rescued: all that is left of it is
        open."""
        try:
            if self._log.db is not None:
                self._log.db.check_file()
        except FileGone as error:
            self.rescue(failures.decide(error, self.failing))
            return
        except Exception as error:
            logger.debug("database: opened anew, and: %s", error)
        self._log.let_go()

    def _find_cause(self, error: Exception) -> Exception:
        """The error that explains the damage, if something was done to the file; else ``error``: the access that met the damage
        first may not know."""
        try:
            if self._log.db is not None:
                self._log.db.check_file()
        except (FileCut, FileOverwritten) as cause:
            return cause
        except Exception as other:
            logger.debug("database: damaged, and: %s", other)
        return error

    def _set_aside(self, error: Exception, reason: str) -> None:
        only_side_files = bool(getattr(error, "only_side_files", False))

        def run() -> None:
            folder = self._opening.set_aside(self._log.db, reason, only_side_files)
            self._log.let_go()
            self._report_incident(folder, reason, only_side_files)

        self.attempt(Task("setting aside", run))

    def _report_incident(self, folder: Path, reason: str, only_side_files: bool) -> None:
        if only_side_files:
            logger.error("database: %s: moved aside to %s; the file goes on as it is", reason, folder)
            self._notices.emit(EventKind.FOREIGN_WAL, None, f"{reason}; moved aside to {folder}; the file goes on as it is")
        else:
            logger.critical("database: %s: moved aside to %s; a fresh one is started", reason, folder)
            self._notices.emit(EventKind.CORRUPT, None, f"{reason}; moved aside to {folder}; a fresh one is started")
        self._forget_failures()
        self._times.all_due()
