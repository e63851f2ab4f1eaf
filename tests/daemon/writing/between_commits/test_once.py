"""What a verb asks for is done once, though the COMMIT of it takes effect and SQLite reports an error."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from sensorlogd.daemon.control.handlers.database import DatabaseHandlers
from sensorlogd.daemon.control.handlers.dispatch import Dispatch
from sensorlogd.daemon.control.requests.database import (
    MendRequest,
    NoteRequest,
    RecomputeRequest,
    SeriesRequest,
    UndoRequest,
    UpsertRequest,
)
from sensorlogd.daemon.control.requests.request import Request
from sensorlogd.daemon.rollups.coordinator import Coordinator
from sensorlogd.daemon.writing.between_commits import work_kinds
from sensorlogd.daemon.writing.writer import Writer
from sensorlogd.storage.corrections.replacing import Replace
from sensorlogd.storage.reading_tables import moving
from sensorlogd.storage.series.unconfigured import WantedSeries
from tests.daemon.writing.rig import T0, Rig, S, Script, TurnedByHand, events, sqlite_error, values

ALL_TIME = (T0 - 10**12, T0 + 10**12)


class Asking:
    """Asks the handlers of the daemon. ``first_commit_fails``: the first COMMIT from then on takes effect, and raises."""

    def __init__(self, rig: Rig, script: Script) -> None:
        self._script = script
        self.dispatch = Dispatch(DatabaseHandlers(cast(Writer, TurnedByHand(rig)), cast(Coordinator, None)).handlers())

    def ask(self, request: Request[Any]) -> Any:
        errors = [sqlite_error(sqlite3.SQLITE_IOERR)]
        self._script.after = lambda sql: errors.pop() if sql == "COMMIT" and errors else None
        answer = self.dispatch.do(request)
        assert not errors, "no COMMIT was made"
        self._script.heal()
        return answer


@pytest.fixture
def rig(make: Callable[..., Rig], path: Path) -> Rig:
    rig = make(workers=work_kinds.workers(path))
    rig.turn(3)
    rig.put(3)
    rig.turn_until(rig.is_idle, "rest")
    return rig


@pytest.fixture
def asking(rig: Rig, script: Script) -> Asking:
    return Asking(rig, script)


def rest(rig: Rig) -> None:
    rig.turn_until(lambda: rig.is_idle() and not rig.writer.kept_work() and not rig.writer._work._look, "the end of all work")


def series(rig: Rig) -> int:
    return rig.writer._log.opened().catalog.ids["a", "x"]


def rows(path: Path, table: str) -> int:
    with contextlib.closing(sqlite3.connect(path)) as conn:
        (found,) = conn.execute(f"SELECT count(*) FROM {table}").fetchone()
    return int(found)


def test_a_mend_is_made_once(rig: Rig, asking: Asking, path: Path) -> None:
    answer = asking.ask(MendRequest(series(rig), *ALL_TIME, scale=10.0, note="x"))
    rest(rig)
    assert (answer.id, answer.work) == (1, 1)
    assert rows(path, "mend") == rows(path, "work") == 1
    assert values(path) == [0.0, 10.0, 20.0]
    answer = asking.ask(UndoRequest(answer.id))
    rest(rig)
    assert (answer.id, answer.work) == (1, 2)
    assert values(path) == [0.0, 1.0, 2.0]


def test_a_note_of_the_past_and_a_recompute_are_recorded_once(rig: Rig, asking: Asking, path: Path) -> None:
    asking.ask(NoteRequest("noted", "a", "the filter was changed", at_us=T0))
    asking.ask(RecomputeRequest("a", T0, {}))
    assert [kind for kind, _ in events(path) if kind in ("noted", "recompute")] == ["noted", "recompute"]
    assert rows(path, "work") == 1


def test_an_import_counts_what_it_stored_and_begins_one_mend(rig: Rig, asking: Asking, path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as conn:
        times = [ts for (ts,) in conn.execute("SELECT ts FROM recent UNION SELECT ts FROM history ORDER BY ts")]
    replacing = UpsertRequest(series(rig), [*times, T0 - 10**9], [7.0, 8.0, 9.0, 5.0], [1] * 4, Replace(None, "a file"))
    answer = asking.ask(replacing)
    assert (answer.new, answer.replaced, answer.same, answer.mend) == (1, 3, 0, 1)
    assert values(path) == [5.0, 7.0, 8.0, 9.0]
    assert rows(path, "mend") == 1


def test_another_change_is_made(rig: Rig, asking: Asking, path: Path) -> None:
    """Two notes that say the same are two."""
    for _ in range(2):
        asking.ask(NoteRequest("noted", "a", "the filter was changed", at_us=T0))
    assert rig.kinds().count("noted") == 2


def test_an_import_goes_by_safe_time(make: Callable[..., Rig], script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wall clock that leaps a year ahead moves no border: what comes later would be taken for readings of the past."""
    rig = make(is_synchronised=False)
    rig.turn(3)
    rig.time.set_by = 365 * 86_400.0
    rig.clock.poll()
    assert rig.clock.now_us() > T0 + 300 * 86_400 * S
    borders: list[int] = []
    monkeypatch.setattr(moving, "set_border", lambda conn, border_us: borders.append(border_us))
    Asking(rig, script).dispatch.do(SeriesRequest((WantedSeries("import", "x"),)))
    assert borders
    assert max(borders) < T0 + 86_400 * S
