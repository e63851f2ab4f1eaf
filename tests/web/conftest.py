"""A real server on a real database: two hours of two sensors, as a daemon would have stored them."""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from sensorlogd.batch import Block, Column
from sensorlogd.storage.file.connecting import close_cleanly
from sensorlogd.storage.ingest import status
from sensorlogd.storage.ingest.append import append
from sensorlogd.storage.rollups import compute, stored_rollups
from sensorlogd.storage.rollups.edge import set_edge, use_day_zone
from sensorlogd.storage.series import catalog
from sensorlogd.storage.watermarks import Frontier
from sensorlogd.web.serving import server
from sensorlogd.web.settings import Settings
from tests.connections import connect_writer

# A connection that is kept is closed when the client has asked nothing for five seconds, and its successor has other descriptors:
# to the test that was just running they would look left behind.
ONE_EACH = httpx.Limits(max_keepalive_connections=0)
S = 1_000_000
T0 = 1_774_742_400 * S  # 2026-03-29T00:00Z


def make_database(fresh: Path, path: Path, begin_us: int = T0) -> None:
    """``lab.t`` every 10 s for two hours but for ten minutes, ``lab.n`` every minute, ``roof.t`` without readings."""
    shutil.copy(fresh, path)
    conn = connect_writer(path)
    try:
        conn.execute("BEGIN IMMEDIATE")
        specs = [
            catalog.SensorSpec(
                "lab",
                "simulated",
                labels={"room": "2"},
                series=[
                    catalog.SeriesSpec("t", unit="°C", heartbeat_us=30 * S),
                    catalog.SeriesSpec("n", kind="counter", heartbeat_us=180 * S),
                ],
            ),
            catalog.SensorSpec("roof", "simulated", series=[catalog.SeriesSpec("t", unit="°C", heartbeat_us=30 * S)]),
        ]
        synced = catalog.sync(conn, specs, begin_us)
        conn.execute("COMMIT")
        seconds = [second for second in range(0, 7200, 10) if not 3000 <= second < 3600]
        quality = [4 if second == 100 else 1 for second in seconds]
        values: list[float | None] = [20 + second % 300 / 100 for second in seconds]
        minutes = range(0, 7200, 60)
        blocks = [
            Block("lab", [Column("t", [begin_us + second * S for second in seconds], values, quality)], device_time=True),
            Block("lab", [Column("n", [begin_us + second * S for second in minutes], list(map(float, minutes)), 2)], True),
        ]
        conn.execute("BEGIN IMMEDIATE")
        append(conn, blocks, synced.ids, Frontier(edge_us=begin_us))
        rows = [
            status.SensorRow("lab", "reading", begin_us, begin_us + 7190 * S, None, {"readings": 780, "attempts": 1}),
            status.SensorRow("roof", "backing_off", begin_us, None, "no such device", {"attempts": 9}),
        ]
        status.save_sensors(conn, rows, synced.sensor_ids, begin_us + 7200 * S)
        conn.execute("COMMIT")
        conn.execute("BEGIN IMMEDIATE")
        set_edge(conn, begin_us)
        use_day_zone(conn, "UTC", 0)
        conn.execute("COMMIT")
        snapshot = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        computed = [row for rows in compute.compute_block(snapshot, begin_us, begin_us + 7200 * S, "UTC") for row in rows]
        snapshot.close()
        conn.execute("BEGIN IMMEDIATE")
        stored_rollups.store_rows(conn, computed)
        set_edge(conn, begin_us + 7200 * S)
        conn.execute("COMMIT")
        close_cleanly(conn)
    finally:
        conn.close()


@dataclass
class Served:
    """A running server. ``client`` asks it."""

    settings: Settings
    url: str
    client: httpx.Client

    def get(self, path: str, **params: Any) -> Any:
        """The JSON of an answer that must be 200."""
        answer = self.client.get(path, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def rows(self, path: str, **params: Any) -> list[Any]:
        """The rows of an NDJSON answer."""
        answer = self.client.get(path, params=params | {"format": "ndjson"})
        assert answer.status_code == 200, answer.text
        return [json.loads(line) for line in answer.text.splitlines()]


@contextlib.contextmanager
def serving(settings: Settings) -> Iterator[Served]:
    """uvicorn on a free port, in a thread of this process."""
    settings = replace(settings, port=0)
    with server.bind(settings) as listener:
        running = server.make_server(settings)
        thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]}, name="server")
        thread.start()
        try:
            deadline = time.monotonic() + 30
            while not running.started and thread.is_alive() and time.monotonic() < deadline:
                time.sleep(0.005)
            assert running.started
            host, port = listener.getsockname()[:2]
            url = f"http://{host}:{port}"
            with httpx.Client(base_url=url, timeout=60, trust_env=False, limits=ONE_EACH) as client:
                yield Served(settings, url, client)
        finally:
            running.should_exit = True
            thread.join(30)


@pytest.fixture(scope="session")
def made(fresh: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The database of ``make_database``, not to be changed."""
    path = tmp_path_factory.mktemp("web") / "log.db"
    make_database(fresh, path)
    return path


@pytest.fixture(scope="module")
def served(made: Path) -> Iterator[Served]:
    """A server on it, without a token; its threads and its worker are there before the first test looks for any left behind."""
    # A busy machine has time enough: a worker that is ended and replaced would look left behind, too.
    with serving(Settings(made, query_threads=1, query_timeout_s=50.0)) as running:
        running.get("/api/v1/latest")
        running.get("/api/v1/events")
        assert running.client.get("/no-such-file").status_code == 404
        yield running
