"""What other threads have the writer do between two commits: a function of the open database, and a future."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sensorlogd.storage.file.opened import OpenDatabase

T = TypeVar("T")


class Superseded(Exception):
    """It was computed for an earlier opening of the database: another file is open now, or the same one anew."""


class WriterStopped(RuntimeError):
    """The writer takes no jobs any more."""


@dataclass(slots=True)
class Job(Generic[T]):
    """``token``: the opening it is for; None: whichever is open. ``begun``: it has been tried, and may be tried again.
    ``tries``: how often the database refused it."""

    name: str
    run: Callable[[OpenDatabase], T]
    transaction: bool
    token: int | None
    future: Future[T]
    begun: bool = False
    tries: int = 0


class Jobs:
    """A queue; ``put`` and ``close`` from any thread, the rest on the writer's."""

    def __init__(self) -> None:
        self._jobs: deque[Job[Any]] = deque()
        self._closed = ""

    def put(self, job: Job[Any]) -> None:
        """Refused at once if the queue is closed."""
        self._jobs.append(job)
        if self._closed:
            self.close(self._closed)

    def close(self, reason: str) -> None:
        """Whoever waits is told, now and later. Idempotent."""
        self._closed = reason
        while self._jobs:
            try:
                job = self._jobs.popleft()
            except IndexError:  # another thread was faster
                return
            # One that was begun cannot be cancelled any more; another one may be at this very moment.
            if job.begun or job.future.set_running_or_notify_cancel():
                job.future.set_exception(WriterStopped(reason))

    def first(self) -> Job[Any] | None:
        """The next one that somebody still waits for."""
        while self._jobs:
            job = self._jobs[0]
            if job.begun or job.future.set_running_or_notify_cancel():
                job.begun = True
                return job
            self._jobs.popleft()
        return None

    def done(self, job: Job[Any], value: Any) -> None:
        self._jobs.remove(job)
        job.future.set_result(value)

    def failed(self, job: Job[Any], error: BaseException) -> None:
        self._jobs.remove(job)
        job.future.set_exception(error)

    def __len__(self) -> int:
        return len(self._jobs)


def run_job(job: Job[T], db: OpenDatabase) -> T:
    """Raises Superseded, sqlite3.Error with nothing changed, and whatever the job raises."""
    if job.token is not None and job.token != db.token:
        raise Superseded(job.name)
    if not job.transaction:
        return job.run(db)
    with db.transaction():
        return job.run(db)
