"""The writer in trouble: who is told, what waits, and that it goes on; each of these was seen to go wrong once."""

from __future__ import annotations

import errno
import sqlite3
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from sensorlogd.batch import Block, Column
from sensorlogd.daemon.writing.commits.commit import Commit, Report
from sensorlogd.daemon.writing.commits.pieces import PiecesTask
from sensorlogd.daemon.writing.commits.watcher import NullWatcher
from sensorlogd.daemon.writing.intake.events import Event, EventQueue
from sensorlogd.daemon.writing.totals import WriterState
from sensorlogd.event_kinds import EventKind, Kind, OtherKind
from sensorlogd.storage import meta
from sensorlogd.storage.ingest import events as stored_events
from sensorlogd.storage.maintenance.retention import RetentionPlan
from sensorlogd.storage.open_database import OpenDatabase
from tests.daemon.writing.rig import SPECS, T0, Rig, Script, events, sqlite_error, values, values_by_series


def ioerr() -> Exception:
    return sqlite_error(sqlite3.SQLITE_IOERR)


def test_blocked_and_recovered_are_told_once_each(rig: Rig, script: Script, path: Path) -> None:
    """However long it lasts and however often it is tried; and it goes on within two seconds."""
    rig.turn(3)
    script.fail_on("BEGIN", ioerr)
    put = rig.put(3)
    rig.turn(600)
    assert rig.writer.stats().state is WriterState.BLOCKED
    assert rig.writer.stats().blocked_since_us
    put += rig.put(2)
    script.heal()
    assert rig.turn_until(lambda: rig.writer.stats().state is WriterState.WRITING, "writing", 5.0) <= 2.2
    rig.turn_until(rig.is_idle, "rest")
    assert values(path) == put
    assert [kind for kind in rig.kinds() if kind in ("database_blocked", "recovered")] == ["database_blocked", "recovered"]


def test_a_lock_of_some_seconds_alarms_nobody(rig: Rig, script: Script, path: Path) -> None:
    rig.turn(3)
    script.fail_on("BEGIN", lambda: sqlite_error(sqlite3.SQLITE_BUSY))
    rig.put(3)
    rig.turn(40)
    assert rig.writer.stats().state is WriterState.WRITING
    rig.turn(60)
    assert rig.writer.stats().state is WriterState.BLOCKED
    script.heal()
    rig.turn_until(rig.is_idle, "rest")
    assert rig.kinds().count("database_blocked") == 1


def test_upkeep_that_alone_fails_is_left_alone_ever_longer(rig: Rig, script: Script, path: Path) -> None:
    """A bad spot of the disk among old readings: new ones are stored all the time, and the owner hears of it once."""
    rig.turn(3)
    script.fail_on("INSERT INTO history", ioerr)
    put: list[float] = []
    for _ in range(60):
        put += rig.put(5)
        rig.turn(10, 0.5)
    tries = sum(sql.startswith("INSERT INTO history") for sql in script.statements)
    assert 4 <= tries <= 20
    rig.turn_until(rig.is_idle, "rest")
    assert values(path) == put
    assert rig.kinds().count("upkeep_failed") == 1
    assert "database_blocked" not in rig.kinds()
    script.heal()
    rig.turn(150, 1.0)
    assert values(path) == put
    with sqlite3.connect(path) as conn:
        assert conn.execute("SELECT count(*) FROM history").fetchone()[0] > 0
    conn.close()


def test_a_status_that_cannot_be_told_costs_the_status_only(make: Callable[..., Rig], script: Script, path: Path) -> None:
    """Readings and events are stored all the same, and nothing spins."""

    def report() -> Report:
        asked.append(1)
        raise KeyError("status")

    asked: list[int] = []
    rig = make(report=report)
    put = rig.put(3)
    rig.writer.emit(OtherKind("noted"), None, "this")
    rig.turn(100)
    assert values(path) == put
    assert rig.kinds().count("noted") == 1
    assert len(asked) <= 5


def test_a_status_that_cannot_be_stored_costs_the_status_only(make: Callable[..., Rig], script: Script, path: Path) -> None:
    rig = make(report=lambda: Report((), {"what": {1, 2}}))  # a set is no JSON
    put = rig.put(3)
    rig.writer.emit(OtherKind("noted"), None, "this")
    rig.turn(100)
    put += rig.put(2)
    rig.turn(30)
    assert values(path) == put
    assert rig.kinds().count("noted") == 1
    assert len(script.statements) < 400


def test_an_event_that_cannot_be_stored_does_not_hold_up_the_others(rig: Rig, script: Script, path: Path) -> None:
    rig.turn(3)
    rig.writer.emit(OtherKind("noted"), None, "first")
    rig.writer._notices.events.put(Event(T0, "broken", None, 7))  # type: ignore[arg-type]  # a fault of ours
    rig.writer.emit(OtherKind("noted"), None, "second")
    put = rig.put(3)
    rig.turn(30)
    assert values(path) == put
    assert [detail for kind, detail in events(path) if kind == "noted"] == ["first", "second"]
    assert rig.is_idle()


