"""A request names series and mends by numbers: those of a database that was set aside meanwhile mean nothing in its successor."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from sensorlogd.daemon.control.handlers.database import DatabaseHandlers
from sensorlogd.daemon.control.handlers.dispatch import Dispatch
from sensorlogd.daemon.control.requests import database as requests
from sensorlogd.daemon.control.requests.request import Request
from sensorlogd.daemon.control.waiting import OperationError
from sensorlogd.storage.query.log_reader import LogReader
from sensorlogd.storage.series.catalog import SensorSpec, SeriesSpec
from sensorlogd.storage.series.unconfigured import WantedSeries
from tests.daemon.writing.rig import SPECS, T0, Rig, Script, TurnedByHand, sqlite_error, values

OLD = SensorSpec("old", "simulated", series=[SeriesSpec("t")])


class NoCoordinator:
    def request(self) -> None: ...


@pytest.fixture
def rig(make: Callable[..., Rig]) -> Rig:
    """A log in which a sensor stands first that the configuration does not name any more."""
    rig = make(specs=[OLD, *SPECS])
    rig.turn(3)
    rig.opening.specs = SPECS
    return rig


@pytest.fixture
def operations(rig: Rig) -> Dispatch:
    return Dispatch(DatabaseHandlers(cast(Any, TurnedByHand(rig)), cast(Any, NoCoordinator())).handlers())


def set_aside(rig: Rig, script: Script) -> None:
    script.fail_on("BEGIN IMM", lambda: sqlite_error(sqlite3.SQLITE_CORRUPT))
    rig.put(1)
    rig.turn(1)
    script.heal()
    rig.turn_until(rig.is_idle, "a new database")
    assert "corrupt" in rig.kinds()


def epoch_of(path: Path) -> int:
    with contextlib.closing(LogReader.open(path)) as log:
        return log.epoch()


def test_an_import_goes_on_in_its_own_database_only(rig: Rig, operations: Dispatch, script: Script, path: Path) -> None:
    known = operations.do(requests.SeriesRequest((WantedSeries("old", "t"),)))
    (identity,) = known.ids
    assert operations.do(requests.UpsertRequest(identity, [T0], [5.0], [1], None, known.epoch)).new == 1
    assert known.epoch == epoch_of(path), "whoever reads the file finds the same"
    set_aside(rig, script)
    assert operations.do(requests.SeriesRequest((WantedSeries("a", "x"),))).ids == known.ids, (
        "the number means another series now"
    )
    with pytest.raises(OperationError, match=r"replaced meanwhile.*call again"):
        operations.do(requests.UpsertRequest(identity, [T0 + 7], [7.0], [1], None, known.epoch))
    rig.turn_until(rig.is_idle, "rest")
    assert 7.0 not in values(path)


@pytest.mark.parametrize(
    "made",
    [
        lambda epoch: requests.RebuildRequest((1,), None, epoch),
        lambda epoch: requests.MendRequest(1, T0, T0 + 1, 3, note="why", epoch=epoch),
        lambda epoch: requests.UndoRequest(1, epoch),
        lambda epoch: requests.ResumeRequest(1, epoch),
    ],
    ids=["rebuild", "mend", "undo", "resume"],
)
def test_nor_does_what_changes_what_is_stored(
    rig: Rig, operations: Dispatch, script: Script, path: Path, made: Callable[[int], Request[Any]]
) -> None:
    epoch = epoch_of(path)
    set_aside(rig, script)
    with pytest.raises(OperationError, match="replaced meanwhile"):
        operations.do(made(epoch))


def test_an_older_client_that_does_not_say_is_served(rig: Rig, operations: Dispatch) -> None:
    known = operations.do(requests.SeriesRequest((WantedSeries("old", "t"),)))
    assert operations.do(requests.UpsertRequest(known.ids[0], [T0], [5.0], [1])).new == 1
