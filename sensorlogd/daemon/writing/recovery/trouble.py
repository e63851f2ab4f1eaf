"""The one place that handles errors of the database: every access to it is a ``Task`` that passes through ``Trouble.attempt``.

``failures.decide`` says what an error means. What follows for the database is said here, and done by ``remedies``: it is held,
opened anew, rescued, set aside, refused. What it means for the thing that was tried, that thing knows: ``Task.after_refusal`` and
``Task.after_fault``.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from sensorlogd.daemon.writing.recovery import failures
from sensorlogd.daemon.writing.recovery.failures import Failing, Remedy, Verdict
from sensorlogd.daemon.writing.recovery.open_log import OpenLog
from sensorlogd.daemon.writing.recovery.remedies import Remedies
from sensorlogd.daemon.writing.recovery.standing import Standing
from sensorlogd.daemon.writing.totals import WriterState
from sensorlogd.event_kinds import EventKind

logger = logging.getLogger(__name__)


@dataclass
class Task:
    """Something that is tried on the database.

    ``is_secondary``: readings do not wait for it; if it is refused, commits go on and show how the database is.
    ``own_faults``: an error that SQLite has no clear code for is its own. ``tries``: how often in a row it was refused.
    """

    name: str
    run: Callable[[], None]
    is_secondary: bool = False
    own_faults: bool = False
    tries: int = 0

    def after_refusal(self, error: Exception, verdict: Verdict) -> None:
        """Called for a task that ``is_secondary``: the database has refused it, whether or not the database itself is
        in trouble."""

    def after_fault(self, error: Exception) -> bool:
        """The fault is not the database's. Returns whether to wait a second before anything is tried again."""
        logger.exception("writer: %s failed; it is tried again later", self.name)
        return True


class Trouble:
    """Runs tasks and deals with their errors. Owned by the writer thread; any thread may read ``refusal`` and wait for ``ready``.

    ``ready``: set once the database is open, or refused. ``sets_aside``: whether a damaged file may be moved aside."""

    def __init__(self, log: OpenLog, standing: Standing, remedies: Remedies, *, sets_aside: bool) -> None:
        self.ready = threading.Event()
        self.refusal: Exception | None = None
        self.retry_at = 0.0  # monotonic: nothing is tried before
        self.failing = Failing(count=0)
        self._since = 0.0
        self._log = log
        self._standing = standing
        self._remedies = remedies
        self._sets_aside = sets_aside

    def may_try(self) -> bool:
        """Whether it is time to try again, while something is failing."""
        return time.monotonic() >= self.retry_at

    def is_well(self) -> bool:
        return self._log.db is not None and not self.failing.count

    def attempt(self, task: Task) -> Remedy | None:
        """Run the task and handle every error; only KeyboardInterrupt and SystemExit are raised. Returns None if the
        task is done, else what was done about its error."""
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
            verdict = failures.decide(error, self.failing)
            self._carry_out(task, error, verdict)
            return verdict.remedy
        return None

    def note_recovery(self) -> None:
        """A commit has succeeded: the trouble is over."""
        self._standing.write(time.monotonic() - self._since)
        self._forget_failures()

    def rescue(self, verdict: Verdict) -> None:
        """Another file stands at the path of the open one, or none: copy what is open, now or, if that is impossible, later."""
        hindrance = self._remedies.rescue(verdict, self.failing.for_s)
        if hindrance:
            self.retry_at = time.monotonic() + 1.0
            reason = f"{verdict.reason}; {hindrance}"
            self._standing.block("a rescue", replace(verdict, event=EventKind.DATABASE_UNAVAILABLE, reason=reason))
        else:
            self._forget_failures()

    def note_end(self) -> None:
        """The writer has ended: nobody needs to wait for the database any more."""
        if self.refusal is None:
            self._standing.move(WriterState.STOPPED, "")
        self.ready.set()

    def _forget_failures(self) -> None:
        self.failing = Failing(count=0)
        self.retry_at = 0.0

    def _carry_out(self, task: Task, error: Exception, verdict: Verdict) -> None:
        """Do what the verdict on an error of a task says."""
        remedy = verdict.remedy
        if remedy is Remedy.HAND_BACK:
            self.failing = Failing(count=0)
            if self._log.db is None:  # readings wait for the opening, whoever's fault it is that there is none
                reason = f"{task.name} failed: {type(error).__name__}: {error}"
                self._standing.block(task.name, replace(verdict, event=EventKind.DATABASE_UNAVAILABLE, reason=reason))
            if task.after_fault(error):
                self.retry_at = time.monotonic() + 1.0
            return
        if task.is_secondary and remedy in (Remedy.TRY_AGAIN, Remedy.HOLD, Remedy.REOPEN) and not verdict.is_damage:
            # The next commit, which is due now, tells whether the database is in trouble. If it is not, this is the task's own.
            task.after_refusal(error, verdict)
            if remedy is Remedy.REOPEN:
                self._remedies.close()
            return
        self.retry_at = time.monotonic() + verdict.delay_s
        if remedy is Remedy.TRY_AGAIN:
            return
        if remedy is Remedy.REFUSE:
            self.refusal = error
            self._standing.move(WriterState.REFUSED, verdict.reason)
            self.ready.set()
        elif remedy is Remedy.SET_ASIDE:
            self._set_aside(error, verdict)
        elif remedy is Remedy.RESCUE:
            self.rescue(verdict)
        else:
            self._standing.block(task.name, verdict)
            if remedy is Remedy.REOPEN:
                self._reopen()

    def _reopen(self) -> None:
        """Close the database, to be opened anew. If the file was taken away meanwhile it is rescued."""
        gone = self._remedies.find_gone()
        if gone is None:
            self._remedies.close()
        else:
            self.rescue(failures.decide(gone, self.failing))

    def _set_aside(self, error: Exception, verdict: Verdict) -> None:
        cause = self._remedies.find_cause(error)
        is_known = str(cause) in verdict.reason  # what met it first found the cause itself
        reason = verdict.reason if is_known else f"{cause} ({verdict.reason})"
        if self.attempt(Task("setting aside", lambda: self._remedies.set_aside(cause, reason))) is None:
            self._forget_failures()
