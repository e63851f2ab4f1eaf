"""The database is locked, full, read-only, removed, damaged or not ours: logging goes on or says why not."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import needs
from tests.rig import Daemon, reading, rows, until

ROWS_OF_A_PAGE = 2048 // 12  # at most: a reading takes more bytes than that


def configuration(folder: Path, **storage: object) -> Path:
    path = folder / "sensorlogd.yaml"
    path.write_text(
        json.dumps(
            {
                "daemon": {"data_dir": str(folder / "data")},
                "storage": {"commit_interval": "20ms", "min_free": "0B"} | storage,
                "sensors": {
                    "s": {
                        "driver": "simulated",
                        "interval": "5ms",
                        "channels": {"n": {"kind": "counter", "signal": {"counter": {"step": 1}}}},
                    }
                },
            }
        )
    )
    return path


def database(folder: Path) -> Path:
    return folder / "data" / "sensorlogd.db"


def values(path: Path) -> list[float | None]:
    return [value for _, _, value, _ in rows(path, "s", "n")]


def events(path: Path) -> list[str]:
    with reading(path) as conn:
        return [kind for (kind,) in conn.execute("SELECT kind FROM event ORDER BY id")]


def assert_whole(values: list[float | None]) -> None:
    """The counter rises by one from its first value: nothing between is lost or doubled."""
    assert values
    first = values[0]
    assert first is not None
    assert values == [first + n for n in range(len(values))]


def test_a_locked_database_is_waited_for(tmp_path: Path) -> None:
    """Somebody holds the write lock for a while: readings are held, said so, and stored afterwards."""
    with Daemon(configuration(tmp_path), tmp_path / "data") as daemon:
        daemon.wait_ready()
        daemon.commit()
        other = sqlite3.connect(database(tmp_path), isolation_level=None)
        try:
            until(lambda: _locks(other), "the write lock")
            until(lambda: daemon.ask("status")["daemon"]["state"] == "blocked", "state blocked")
            held = daemon.ask("status")["daemon"]["inbox_depth"]
            until(lambda: daemon.ask("status")["daemon"]["inbox_depth"] > held, "readings to be held")
        finally:
            other.close()
        until(lambda: daemon.ask("status")["daemon"]["state"] == "writing", "state writing")
        daemon.commit()
        assert daemon.stop() == 0
    assert_whole(values(database(tmp_path)))
    assert {"database_blocked", "recovered"} <= set(events(database(tmp_path)))


def _locks(conn: sqlite3.Connection) -> bool:
    try:
        conn.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError:
        return False
    return True


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MB."""
    needs.root()
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2M", "tmpfs", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_holds_readings_until_there_is_room(small_disk: Path, tmp_path: Path) -> None:
    """ENOSPC stops no sensor and loses nothing that fits into memory; space freed, all is stored."""
    ballast = small_disk / "ballast"
    config = configuration(tmp_path)
    config.write_text(config.read_text().replace(str(tmp_path / "data"), str(small_disk / "data")))
    with Daemon(config, small_disk / "data") as daemon:
        daemon.wait_ready()
        daemon.commit()
        with ballast.open("wb", buffering=0) as file:
            until(lambda: not _grow(file.fileno()), "a full disk")
        until(lambda: daemon.ask("status")["daemon"]["state"] == "blocked", "state blocked")
        assert "full" in daemon.ask("status")["daemon"]["state_reason"]
        held = daemon.ask("status")["daemon"]["inbox_depth"]
        until(lambda: daemon.ask("status")["daemon"]["inbox_depth"] > held, "readings to be held")
        ballast.unlink()
        until(lambda: daemon.ask("status")["daemon"]["state"] == "writing", "state writing")
        daemon.commit()
        assert daemon.stop() == 0
    assert_whole(values(database(small_disk)))
    assert {"database_blocked", "recovered"} <= set(events(database(small_disk)))


def _grow(descriptor: int) -> bool:
    try:
        return os.write(descriptor, b"\0" * 4096) > 0
    except OSError:
        return False


def test_little_free_space_stops_writing_before_the_disk_is_full(tmp_path: Path) -> None:
    """min_free above what the disk has: readings are held, the reason is in status, the file does not grow."""
    with Daemon(configuration(tmp_path, min_free="1000TB"), tmp_path / "data") as daemon:
        daemon.wait_ready()
        until(lambda: "min_free" in daemon.ask("status")["daemon"]["state_reason"], "the reason")
        held = daemon.ask("status")["daemon"]["inbox_depth"]
        until(lambda: daemon.ask("status")["daemon"]["inbox_depth"] > held, "readings to be held")
        assert values(database(tmp_path)) == []


def test_a_removed_database_is_noticed_and_begun_anew(tmp_path: Path) -> None:
    """rm of the file under a running daemon: an event, and logging goes on in a new file."""
    with Daemon(configuration(tmp_path), tmp_path / "data") as daemon:
        daemon.wait_ready()
        daemon.commit()
        for name in ("sensorlogd.db", "sensorlogd.db-wal", "sensorlogd.db-shm"):
            (tmp_path / "data" / name).unlink(missing_ok=True)
        until(lambda: database(tmp_path).exists() and _has_rows(database(tmp_path)), "readings in a new file")
        assert daemon.stop() == 0
    assert {"database_removed", "database_created"} <= set(events(database(tmp_path)))


