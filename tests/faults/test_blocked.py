"""Another program holds the lock, the disk has no room, the daemon is asked to end: it says so, ends in time, loses nothing."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import needs
from tests.faults.test_database_trouble import assert_whole, configuration, database, events, values
from tests.rig import Daemon, until
from tests.torture.shim import Machine, library

STOP_WITHIN_S = 15.0


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """This process holds the write lock of the database."""
    conn = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
    try:
        conn.execute("BEGIN IMMEDIATE")
        yield
    finally:
        conn.close()


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """A disk that fails and a clock that is wrong when the test says so."""
    try:
        library()
    except FileNotFoundError as error:
        needs._missing(str(error))
    with Machine(tmp_path / "machine.plan", prefix=tmp_path / "data", seed=1) as made:
        yield made


def status_of(config: Path) -> dict[str, object]:
    done = subprocess.run(
        [sys.executable, "-m", "sensorlogd", "status", "-c", str(config), "--format", "json"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    found: dict[str, object] = json.loads(done.stdout)["daemon"]
    return found


def stopped_in(daemon: Daemon) -> float:
    """Seconds from SIGTERM to the end of the process."""
    began = time.monotonic()
    daemon.signal(signal.SIGTERM)
    daemon.process.wait(60)
    return time.monotonic() - began


def test_a_daemon_that_cannot_write_ends_in_time_and_the_next_start_has_what_it_held(tmp_path: Path) -> None:
    """SIGTERM while another program holds the lock: within 15 s, readings and events spilled, taken up once."""
    config, path = configuration(tmp_path), database(tmp_path)
    with Daemon(config, tmp_path / "data") as daemon:
        daemon.wait_ready()
        daemon.commit()
        with locked(path):
            until(lambda: daemon.ask("status")["daemon"]["state"] == "blocked", "state blocked")
            status = status_of(config)
            assert status["state"] == status["state_now"] == "blocked"
            assert "locked" in str(status["state_reason"])
            assert int(str(status["blocked_since_us"])) > 0
            assert stopped_in(daemon) < STOP_WITHIN_S
        assert len(list(path.parent.glob("sensorlogd.db.spill-*"))) == 1
        before = values(path)
    with Daemon(config, tmp_path / "data") as daemon:
        daemon.wait_ready()
        daemon.commit()
        assert daemon.stop() == 0
    assert list(path.parent.glob("sensorlogd.db.spill-*")) == []
    now = values(path)
    second = now.index(now[0], 1)  # the second run counts from the beginning again
    assert second > len(before), "what was spilled is stored"
    assert_whole(now[:second])
    assert_whole(now[second:])
    assert {"spilled", "spill_taken_up", "database_blocked"} <= set(events(path))


def test_too_little_space_and_a_lock_end_nothing(tmp_path: Path, machine: Machine) -> None:
    """min_free is not met, old readings are to give way, and that needs the lock that another program holds: it goes on."""
    config = configuration(tmp_path, min_free="1GB", when_full="drop_oldest")
    with Daemon(config, tmp_path / "data", env=machine.environment()) as daemon:
        daemon.wait_ready()
        daemon.commit()
        with locked(database(tmp_path)):
            machine.set(free_bytes=1_000_000)
            until(lambda: daemon.ask("status")["daemon"]["state"] == "blocked", "state blocked")
            held = daemon.ask("status")["daemon"]["inbox_depth"]
            until(lambda: daemon.ask("status")["daemon"]["inbox_depth"] > held, "readings to be held")
        machine.heal()
        until(lambda: daemon.ask("status")["daemon"]["state"] == "writing", "state writing")
        daemon.commit()
        assert daemon.stop() == 0
    assert_whole(values(database(tmp_path)))


@pytest.mark.parametrize("fault", [("pwrite", "ENOSPC", 1000), ("fdatasync", "EIO", 1000), ("pwrite", "SHORT", 300)])
def test_a_disk_that_fails_for_a_while_costs_nothing(tmp_path: Path, machine: Machine, fault: tuple[str, str, int]) -> None:
    """Real ENOSPC, EIO and short writes: readings are held, and stored once each when it works again."""
    config = configuration(tmp_path)
    with Daemon(config, tmp_path / "data", env=machine.environment()) as daemon:
        daemon.wait_ready()
        daemon.commit()
        machine.set(faults=[fault])
        depth = until(
            lambda: (daemon.ask("status")["daemon"]["inbox_depth"] > 20 and 1) or fault[1] == "SHORT", "readings to be held"
        )
        assert depth
        machine.heal()
        until(lambda: daemon.ask("status")["daemon"]["state"] == "writing", "state writing")
        daemon.commit()
        assert daemon.stop() == 0
    assert_whole(sorted(values(database(tmp_path)), key=lambda value: value or 0))


def test_readings_that_could_be_stored_nowhere_are_counted_for_good(tmp_path: Path, machine: Machine) -> None:
    """The database takes none and neither does the disk: the number is in the lock file, then in status, once."""
    config, path = configuration(tmp_path), database(tmp_path)
    with Daemon(config, tmp_path / "data", env=machine.environment()) as daemon:
        daemon.wait_ready()
        daemon.commit()
        before = len(values(path))
        machine.set(faults=[("pwrite", "GROW", 1000), ("write", "GROW", 1000)])
        until(lambda: daemon.ask("status")["daemon"]["inbox_depth"] > 50, "readings to be held")
        assert stopped_in(daemon) < STOP_WITHIN_S
        machine.heal()
    for _ in range(2):
        with Daemon(config, tmp_path / "data") as daemon:
            daemon.wait_ready()
            daemon.commit()
            given_up = daemon.ask("status")["daemon"]["given_up"]
            assert daemon.stop() == 0
        assert given_up > 50
    assert events(path).count("dropped") == 1
    assert len(values(path)) > before


def test_the_write_ahead_log_that_a_reader_holds_is_told_with_the_readers_name(tmp_path: Path) -> None:
    """Somebody reads for long: an event names the process, status the size; it ends when the reader does."""
    config, path = configuration(tmp_path, commit_interval="10ms"), database(tmp_path)
    settings = json.loads(config.read_text())
    settings["sensors"]["fast"] = {
        "driver": "simulated",
        "interval": "0s",
        "batch": 2000,
        "channels": {"n": {"signal": {"counter": {"step": 1}}}},
    }
    config.write_text(json.dumps(settings))
    with Daemon(config, tmp_path / "data") as daemon:
        daemon.wait_ready()
        daemon.commit()
        reader = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)
        try:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM event").fetchone()
            until(lambda: daemon.ask("status")["daemon"]["wal_held_by"], "the holder in status")
            assert f"pid {os.getpid()} " in daemon.ask("status")["daemon"]["wal_held_by"]
            assert daemon.ask("status")["daemon"]["wal_bytes"] > 10_000_000
        finally:
            reader.close()
        until(lambda: not daemon.ask("status")["daemon"]["wal_held_by"], "the end of it")
        daemon.commit()
        assert daemon.stop() == 0
    assert {"wal_held", "wal_released"} <= set(events(path))
