"""Every statement of the writer's connection may fail, in every way: nothing is lost or doubled, and it goes on.

A run puts readings, flushes, jobs and kept work through the writer while upkeep moves what is stored. It is repeated with the
Nth statement failing, for every N. The ways to fail take turns from one N to the next, so that each way meets every kind of
statement; ``ALL`` has them all meet each (minutes).
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path

import pytest

from sensorlogd.daemon.writing.between_commits.once import Once
from sensorlogd.daemon.writing.totals import WriterState
from sensorlogd.event_kinds import OtherKind
from sensorlogd.storage import meta, work
from sensorlogd.storage.maintenance import incidents
from sensorlogd.storage.maintenance.mover import MoverState
from sensorlogd.storage.open_database import OpenDatabase
from sensorlogd.storage.watermarks import Frontier
from sensorlogd.storage.work import Slice, Work
from sensorlogd.storage.worker import Worker
from tests.daemon.writing.rig import (
    Rig,
    Script,
    Time,
    doubled,
    scripted,
    set_aside_values,
    sqlite_error,
    values,
)

ALL = bool(os.environ.get("SENSORLOGD_TESTS_EVERY"))
SLICES = 4

Fault = Callable[[], Exception]
FAULTS: Mapping[str, tuple[Fault, int]] = {  # how, and how often in a row
    "busy": (lambda: sqlite_error(sqlite3.SQLITE_BUSY), 1),
    "full": (lambda: sqlite_error(sqlite3.SQLITE_FULL), 3),
    "ioerr": (lambda: sqlite_error(sqlite3.SQLITE_IOERR_WRITE), 1),
    "ioerr for long": (lambda: sqlite_error(sqlite3.SQLITE_IOERR_FSYNC), 9),
    "readonly": (lambda: sqlite_error(sqlite3.SQLITE_READONLY), 5),
    "corrupt": (lambda: sqlite_error(sqlite3.SQLITE_CORRUPT), 1),
    "cantopen": (lambda: sqlite_error(sqlite3.SQLITE_CANTOPEN), 5),
    "protocol": (lambda: sqlite_error(sqlite3.SQLITE_PROTOCOL), 2),
    "strange": (lambda: sqlite_error(sqlite3.SQLITE_ERROR), 2),
    "constraint": (lambda: sqlite_error(sqlite3.SQLITE_CONSTRAINT), 1),  # but for readings: there it is a row's own fault
    "ours": (lambda: KeyError("a fault of ours"), 1),
}


class Counting(Worker[None]):
    """Kept work of a few slices, each of which adds one to a number in ``meta``: done twice, it shows."""

    kind = "counting"
    grows = False

    def fetch(self, work: Work) -> None:
        return None

    def store(self, conn: sqlite3.Connection, frontier: Frontier, work: Work, fetched: None, now_us: int) -> Slice:
        at = int(work.progress.get("at", 0)) + 1
        meta.put(conn, "counted", str(meta.get_int(conn, "counted") + 1))
        return Slice({"at": at}, 1, more=at < SLICES, outcome="counted")


def add_one(db: OpenDatabase) -> int:
    found = meta.get_int(db.conn, "jobs") + 1
    meta.put(db.conn, "jobs", str(found))
    return found


def order_counting(db: OpenDatabase) -> int:
    return work.order(db.conn, "counting", {}, 0)


class Run:
    """One run, with everything that was handed over."""

    def __init__(self, path: Path, script: Script, fake: Time) -> None:
        self.rig = Rig(path, workers=[Counting()], script=script, fake=fake)
        self.path = path
        self.put: list[float] = []
        self.flushes: list[Future[None]] = []
        self.jobs: list[Future[int]] = []
        self.rig.turn_until(self.rig.writer.ready.is_set, "the opening")
        self.rig.turn(2)

    def go(self) -> None:
        """Until all that was handed over is dealt with."""
        rig = self.rig
        for step in range(12):
            self.put += rig.put(5, *(("a", "x") if step % 3 else ("b", "x")))
            if step % 4 == 1:
                self.flushes.append(rig.writer.flush())
            if step % 4 == 2:
                self.jobs.append(rig.writer.submit("add one", Once(add_one)))
            if step == 3:
                self.jobs.append(rig.writer.submit("order", Once(order_counting)))
            if step == 5:
                rig.writer.emit(OtherKind("noted"), None, "once")
            rig.turn(4, 0.4)
        for _ in range(2):
            self.flushes.append(rig.writer.flush())
            rig.turn_until(self.is_over, "the end of the fault", 20.0, 0.3)
            rig.turn(4, 0.7)

    def is_over(self) -> bool:
        if self.rig.writer._work._look or any(piece["kind"] == "counting" for piece in self.rig.writer.kept_work()):
            return False
        return self.rig.is_idle() and all(future.done() for future in self.flushes + self.jobs)


@pytest.fixture(scope="module")
def statements(fresh: Path, tmp_path_factory: pytest.TempPathFactory) -> int:
    """How many statements a run without faults makes after its opening."""
    path = Path(shutil.copy(fresh, tmp_path_factory.mktemp("whole") / "log.db"))
    script, fake = Script(), Time()
    with pytest.MonkeyPatch.context() as patch, scripted(patch, fresh, script, fake):
        run = Run(path, script, fake)
        opened = len(script.statements)
        run.go()
        made = len(script.statements) - opened
        run.rig.stop()
    assert values(path) == sorted(run.put)
    _everything_happens(script.statements[opened:])
    return made


def _everything_happens(made: list[str]) -> None:
    """The run is worth something: it moves, deletes, works, writes latest and status."""
    for start in ("BEGIN", "COMMIT", "INSERT INTO history", "DELETE FROM recent", "UPDATE work", "INSERT INTO latest",
                  "INSERT INTO daemon_status", "INSERT INTO event", "INSERT INTO work"):  # fmt: skip
        assert any(sql.startswith(start) for sql in made), start


@pytest.mark.parametrize("part", range(8))
@pytest.mark.parametrize("done", [False, True], ids=["instead", "after"])
def test_any_statement_may_fail(statements: int, fresh: Path, tmp_path: Path, part: int, done: bool) -> None:
    """Instead of being done, or after it was: a COMMIT that tells of trouble may have happened."""
    kinds = list(FAULTS)
    for number in range(part, statements, 8):
        for turn, name in enumerate(kinds):
            if ALL or (number // 8 + part + turn) % len(kinds) == 0:
                folder = tmp_path / f"{number}-{turn}"
                folder.mkdir()
                one_run(Path(shutil.copy(fresh, folder / "log.db")), fresh, number, name, done=done)
                shutil.rmtree(folder)


def one_run(path: Path, fresh: Path, number: int, name: str, *, done: bool) -> None:
    fault, times = FAULTS[name]
    script, fake = Script(), Time()
    with pytest.MonkeyPatch.context() as patch, scripted(patch, fresh, script, fake):
        run = Run(path, script, fake)
        script.fail_at(number, fault, times, done=done)
        if name == "constraint":
            script.spare = "INSERT INTO recent"
        before = len(script.statements)
        try:
            run.go()
            what = script.statements[before + number] if len(script.statements) > before + number else "nothing"
            script.heal()
            run.rig.turn_until(run.is_over, "rest", 70.0, 0.7)
            assert_remembered(run.rig)
            run.rig.stop()
            assert_whole(run, done=done, commit=what == "COMMIT")
        except Exception as error:
            error.add_note(f"with statement {number} failing: {name}, done: {done}; {script.statements[before:][number:][:1]}")
            raise
        finally:
            run.rig.kill()


def assert_remembered(rig: Rig) -> None:
    """What the writer keeps in memory of where readings belong is what stands in the file."""
    db = rig.writer._log.db
    assert db is not None
    assert rig.writer.stats().state is WriterState.WRITING
    frontier = db.frontier
    assert frontier.moved_until_us == meta.get_int(db.conn, "moved_until_us")
    assert frontier.edge_us == meta.get_int(db.conn, "edge_us")
    assert (frontier.copying is not None) == (db.upkeep.mover.state is MoverState.COPYING)
    cuts = dict(db.conn.execute("SELECT series_id, cut_us FROM retention_cut WHERE tier = 0").fetchall())
    assert frontier.cuts_us == cuts


def assert_whole(run: Run, *, done: bool, commit: bool) -> None:
    """In the file, or in what was set aside: every reading, once."""
    kept, aside = values(run.path), set_aside_values(run.path, run.path.parent)
    assert sorted({*kept, *aside}) == sorted(run.put)
    assert not doubled(kept)
    assert not doubled(aside)
    if not done and not aside:
        assert not doubled([*kept, *aside])
    if not aside:
        assert run.rig.kinds().count("noted") == 1
    for future in run.flushes:
        assert future.result(0) is None
    stats = run.rig.writer.stats()
    assert stats.given_up == 0
    assert not sum(counts.get(name, 0) for counts in stats.per_sensor.values() for name in ("poisoned", "dropped", "too_old"))
    if not incidents.all_incidents(run.path):
        _assert_jobs(run, done=done)


def _assert_jobs(run: Run, *, done: bool) -> None:
    """A job that was handed back left nothing; what was kept as work was done as often as it was ordered."""
    with sqlite3.connect(run.path) as conn:
        jobs, counted = meta.get_int(conn, "jobs"), meta.get_int(conn, "counted")
        ordered = work.everything(conn)
    conn.close()
    succeeded = [future for future in run.jobs if future.exception(0) is None]
    assert len(ordered) <= 1
    assert all(piece.state is work.State.DONE for piece in ordered)
    assert counted == SLICES * len(ordered)
    if not done or len(succeeded) == len(run.jobs):
        assert jobs == max((future.result(0) for future in succeeded if future is not run.jobs[1]), default=0)
