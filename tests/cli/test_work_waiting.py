"""Verbs that wait for kept work: they end, or say why they wait, where it cannot go on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from sensorlogd.cli.database_changes import Actor, Refused
from sensorlogd.cli.import_verb import _upsert
from sensorlogd.cli.work_waiting import wait_for
from sensorlogd.daemon.control.answers import Upserted, WorkProgress
from sensorlogd.daemon.control.offline import Offline
from sensorlogd.daemon.control.requests.database import WorkRequest
from sensorlogd.daemon.control.waiting import OperationError
from sensorlogd.exchange.sorting import SortedReadings
from sensorlogd.storage.work import State

FULL = "the disk is full"
UNDER_THE_LOCK = cast("Offline", object())  # this process does it: there is no daemon that would go on with it
WAITING = WorkProgress(State.WAITING, 17_000, 60_000, "", FULL)
DONE = WorkProgress(State.DONE, 60_000, 60_000, "done")


def answering(*answers: Any) -> Callable[[Any], Any]:
    """One after the other; an AssertionError for whoever asks on."""
    left = list(answers)

    def act(request: Any) -> Any:
        assert left, "it waits for ever"
        return left.pop(0)

    return act


def test_without_a_daemon_work_that_is_hindered_ends_the_verb() -> None:
    with pytest.raises(Refused, match=f"mend 7: 17,000 readings are done; .*{FULL}.* the daemon does the rest"):
        wait_for(Actor(answering(WAITING), UNDER_THE_LOCK), "mend 7", 1, see="--list")


def test_with_a_daemon_it_says_once_why_it_waits(capsys: pytest.CaptureFixture[str]) -> None:
    answer = wait_for(Actor(answering(WAITING, WAITING, WAITING, DONE)), "mend 7", 1, see="--list")
    assert answer.done == 60_000
    said = capsys.readouterr().err
    assert said.count(FULL) == 1
    assert "mend 7: waiting" in said


def test_without_a_daemon_an_import_behind_such_work_ends_too() -> None:
    busy = Upserted(0, 0, 0, 0, 0, None, 0, "mend 7 of these readings is not finished", FULL)
    with pytest.raises(Refused, match=f"mend 7 of these readings is not finished; .*{FULL}"):
        list(_upsert(Actor(answering(busy), UNDER_THE_LOCK), (1, None), SortedReadings([1], [2.0], [1]), None, print))


def test_work_that_is_not_there_is_told_from_what_is(tmp_path: Path) -> None:
    """As after damage: a new database knows nothing of the work that a verb waits for."""
    with Offline(tmp_path / "log.db") as offline, pytest.raises(OperationError, match="the database has no work 7; it has none"):
        offline.do(WorkRequest(7))


def test_an_answer_of_an_older_release_hinders_nothing() -> None:
    assert WorkProgress.of({"state": "waiting", "done": 1}).hindrance == ""
