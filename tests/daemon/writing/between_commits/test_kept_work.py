"""Kept work between commits: whose turn it is, what waits, what is given up, and what never disturbs the log."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from sensorlogd.daemon.writing.disk.space import RESERVE, Space
from sensorlogd.storage import work
from sensorlogd.storage.open_database import OpenDatabase
from sensorlogd.storage.watermarks import Frontier
from sensorlogd.storage.work import Slice, State, Work
from sensorlogd.storage.worker import Worker
from tests.daemon.writing.rig import Rig, Script, Time, sqlite_error, values


class CountingWorker(Worker[Mapping[str, Any]]):
    """Does ``slices`` slices of each work; ``did`` says in which order. ``fetching``, ``storing``: called first, may raise."""

    def __init__(self, kind: str = "kind", slices: int = 3, *, grows: bool = False) -> None:
        self.kind = kind
        self.grows = grows
        self.slices = slices
        self.did: list[int] = []
        self.closed = 0
        self.fetching: Callable[[], None] = lambda: None
        self.storing: Callable[[], None] = lambda: None

    def fetch(self, work: Work) -> Mapping[str, Any]:
        self.fetching()
        return work.progress

    def store(self, conn: sqlite3.Connection, frontier: Frontier, work: Work, fetched: Mapping[str, Any], now_us: int) -> Slice:
        self.storing()
        at = int(fetched.get("at", 0)) + 1
        self.did.append(work.id)
        return Slice({"at": at}, 10, more=at < self.slices, outcome="all done", total=10 * self.slices, rolls_up=True)

    def close(self) -> None:
        self.closed += 1


def order(rig: Rig, kind: str = "kind", series: int | None = None) -> int:
    future = rig.writer.submit("order", lambda db: work.order(db.conn, kind, {}, 0, series=series))
    rig.turn_until(future.done, "the order")
    return future.result(0)


def find(rig: Rig, identity: int) -> Work:
    assert rig.writer._log.db is not None
    found = work.find(rig.writer._log.db.conn, identity)
    assert found is not None
    return found


def ordered(rig: Rig, *series: int | None) -> list[int]:
    """All in one transaction, so that none has begun before the last is there."""
    future = rig.writer.submit("order", lambda db: [work.order(db.conn, "kind", {}, 0, series=series_id) for series_id in series])
    rig.turn_until(future.done, "the orders")
    return future.result(0)


def rest(rig: Rig, within_s: float = 30.0) -> None:
    rig.turn_until(lambda: not rig.writer.kept_work() and not rig.writer._work._look, "the end of all work", within_s)


def test_it_is_done_slice_by_slice_and_told_at_the_end(make: Callable[..., Rig]) -> None:
    worker = CountingWorker()
    rig = make(workers=[worker])
    rig.turn(3)
    identity = order(rig)
    rig.turn(1)
    assert rig.writer.kept_work()[0]["done"] in (10, 20)
    rest(rig)
    rig.turn(3)
    found = find(rig, identity)
    assert (found.state, found.done, found.total, found.outcome) == (State.DONE, 30, 30, "all done")
    assert found.ended_us is not None
    assert worker.did == [identity] * 3
    assert rig.rolls_up >= 1


def test_work_on_different_series_takes_turns(make: Callable[..., Rig]) -> None:
    """Nobody waits for another one's end; salvage, which is on none in particular, likewise."""
    worker = CountingWorker()
    rig = make(workers=[worker])
    rig.turn(3)
    a, b, c = ordered(rig, 1, 2, None)
    rest(rig)
    assert sorted(worker.did) == sorted([a, b, c] * 3)
    assert set(worker.did[:3]) == {a, b, c}
    assert max(worker.did.index(identity) for identity in (a, b, c)) < 3


def test_work_on_one_series_is_done_in_its_order(make: Callable[..., Rig]) -> None:
    """A mend begins where the one before ended, and no sooner; whatever else goes on meanwhile."""
    worker = CountingWorker()
    rig = make(workers=[worker])
    rig.turn(3)
    first, second, other = ordered(rig, 1, 1, 2)
    rest(rig)
    assert [identity for identity in worker.did if identity != other] == [first] * 3 + [second] * 3


