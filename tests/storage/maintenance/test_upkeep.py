"""Upkeep that fails half-way: what it has committed until then decides where the next reading goes."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

import pytest

from sensorlogd.batch import Block, Column
from sensorlogd.storage import meta, watermarks
from sensorlogd.storage.file.transaction import transaction
from sensorlogd.storage.ingest.append import Appended, append
from sensorlogd.storage.maintenance import retention as retention_module
from sensorlogd.storage.maintenance.mover import Mover
from sensorlogd.storage.maintenance.retention import Retention, RetentionPlan
from sensorlogd.storage.maintenance.upkeep import Upkeep
from sensorlogd.storage.reading_tables import moving
from sensorlogd.storage.reading_tables.readings import Readings
from sensorlogd.storage.series import catalog
from sensorlogd.storage.watermarks import Frontier

SECOND = 1_000_000
DAY = 86_400 * SECOND
T0 = 20_000 * DAY
NOW = T0 + 30 * DAY


def known(conn: sqlite3.Connection) -> dict[tuple[str, str], int]:
    sensor = catalog.SensorSpec("s", "simulated", series=[catalog.SeriesSpec(name) for name in "abc"])
    with transaction(conn):
        return dict(catalog.sync(conn, [sensor], T0).ids)


def store(
    conn: sqlite3.Connection, ids: dict[tuple[str, str], int], frontier: Frontier, channel: str, times: list[int]
) -> Appended:
    column = Column(channel, times, [1.0] * len(times), 1)
    with transaction(conn):
        return append(conn, [Block("s", [column], device_time=True)], ids, frontier)


def refusing(real: Callable[..., Any], number: int) -> Callable[..., Any]:
    """``real``, but its call of that number (from 1 on) meets a lock."""
    calls = 0

    def called(*args: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == number:
            raise sqlite3.OperationalError("database is locked")
        return real(*args)

    return called


def test_a_reading_that_comes_after_a_failed_move_is_kept(conn: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """A turn began a block, copied the first series and failed at the second: a late reading of the first goes to both tables."""
    ids, frontier = known(conn), Frontier()
    upkeep = Upkeep(Mover(block_rows=3000, slice_s=1e-6), Retention())
    upkeep.mover._copy_pace.rows = upkeep.mover._copy_pace.least = upkeep.mover._copy_pace.most = 1
    upkeep.recover(conn, frontier, T0)
    for channel in "abc":
        store(conn, ids, frontier, channel, [T0 + n * 1000 for n in range(1000)])
    upkeep.note_stored(10_000_000)  # a source that never rests: several slices a turn
    monkeypatch.setattr(moving, "copy", refusing(moving.copy, 2))
    with pytest.raises(sqlite3.OperationalError):
        upkeep.slice(conn, frontier, NOW)
    assert conn.execute("SELECT count(*) FROM history").fetchone() != (0,)
    late = T0 + 100_500
    assert store(conn, ids, frontier, "a", [late]).stored == 1
    for _ in range(1000):
        upkeep.due = 0.0
        upkeep.slice(conn, frontier, NOW)
        if not upkeep.busy:
            break
    assert watermarks.stored(conn).moved_until_us > late
    assert [row for rows in Readings.of(conn).chunks(ids["s", "a"], late, late + 1, 10) for row in rows] == [(late, 1.0, 1)]


def test_moved_readings_of_a_failed_turn_are_taken_off_the_backlog(
    conn: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids, frontier = known(conn), Frontier()
    upkeep = Upkeep(Mover(block_rows=300, slice_s=1e-6), Retention())
    upkeep.recover(conn, frontier, T0)
    store(conn, ids, frontier, "a", [T0 + n for n in range(1000)])
    upkeep.note_stored(1000)
    monkeypatch.setattr(moving, "end_of_left_over", refusing(moving.end_of_left_over, 1))
    with pytest.raises(sqlite3.OperationalError):
        upkeep.slice(conn, frontier, NOW)
    assert upkeep.backlog == 1000 - upkeep.mover.moved < 1000


def settled(conn: sqlite3.Connection) -> tuple[dict[tuple[str, str], int], Upkeep, Frontier]:
    """A log whose readings are all moved and rolled up; the oldest is of the first day."""
    ids, frontier = known(conn), Frontier()
    with transaction(conn):
        for key in (watermarks.EDGE, watermarks.MOVED_UNTIL):
            meta.put(conn, key, str(NOW))
    upkeep = Upkeep(Mover(), Retention(), when_full="drop_oldest")
    upkeep.recover(conn, frontier, NOW)
    store(conn, ids, frontier, "a", [T0 + SECOND])
    conn.execute("DELETE FROM dirty")
    return ids, upkeep, frontier


def test_a_reading_older_than_a_cut_of_a_failed_round_is_refused(
    conn: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cut is stored and deleting fails: what is too old is counted so, not taken and deleted in the next round."""
    ids, upkeep, frontier = settled(conn)
    upkeep.retention.use_plan(RetentionPlan({0: 5 * DAY}))
    monkeypatch.setattr(retention_module, "_delete_before", refusing(retention_module._delete_before, 1))
    with pytest.raises(sqlite3.OperationalError):
        upkeep.slice(conn, frontier, NOW)
    found = store(conn, ids, frontier, "a", [T0 + 2 * DAY])
    assert (found.stored, found.too_old) == (0, {"s": 1})


def test_a_cut_that_was_stored_by_a_commit_that_reported_an_error_is_known(conn: sqlite3.Connection) -> None:
    """From the next round on."""
    _, upkeep, frontier = settled(conn)
    conn.execute("INSERT INTO retention_cut VALUES (1, 0, ?)", (NOW - 5 * DAY,))
    upkeep.slice(conn, frontier, NOW)
    assert frontier.cuts_us == {1: NOW - 5 * DAY}


def test_a_reading_older_than_what_gave_way_on_a_full_disk_is_refused(
    conn: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids, upkeep, frontier = settled(conn)
    monkeypatch.setattr(retention_module, "_delete_before", refusing(retention_module._delete_before, 1))
    with pytest.raises(sqlite3.OperationalError):
        upkeep.make_room(conn, frontier)
    found = store(conn, ids, frontier, "a", [T0 + 2 * SECOND])
    assert (found.stored, found.too_old) == (0, {"s": 1})
