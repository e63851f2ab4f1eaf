"""The end: within its deadline, with everything stored, spilled, or counted."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sensorlogd.daemon.main.process.lock import DatabaseLock
from sensorlogd.daemon.writing import ending
from sensorlogd.daemon.writing.commits.commit import Report
from sensorlogd.daemon.writing.disk import spill
from sensorlogd.daemon.writing.intake.events import Event
from sensorlogd.daemon.writing.intake.unstored import LeftAtEnd
from sensorlogd.daemon.writing.stopped import WriterStopped
from sensorlogd.event_kinds import EventKind, OtherKind
from sensorlogd.storage import meta
from tests.daemon.writing.rig import Rig, Script, events, sqlite_error, values


def facts(path: Path) -> dict[str, Any]:
    with contextlib.closing(sqlite3.connect(path)) as conn:
        return {key: json.loads(value) for key, value in conn.execute("SELECT key, value FROM daemon_status")}


def given_up(path: Path) -> int:
    with contextlib.closing(sqlite3.connect(path)) as conn:
        return meta.get_int(conn, "given_up")


def test_a_clean_end_stores_all_and_leaves_one_file(rig: Rig, path: Path) -> None:
    rig.turn(3)
    put = rig.put(5)
    waiting = rig.writer.flush()
    rig.writer.emit(EventKind.STOPPED, None, "now")
    rig.stop()
    assert values(path) == put
    assert waiting.result(0) is None
    assert facts(path)["clean_shutdown"] is True
    assert facts(path)["state"] == "stopped"
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    assert rig.kinds()[-1] == "stopped"


def test_a_blocked_end_is_in_time_and_loses_nothing(rig: Rig, script: Script, path: Path) -> None:
    """What was tried in vain, what still was in the inbox, and whoever waited for it."""
    rig.turn(3)
    script.fail_on("BEGIN", lambda: sqlite_error(sqlite3.SQLITE_BUSY))
    put = rig.put(5)
    rig.turn(20)
    put += rig.put(3, "b")
    waiting = rig.writer.flush()
    began = rig.time.now
    rig.stop(3.0)
    assert rig.time.now - began <= 3.2
    with pytest.raises(RuntimeError, match="stopped"):
        waiting.result(0)
    (left,) = spill.found(path)
    found = spill.read(left)
    assert sorted(value or 0.0 for block in found.blocks for column in block.columns for value in column.values) == put
    assert [event.kind for event in found.events][-1] == "spilled"
    assert values(path) == []


def test_a_flush_that_the_writer_never_got_to_is_told_the_end(rig: Rig) -> None:
    """It lay in the inbox when the time was over."""
    rig.turn(3)
    waiting = rig.writer.flush()
    rig.inbox.close()
    rig.writer.stop(0.0)
    rig.writer._close()
    with pytest.raises(RuntimeError):
        waiting.result(0)
    late = rig.writer.flush()
    with pytest.raises(RuntimeError, match="closed"):
        late.result(0)


def test_an_end_before_the_database_was_open_spills(make: Callable[..., Rig], path: Path, fresh: Path) -> None:
    """It could not be opened all the time: readings come back with the next start."""
    rig = make(sets_aside=False)
    content = path.read_bytes()
    path.write_bytes(b"\x80garbage" * 1024)
    put = rig.put(4)
    rig.turn(30)
    rig.stop(1.0)
    assert path.read_bytes() == b"\x80garbage" * 1024
    path.write_bytes(content)
    again = make()
    again.turn(5)
    again.stop()
    assert values(path) == put


def test_a_refused_database_gets_no_spill(make: Callable[..., Rig], path: Path) -> None:
    """It is somebody else's: nothing is written, not even beside it."""
    path.unlink()
    with contextlib.closing(sqlite3.connect(path)) as conn:
        conn.execute("CREATE TABLE songs(title)")
    before = path.read_bytes()
    rig = make()
    rig.put(2)
    rig.turn(2)
    assert rig.writer.refusal() is not None
    waiting = rig.writer.flush()
    rig.stop(1.0)
    assert rig.writer.lost_at_end == 2
    with pytest.raises(WriterStopped):
        waiting.result(0)
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object, **more: object) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(spill, "write", full)