def test_what_lets_the_file_grow_waits_for_room(make: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    """Readings go first; what needs no room goes on; when there is room again, so does the rest."""
    growing, other = CountingWorker("growing", grows=True), CountingWorker("other")
    rig = make(workers=[growing, other])
    room = 0
    monkeypatch.setattr(rig.writer._work._space, "free", lambda: room)
    rig.turn(3)
    growing_id, other_id = order(rig, "growing"), order(rig, "other")
    rig.turn(30)
    assert growing.did == []
    assert rig.writer.hindrance() == "0 bytes of disk are free, and it needs 1,000,000"  # told to whoever waits for it
    assert find(rig, growing_id).state is State.WAITING
    assert find(rig, other_id).state is State.DONE
    put = rig.put(3)
    rig.turn(20)
    assert values(path) == put
    room = 1 << 40
    rest(rig, 10.0)
    assert growing.did == [growing_id] * 3
    assert rig.writer.hindrance() == ""


def test_what_the_database_refuses_again_and_again_is_told_to_whoever_waits(make: Callable[..., Rig], fake: Time) -> None:
    worker = CountingWorker()
    full = True

    def refuse() -> None:
        if full:
            raise sqlite_error(sqlite3.SQLITE_FULL)

    worker.storing = refuse
    rig = make(workers=[worker])
    rig.turn(3)
    order(rig)
    rig.turn(2)
    assert rig.writer.hindrance() == ""  # once is nothing to speak of
    rig.turn_until(lambda: bool(rig.writer.hindrance()), "the hindrance")
    assert "full" in rig.writer.hindrance()
    full = False
    rest(rig, 60.0)
    assert rig.writer.hindrance() == ""


@pytest.mark.parametrize(
    "fault",
    [
        lambda: KeyError("ours"),
        lambda: sqlite_error(sqlite3.SQLITE_CONSTRAINT),
        lambda: sqlite_error(sqlite3.SQLITE_ERROR, "no such column"),
        lambda: sqlite3.ProgrammingError("bindings"),
    ],
)
def test_a_fault_that_comes_again_ends_the_work_and_nothing_else(
    make: Callable[..., Rig], path: Path, fault: Callable[[], Exception]
) -> None:
    """After some tries it is given up, with the reason; readings are stored all the time, the database is in no trouble."""

    def wrong() -> None:
        tries.append(1)
        raise fault()

    tries: list[int] = []
    worker, good = CountingWorker(), CountingWorker("good")
    worker.storing = wrong
    rig = make(workers=[worker, good])
    rig.turn(3)
    failing_id, good_id = order(rig), order(rig, "good")
    put = []
    for _ in range(20):
        put += rig.put(1)
        rig.turn(10)
    rest(rig)
    rig.turn_until(rig.is_idle, "rest")
    assert find(rig, failing_id).state is State.FAILED
    assert str(fault()) in find(rig, failing_id).outcome
    assert find(rig, good_id).state is State.DONE
    assert len(tries) == 5
    assert values(path) == put
    kinds = rig.kinds()
    assert kinds.count("work_failed") == 1
    assert not {"database_blocked", "corrupt", "recovered"} & set(kinds)


@pytest.mark.parametrize(
    "fault",
    [
        lambda: sqlite_error(sqlite3.SQLITE_CORRUPT),
        lambda: sqlite_error(sqlite3.SQLITE_IOERR),
        lambda: sqlite_error(sqlite3.SQLITE_FULL),
        lambda: OSError(5, "Input/output error"),
    ],
)
def test_trouble_with_another_file_is_never_taken_for_trouble_with_the_log(
    make: Callable[..., Rig], path: Path, fault: Callable[[], Exception]
) -> None:
    """A damaged incident that is being salvaged must not have the sound log set aside."""

    def wrong() -> None:
        raise fault()

    worker = CountingWorker()
    worker.fetching = wrong
    rig = make(workers=[worker])
    rig.turn(3)
    identity = order(rig)
    put = rig.put(2)
    rest(rig)
    assert find(rig, identity).state is State.FAILED
    assert values(path) == put
    assert not (path.parent / "damaged").exists()
    assert not {"database_blocked", "corrupt"} & set(rig.kinds())


def test_a_fault_now_and_then_ends_nothing(make: Callable[..., Rig]) -> None:
    """Only faults in a row count."""
    calls = 0

    def now_and_then() -> None:
        nonlocal calls
        calls += 1
        if calls % 3:
            raise KeyError("for a moment")

    worker = CountingWorker(slices=6)
    worker.storing = now_and_then
    rig = make(workers=[worker])
    rig.turn(3)
    identity = order(rig)
    rest(rig, 60.0)
    assert find(rig, identity).state is State.DONE
    assert worker.did == [identity] * 6


@pytest.mark.parametrize("done", [False, True], ids=["instead", "after"])
@pytest.mark.parametrize("code", [sqlite3.SQLITE_BUSY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_ERROR])
def test_no_slice_is_done_twice(make: Callable[..., Rig], script: Script, code: int, done: bool) -> None:
    """Whichever statement about the work fails, its progress and what it did go together."""
    for start in ("UPDATE work", "SELECT id, kind, series_id", "COMMIT"):
        worker = CountingWorker()
        rig = make(workers=[worker])
        rig.turn(3)
        identity = order(rig)
        seen: list[str] = []

        def once(sql: str, start: str = start, seen: list[str] = seen) -> Exception | None:
            if sql.startswith(start) and len(seen) < 2:
                seen.append(sql)
                return sqlite_error(code)
            return None

        if done:
            script.after = once
        else:
            script.before = once
        rest(rig)
        script.heal()
        assert find(rig, identity).progress == {"at": 3}
        assert find(rig, identity).done == 30
        rig.stop()


def test_it_goes_on_where_it_was_after_any_end(make: Callable[..., Rig]) -> None:
    first = CountingWorker(slices=5)
    rig = make(workers=[first])
    rig.turn(3)
    identity = order(rig)
    rig.turn_until(lambda: len(first.did) >= 2, "two slices")
    rig.kill()
    second = CountingWorker(slices=5)
    again = make(workers=[second])
    again.turn(3)
    rest(again)
    assert len(first.did) + len(second.did) == 5
    assert find(again, identity).done == 50


def test_another_opening_is_looked_into_and_files_are_let_go_of(make: Callable[..., Rig]) -> None:
    worker = CountingWorker(slices=50)
    rig = make(workers=[worker])
    rig.turn(3)
    order(rig)
    rig.turn(2)
    before = worker.closed
    rig.writer._log.let_go()
    rig.turn_until(lambda: rig.writer._log.db is not None, "the next opening")
    assert worker.closed > before
    rest(rig)
    assert len(worker.did) == 50


def test_work_of_a_newer_release_is_left_waiting(make: Callable[..., Rig]) -> None:
    worker = CountingWorker()
    rig = make(workers=[worker])
    rig.turn(3)
    strange, known = order(rig, "of tomorrow"), order(rig)
    rig.turn(30)
    assert find(rig, strange).state is State.WAITING
    assert find(rig, known).state is State.DONE


def test_room_is_what_min_free_leaves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work that grows the file stops some megabytes before readings do."""
    space = Space(tmp_path / "log.db", 100_000_000)
    for free, allows in ((99_000_000, False), (100_000_001, False), (100_000_000 + RESERVE, True)):
        monkeypatch.setattr(space, "free", lambda free=free: free)
        assert space.allows_growth() is allows
    monkeypatch.setattr(space, "free", lambda: None)
    assert space.allows_growth()  # a disk that does not tell


def test_what_is_asked_of_an_open_database_is_its_own(make: Callable[..., Rig], fake: Time) -> None:
    """A look into the table is not repeated as long as nothing was ordered."""
    rig = make(workers=[CountingWorker()])
    rig.turn(3)
    db: OpenDatabase | None = rig.writer._log.db
    assert db is not None
    before = len([sql for sql in rig.script.statements if "FROM work" in sql])
    rig.turn(100)
    assert len([sql for sql in rig.script.statements if "FROM work" in sql]) == before


@pytest.mark.parametrize("has_jobs", [False, True])
def test_a_fault_waits_for_its_next_try_whatever_else_is_done(make: Callable[..., Rig], has_jobs: bool) -> None:
    """Jobs, and other work, go on meanwhile, and hurry nothing: a disk that is away for two seconds costs no work."""
    failing, other = CountingWorker("failing"), CountingWorker("other", slices=30)
    rig = make(workers=[failing, other])
    rig.turn(3)

    def away() -> None:
        if rig.time.now < began + 2.0:
            raise sqlite3.OperationalError("disk away for a moment")

    failing.fetching = away
    began = float("inf")
    identity, beside = order(rig, "failing", 1), order(rig, "other", 2)
    began = rig.time.now
    while rig.time.now < began + 1.9:
        if has_jobs:
            rig.writer.submit("roll-up rows", lambda db: None)
        rig.turn(1, 0.05)
    assert find(rig, beside).state is State.DONE
    assert find(rig, identity).state is State.WAITING
    rest(rig)
    assert find(rig, identity).state is State.DONE
    assert rig.time.now < began + 4.0
