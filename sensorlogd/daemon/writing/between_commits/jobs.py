"""What other threads have the writer do between two commits: a function of the open database, and a future."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sensorlogd.daemon.writing.recovery.failures import Verdict
from sensorlogd.daemon.writing.recovery.open_log import OpenLog
from sensorlogd.daemon.writing.recovery.trouble import Task, Trouble
from sensorlogd.daemon.writing.stopped import WriterStopped
from sensorlogd.daemon.writing.totals import Totals
from sensorlogd.storage.open_database import OpenDatabase

logger = logging.getLogger(__name__)

T = TypeVar("T")

FOR_S = 0.05  # jobs are run for this long, then readings go first again
TRIES = 8  # a job that the database refuses this often has failed, and its future gets the error


class Superseded(Exception):
    """The job was made for an earlier opening of the database; another file is open now, or the same file was opened again."""


@dataclass(slots=True)
class Job(Generic[T]):
    """A function that the writer runs for another thread. ``token``: the opening it is for; None: whichever is open. ``begun``:
    it has been tried, and may be tried again. ``tries``: how often the database refused it."""

    name: str
    run: Callable[[OpenDatabase], T]
    transaction: bool
    token: int | None
    future: Future[T]
    begun: bool = False
    tries: int = 0

    def begin(self) -> bool:
        """Whether somebody still waits for it; it cannot be cancelled any more then."""
        self.begun = self.begun or self.future.set_running_or_notify_cancel()
        return self.begun

    def note_refusal(self) -> int:
        """The database has refused it. Returns how often it has so far."""
        self.tries += 1
        return self.tries


class Jobs:
    """A queue; ``put`` and ``close`` from any thread, the rest on the writer's."""

    def __init__(self) -> None:
        self._jobs: deque[Job[Any]] = deque()
        self._closed = ""

    def put(self, job: Job[Any]) -> None:
        """Add a job to the queue. If that is closed, the job's future gets WriterStopped at once."""
        self._jobs.append(job)
        if self._closed:
            self.close(self._closed)

    def close(self, reason: str) -> None:
        """Take no jobs any more: the futures of all jobs that wait or come later get WriterStopped. Idempotent."""
        self._closed = reason
        while self._jobs:
            try:
                job = self._jobs.popleft()
            except IndexError:  # another thread was faster
                return
            # One that was begun cannot be cancelled any more; another one may be at this very moment.
            if job.begin():
                job.future.set_exception(WriterStopped(reason))

    def first(self) -> Job[Any] | None:
        """The next job that somebody still waits for; it stays in the queue until ``note_result`` or ``note_error``. None: there
        is none."""
        while self._jobs:
            job = self._jobs[0]
            if job.begin():
                return job
            self._jobs.popleft()
        return None

    def note_result(self, job: Job[Any], value: Any) -> None:
        self._jobs.remove(job)
        job.future.set_result(value)

    def note_error(self, job: Job[Any], error: BaseException) -> None:
        self._jobs.remove(job)
        job.future.set_exception(error)

    def __len__(self) -> int:
        return len(self._jobs)


def run_job(job: Job[T], db: OpenDatabase) -> T:
    """Run a job and return its value. Raises Superseded, sqlite3.Error, and whatever the job raises; what a job with a
    transaction has changed is rolled back then."""
    if job.token is not None and job.token != db.token:
        raise Superseded(job.name)
    if not job.transaction:
        return job.run(db)
    with db.transaction():
        return job.run(db)


class JobRunner:
    """Runs the queued jobs. Owned by the writer thread."""

    def __init__(self, jobs: Jobs, log: OpenLog, trouble: Trouble, totals: Totals) -> None:
        self.paused_until = 0.0  # monotonic: a job that was refused is not tried again before
        self._jobs = jobs
        self._log = log
        self._trouble = trouble
        self._totals = totals

    def run(self) -> None:
        """Run queued jobs, each in a transaction of its own if it wants one; stop when one was refused or FOR_S is over."""
        until = time.monotonic() + FOR_S
        while self._trouble.is_well() and time.monotonic() < until and (job := self._jobs.first()) is not None:
            self._totals.beat(time.monotonic())
            self._trouble.attempt(_RunJob(self, job))
            if job.tries:  # a refused job stays at the head of the queue
                until = 0.0

    def do(self, job: Job[Any]) -> None:
        """Run a job, and give its value to its future. Raises what ``run_job`` raises."""
        value = run_job(job, self._log.opened())
        self._log.look_for_work()  # it may have ordered some
        self._jobs.note_result(job, value)

    def note_refusal(self, job: Job[Any], error: Exception, verdict: Verdict) -> None:
        """The job waits for another try; after the last one its future fails."""
        tries = job.note_refusal()
        self.paused_until = time.monotonic() + verdict.delay_s
        if tries >= TRIES:
            logger.error("writer: %s was refused %d times: %s", job.name, tries, verdict.reason)
            self._jobs.note_error(job, error)

    def note_fault(self, job: Job[Any], error: Exception) -> None:
        """The job itself has failed: its future gets the error."""
        self._jobs.note_error(job, error)


class _RunJob(Task):
    def __init__(self, runner: JobRunner, job: Job[Any]) -> None:
        super().__init__(job.name, lambda: runner.do(job), is_secondary=True, own_faults=True, tries=job.tries)
        self._runner = runner
        self._job = job

    def after_refusal(self, error: Exception, verdict: Verdict) -> None:
        self._runner.note_refusal(self._job, error, verdict)

    def after_fault(self, error: Exception) -> bool:
        self._runner.note_fault(self._job, error)
        return False
