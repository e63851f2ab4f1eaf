"""The newest arrival of a series: never a reading dated tomorrow that something came after."""

from __future__ import annotations

import sqlite3

import pytest

from sensorlogd.batch import Block, Column
from sensorlogd.storage.file.transaction import transaction
from sensorlogd.storage.ingest import latest
from sensorlogd.storage.ingest.append import append
from sensorlogd.storage.maintenance.mover import Mover
from sensorlogd.storage.series import catalog
from sensorlogd.storage.watermarks import Frontier

T0 = 1_750_000_000_000_000
SECOND = 1_000_000
TOMORROW = T0 + 86_400 * SECOND


def store(conn: sqlite3.Connection, readings: list[tuple[int, float]], *, save: bool) -> int:
    """Store readings as they arrive, one by one, and ``save`` the newest arrival. Returns the series."""
    with transaction(conn):
        ids = catalog.sync(conn, [catalog.SensorSpec("s", "simulated", series=[catalog.SeriesSpec("a")])], T0).ids
        for ts, value in readings:
            stored = append(conn, [Block("s", [Column("a", [ts], [value], 1)], device_time=True)], ids, Frontier())
        if save:
            latest.save(conn, stored.newest, T0 + 10 * SECOND, 2 * SECOND)
    return ids["s", "a"]


@pytest.mark.parametrize("save", [False, True])
def test_a_reading_dated_tomorrow_does_not_hide_what_came_after_it(conn: sqlite3.Connection, save: bool) -> None:
    """Whether or not that is saved yet: a restart goes on with it."""
    series = store(conn, [(TOMORROW, 99.0), (T0 + 10 * SECOND, 1.0)], save=save)
    assert latest.newest(conn, T0 + 20 * SECOND) == {series: (T0 + 10 * SECOND, 1.0, 1)}


def test_a_reading_dated_tomorrow_counts_where_there_is_no_other(conn: sqlite3.Connection) -> None:
    series = store(conn, [(TOMORROW, 99.0)], save=False)
    assert latest.newest(conn, T0 + 20 * SECOND) == {series: (TOMORROW, 99.0, 1)}


@pytest.mark.parametrize("saved_s", [None, 2])
def test_what_the_mover_takes_stays_the_newest(conn: sqlite3.Connection, saved_s: int | None) -> None:
    """It may take what is not saved yet: saving looks back some seconds, the mover goes as far as two seconds before now."""
    series = store(conn, [(T0, 1.0), (T0 + 2 * SECOND, 2.0)], save=False)
    if saved_s is not None:
        with transaction(conn):
            latest.save(conn, {series: (T0, 1.0, 1)}, T0 + saved_s * SECOND, SECOND)
    before = latest.newest(conn, T0 + 20 * SECOND)
    assert before == {series: (T0 + 2 * SECOND, 2.0, 1)}
    move_all(conn)
    assert latest.newest(conn, T0 + 20 * SECOND) == before
    assert latest.saved_or_settled(conn, {series}) == before
    assert latest.saved_or_settled(conn, set()) == {}
    assert latest.unsaved(conn, T0 + 20 * SECOND) == before


def move_all(conn: sqlite3.Connection) -> None:
    mover, frontier = Mover(), Frontier()
    mover.recover(conn, frontier)
    while mover.step(conn, frontier, T0 + 7_200 * SECOND):
        pass
    assert frontier.moved_until_us > T0 + 3_600 * SECOND
