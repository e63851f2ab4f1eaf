"""A small log for the tests of the Python interface."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest

from sensorlogd.batch import Block, Column
from sensorlogd.storage.file.connecting import close_cleanly
from sensorlogd.storage.ingest.append import append
from sensorlogd.storage.rollups import compute, stored_rollups
from sensorlogd.storage.rollups.edge import set_edge, use_day_zone
from sensorlogd.storage.series import catalog
from sensorlogd.storage.watermarks import Frontier
from tests.api.rig import T0, S
from tests.connections import connect_writer


@pytest.fixture
def path(fresh: Path, tmp_path: Path) -> Path:
    """Two sensors for two hours: ``lab.t`` every 10 s but for ten minutes, ``lab.n`` every minute; one value failed."""
    path = Path(shutil.copy(fresh, tmp_path / "log.db"))
    conn = connect_writer(path)
    conn.execute("BEGIN IMMEDIATE")
    spec = catalog.SensorSpec(
        "lab",
        "simulated",
        series=[
            catalog.SeriesSpec("t", unit="°C", heartbeat_us=30 * S),
            catalog.SeriesSpec("n", kind="counter", heartbeat_us=180 * S),
        ],
    )
    ids = catalog.sync(conn, [spec], T0).ids
    seconds = [second for second in range(0, 7200, 10) if not 1800 <= second < 2400]
    quality = [4 if second == 100 else 1 for second in seconds]
    blocks = [
        Block("lab", [Column("t", [T0 + s * S for s in seconds], [s / 100 for s in seconds], quality)], device_time=True),
        Block("lab", [Column("n", [T0 + s * S for s in range(0, 7200, 60)], [float(s) for s in range(0, 7200, 60)], 2)], True),
    ]
    append(conn, blocks, ids, Frontier(edge_us=T0))
    set_edge(conn, T0)
    use_day_zone(conn, "UTC", 0)
    conn.execute("COMMIT")
    reader = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    rows = [row for rows in compute.compute_block(reader, T0, T0 + 3600 * S, "UTC") for row in rows]
    reader.close()
    conn.execute("BEGIN IMMEDIATE")
    stored_rollups.store_rows(conn, rows)
    set_edge(conn, T0 + 3600 * S)
    conn.execute("COMMIT")
    close_cleanly(conn)
    return path
