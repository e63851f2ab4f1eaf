"""What may lie at the path when the database is opened, and what becomes of it."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from sensorlogd.daemon.main.process.lock import NAME, DatabaseLock, DataDirLock
from sensorlogd.daemon.writing.commits.watcher import NullWatcher
from sensorlogd.daemon.writing.totals import WriterState
from sensorlogd.notation.microseconds import SECOND_US
from sensorlogd.storage import open_database, work
from sensorlogd.storage.file.holder import LockHeld, lock_path
from sensorlogd.storage.maintenance import backup, incidents
from sensorlogd.storage.maintenance.retention import RetentionPlan
from sensorlogd.storage.rollups.resolutions import DAY
from tests.daemon.writing.rig import SPECS, Remembered, Rig, Script, Time, events, plan_forever, sqlite_error, values


def test_locks_whose_files_are_removed_while_it_runs_are_taken_anew(make: Callable[..., Rig], path: Path) -> None:
    """With the next commit, and said; a second daemon cannot come."""
    with DataDirLock(path.parent) as folder, DatabaseLock(path, None) as lock:
        rig = make(remembered=lock, folder=folder)
        put = store(rig, 2)
        lock_path(path).unlink()
        (path.parent / NAME).unlink()
        put += store(rig, 2)
        for second in (DataDirLock(path.parent), DatabaseLock(path, None)):
            with pytest.raises(LockHeld):
                second.acquire()
        put += store(rig, 2)
        rig.turn_until(lambda: rig.kinds().count("lock_removed") == 2, "the events")
        assert values(path) == put


def test_who_took_the_lock_meanwhile_writes_alone(make: Callable[..., Rig], path: Path) -> None:
    """Readings are held until that process has ended. One that has the data directory only hinders nothing."""
    with DataDirLock(path.parent) as folder, DatabaseLock(path, None) as lock:
        rig = make(remembered=lock, folder=folder)
        put = store(rig, 2)
        lock_path(path).unlink()
        (path.parent / NAME).unlink()
        with DataDirLock(path.parent):
            with DatabaseLock(path, None):
                held = rig.put(2)
                rig.turn_until(lambda: rig.writer._log.db is None, "the file to be let go of")
                rig.turn(10)
                assert values(path) == put
                assert "is in use" in rig.writer.stats().state_reason
            rig.turn_until(rig.is_idle, "rest")
            put += held + store(rig, 2)
            assert values(path) == put
            store(rig, 1)
        told = [detail for kind, detail in events(path) if kind == "lock_removed"]
        assert ["data directory" in detail and "is in use" in detail for detail in told] == [True]


def killed(rig: Rig, to: Path) -> Path:
    """What a kill leaves of the rig's files, in ``to``."""
    to.mkdir()
    for suffix in ("", "-wal"):
        side = rig.path.with_name(rig.path.name + suffix)
        if side.exists():
            shutil.copy(side, to / side.name)
    return to / rig.path.name


def store(rig: Rig, n: int) -> list[float]:
    put = rig.put(n)
    rig.turn_until(rig.is_idle, "rest")
    return put


class Taken(Remembered):
    """The lock of a folder that was removed: another process has the one that is there now, until ``taken`` is False."""

    taken = True

    def hold(self) -> bool:
        if self.taken:
            raise LockHeld(Path("log.db"), 77, "name another database")
        return True


def test_nothing_is_opened_while_another_process_has_the_lock(make: Callable[..., Rig], path: Path) -> None:
    """It is said who; what came meanwhile is stored once the lock is free."""
    lock = Taken()
    before = path.read_bytes()
    rig = make(remembered=lock)
    put = rig.put(3)
    rig.turn(5)
    assert rig.writer._log.db is None
    assert path.read_bytes() == before
    assert "pid 77" in rig.writer.stats().state_reason
    lock.taken = False
    rig.turn_until(rig.is_idle, "rest")
    assert values(path) == put


def test_a_backup_put_back_after_a_kill_is_what_counts(make: Callable[..., Rig], path: Path, tmp_path: Path) -> None:
    """Its readings, without those of the WAL that was left lying there; which is kept, told, and never salvaged into it."""
    rig = make(block_rows=10**6)
    rig.turn(3)
    first = store(rig, 5)
    with contextlib.closing(sqlite3.connect(path)) as source:
        backup.copy(source, tmp_path / "backup.db")
    store(rig, 7)
    left = killed(rig, tmp_path / "left")
    wal = left.with_name(left.name + "-wal").read_bytes()
    shutil.copy(tmp_path / "backup.db", left)
    again = make(left, block_rows=10**6)
    again.turn_until(lambda: again.writer._log.db is not None, "the opening", 5.0)
    assert values(left) == first
    (incident,) = incidents.all_incidents(left)
    assert (incident.main, incident.is_wanted) == (None, False)
    assert incident.wal is not None
    assert incident.wal.read_bytes() == wal
    later = again.put(2, "b")
    again.turn_until(again.is_idle, "rest")
    assert values(left) == sorted(first + later)
    assert "belongs to another file" in dict(events(left))["foreign_wal"]
    assert again.writer.kept_work() == []


