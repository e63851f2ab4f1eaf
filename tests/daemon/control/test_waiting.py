"""Who waits for the writer in vain is told why, and whether it may still be done."""

from __future__ import annotations

from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any, cast

import pytest

from sensorlogd.daemon.control import waiting
from sensorlogd.daemon.control.waiting import OperationError, answer_of


def writer(reason: str) -> Any:
    return cast(Any, SimpleNamespace(stats=lambda: SimpleNamespace(state_reason=reason)))


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "ANSWER_S", 0.0)


def test_what_had_not_begun_is_not_done() -> None:
    future: Future[int] = Future()
    with pytest.raises(OperationError, match=r"^not done within 0 s: the disk is full; nothing was changed$"):
        answer_of(writer("the disk is full"), future)
    assert future.cancelled()


def test_what_had_begun_may_still_be_done() -> None:
    """As a request to commit, which travels with the readings."""
    future: Future[int] = Future()
    future.set_running_or_notify_cancel()
    with pytest.raises(OperationError, match="the writer is busy; it may still be done"):
        answer_of(writer(""), future)


def test_an_answer_is_given_as_it_is_and_so_is_an_error() -> None:
    done, failed = Future[int](), Future[int]()
    done.set_result(7)
    failed.set_exception(TimeoutError("of the work itself"))
    assert answer_of(writer(""), done) == 7
    with pytest.raises(TimeoutError, match="of the work itself"):
        answer_of(writer(""), failed)