def test_what_can_be_stored_nowhere_is_counted_by_the_next_start_once(
    make: Callable[..., Rig], script: Script, path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The number stands in the lock file, which needs no room; the next start stores it, and the one after knows nothing of it."""
    with DatabaseLock(path, None) as lock:
        rig = make(note_lost=lock.note_lost, remembered=lock)
        rig.turn(3)
        script.fail_on("BEGIN", lambda: sqlite_error(sqlite3.SQLITE_FULL))
        rig.put(5)
        rig.turn(3)
        rig.put(2)
        with monkeypatch.context() as patch:
            no_room(patch)
            rig.stop(1.0)
    script.heal()
    assert "7 readings are lost" in capsys.readouterr().err
    for _ in range(3):
        with DatabaseLock(path, None) as lock:
            again = make(note_lost=lock.note_lost, remembered=lock)
            again.turn(5)
            assert again.writer.stats().given_up == 7
            again.stop()
    assert given_up(path) == 7
    assert [kind for kind, _ in events(path)].count("dropped") == 1


def test_a_start_that_cannot_store_the_number_leaves_it(make: Callable[..., Rig], script: Script, path: Path) -> None:
    """Killed, or refused, before it is in the database: it is there for the next one."""
    with DatabaseLock(path, None) as lock:
        lock.note_lost(9)
    with DatabaseLock(path, None) as lock:
        rig = make(note_lost=lock.note_lost, remembered=lock)
        script.fail_on("INSERT INTO meta(key, value) VALUES (?,?) ON CONFLICT", lambda: sqlite_error(sqlite3.SQLITE_FULL))
        rig.turn(5)
        script.heal()
        rig.kill()
    with DatabaseLock(path, None) as lock:
        again = make(note_lost=lock.note_lost, remembered=lock)
        again.turn(5)
        assert again.writer.stats().given_up == 9
        again.stop()
    assert given_up(path) == 9


@pytest.mark.parametrize("later", [0, 2], ids=["at once", "after a run that lost more"])
def test_a_kill_before_the_lock_file_is_reset_counts_no_reading_twice(
    make: Callable[..., Rig], script: Script, path: Path, later: int
) -> None:
    """The number is in the database, and still in the lock file."""

    class Killed(BaseException):
        """The end of the process."""

    class Lock(DatabaseLock):
        def forget_lost(self) -> None:
            raise Killed

    with DatabaseLock(path, None) as lock:
        lock.note_lost(9)
    with Lock(path, None) as lock:
        rig = make(note_lost=lock.note_lost, remembered=lock)
        with pytest.raises(Killed):
            rig.turn(1)
        rig.kill()
    with DatabaseLock(path, None) as lock:
        lock.note_lost(later)
    for _ in range(2):
        with DatabaseLock(path, None) as lock:
            again = make(note_lost=lock.note_lost, remembered=lock)
            again.turn(5)
            assert again.writer.stats().given_up == 9 + later
            assert lock.lost == 0
            again.kill()
    assert given_up(path) == 9 + later
    assert [kind for kind, _ in events(path)].count("dropped") == 1


def test_a_number_that_was_taken_over_hides_no_later_one(make: Callable[..., Rig], path: Path) -> None:
    for _ in range(2):
        with DatabaseLock(path, None) as lock:
            lock.note_lost(4)
            rig = make(note_lost=lock.note_lost, remembered=lock)
            rig.turn(5)
            rig.stop()
    assert given_up(path) == 8


def test_the_number_adds_up_over_runs(path: Path) -> None:
    """Three runs that had no room, a power cut in between: the lock file holds their sum."""
    for n in (3, 4):
        with DatabaseLock(path, None) as lock:
            lock.note_lost(n)
    cut_off = DatabaseLock(path, None)
    cut_off.acquire()
    cut_off.note_lost(5)
    os.close(cut_off._descriptor)  # as a kill does: nothing is wiped
    cut_off._descriptor = -1
    with DatabaseLock(path, None) as lock:
        assert lock.lost == 12
        lock.forget_lost()
    with DatabaseLock(path, None) as lock:
        assert lock.lost == 0


@pytest.mark.parametrize("error", [MemoryError(), ValueError("a fault of ours")])
def test_an_end_that_cannot_write_a_spill_for_any_reason_counts_the_readings(
    rig: Rig, script: Script, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    rig.turn(3)
    script.fail_on("BEGIN", lambda: sqlite_error(sqlite3.SQLITE_FULL))
    rig.put(5)
    rig.turn(3)

    def fails(*args: object, **more: object) -> str:
        raise error

    monkeypatch.setattr(json, "dumps", fails)
    rig.stop(1.0)
    assert rig.writer.lost_at_end == 5
    assert not [file for file in rig.path.parent.iterdir() if "spill" in file.name], "nothing unfinished is left"


def test_nothing_left_is_no_spill(tmp_path: Path) -> None:
    assert ending.give_up(LeftAtEnd([], []), tmp_path / "log.db", 0, lambda n: None)
    assert list(tmp_path.iterdir()) == []


def test_events_alone_are_spilled_too(tmp_path: Path) -> None:
    noted = Event(5, OtherKind("noted"), None, "last")
    assert not ending.give_up(LeftAtEnd([], [noted]), tmp_path / "log.db", 7, lambda n: None)
    (left,) = spill.found(tmp_path / "log.db")
    assert [event.kind for event in spill.read(left).events] == ["noted", "spilled"]


def test_a_thread_that_does_not_come_back_is_left_with_its_readings_spilled(path: Path) -> None:
    """It hangs in a system call; the process is about to end: readings and waiters are dealt with from outside."""
    rig = Rig(path)
    put = rig.put(3)
    job, waiting = rig.writer.submit("a job", lambda db: None), rig.writer.flush()
    began = time.monotonic()
    rig.writer.abandon()
    assert time.monotonic() - began < 10.0
    (left,) = spill.found(path)
    assert spill.read(left).readings == len(put)
    for future in (job, waiting):
        with pytest.raises(RuntimeError, match="hangs"):
            future.result(0)


def test_last_words_that_fail_harm_nothing(make: Callable[..., Rig], script: Script, path: Path) -> None:
    """The status could not be written at the end: what was committed is there, and the next start sees an unclean end."""
    rig = make(report=lambda: Report((), {"state": "running", "clean_shutdown": False}))
    put = rig.put(3)
    rig.turn_until(rig.is_idle, "rest")
    script.fail_on("INSERT INTO daemon_status", lambda: sqlite_error(sqlite3.SQLITE_IOERR))
    rig.stop()
    assert values(path) == put
    script.heal()
    again = make()
    again.turn(5)
    assert again.kinds().count("unclean_end") == 1


@pytest.mark.parametrize("abandoned", [False, True])
def test_a_fault_of_ours_in_the_end_costs_no_reading_that_was_taken_and_leaves_nobody_waiting(
    make: Callable[..., Rig], script: Script, path: Path, monkeypatch: pytest.MonkeyPatch, abandoned: bool
) -> None:
    """What was taken from the inbox is spilled, what was not is counted, and the database is closed."""
    lost: list[int] = []
    rig = make(note_lost=lost.append)
    rig.turn(3)
    script.fail_on("BEGIN", lambda: sqlite_error(sqlite3.SQLITE_FULL))
    put = rig.put(5)
    waiting = rig.writer.flush()
    rig.turn(3)
    rig.put(2)
    script.heal()
    with monkeypatch.context() as patch:
        patch.setattr(rig.writer._unstored.dropped, "count", lambda: 1 / 0)
        patch.setattr(rig.writer._pending, "take_rest", lambda: 1 / 0)
        rig.writer.abandon() if abandoned else rig.writer._close()
    assert lost == [2]
    assert rig.writer.lost_at_end == 2
    with pytest.raises(WriterStopped):
        waiting.result(0)
    if not abandoned:
        assert rig.writer._log.db is None
        assert rig.writer.ready.is_set()
    rig.kill()
    again = make()
    again.turn(5)
    assert values(path) == put
    assert again.kinds().count("dropped") == 1


def test_an_end_by_a_fault_is_not_called_clean(make: Callable[..., Rig], path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rig = make(report=lambda: Report((), {"state": "running", "clean_shutdown": False}))
    put = rig.put(3)
    rig.turn_until(rig.is_idle, "rest")
    monkeypatch.setattr(rig.writer, "_turn", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        rig.writer._run()
    assert values(path) == put
    found = facts(path)
    assert found["clean_shutdown"] is False
    assert found["state_reason"] == "ended by a fault: ZeroDivisionError: division by zero"
    again = make()
    again.turn(5)
    assert again.kinds().count("unclean_end") == 1