def test_one_bad_hand_over_costs_itself_only(rig: Rig, path: Path) -> None:
    """Whatever a driver hands over: its neighbours are stored, it is counted, and told."""
    rig.turn(3)
    put = rig.put(2)
    broken = Block("a", [Column("x", [T0], [1.0], 0)])
    broken.columns[0].quality = None  # type: ignore[assignment]  # len() of it fails
    rig.inbox.put(broken, 0.0)
    put += rig.put(2, "b")
    rig.turn_until(rig.is_idle, "rest")
    assert values(path) == put
    assert rig.writer.stats().per_sensor["a"]["poisoned"] == 1
    assert "poisoned" in rig.kinds()


class Faulty(NullWatcher):
    """An observer that breaks its promise to raise nothing."""

    def note_recorded(self, blocks: Iterable[Block], *, kept: bool) -> None:
        raise KeyError("recorded")


def test_a_fault_after_a_commit_costs_no_block_behind_it(make: Callable[..., Rig], path: Path) -> None:
    """All of it is stored and counted once, however often the fault comes."""
    rig = make(watcher=lambda clock: Faulty())
    rig.turn(3)
    put: list[float] = []
    for _ in range(4):
        put += rig.put(2)
        put += rig.put(3, "b")
    rig.turn(60, 0.5)
    assert values(path) == put
    counted = rig.writer.stats().per_sensor
    assert (counted["a"]["readings"], counted["b"]["readings"]) == (8, 12)
    assert "poisoned" not in rig.kinds()


