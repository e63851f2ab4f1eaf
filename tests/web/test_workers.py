"""Worker processes: questions that nobody waits for any more, and those that are ended."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from sensorlogd.storage.query.log_reader import LogReader
from sensorlogd.web.answering.questions import current
from sensorlogd.web.refusal import ApiError
from sensorlogd.web.workers import worker as process
from sensorlogd.web.workers import workers as module
from sensorlogd.web.workers.worker import PING, Worker
from sensorlogd.web.workers.workers import Workers
from tests.rig import DEADLINE_S

FAULTY = "sensorlogd.web.answering.questions.current:latest"  # called without its arguments


@pytest.fixture
def workers(made: Path) -> Iterator[Workers]:
    made_workers = Workers(made, count=1)
    yield made_workers
    made_workers.close()


def test_a_worker_whose_answer_was_a_fault_stays(workers: Workers, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also if whoever asked has left meanwhile."""
    monkeypatch.setattr(module, "STOPS_WITHIN_S", 30.0)

    async def leave() -> None:
        assert await workers.is_well()
        (pid,) = workers.pids()
        os.kill(pid, signal.SIGSTOP)  # it hears of the question and that nobody waits for it at once
        question = asyncio.create_task(workers.run(FAULTY))
        await asyncio.sleep(0)  # the question is in the socket
        question.cancel()
        with pytest.raises(asyncio.CancelledError):
            await question
        await asyncio.sleep(0)
        os.kill(pid, signal.SIGCONT)
        await workers.run(PING, patient=True)  # waits until the slot is given back
        assert workers.pids() == [pid]
        assert workers.cancelled == 1

    asyncio.run(leave())


def test_what_is_left_of_an_answer_is_not_taken_for_another(workers: Workers, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asked left when a part had come: that worker ends, and the next question has its own answer."""
    monkeypatch.setattr(module, "STOPS_WITHIN_S", 2 * DEADLINE_S)
    received = module._Worker._receive
    part_has_come = asyncio.Event()

    async def receive_slowly(self: module._Worker, size: int) -> bytearray:
        found = await received(self, size)
        if not part_has_come.is_set():
            part_has_come.set()
            await asyncio.Event().wait()
        return found

    monkeypatch.setattr(module._Worker, "_receive", receive_slowly)

    async def leave() -> None:
        question = asyncio.create_task(workers.run(FAULTY))
        async with asyncio.timeout(DEADLINE_S):
            await part_has_come.wait()
        (pid,) = workers.pids()
        question.cancel()
        with pytest.raises(asyncio.CancelledError):
            await question
        async with asyncio.timeout(DEADLINE_S):
            assert await workers.run(PING) is None
        assert workers.pids() != [pid]

    asyncio.run(leave())


QUESTION = "sensorlogd.web.answering.questions.current:tried"


@pytest.fixture
def worker(made: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Worker]:
    """One in this process, whose timer fires only when a test says so."""
    monkeypatch.setattr(process, "CHECK_EVERY_S", 3600.0)
    before = {number: signal.getsignal(number) for number in (signal.SIGALRM, signal.SIGUSR1)}
    found = Worker(made, 100_000_000)
    yield found
    found.current.close()
    for number, handler in before.items():
        signal.signal(number, handler)


def _code(answer: tuple[object, ...]) -> object:
    body = answer[2]
    assert isinstance(body, dict)
    return body["code"]


@pytest.mark.parametrize("late", [signal.SIGALRM, signal.SIGUSR1])
def test_a_signal_while_a_question_unwinds_interrupts_nothing(
    worker: Worker, late: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a question does at its end is done, and the next one is answered."""
    done: list[str] = []

    def question(log: LogReader) -> None:
        log.conn.execute("BEGIN")
        try:
            signal.raise_signal(signal.SIGALRM)
            done.append("not ended")
        finally:
            signal.raise_signal(late)
            done.append("unwound")

    monkeypatch.setattr(current, "tried", question, raising=False)
    assert _code(worker.answer(QUESTION, (), 0.0)) == "takes_too_long"
    assert done == ["unwound"]
    monkeypatch.setattr(current, "tried", lambda log: log.conn.execute("BEGIN") and 7)
    assert worker.answer(QUESTION, (), 60.0) == ("ok", 7)


@pytest.mark.parametrize("late", [signal.SIGALRM, signal.SIGUSR1])
def test_a_signal_when_a_question_has_just_been_answered_changes_nothing(
    worker: Worker, late: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer is sent, and the log is left as it was."""
    monkeypatch.setattr(current, "tried", lambda log: log.conn.execute("BEGIN") and 7, raising=False)
    holds = worker.current.holds
    seen: list[LogReader] = []

    def held(log: LogReader) -> bool:
        signal.raise_signal(late)
        seen.append(log)
        return holds(log)

    monkeypatch.setattr(worker.current, "holds", held)
    assert worker.answer(QUESTION, (), 0.0) == ("ok", 7)
    assert not seen[0].conn.in_transaction
    signal.raise_signal(late)
    assert worker.answer(QUESTION, (), 60.0) == ("ok", 7)


@pytest.mark.parametrize(("name", "streams"), [("readings", True), ("buckets", True), ("readings_page", False), ("cost", False)])
def test_only_who_can_stream_is_told_to(worker: Worker, name: str, streams: bool) -> None:
    """A stream itself is not, and neither is an answer that is JSON only."""
    body = worker.too_much(f"sensorlogd.web.answering.questions.long_questions:{name}")[2]
    assert ("format=csv" in body["hint"]) == streams


def test_where_nobody_asks_no_worker_waits(workers: Workers, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten MB on a small machine. Whoever looks every few seconds whether all is well keeps none."""
    monkeypatch.setattr(module, "IDLE_S", 0.01)
    monkeypatch.setattr(module, "LAST_IDLE_S", 0.1)

    async def look() -> None:
        assert await workers.is_still_well()
        assert workers.pids() == []
        await workers.run(PING)
        assert len(workers.pids()) == 1
        async with asyncio.timeout(30):
            while workers.pids():
                assert await workers.is_still_well()
                await asyncio.sleep(0.01)

    asyncio.run(look())


def test_workers_that_cannot_be_started_are_noticed(workers: Workers, monkeypatch: pytest.MonkeyPatch) -> None:
    """By whoever looks every few seconds, once a question got no answer; and it is noticed when they can be started again."""

    def none(*_: object) -> None:
        raise OSError("no process")

    async def look() -> None:
        with monkeypatch.context() as patched:
            patched.setattr(module, "_Worker", none)
            with pytest.raises(ApiError, match="no process can be started"):
                await workers.run(PING)
            assert not await workers.is_still_well()
        assert await workers.is_still_well()
        assert len(workers.pids()) == 1

    asyncio.run(look())
