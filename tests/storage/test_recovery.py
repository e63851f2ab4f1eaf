"""Damaged files, really damaged: set aside whole, and all that is readable comes back."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from sensorlogd.storage import catalog, database, recovery
from sensorlogd.storage.append import Frontier
from sensorlogd.storage.mover import Mover

T0 = 1_750_000_000_000_000
SECOND = 1_000_000
NOW = T0 + 7 * 3600 * SECOND
PAGE = database.PAGE_SIZE

Reading = tuple[str, str, int, float | None, int]


@pytest.fixture(scope="module")
def healthy(fresh: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40,000 readings of four series: most in ``history``, the newest in ``recent``; one file, cleanly closed."""
    path = Path(shutil.copy(fresh, tmp_path_factory.mktemp("healthy") / "log.db"))
    conn = database.connect_writer(path)
    names = [catalog.SeriesSpec(name, unit="V") for name in ("a", "b")]
    catalog.sync(conn, [catalog.SensorSpec("one", "simulated", series=names)], T0)
    catalog.sync(conn, [catalog.SensorSpec(n, "simulated", series=names) for n in ("one", "two")], T0)
    conn.execute("BEGIN")
    rows = ((T0 + n // 4 * SECOND, n % 4 + 1, n / 7, 1) for n in range(40_000))
    conn.executemany("INSERT INTO recent VALUES (?,?,?,?)", rows)
    conn.execute("COMMIT")
    mover = Mover(block_us=2 * 3600 * SECOND)
    mover.recover(conn)
    while mover.step(conn, T0 + 7300 * SECOND):
        pass
    assert conn.execute("SELECT count(*) > 5000 FROM recent").fetchone() == (1,)
    assert conn.execute("SELECT count(*) > 5000 FROM history").fetchone() == (1,)
    database.close_cleanly(conn)
    return path


@pytest.fixture
def damaged(healthy: Path, tmp_path: Path) -> Path:
    """A copy, to be damaged."""
    return Path(shutil.copy(healthy, tmp_path / "log.db"))


def salvaged(path: Path) -> set[Reading]:
    return {(found.sensor, found.channel, *row) for found in recovery.salvage(path) for row in found.rows}


def pages_of(path: Path, *tables: str) -> list[int]:
    """The numbers of the pages that hold rows of ``tables`` (leaves and inner ones, roots left out)."""
    with closing(sqlite3.connect(path)) as conn:
        try:
            found = conn.execute(
                f"SELECT pageno FROM dbstat WHERE name IN ({','.join('?' * len(tables))}) AND path <> '/'", tables
            ).fetchall()
        except sqlite3.OperationalError:
            pytest.skip("this SQLite was built without dbstat")
    return [page for (page,) in found]


def spoil(path: Path, pages: list[int], seed: int = 1) -> None:
    noise = random.Random(seed)
    with path.open("r+b") as file:
        for page in pages:
            file.seek((page - 1) * PAGE)
            file.write(noise.randbytes(PAGE))


def test_the_three_files_move_together(path: Path) -> None:
    """Without its WAL a database loses what was committed last."""
    conn = database.connect_writer(path)
    try:
        conn.execute("INSERT INTO meta VALUES ('a', 'b')")
        aside = recovery.quarantine(path, T0)
    finally:
        conn.close()
    assert aside.name == "log.db.corrupt-20250615T150640Z"
    assert not list(path.parent.glob("log.db")) + list(path.parent.glob("log.db-*"))
    path.with_name(aside.name + "-wal").touch()  # closing the last connection has written it back
    with closing(sqlite3.connect(aside)) as again:
        assert again.execute("SELECT * FROM meta").fetchall() == [("a", "b")]


def test_two_in_one_second_get_two_names(path: Path, fresh: Path) -> None:
    """Nothing that was set aside is ever overwritten."""
    first = recovery.quarantine(path, T0)
    shutil.copy(fresh, path)
    second = recovery.quarantine(path, T0)
    assert second.name == first.name + "-1"
    assert first.exists()


def test_an_interrupted_move_is_completed(path: Path) -> None:
    """Cut off after the WAL went: the main file follows it under the same name."""
    wal = path.with_name("log.db.corrupt-20200101T000000Z-wal")
    wal.write_bytes(b"committed")
    content = path.read_bytes()
    aside = recovery.quarantine(path, T0)
    assert aside.name == "log.db.corrupt-20200101T000000Z"
    assert (aside.read_bytes(), wal.read_bytes()) == (content, b"committed")


def test_a_healthy_file_gives_everything(healthy: Path) -> None:
    """Both tables, every series, no reading doubled into another."""
    assert len(salvaged(healthy)) == 40_000


@pytest.mark.parametrize("seed", range(12))
def test_spoilt_pages_cost_their_own_readings_only(damaged: Path, healthy: Path, seed: int) -> None:
    """Five pages overwritten anywhere in the readings: the rest comes back, and nothing that was never stored."""
    before = salvaged(healthy)
    pages = random.Random(seed).sample(pages_of(damaged, "history", "recent"), 5)
    spoil(damaged, pages, seed)
    after = salvaged(damaged)
    assert after <= before
    # A page holds some 80 readings; an inner page may hide a hundred leaves, which is most of this small file.
    if len(before - after) > 5 * 150:
        with closing(sqlite3.connect(healthy)) as conn:
            inner = {page for (page,) in conn.execute("SELECT pageno FROM dbstat WHERE pagetype = 'internal'")}
        assert inner & set(pages)
    assert after


def test_a_series_whose_names_are_lost_keeps_its_readings(damaged: Path, healthy: Path) -> None:
    """The catalog's pages are noise: readings come back under names that say so."""
    with closing(sqlite3.connect(damaged)) as conn:
        roots = [page for (page,) in conn.execute("SELECT rootpage FROM sqlite_schema WHERE name IN ('sensor', 'series')")]
    spoil(damaged, roots)
    after = salvaged(damaged)
    assert {(sensor, channel) for sensor, channel, *_ in after} == {("salvaged", f"series_{n}") for n in (1, 2, 3, 4)}
    assert len(after) == 40_000


def test_a_truncated_file_gives_what_is_left(damaged: Path, healthy: Path) -> None:
    """A third of the file is gone."""
    os.truncate(damaged, damaged.stat().st_size * 2 // 3 // PAGE * PAGE)
    after = salvaged(damaged)
    assert after <= salvaged(healthy)
    assert len(after) > 5_000


@pytest.mark.parametrize("content", [b"", b"no database " * 1000, b"\0" * 100_000])
def test_what_is_no_database_gives_nothing_and_raises_nothing(damaged: Path, content: bytes) -> None:
    """Garbage in the header: the file is kept, logging goes on."""
    damaged.write_bytes(content)
    assert salvaged(damaged) == set()
    damaged.unlink()
    damaged.write_bytes(content[:1000])
    assert salvaged(damaged) == set()


def test_committed_readings_in_the_wal_come_back(damaged: Path, tmp_path: Path) -> None:
    """Set aside after a crash, with the WAL holding the newest commits."""
    conn = database.connect_writer(damaged)
    try:
        conn.execute("INSERT INTO recent VALUES (?, 1, 4711.0, 1)", (NOW,))
        crashed = tmp_path / "crashed.db"
        for suffix in ("", "-wal"):
            shutil.copy(f"{damaged}{suffix}", f"{crashed}{suffix}")
    finally:
        conn.close()
    assert ("one", "a", NOW, 4711.0, 1) in salvaged(recovery.quarantine(crashed, NOW))


def test_restored_readings_stand_where_readers_look(conn: sqlite3.Connection, healthy: Path) -> None:
    """Below the frontier of the fresh database they are late readings; twice restored they are there once."""
    frontier = Frontier(moved_until_us=T0 + 3000 * SECOND, edge_us=T0 + 3000 * SECOND)
    catalog.sync(conn, [catalog.SensorSpec("two", "simulated", series=[catalog.SeriesSpec("b", unit="V")])], NOW)
    for expected in (40_000, 0):
        stored = 0
        for found in recovery.salvage(healthy):
            conn.execute("BEGIN")
            stored += recovery.restore(conn, found, frontier, NOW)
            conn.execute("COMMIT")
        assert stored == expected
    assert conn.execute("SELECT count(*), max(ts) < ? FROM history", (T0 + 3000 * SECOND,)).fetchone() == (12_000, 1)
    assert conn.execute("SELECT count(*) FROM recent").fetchone() == (28_000,)
    assert conn.execute("SELECT count(*) FROM dirty").fetchone()[0] >= 4 * 50
    rows = conn.execute("SELECT sensor.name, channel, series.retired_us IS NULL FROM series JOIN sensor ON sensor.id = sensor_id")
    assert {(sensor, channel) for sensor, channel, live in rows if live} == {("two", "b")}
