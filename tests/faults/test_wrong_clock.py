"""The wall clock is years wrong when the daemon starts, or is set while it runs: nothing is destroyed, nothing refused."""

from __future__ import annotations

import json
import sqlite3
import time
from pathlib import Path

import pytest

from tests.faults.test_blocked import machine
from tests.faults.test_database_trouble import assert_whole, configuration, database, events, values
from tests.rig import Daemon, reading, until
from tests.torture.shim import Machine

__all__ = ["machine"]

DAY_S = 86_400
DAY_US = DAY_S * 1_000_000


def kept_for(config: Path, days: int) -> None:
    whole = json.loads(config.read_text())
    whole["retention"] = {"readings": f"{days}d"}
    config.write_text(json.dumps(whole))


def add_old_readings(path: Path, days: int) -> int:
    """One reading an hour of a series of its own, below everything that is moved and rolled up."""
    now = time.time_ns() // 1000
    conn = sqlite3.connect(path, isolation_level=None)
    try:
        conn.execute("BEGIN IMMEDIATE")
        conn.execute("INSERT INTO sensor(name, driver, created_us) VALUES ('old', 'import', 0)")
        conn.execute(
            "INSERT INTO series(sensor_id, channel, kind, heartbeat_us, created_us)"
            " SELECT id, 'v', 'gauge', 60000000, 0 FROM sensor WHERE name = 'old'"
        )
        (series,) = conn.execute("SELECT max(id) FROM series").fetchone()
        (moved,) = conn.execute(
            "SELECT coalesce((SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'moved_until_us'), 0)"
        ).fetchone()
        limit = now - 3_600_000_000
        if moved < limit:
            conn.execute(
                "INSERT INTO meta(key, value) VALUES ('moved_until_us', ?) ON CONFLICT(key) DO UPDATE SET value = excluded.value",
                (str(limit),),
            )
        conn.executemany(
            "INSERT INTO history(series_id, ts, value, quality) VALUES (?,?,?,2)",
            [(series, now - (hour + 2) * 3_600_000_000, float(hour)) for hour in range(24 * days)],
        )
        conn.execute("COMMIT")
    finally:
        conn.close()
    return 24 * days


def old_readings(path: Path) -> int:
    with reading(path) as conn:
        (count,) = conn.execute("SELECT count(*) FROM readings WHERE sensor = 'old'").fetchone()
        return int(count)


def future_readings(path: Path) -> int:
    with reading(path) as conn:
        limit = time.time_ns() // 1000 + DAY_US
        (count,) = conn.execute("SELECT count(*) FROM readings WHERE ts > ?", (limit,)).fetchone()
        return int(count)


def test_a_clock_ten_years_ahead_at_the_start_expires_nothing(tmp_path: Path, machine: Machine) -> None:
    """Thirty days are kept for ninety: all are there after some seconds in 2036, and after the clock is right again."""
    config, path = configuration(tmp_path), database(tmp_path)
    kept_for(config, 90)
    with Daemon(config, tmp_path / "data", env=machine.environment()) as daemon:
        daemon.wait_ready()
        daemon.commit()
        assert daemon.stop() == 0
    before = add_old_readings(path, 30)
    machine.set(clock_s=10 * 365 * DAY_S)
    with Daemon(config, tmp_path / "data", env=machine.environment()) as daemon:
        daemon.wait_ready()
        daemon.commit()
        until(lambda: future_readings(path) > 100, "readings of the wrong time")
        assert daemon.ask("clock")["clock"]["state"] == "ahead"
        assert old_readings(path) == before
        machine.set(clock_s=0)
        until(lambda: daemon.ask("clock")["clock"]["state"] == "believed", "the clock to be believed")
        daemon.commit()
        assert daemon.stop() == 0
    assert old_readings(path) == before
    with reading(path) as conn:
        assert conn.execute("SELECT count(*) FROM meta WHERE key = 'moved_until_us' AND CAST(value AS INTEGER) > ?",
                            (time.time_ns() // 1000,)).fetchone() == (0,)  # fmt: skip
    assert {"clock_judged", "clock_step"} <= set(events(path))


@pytest.mark.parametrize("back_s", [-90, -60 * DAY_S, -20 * 365 * DAY_S])
def test_a_clock_in_the_past_stamps_nothing_into_it(tmp_path: Path, machine: Machine, back_s: int) -> None:
    """Every reading is stored, after those that were there, and marked; none is refused for being too old."""
    config, path = configuration(tmp_path), database(tmp_path)
    with Daemon(config, tmp_path / "data", env=machine.environment()) as daemon:
        daemon.wait_ready()
        daemon.commit()
        assert daemon.stop() == 0
    first = values(path)
    machine.set(clock_s=back_s)
    with Daemon(config, tmp_path / "data", env=machine.environment()) as daemon:
        daemon.wait_ready()
        until(lambda: len(values(path)) > len(first) + 50, "readings")
        assert daemon.ask("clock")["clock"]["state"] == "behind"
        machine.set(clock_s=0)
        until(lambda: daemon.ask("clock")["clock"]["state"] == "believed", "the clock to be believed")
        daemon.commit()
        status = daemon.ask("status")
        assert daemon.stop() == 0
    assert "too_old" not in status["sensors"][0]["counters"]
    now = values(path)
    assert now[: len(first)] == first
    assert_whole(sorted(now[len(first) :], key=lambda value: value or 0))