def test_a_block_that_is_given_up_is_counted(make: Callable[..., Rig], path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When even storing block by block fails before anything is stored."""
    rig = make()
    rig.turn(3)
    rig.put(2)
    put = rig.put(3, "b")
    whole = PiecesTask._store

    def fail_for_a(self: PiecesTask, db: Any, piece: Commit) -> None:
        if piece.blocks and piece.blocks[0].sensor == "a":
            raise KeyError("a")
        whole(self, db, piece)

    monkeypatch.setattr(PiecesTask, "_store", fail_for_a)
    monkeypatch.setattr(Commit, "write", _fails_for_many(Commit.write))
    rig.turn(60, 0.5)
    assert values(path) == put
    assert rig.writer.stats().per_sensor["a"]["poisoned"] == 2
    assert "poisoned" in rig.kinds()


def test_an_event_that_cannot_be_stored_is_an_event(rig: Rig, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault of ours in one event costs neither readings nor other events, and the log shows that one is missing."""
    rig.turn(3)
    record = stored_events.record

    def fails(conn: sqlite3.Connection, ts_us: int, kind: Kind, sensor: str | None, detail: str) -> None:
        if detail == "broken":
            raise KeyError("broken")
        record(conn, ts_us, kind, sensor, detail)

    monkeypatch.setattr(stored_events, "record", fails)
    rig.writer.emit(EventKind.NOTE, "a", "broken")
    rig.writer.emit(EventKind.NOTE, "a", "whole")
    put = rig.put(3)
    rig.turn(60, 0.5)
    assert values(path) == put
    assert [detail for kind, detail in events(path) if kind == "note"] == ["whole"]
    (dropped,) = [detail for kind, detail in events(path) if kind == "events_dropped"]
    assert dropped.startswith("1 event, note, could not be stored: KeyError")


def _fails_for_many(run: Callable[..., Any]) -> Callable[..., Any]:
    def fails(self: Commit, *arguments: Any) -> Any:
        if len(self.blocks) > 1 or any(block.sensor == "a" for block in self.blocks):
            raise KeyError("many")
        return run(self, *arguments)

    return fails


def test_a_commit_of_a_piece_that_may_have_happened_is_not_stored_twice(
    make: Callable[..., Rig], script: Script, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The batch has a fault in it, so that its blocks are stored one by one; the COMMIT of the first is done, and raises."""
    rig = make()
    rig.turn(3)
    put = rig.put(2, "b") + rig.put(2, "b")
    rig.inbox.put(Block("a", [Column("x", [T0], [77.0], 0)]), 0.0)
    write = Commit.write
    monkeypatch.setattr(Commit, "write", _fails_for_many(Commit.write))
    commits = iter([ioerr()])
    script.after = lambda sql: next(commits, None) if sql == "COMMIT" else None
    rig.turn_until(lambda: rig.writer._trouble.failing.count, "the failure")
    monkeypatch.setattr(Commit, "write", write)
    rig.turn_until(rig.is_idle, "rest")
    assert next(commits, None) is None
    assert [value for value in values(path) if value != 77.0] == put


def test_an_opening_that_a_fault_of_ours_prevents_is_told(
    make: Callable[..., Rig], path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Readings wait meanwhile, so ``status`` says why; once it succeeds they are stored."""

    def fail(*_: object) -> None:
        raise KeyError("as scripted")

    rig = make()
    with monkeypatch.context() as patch:
        patch.setattr(OpenDatabase, "use_specs", fail)
        put = rig.put(2)
        rig.turn(5, 1.0)
        stats = rig.writer.stats()
        assert stats.state is WriterState.BLOCKED
        assert stats.state_reason == "opening failed: KeyError: 'as scripted'"
    rig.turn_until(rig.is_idle, "rest")
    assert values(path) == put
    assert rig.writer.stats().state is WriterState.WRITING
    assert rig.kinds().count("database_unavailable") == 1


def test_out_of_memory_poisons_nothing(rig: Rig, script: Script, path: Path) -> None:
    """Memory that is short for a moment: readings wait."""
    rig.turn(3)
    put = rig.put(4)
    script.fail_on("INSERT INTO recent", MemoryError)
    rig.turn(50)
    script.heal()
    rig.turn_until(rig.is_idle, "rest")
    assert values(path) == put
    assert "poisoned" not in rig.writer.stats().per_sensor["a"]


def test_what_the_inbox_dropped_stays_counted_through_a_fault(make: Callable[..., Rig], script: Script, path: Path) -> None:
    """The number is in the file, whatever happened to the commit that was to store it."""
    rig = make(inbox_limit=100)
    rig.turn(3)
    script.fail_on("BEGIN", ioerr)
    put = rig.put(5)
    rig.turn(12)
    for _ in range(40):
        put += rig.put(5)
    script.heal()
    script.fail_at(4, lambda: KeyError("a fault of ours"))
    rig.turn_until(rig.is_idle, "rest")
    dropped = len(put) - len(values(path))
    assert dropped > 0
    with sqlite3.connect(path) as conn:
        assert meta.get_int(conn, "given_up") == dropped
    conn.close()
    assert rig.writer.stats().given_up == dropped
    assert rig.writer.stats().per_sensor["a"]["dropped"] == dropped


def test_a_commit_that_happened_all_the_same_doubles_no_reading(rig: Rig, script: Script, path: Path) -> None:
    """Several readings of one microsecond were moved to the next free ones: tried again, each is the one that is there."""
    rig.turn(3)
    when = rig.clock.now_us()
    put = [3.0, 1.0, 2.0, 9.0, 8.0]
    assert rig.inbox.put(Block("a", [Column("x", [when] * 5, list(put), 0)]), 0.0)
    script.after = lambda sql: ioerr() if sql == "COMMIT" and len(values(path)) else None
    rig.turn(15)
    script.heal()
    rig.turn_until(rig.is_idle, "rest")
    assert values_by_series(path) == {("a", "x"): put}


def test_after_a_retry_equal_readings_of_one_moment_are_two_again(rig: Rig, script: Script, path: Path) -> None:
    """Only while a batch is tried again may a reading that looks like another be that other one."""
    rig.turn(3)
    script.fail_on("COMMIT", ioerr)
    put = rig.put(1)
    rig.turn(15)
    script.heal()
    rig.turn_until(rig.is_idle, "rest")
    when = rig.clock.now_us()
    assert rig.inbox.put(Block("a", [Column("x", [when, when], [7.0, 7.0], 0)]), 0.0)
    rig.turn_until(rig.is_idle, "rest")
    assert values_by_series(path) == {("a", "x"): [*put, 7.0, 7.0]}


def test_nothing_spins_while_something_waits(rig: Rig, script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    """In every state of waiting the loop asks for a wait that is longer than nothing."""
    rig.turn(20)

    def patience() -> float:
        waited: list[float] = []
        monkeypatch.setattr(rig.inbox, "wait", waited.append)
        asked = rig.writer._wait_s()
        return max([asked, *waited])

    rig.turn_until(lambda: patience() > 0, "rest", 10.0)
    script.fail_on("BEGIN", ioerr)
    rig.writer.submit("a job", lambda db: None)
    rig.put(3)
    looks = 0
    for _ in range(50):
        rig.turn(1, 0.01)
        if rig.time.now < max(
            rig.writer._trouble.retry_at, rig.writer._runner.paused_until if rig.writer._trouble.is_well() else 0.0
        ):
            looks += 1
            assert patience() > 0
    assert looks > 20
    script.heal()


def test_events_that_are_too_many_are_counted() -> None:
    """The first tell the cause; how many were withheld is told in their place, once."""
    queue = EventQueue(3)
    for n in range(8):
        queue.put(Event(n, OtherKind("noted"), None, str(n)))
    waiting = queue.waiting(9)
    assert [event.detail for event in waiting[:3]] == ["0", "1", "2"]
    assert waiting[3].kind == "events_dropped"
    assert waiting[3].detail.startswith("5 events")
    queue.put(Event(10, OtherKind("noted"), None, "late"))
    queue.note_stored(4)
    assert [event.detail[:2] for event in queue.waiting(9)] == ["1 "]
    queue.put_first(Event(0, OtherKind("noted"), None, "before"))
    assert [event.detail[:2] for event in queue.waiting(9)] == ["be", "1 "]


def test_any_thread_may_tell_while_the_writer_stores() -> None:
    """Every event is stored or counted, in the order of each thread."""
    queue, stored, ended = EventQueue(100), [], threading.Event()

    def tell(name: str) -> None:
        for n in range(2_000):
            queue.put(Event(n, OtherKind(name), None, str(n)))

    threads = [threading.Thread(target=tell, args=(name,)) for name in "ab"]

    def watch() -> None:
        for thread in threads:
            thread.join()
        ended.set()

    for thread in [*threads, watcher := threading.Thread(target=watch)]:
        thread.start()
    while not ended.is_set() or len(queue):
        waiting = queue.waiting(0)
        stored += waiting
        queue.note_stored(len(waiting))
    watcher.join()
    withheld = sum(int(event.detail.split()[0]) for event in stored if event.kind == "events_dropped")
    assert sum(event.kind != "events_dropped" for event in stored) + withheld == 4_000
    for name in "ab":
        numbers = [int(event.detail) for event in stored if event.kind == name]
        assert numbers == sorted(set(numbers))


def test_a_commit_knows_whether_it_may_have_happened(rig: Rig, script: Script) -> None:
    """Before COMMIT was asked for nothing can be in the file; from then on it may."""
    rig.turn(3)
    for failing, may_have_happened in (("BEGIN", False), ("INSERT INTO recent", False), ("COMMIT", True)):
        rig.put(1)
        script.fail_on(failing, ioerr)
        rig.turn_until(lambda: rig.writer._trouble.failing.count, "the failure")
        script.heal()
        assert rig.writer._pending.retrying is may_have_happened
        rig.turn_until(rig.is_idle, "rest")
        assert not rig.writer._pending.retrying


# ---- the file under the open connection --------------------------------------------------------------------------------


def test_a_rescue_that_cannot_be_made_is_made_later(rig: Rig, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No room even for a note: what is open is not let go of, for with it all would be lost and its WAL meet the newcomer."""
    rig.turn(3)
    put = rig.put(4)
    rig.turn_until(rig.is_idle, "rest")
    db = rig.writer._log.db
    rescue: Callable[..., Any] = rig.opening.rescue

    def full(*args: Any, **more: Any) -> str:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(rig.opening, "rescue", full)
    path.unlink()
    held = rig.put(3)
    rig.turn(50)
    assert rig.writer._log.db is db
    assert not path.exists()
    assert rig.writer.stats().state is WriterState.BLOCKED
    monkeypatch.setattr(rig.opening, "rescue", rescue)
    rig.turn_until(rig.is_idle, "rest")
    assert values(path) == held
    (kept,) = (path.parent / "damaged").glob("*/log.db")
    assert values(kept) == put
    assert rig.kinds().count("database_removed") == 1


def test_the_writer_of_a_real_thread_lives_through_all_of_it(path: Path, tmp_path: Path) -> None:
    """Locked by another program for a while, in real time: everything is stored, and the thread ends when told to."""
    rig = Rig(path)
    rig.writer.start()
    try:
        assert rig.writer.ready.wait(30.0)
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        put = rig.put(3)
        waiting = rig.writer.flush()
        other.execute("ROLLBACK")
        other.close()
        assert waiting.result(30.0) is None
        assert rig.writer.is_alive()
    finally:
        rig.inbox.close()
        rig.writer.stop(10.0)
        assert rig.writer.join(30.0)
    assert values(path) == put


def test_new_sensors_that_are_refused_leave_the_former_retention_in_force(
    make: Callable[..., Rig], path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Theirs names sensors that the database does not know, and would delete by it."""

    def refuse(*args: object) -> None:
        raise ValueError("as scripted")

    rig = make()
    rig.turn(3)
    monkeypatch.setattr(OpenDatabase, "use_specs", refuse)
    plan = RetentionPlan()
    retention = rig.writer._log.opened().upkeep.retention
    former = retention._plan
    rig.writer.use_specs(SPECS, plan)
    in_force = []
    for _ in range(60):
        rig.turn(1)
        in_force.append(retention._plan is former)
    assert rig.kinds().count("sensors_failed") == 1
    assert all(in_force)
