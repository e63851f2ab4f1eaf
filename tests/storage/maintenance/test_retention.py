"""Retention: what expires, what never does, and that it happens in small steps which a crash may interrupt."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sensorlogd.storage.maintenance.retention import Retention, RetentionPlan
from sensorlogd.storage.rollups import resolutions
from sensorlogd.storage.series import catalog
from sensorlogd.storage.watermarks import Frontier
from tests.connections import connect_writer

DAY = 86_400_000_000
HOUR = 3_600_000_000
NOW = 20_000 * DAY + 15 * HOUR  # three in the afternoon, UTC
TODAY = 20_000 * DAY


@pytest.fixture
def series(conn: sqlite3.Connection) -> list[int]:
    """Two series with a reading every hour for ten days, all moved and rolled up until an hour ago."""
    spec = catalog.SensorSpec("s", "simulated", series=[catalog.SeriesSpec("a"), catalog.SeriesSpec("b")])
    ids = sorted(catalog.sync(conn, [spec, catalog.SensorSpec("other", "simulated")], NOW).ids.values())
    settle(conn, NOW - HOUR)
    hours = range(NOW - 10 * DAY, NOW, HOUR)
    conn.execute("BEGIN")
    conn.executemany("INSERT INTO history VALUES (?,?,1.0,1)", [(series_id, ts) for series_id in ids for ts in hours])
    conn.executemany(
        "INSERT INTO rollup(series_id, resolution, start, n) VALUES (?,?,?,1)",
        [
            (series_id, resolution, ts - ts % (resolution * 1_000_000))
            for series_id in ids
            for ts in hours
            for resolution in (60, 3600)
        ],
    )
    conn.execute("COMMIT")
    return ids


def settle(conn: sqlite3.Connection, ts: int) -> None:
    for key in ("edge_us", "moved_until_us"):
        conn.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, str(ts)))


def oldest(conn: sqlite3.Connection, table: str = "history", series: int = 1, resolution: int = 0) -> int:
    if table == "history":
        (found,) = conn.execute("SELECT min(ts) FROM history WHERE series_id = ?", (series,)).fetchone()
    else:
        (found,) = conn.execute(
            "SELECT min(start) FROM rollup WHERE series_id = ? AND resolution = ?", (series, resolution)
        ).fetchone()
    return int(found)


def retention(conn: sqlite3.Connection, plan: RetentionPlan | None = None, zone: str = "UTC") -> tuple[Retention, Frontier]:
    made, frontier = Retention(zone), Frontier()
    made.recover(conn, frontier)
    made.use_plan(plan or RetentionPlan({0: 3 * DAY}))
    return made, frontier


def run(opened: tuple[Retention, Frontier], conn: sqlite3.Connection, now_us: int = NOW) -> int:
    made, frontier = opened
    for done in range(10_000):
        if not made.step(conn, frontier, now_us):
            return done
    raise AssertionError("retention does not come to an end")


def test_the_default_keeps_everything(conn: sqlite3.Connection, series: list[int]) -> None:
    """For ever means that not even a transaction is begun."""
    before = conn.total_changes
    assert run(retention(conn, RetentionPlan({0: None, 60: None})), conn) == 0
    assert conn.total_changes == before


def test_readings_expire_at_the_edge_of_a_day_and_roll_ups_stay(conn: sqlite3.Connection, series: list[int]) -> None:
    """Three days from three in the afternoon reach into the fourth day: that whole day is kept."""
    made, frontier = retention(conn)
    run((made, frontier), conn)
    assert [oldest(conn, series=series_id) for series_id in series] == [TODAY - 3 * DAY] * 2
    assert frontier.cuts_us == dict.fromkeys(series, TODAY - 3 * DAY)
    assert oldest(conn, "rollup", resolution=60) < NOW - 9 * DAY


def test_days_are_those_of_the_configured_zone(conn: sqlite3.Connection, series: list[int]) -> None:
    """In Kathmandu a day begins at 18:15 UTC: the 1d roll-ups of that zone lose no reading."""
    made, frontier = retention(conn, zone="Asia/Kathmandu")
    run((made, frontier), conn)
    cut = frontier.cuts_us[1]
    assert cut == TODAY - 4 * DAY + 18 * HOUR + HOUR // 4
    assert resolutions.bucket(cut, resolutions.DAY, "Asia/Kathmandu")[0] == cut


def test_what_is_refused_is_what_would_expire(conn: sqlite3.Connection, series: list[int]) -> None:
    """From when on readings are kept is the cut of the next round, also before there is one; a verb without a daemon makes none."""
    made, frontier = retention(conn, zone="Asia/Kathmandu")
    kept_from_us = made.kept_from_us(conn, series[0], NOW)
    refusing = Retention("Asia/Kathmandu", makes_cuts=False)
    refusing.use_plan(RetentionPlan({0: 3 * DAY}))
    assert run((refusing, frontier), conn) == 0
    assert frontier.cuts_us == {}
    assert refusing.kept_from_us(conn, series[0], NOW) == kept_from_us
    run((made, frontier), conn)
    assert frontier.cuts_us[series[0]] == kept_from_us
    assert Retention().kept_from_us(conn, series[0], NOW) is None


def test_each_resolution_and_sensor_has_its_own_time(conn: sqlite3.Connection, series: list[int]) -> None:
    """An override by glob, and a resolution of roll-ups."""
    plan = RetentionPlan({0: None, 60: 5 * DAY, 3600: None}, [("nobody*", {0: DAY}), ("s*", {0: 2 * DAY})])
    run(retention(conn, plan), conn)
    assert oldest(conn) == TODAY - 2 * DAY
    assert oldest(conn, "rollup", resolution=60) == TODAY - 5 * DAY
    assert oldest(conn, "rollup", resolution=3600) < NOW - 9 * DAY


@pytest.mark.parametrize("key", ["edge_us", "moved_until_us"])
def test_what_is_not_rolled_up_or_not_moved_stays(conn: sqlite3.Connection, series: list[int], key: str) -> None:
    """The aggregator was down for a week: nothing goes before its roll-ups exist."""
    conn.execute("UPDATE meta SET value = ? WHERE key = ?", (str(TODAY - 7 * DAY + HOUR), key))
    run(retention(conn), conn)
    assert oldest(conn) == TODAY - 7 * DAY


def test_a_dirty_minute_holds_back_its_series_only(conn: sqlite3.Connection, series: list[int]) -> None:
    """Its roll-ups are not exact yet, and only readings can make them so."""
    conn.execute("INSERT INTO dirty VALUES (?, ?, 1)", (series[1], TODAY - 6 * DAY + 5 * HOUR))
    run(retention(conn), conn)
    assert [oldest(conn, series=series_id) for series_id in series] == [TODAY - 3 * DAY, TODAY - 6 * DAY]


def test_the_cut_is_stored_before_anything_is_deleted(
    path: Path, conn: sqlite3.Connection, series: list[int], tmp_path: Path
) -> None:
    """After a crash between both, older arrivals are refused and the next start deletes the rest, whatever its plan."""
    made, frontier = retention(conn)
    made._delete_pace.rows = 10.0
    made.step(conn, frontier, NOW)
    assert frontier.cuts_us
    crashed = tmp_path / "crashed.db"
    for suffix in ("", "-wal"):
        shutil.copy(f"{path}{suffix}", f"{crashed}{suffix}")
    again = connect_writer(crashed)
    try:
        assert oldest(again) < TODAY - 3 * DAY
        later, known = retention(again, RetentionPlan())
        assert known.cuts_us == frontier.cuts_us
        run((later, known), again)
        assert [oldest(again, series=series_id) for series_id in series] == [TODAY - 3 * DAY] * 2
    finally:
        again.close()


def test_a_round_without_anything_to_do_writes_nothing(conn: sqlite3.Connection, series: list[int]) -> None:
    """It is looked every few minutes; the card should not notice."""
    made, frontier = retention(conn)
    assert run((made, frontier), conn) > 0
    before = conn.total_changes
    assert run((made, frontier), conn, NOW + HOUR) == 0
    assert conn.total_changes == before
    run((made, frontier), conn, NOW + DAY)  # the edge stood still: one more day is due, up to it
    assert oldest(conn) == TODAY - 2 * DAY


def test_a_longer_time_than_before_brings_nothing_back(conn: sqlite3.Connection, series: list[int]) -> None:
    """A cut never moves back: what is gone cannot be rolled up again."""
    run(retention(conn), conn)
    later, known = retention(conn, RetentionPlan({0: 8 * DAY}))
    run((later, known), conn)
    assert known.cuts_us == dict.fromkeys(series, TODAY - 3 * DAY)


def test_space_goes_back_to_the_file_system(path: Path, conn: sqlite3.Connection, series: list[int]) -> None:
    """Half a million expired readings in slices; afterwards the file is smaller."""
    conn.execute("BEGIN")
    conn.executemany("INSERT INTO history VALUES (1, ?, 0.5, 1)", ((TODAY - 9 * DAY + HOUR // 2 + n,) for n in range(500_000)))
    conn.execute("COMMIT")
    conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    before = path.stat().st_size
    made, frontier = retention(conn)
    assert run((made, frontier), conn) > 10
    conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    assert path.stat().st_size < before / 2
    assert conn.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert made.longest_slice_s < 0.5


def test_drop_oldest_frees_the_oldest_day_and_keeps_roll_ups(conn: sqlite3.Connection, series: list[int]) -> None:
    """On a full disk the oldest readings go, a day at a time, until the file has free pages."""
    conn.execute("BEGIN")
    conn.executemany("INSERT INTO history VALUES (1, ?, 0.5, 1)", ((TODAY - 9 * DAY + HOUR // 2 + n,) for n in range(100_000)))
    conn.execute("COMMIT")
    made, frontier = retention(conn, RetentionPlan())
    while not made.drop_oldest(conn, frontier):
        assert oldest(conn) < TODAY - 8 * DAY
    assert frontier.cuts_us[1] == TODAY - 8 * DAY
    run((made, frontier), conn)
    assert oldest(conn) == TODAY - 8 * DAY
    assert oldest(conn, "rollup", resolution=60) < NOW - 9 * DAY


def test_drop_oldest_never_takes_today(conn: sqlite3.Connection, series: list[int]) -> None:
    """Once only the running day is left there is nothing more to drop."""
    made, frontier = retention(conn, RetentionPlan())
    for _ in range(100):
        assert not made.drop_oldest(conn, frontier)
    assert [oldest(conn, series=series_id) for series_id in series] == [TODAY] * 2


def test_drop_oldest_takes_series_with_dirty_minutes_last(conn: sqlite3.Connection, series: list[int]) -> None:
    """Their roll-ups are not exact yet; but when nothing else is left, logging on is worth more."""
    conn.execute("INSERT INTO dirty VALUES (1, ?, 1)", (TODAY - 9 * DAY + HOUR,))
    made, frontier = retention(conn, RetentionPlan())
    made.drop_oldest(conn, frontier)
    assert frontier.cuts_us.get(2, 0) > 0
    for _ in range(100):
        made.drop_oldest(conn, frontier)
    assert [oldest(conn, series=series_id) for series_id in series] == [TODAY] * 2
    assert conn.execute("SELECT count(*) FROM dirty").fetchone() == (0,)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    kept=st.integers(0, 12),
    edge=st.integers(0, 10),
    moved=st.integers(0, 10),
    dirty=st.none() | st.integers(0, 10),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kathmandu", "America/St_Johns"]),
)
def test_nothing_goes_that_is_still_needed(
    fresh: Path, tmp_path_factory: pytest.TempPathFactory, kept: int, edge: int, moved: int, dirty: int | None, zone: str
) -> None:
    """Whatever the plan: all that is younger, not rolled up, not moved or dirty is there; all the rest of whole days is not."""
    conn = connect_writer(Path(shutil.copy(fresh, tmp_path_factory.mktemp("r") / "log.db")))
    try:
        catalog.sync(conn, [catalog.SensorSpec("s", "simulated", series=[catalog.SeriesSpec("a")])], NOW)
        settle(conn, 0)
        limits = [NOW - kept * DAY, NOW - edge * DAY, NOW - moved * DAY]
        conn.execute("UPDATE meta SET value = ? WHERE key = 'edge_us'", (str(limits[1]),))
        conn.execute("UPDATE meta SET value = ? WHERE key = 'moved_until_us'", (str(limits[2]),))
        if dirty is not None:
            limits.append(NOW - dirty * DAY)
            conn.execute("INSERT INTO dirty VALUES (1, ?, 1)", (limits[-1],))
        times = list(range(NOW - 14 * DAY, NOW, 2 * HOUR - 1))
        conn.executemany("INSERT INTO history VALUES (1, ?, 1.0, 1)", [(ts,) for ts in times])
        run(retention(conn, RetentionPlan({0: kept * DAY}), zone), conn)
        cut = resolutions.bucket(min(limits), resolutions.DAY, zone)[0]
        assert [ts for (ts,) in conn.execute("SELECT ts FROM history ORDER BY ts")] == [ts for ts in times if ts >= cut]
    finally:
        conn.close()