@pytest.mark.parametrize("content", [b"", None, b"garbage " * 500])
def test_what_is_no_database_beside_a_wal_is_set_aside_with_it(
    make: Callable[..., Rig], path: Path, tmp_path: Path, content: bytes | None
) -> None:
    """Emptied, gone, overwritten: nothing of it is lost, salvage is ordered, and logging goes on."""
    rig = make()
    rig.turn(3)
    store(rig, 5)
    left = killed(rig, tmp_path / "left")
    left.unlink()
    if content is not None:
        left.write_bytes(content)
    again = make(left)
    put = store(again, 2)
    assert values(left) == put
    (incident,) = incidents.all_incidents(left)
    assert incident.is_wanted
    if content:  # SQLite put the pages of the WAL into it before it found that the rest is no database
        assert b"simulated" in (incident.folder / left.name).read_bytes()
    else:
        assert incident.wal is not None
        assert incident.wal.stat().st_size > 32
    with contextlib.closing(sqlite3.connect(left)) as conn:
        assert [piece.kind for piece in work.everything(conn)] == ["salvage"]


@pytest.mark.parametrize("content", [b"garbage " * 500, b"\x89PNG" * 500], ids=["a text", "a picture"])
def test_what_was_never_a_database_is_refused_unless_one_was_here(
    make: Callable[..., Rig], path: Path, tmp_path: Path, content: bytes
) -> None:
    """The name of a wrong file costs nobody that file. Where a database was once, it has been overwritten: logging goes on."""
    named = tmp_path / "letter"
    named.write_bytes(content)
    refused = make(named)
    refused.turn(2)
    assert "nothing shows that it was ever a database" in str(refused.writer.refusal())
    assert named.read_bytes() == content
    assert incidents.all_incidents(named) == []
    refused.kill()
    again = make(named, remembered=Remembered(was_opened=True))
    put = store(again, 2)
    assert values(named) == put
    (incident,) = incidents.all_incidents(named)
    assert incident.main is not None
    assert incident.main.read_bytes() == content


def test_an_incident_that_was_cut_off_is_completed_before_anything_is_opened(
    make: Callable[..., Rig], path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The WAL had been moved, the main file not yet, when the power went: they end up together, and a fresh one is begun."""
    rig = make()
    rig.turn(3)
    store(rig, 5)
    with monkeypatch.context() as patch:
        real = incidents._move

        def cut_off(source: Path, target: Path, identity: Sequence[int] | None) -> None:
            if source.name == path.name:
                raise OSError(5, "the power went")
            real(source, target, identity)

        patch.setattr(incidents, "_move", cut_off)
        with pytest.raises(OSError, match="the power went"):
            rig.opening.set_aside(rig.writer._log.db, "damaged", False)
    rig.kill()
    assert path.exists()
    again = make()
    put = store(again, 2)
    assert values(path) == put
    (incident,) = incidents.all_incidents(path)
    assert incident.is_whole
    assert len(incident.files) >= 2
    assert values(incident.folder / path.name) == [0.0, 1.0, 2.0, 3.0, 4.0]


def test_damage_found_while_running_is_set_aside_once_and_logging_goes_on(
    make: Callable[..., Rig], script: Script, path: Path
) -> None:
    rig = make()
    rig.turn(3)
    store(rig, 5)
    failed: list[str] = []

    def once(sql: str) -> Exception | None:
        if sql.startswith("INSERT INTO recent") and not failed:
            failed.append(sql)
            return sqlite_error(sqlite3.SQLITE_CORRUPT)
        return None

    script.before = once
    put = store(rig, 4)
    assert values(path) == put
    assert len(incidents.all_incidents(path)) == 1
    assert rig.writer.stats().state is WriterState.WRITING
    assert rig.kinds().count("corrupt") == 1


def test_setting_aside_that_fails_is_tried_again(make: Callable[..., Rig], path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No room for the note: the damaged file stays, readings wait, and nothing is written into it."""
    rig = make()
    real = incidents.set_aside
    tries: list[int] = []

    def full(*args: object, **more: object) -> incidents.Incident:
        tries.append(1)
        raise OSError(28, "No space left on device")

    path.write_bytes(b"\x80garbage" * 512)
    monkeypatch.setattr(incidents, "set_aside", full)
    put = rig.put(3)
    rig.turn(100)
    assert path.read_bytes() == b"\x80garbage" * 512
    assert 3 <= len(tries) <= 20
    assert rig.writer.stats().state is WriterState.BLOCKED
    monkeypatch.setattr(incidents, "set_aside", real)
    rig.turn_until(rig.is_idle, "rest", 5.0)
    assert values(path) == put


def test_a_file_that_shrank_under_the_connection_is_set_aside(make: Callable[..., Rig], path: Path) -> None:
    """Cut by somebody else; what the WAL and the rest of the file hold is in the incident."""
    rig = make()
    rig.turn(3)
    store(rig, 50)
    assert rig.writer._log.db is not None
    rig.writer._log.db.checkpoint()
    rig.turn(12)
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)
    put = rig.put(3)
    rig.turn_until(rig.is_idle, "rest", 10.0)
    assert put == values(path)
    assert dict(events(path))["corrupt"].count("was cut from") == 1


