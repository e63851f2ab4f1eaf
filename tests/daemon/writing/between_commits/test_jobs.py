"""What others have the writer do: each is done, refused or told the end, and nobody waits for ever."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from pathlib import Path
from typing import Any

import pytest

from sensorlogd.daemon.writing.between_commits.jobs import Job, Jobs, Superseded
from sensorlogd.daemon.writing.stopped import WriterStopped
from sensorlogd.storage import meta
from sensorlogd.storage.open_database import OpenDatabase
from tests.daemon.writing.rig import Rig, Script, sqlite_error


def job(name: str = "a job") -> Job[Any]:
    return Job(name, lambda db: None, True, None, Future())


def set_mark(db: OpenDatabase) -> str:
    meta.put(db.conn, "mark", "set")
    return "done"


def mark_of(rig: Rig) -> str | None:
    assert rig.writer._log.db is not None
    return meta.get(rig.writer._log.db.conn, "mark")


def test_every_job_is_settled_though_the_queue_closes_meanwhile() -> None:
    """Four threads put while a fifth closes: whatever order they come in, no future is left open."""
    for _ in range(30):
        jobs = Jobs()
        futures: list[Any] = []
        lock, go = threading.Lock(), threading.Barrier(5)

        def put(jobs: Jobs = jobs, futures: list[Future[Any]] = futures, lock: Any = lock, go: Any = go) -> None:
            go.wait()
            for _ in range(50):
                new_job = job()
                jobs.put(new_job)
                with lock:
                    futures.append(new_job.future)

        threads = [threading.Thread(target=put) for _ in range(4)]
        for thread in threads:
            thread.start()
        go.wait()
        jobs.close("the end")
        for thread in threads:
            thread.join()
        assert len(futures) == 200
        assert len(jobs) == 0
        for future in futures:
            with pytest.raises(WriterStopped, match="the end"):
                future.result(0)


def test_a_job_that_is_cancelled_while_the_queue_closes_does_not_stop_the_closing() -> None:
    """Whoever ran out of patience cancels from a thread of its own; the others are told all the same."""

    class Late(Future[Any]):
        """Cancelled between being asked for its state and being told the end."""

        def done(self) -> bool:
            before = super().done()
            self.cancel()
            return before

        def set_running_or_notify_cancel(self) -> bool:
            self.cancel()
            return super().set_running_or_notify_cancel()

    jobs = Jobs()
    late, other = Job[Any]("late", lambda db: None, True, None, Late()), job()
    jobs.put(late)
    jobs.put(other)
    jobs.close("the end")
    assert late.future.cancelled()
    with pytest.raises(WriterStopped):
        other.future.result(0)


def test_a_job_that_was_begun_is_told_the_end_too() -> None:
    jobs, begun = Jobs(), job()
    jobs.put(begun)
    assert jobs.first() is begun
    jobs.close("the end")
    jobs.close("again")
    with pytest.raises(WriterStopped, match="the end"):
        begun.future.result(0)


# ---- through the writer ------------------------------------------------------------------------------------------------


def test_what_is_cancelled_before_its_turn_is_not_run(rig: Rig) -> None:
    rig.turn(3)
    future = rig.writer.submit("a job", set_mark)
    assert future.cancel()
    second = rig.writer.submit("another", lambda db: 7)
    rig.turn(2)
    assert second.result(0) == 7
    assert mark_of(rig) is None
    with pytest.raises(CancelledError):
        future.result(0)


def test_what_was_computed_for_another_opening_is_refused(rig: Rig, script: Script) -> None:
    """The file is opened anew in between: the same file, and yet nothing computed before is taken."""
    rig.turn(3)
    assert rig.writer._log.db is not None
    token = rig.writer._log.db.token
    assert rig.writer.submit("in time", set_mark, token=token).cancelled() is False
    rig.turn(1)
    assert mark_of(rig) == "set"
    rig.writer._log.let_go()
    late = rig.writer.submit("late", lambda db: meta.put(db.conn, "mark", "late"), token=token)
    rig.turn_until(late.done, "the job")
    with pytest.raises(Superseded, match="late"):
        late.result(0)
    assert mark_of(rig) == "set"
    assert rig.writer.stats().state.value == "writing"


@pytest.mark.parametrize("transaction", [True, False])
def test_a_fault_of_the_job_is_its_own(rig: Rig, transaction: bool) -> None:
    """Nothing of it stays, whoever asked is told, and the next job runs at once."""

    def wrong(db: OpenDatabase) -> None:
        if not transaction:
            db.conn.execute("BEGIN IMMEDIATE")
        set_mark(db)
        raise KeyError("what")

    rig.turn(3)
    failing = rig.writer.submit("wrong", wrong, transaction=transaction)
    other = rig.writer.submit("right", lambda db: db.conn.in_transaction, transaction=False)
    rig.turn(2)
    with pytest.raises(KeyError):
        failing.result(0)
    assert other.result(0) is False
    assert mark_of(rig) is None


def test_a_job_waits_until_the_database_takes_it(rig: Rig, script: Script) -> None:
    """A locked database is not the job's fault: it is run again, once it can be."""
    rig.turn(3)
    script.fail_on("BEGIN", lambda: sqlite_error(sqlite3.SQLITE_BUSY))
    future = rig.writer.submit("a job", set_mark)
    rig.turn(30)
    assert not future.done()
    script.heal()
    rig.turn_until(future.done, "the job", 3.0)
    assert future.result(0) == "done"
    assert mark_of(rig) == "set"


@pytest.mark.parametrize("code", [sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY])
def test_a_job_that_alone_fails_does_not_drum(make: Callable[..., Rig], path: Path, code: int) -> None:
    """Commits go on while one job meets a bad spot of the disk, or wants more room than there is: it is told so in the end, and
    the owner does not hear "blocked" and "recovered" ten times a second."""

    def fails(db: OpenDatabase) -> None:
        tries.append(1)
        raise sqlite_error(code)

    tries: list[int] = []
    rig = make()
    rig.turn(3)
    stored = []
    future = rig.writer.submit("a job", fails)
    for _ in range(40):
        stored += rig.put(1)
        rig.turn(15)
        if future.done():
            break
    with pytest.raises(sqlite3.OperationalError):
        future.result(0)
    assert len(tries) < 20
    rig.turn_until(rig.is_idle, "rest")
    assert rig.kinds().count("database_blocked") <= 2


def test_jobs_that_wait_at_the_end_are_run_if_the_database_takes_them(rig: Rig) -> None:
    rig.turn(3)
    future = rig.writer.submit("a job", set_mark)
    rig.stop()
    assert future.result(0) == "done"
    with pytest.raises(WriterStopped):
        rig.writer.submit("too late", set_mark).result(0)


def test_jobs_that_wait_in_vain_are_told_the_end(rig: Rig, script: Script) -> None:
    rig.turn(3)
    script.fail_on("BEGIN", lambda: sqlite_error(sqlite3.SQLITE_BUSY))
    future = rig.writer.submit("a job", set_mark)
    rig.turn(3)
    rig.stop(2.0)
    with pytest.raises(WriterStopped):
        future.result(0)
