"""Worker processes whose questions nobody waits for any more."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from sensorlogd.web.workers import workers as module
from sensorlogd.web.workers.worker import PING
from sensorlogd.web.workers.workers import Workers

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