def test_a_kill_is_told_and_a_clean_end_is_not(make: Callable[..., Rig], path: Path) -> None:
    rig = make()
    rig.turn(3)
    rig.stop()
    second = make()
    second.turn(5)
    assert "unclean_end" not in second.kinds()
    assert second.opening.clean_start
    store(second, 2)
    with contextlib.closing(sqlite3.connect(path)) as conn:
        conn.execute("INSERT OR REPLACE INTO daemon_status VALUES ('clean_shutdown', 'false')")
        conn.commit()
    second.kill()
    third = make()
    third.turn(5)
    assert third.kinds().count("unclean_end") == 1
    assert not third.opening.clean_start


def test_a_plan_of_retention_never_meets_sensors_of_another_configuration(
    make: Callable[..., Rig], script: Script, path: Path
) -> None:
    """A reload keeps ``b`` for ever under its new name and all others for a day. The database is opened anew before the new names
    are in it: what is stored under the former name must not expire."""
    rig = make()
    rig.turn(3)
    old = rig.opening.specs
    rig.writer.use_specs(SPECS[:1], RetentionPlan(default={0: DAY * SECOND_US}))
    rig.writer._log.let_go()
    rig.writer._open()
    assert rig.writer._log.db is not None
    assert rig.opening.specs == old
    assert rig.writer._log.db.upkeep.retention._plan.is_forever()
    rig.turn(20)
    assert rig.opening.specs == SPECS[:1]
    assert not rig.writer._log.db.upkeep.retention._plan.is_forever()
    rig.writer._log.let_go()
    rig.turn_until(lambda: rig.writer._log.db is not None, "the next opening")
    assert rig.writer._log.db is not None
    assert rig.writer._log.db.upkeep.retention._plan == RetentionPlan(default={0: DAY * SECOND_US})
    rig.writer.use_specs(SPECS, plan_forever())
    rig.turn(20)
    assert rig.writer._log.db.upkeep.retention._plan.is_forever()


def test_the_status_says_what_is_going_on(make: Callable[..., Rig], script: Script, path: Path) -> None:
    rig = make()
    assert rig.writer.stats().state is WriterState.OPENING
    rig.turn(2)
    assert rig.writer.stats().state is WriterState.WRITING
    assert rig.writer.wal()["wal_held_by"] == ""
    script.fail_on("BEGIN", lambda: sqlite_error(sqlite3.SQLITE_READONLY))
    rig.put(1)
    rig.turn(30)
    stats = rig.writer.stats()
    assert (stats.state, stats.state_reason) == (WriterState.BLOCKED, "readonly: as scripted")
    script.heal()
    rig.turn_until(rig.is_idle, "rest")
    rig.stop()
    assert rig.writer.stats().state is WriterState.STOPPED


def test_a_long_opening_is_a_sign_of_life(make: Callable[..., Rig], fake: Time, monkeypatch: pytest.MonkeyPatch) -> None:
    """An upgrade of a large file takes longer than the watchdog waits; the writer says all the time that it goes on."""
    beats: list[float] = []
    rig = make()

    def upgrade(path: Path, beat: Callable[[], None]) -> None:
        for _ in range(300):
            fake.now += 1.0
            beat()
            beats.append(rig.writer.stats().beat_monotonic_s)

    monkeypatch.setattr(open_database, "ensure_schema", upgrade)
    rig.turn(1)
    assert beats == [1000.0 + second for second in range(1, 301)]


class _FaultyOnce(NullWatcher):
    def __init__(self) -> None:
        self.faults = [ZeroDivisionError("as scripted")]

    def note_opened(self, db: open_database.OpenDatabase) -> None:
        if self.faults:
            raise self.faults.pop()


def test_an_opening_that_fails_half_way_is_done_again_and_still_told(make: Callable[..., Rig], path: Path) -> None:
    first = make()
    first.turn(3)
    first.stop()
    with contextlib.closing(sqlite3.connect(path)) as conn:
        conn.execute("INSERT OR REPLACE INTO daemon_status VALUES ('clean_shutdown', 'false')")
        conn.commit()
    rig = make(watcher=lambda clock: _FaultyOnce())
    rig.turn()
    assert rig.writer.open_token is None
    assert not rig.writer.ready.is_set()
    put = rig.put(3)
    rig.turn_until(rig.is_idle, "rest", 10.0)
    assert rig.writer.ready.is_set()
    assert values(path) == put
    assert rig.kinds().count("unclean_end") == 1
