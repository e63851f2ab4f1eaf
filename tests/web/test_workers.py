"""Worker processes whose questions nobody waits for any more."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from sensorlogd.web.working import workers as module
from sensorlogd.web.working.refusal import ApiError
from sensorlogd.web.working.worker import PING
from sensorlogd.web.working.workers import Workers

FAULTY = "sensorlogd.web.answering.answers:latest"  # called without its arguments


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
