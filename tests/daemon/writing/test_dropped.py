"""Readings that the full inbox drops are counted, whatever state the database is in, and by the next run what this one could not."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from sensorlogd.daemon.main.process.lock import DatabaseLock
from sensorlogd.daemon.writing.disk import spill
from sensorlogd.storage import meta
from tests.daemon.writing.rig import Rig, Script, Time, sqlite_error, values

LIMIT = 1000


def overflow(rig: Rig) -> None:
    for _ in range(40):
        rig.put(50)
        rig.turn(1)


def dropped(rig: Rig) -> int:
    return rig.writer.stats().per_sensor["a"]["dropped"]


def given_up(path: Path) -> int:
    with contextlib.closing(sqlite3.connect(path)) as conn:
        return meta.get_int(conn, meta.GIVEN_UP)


def low_space(rig: Rig, script: Script) -> None:
    rig.writer._work._space.free = lambda: 5  # type: ignore[method-assign]
    rig.time.now += 100


def busy(rig: Rig, script: Script) -> None:
    script.fail_on("BEGIN IMM", lambda: sqlite_error(sqlite3.SQLITE_BUSY))


def not_open(rig: Rig, script: Script) -> None:
    db = rig.writer._log.opened()
    rig.writer._log.let_go()
    assert db.path.exists()
    script.before = lambda sql: sqlite_error(sqlite3.SQLITE_CANTOPEN)


@pytest.mark.parametrize("trouble", [low_space, busy, not_open])
def test_what_is_dropped_while_the_database_is_blocked_is_counted_at_once_and_by_the_next_run(
    make: Callable[..., Rig], path: Path, script: Script, trouble: Callable[[Rig, Script], None]
) -> None:
    rig = make(inbox_limit=LIMIT, min_free=10)
    rig.writer._work._space.free = lambda: 10**9  # type: ignore[method-assign]
    rig.turn(3)
    trouble(rig, script)
    overflow(rig)
    assert dropped(rig) >= 1000, "status shows it while it lasts"
    rig.stop(3.0)
    script.heal()
    left = spill.read(spill.found(path)[0])
    assert left.readings + dropped(rig) == rig.put_so_far
    assert left.given_up == dropped(rig)
    told = [int(event.detail.split()[0]) for event in left.events if event.kind == "dropped"]
    assert sum(told) == dropped(rig)
    for _ in range(2):
        again = make()
        again.turn(20)
        assert again.writer.stats().given_up == dropped(rig)
        assert len(values(path)) == left.readings
        again.stop()
    assert given_up(path) == dropped(rig)


def test_what_is_dropped_is_told_a_few_times_not_at_every_turn(make: Callable[..., Rig], path: Path, script: Script) -> None:
    """The queue of events has an end, too: what happened first must stay in it."""
    rig = make(inbox_limit=LIMIT, min_free=10)
    rig.turn(3)
    low_space(rig, script)
    for _ in range(10):
        overflow(rig)
    assert sum(event.kind == "dropped" for event in rig.writer._notices.events.waiting(0)) == 1


def test_a_commit_that_succeeds_counts_what_was_dropped_before_it(
    make: Callable[..., Rig], path: Path, script: Script, fake: Time
) -> None:
    rig = make(inbox_limit=LIMIT)
    rig.turn(3)
    busy(rig, script)
    overflow(rig)
    script.heal()
    rig.turn_until(rig.is_idle, "rest")
    rig.stop()
    assert spill.found(path) == []
    assert given_up(path) == dropped(rig) == rig.writer.stats().given_up
    assert len(values(path)) + dropped(rig) == rig.put_so_far


def test_where_no_spill_can_be_written_the_lock_file_counts_them_too(
    make: Callable[..., Rig], path: Path, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object, **more: object) -> Path:
        raise OSError(28, "No space left on device")

    with DatabaseLock(path, None) as lock:
        rig = make(inbox_limit=LIMIT, note_lost=lock.note_lost, remembered=lock)
        rig.turn(3)
        busy(rig, script)
        overflow(rig)
        monkeypatch.setattr(spill, "write", full)
        rig.stop(3.0)
    with DatabaseLock(path, None) as lock:
        assert lock.lost == rig.put_so_far == rig.writer.lost_at_end
