"""A log that verbs are tried on, and what verbs need that run in the process of the tests."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest

from sensorlogd.batch import Block, Column
from sensorlogd.storage.file.connecting import close_cleanly
from sensorlogd.storage.ingest import latest, status
from sensorlogd.storage.ingest.append import append
from sensorlogd.storage.rollups.edge import set_edge
from sensorlogd.storage.series import catalog
from sensorlogd.storage.watermarks import Frontier
from tests.connections import connect_writer


@pytest.fixture(autouse=True)
def verbs(forked_verbs: None) -> None:
    """All tests of verbs."""


@pytest.fixture
def log(fresh: Path, tmp_path: Path) -> Path:
    """A database with two series, ten minutes of readings a second apart until now, one of them bad."""
    path = Path(shutil.copy(fresh, tmp_path / "log.db"))
    conn = connect_writer(path)
    now = time.time_ns() // 1000
    conn.execute("BEGIN IMMEDIATE")
    specs = [
        catalog.SensorSpec(
            "lab",
            "simulated",
            series=[catalog.SeriesSpec("t", "°C", heartbeat_us=5_000_000), catalog.SeriesSpec("n", kind="counter")],
        )
    ]
    known = catalog.sync(conn, specs, now)
    times = [now - n * 1_000_000 for n in range(600, 0, -1)]
    t: list[float | None] = [20 + n / 64 for n in range(600)]
    quality = [1] * 600
    t[5], quality[5] = 999.0, 4 | 16
    block = Block("lab", [Column("t", times, t, quality), Column("n", times, [float(n) for n in range(600)], 2)])
    result = append(conn, [block], known.ids, Frontier())
    latest.save(conn, result.newest, now, 0)
    set_edge(conn, 0)
    facts = {
        "pid": 1,
        "heartbeat_us": now - 3_600_000_000,
        "started_us": now,
        "clean_shutdown": False,
        "state": "writing",
        "config_errors": [],
    }
    status.save_daemon(conn, facts)
    status.save_sensors(
        conn, [status.SensorRow("lab", "reading", now, now, None, {"readings": 1200, "bad_lines": 3})], known.sensor_ids, now
    )
    conn.execute("COMMIT")
    close_cleanly(conn)
    return path
