"""A log whose cuts a wrong clock has put into the future takes readings again."""

from __future__ import annotations

import sqlite3

import pytest

from sensorlogd.batch import Block, Column
from sensorlogd.storage.ingest.append import Appended, append
from sensorlogd.storage.maintenance import future_cuts
from sensorlogd.storage.maintenance.retention import Retention, RetentionPlan
from sensorlogd.storage.rollups import resolutions
from sensorlogd.storage.series import catalog
from sensorlogd.storage.watermarks import Frontier

DAY = 86_400_000_000
NOW = 1_900_000_000_000_000
YEAR = 365 * DAY


def put_future_cuts(conn: sqlite3.Connection) -> tuple[Retention, Frontier]:
    """What expiry by a clock of ten years later leaves behind."""
    specs = [catalog.SensorSpec("s", "simulated", series=[catalog.SeriesSpec("x"), catalog.SeriesSpec("y")])]
    catalog.sync(conn, specs, NOW)
    conn.executemany("INSERT INTO meta VALUES (?, ?)", [(key, str(NOW + 10 * YEAR)) for key in ("edge_us", "moved_until_us")])
    retention, frontier = Retention(), Frontier()
    retention.use_plan(RetentionPlan({0: 90 * DAY, 60: 900 * DAY}))
    while retention.step(conn, frontier, NOW + 10 * YEAR):
        pass
    assert min(frontier.cuts_us.values()) > NOW
    return retention, frontier


def store(conn: sqlite3.Connection, frontier: Frontier) -> Appended:
    block = Block("s", [Column("x", [NOW], [1.0], 1)])
    return append(conn, [block], {("s", "x"): 1, ("s", "y"): 2}, frontier)


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kathmandu"])
def test_readings_are_taken_again(conn: sqlite3.Connection, zone: str) -> None:
    retention, frontier = put_future_cuts(conn)
    assert store(conn, frontier).too_old == {"s": 1}
    assert future_cuts.take_back(conn, NOW, zone) == 2
    retention.recover(conn, frontier)
    assert store(conn, frontier).stored == 1
    begin, end = resolutions.bucket(NOW, resolutions.DAY, zone)
    assert begin <= NOW < end
    assert {cut for (cut,) in conn.execute("SELECT cut_us FROM retention_cut")} == {begin}
    assert future_cuts.take_back(conn, NOW, zone) == 0


def test_cuts_of_the_past_are_left_alone(conn: sqlite3.Connection) -> None:
    put_future_cuts(conn)
    before = conn.total_changes
    assert future_cuts.take_back(conn, NOW + 10 * YEAR, "UTC") == 0
    assert conn.total_changes == before


def test_the_next_round_expires_nothing_that_is_kept(conn: sqlite3.Connection) -> None:
    """Once the limit of the mover and the edge are brought back too."""
    retention, frontier = put_future_cuts(conn)
    future_cuts.take_back(conn, NOW, "UTC")
    retention.recover(conn, frontier)
    conn.execute("UPDATE meta SET value = ? WHERE key IN ('edge_us', 'moved_until_us')", (str(NOW),))
    conn.execute("INSERT INTO history VALUES (1, ?, 1.0, 1)", (NOW - 1000,))
    while retention.step(conn, frontier, NOW):
        pass
    assert conn.execute("SELECT count(*) FROM history").fetchone() == (1,)