def _has_rows(path: Path) -> bool:
    try:
        return bool(values(path))
    except sqlite3.OperationalError:
        return False


def test_noise_in_whole_pages_is_set_aside(tmp_path: Path) -> None:
    """It may be what is left of a database: it is kept under another name, and logging starts in a fresh one."""
    content = os.urandom(8192)
    database(tmp_path).parent.mkdir()
    database(tmp_path).write_bytes(content)
    with Daemon(configuration(tmp_path), tmp_path / "data") as daemon:
        daemon.wait_ready()
        until(lambda: _has_rows(database(tmp_path)), "readings")
        assert daemon.stop() == 0
    aside = list((tmp_path / "data").glob("*.corrupt-*"))
    assert [path.read_bytes() for path in aside] == [content]
    assert "corrupt" in events(database(tmp_path))


def test_a_damaged_database_is_set_aside_with_its_wal_and_salvaged(tmp_path: Path) -> None:
    """A page of readings overwritten: a new database at once, and what was readable comes back into it."""
    config = configuration(tmp_path)
    with Daemon(config, tmp_path / "data") as daemon:
        daemon.wait_ready()
        until(lambda: len(values(database(tmp_path))) > 300, "some readings")
        assert daemon.stop() == 0
    before = values(database(tmp_path))
    with contextlib.closing(sqlite3.connect(database(tmp_path))) as conn:
        (size,) = conn.execute("PRAGMA page_size").fetchone()
        leaves = conn.execute("SELECT pageno FROM dbstat WHERE name IN ('recent', 'history') AND pagetype = 'leaf'").fetchall()
    assert len(leaves) > 2
    with database(tmp_path).open("r+b") as file:
        file.seek((leaves[1][0] - 1) * size)
        file.write(os.urandom(size))
    with Daemon(config, tmp_path / "data") as daemon:
        daemon.wait_ready()
        until(lambda: "salvaged" in events_or_none(database(tmp_path)), "the salvage")
        daemon.commit()
        assert daemon.stop() == 0
    assert list((tmp_path / "data").glob("*.corrupt-*"))
    again = set(values(database(tmp_path)))
    assert len(before) - ROWS_OF_A_PAGE < len(again & set(before)) < len(before)


def events_or_none(path: Path) -> list[str]:
    try:
        return events(path)
    except sqlite3.Error:
        return []


def test_a_foreign_database_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    """Exit 78, the reason on stderr, not a byte changed."""
    database(tmp_path).parent.mkdir()
    conn = sqlite3.connect(database(tmp_path))
    conn.execute("PRAGMA application_id = 1234")
    conn.execute("CREATE TABLE precious(x)")
    conn.commit()
    conn.close()
    before = database(tmp_path).read_bytes()
    with Daemon(configuration(tmp_path), tmp_path / "data") as daemon:
        assert daemon.process.wait(60) == 78
        assert str(database(tmp_path)) in daemon.log.read_text()
    assert database(tmp_path).read_bytes() == before


def test_a_letter_in_the_place_of_the_database_is_left_as_it_is(tmp_path: Path) -> None:
    """Somebody named the wrong file: exit 78, and it says what it is; where a database was, the letter is set aside instead."""
    letter = b"this is no database, it is a letter to my aunt\n" * 50
    database(tmp_path).parent.mkdir()
    database(tmp_path).write_bytes(letter)
    config = configuration(tmp_path)
    with Daemon(config, tmp_path / "data") as daemon:
        assert daemon.process.wait(60) == 78
        assert f"{database(tmp_path)} is a text file" in daemon.log.read_text()
    assert database(tmp_path).read_bytes() == letter
    assert not list((tmp_path / "data").glob("*.corrupt-*"))
    database(tmp_path).unlink()
    with Daemon(config, tmp_path / "data") as daemon:
        daemon.wait_ready()
        assert daemon.stop() == 0
    database(tmp_path).write_bytes(letter)
    with Daemon(config, tmp_path / "data") as daemon:
        daemon.wait_ready()
        until(lambda: _has_rows(database(tmp_path)), "readings")
        assert daemon.stop() == 0
    assert [path.read_bytes() for path in (tmp_path / "data").glob("*.corrupt-*")] == [letter]


def test_a_second_daemon_on_the_same_data_directory_is_refused(tmp_path: Path) -> None:
    """Exit 1, naming the pid of the first; the first goes on."""
    config = configuration(tmp_path)
    with Daemon(config, tmp_path / "data") as first:
        first.wait_ready()
        second_config = tmp_path / "second.yaml"
        second_config.write_text(config.read_text())
        with Daemon(second_config, tmp_path / "data") as second:
            assert second.process.wait(60) == 1
            assert str(first.process.pid) in second.log.read_text()
        first.commit()
        assert first.stop() == 0
