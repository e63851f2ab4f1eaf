"""With how many places values come is learned from some of them, the most are remembered, and only what is computed is shown so."""

from __future__ import annotations

import csv
import io
import json
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sensorlogd.batch import Block, Column
from sensorlogd.notation import numbers
from sensorlogd.storage import meta
from sensorlogd.storage.ingest import decimals
from sensorlogd.storage.query.log_reader import LogReader
from tests.rig import Daemon, Port, rows, until
from tests.storage.corrections.test_upsert import put
from tests.storage.rollups.test_compute import T0, Machine

FAIL, GOOD = 4, 1


@given(st.lists(st.tuples(st.integers(1, 2), st.integers(0, 8), st.integers(1, 99_999)), max_size=12))
def test_the_most_places_that_were_seen_are_kept(fresh: Path, readings: list[tuple[int, int, int]]) -> None:
    """Whatever comes later; values with the noise of a scale and an offset count as what they were read as."""
    with closing(sqlite3.connect(":memory:")) as conn, closing(sqlite3.connect(fresh)) as schema:
        schema.backup(conn)
        most: dict[int, int] = {}
        for series, places, digits in readings:
            value = round(digits / 10**places, places)
            noisy = value * 1.1 / 1.1
            decimals.learn(conn, decimals.of_newest({series: (T0, noisy, GOOD)}))
            text = f"{value:.{places}f}".rstrip("0").partition(".")[2]
            most[series] = max(most.get(series, 0), len(text))
            assert decimals.seen(conn) == most


def test_what_is_no_reading_teaches_nothing_and_noise_is_no_resolution(tmp_path: Path, fresh: Path) -> None:
    path = Path(shutil.copy(fresh, tmp_path / "log.db"))
    machine = Machine(tmp_path, fresh, "UTC")
    gauge, counter = machine.ids["s", "gauge"], machine.ids["s", "counter"]

    def known() -> dict[int, int | None]:
        with LogReader.open(path) as log:
            return {series.id: series.seen_decimals for series in log.series()}

    try:
        decimals.learn(machine.conn, decimals.of_newest({gauge: (T0, 0.12345, FAIL), counter: (T0, None, 9)}))
        assert known() == {gauge: None, counter: None}
        decimals.learn(machine.conn, decimals.of_newest({gauge: (T0, 21.5, GOOD), counter: (T0, 7.0, GOOD)}))
        assert known() == {gauge: 1, counter: 0}
        decimals.learn(machine.conn, decimals.of_newest({gauge: (T0, 20.0, GOOD), counter: (T0, 1 / 3, GOOD)}))
        assert known() == {gauge: 1, counter: None}
        put(machine, gauge, [(T0 + n, 20 + n / 1000, GOOD) for n in range(1, 500)])
        assert known()[gauge] == 3
        blocks = [Block("s", [Column("counter", [T0, T0 + 1], [0.25, 0.123456], [GOOD, FAIL])]), Block("x", [])]
        meta.forget_series(machine.conn, counter)
        decimals.learn(machine.conn, decimals.of_blocks(blocks, machine.ids))
        assert known()[counter] == 2
        poisoned: list[Any] = ["0.123", 10**400, float("nan"), float("inf"), 0.5]
        for quality in (GOOD, [GOOD] * 5, [None] * 5):
            block = Block("s", [Column("counter", list(range(5)), poisoned, quality)])  # type: ignore[arg-type]  # [None]: wrong on purpose
            decimals.learn(machine.conn, decimals.of_blocks([block], machine.ids))
        assert known()[counter] == 2
        meta.forget_series(machine.conn, gauge)
        assert known()[gauge] is None
    finally:
        machine.close()


def test_it_is_learned_from_a_device_and_shown_in_tables_only(tmp_path: Path) -> None:
    """Lines of text with three places: their mean is shown as what they are, and kept, given as JSON and exported with every digit."""
    port, config, data = Port(tmp_path / "tty"), tmp_path / "sensorlogd.yaml", tmp_path / "data"
    sensor = {"driver": "serial", "port": str(port.path), "heartbeat": "1h", "format": {"type": "csv", "fields": ["t"]}}
    config.write_text(
        json.dumps(
            {
                "daemon": {"data_dir": str(data)},
                "storage": {"commit_interval": "50ms", "min_free": "0B"},
                "sensors": {"device": sensor | {"channels": {"t": {"unit": "°C"}}}},
            }
        )
    )
    database = data / "sensorlogd.db"
    try:
        with Daemon(config, data) as daemon:
            daemon.wait_ready()
            until(port.opened, "the port to be opened")
            port.send(b"20.123\n" * 6 + b"21.50\n")
            until(lambda: database.exists() and len(rows(database, "device")) == 7, "all readings")
            assert daemon.stop() == 0
    finally:
        port.close()

    def output_of(*arguments: str) -> str:
        command = [sys.executable, "-m", "sensorlogd", *arguments, "--since=-1d", "-c", str(config)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    mean, spread = "20.31971", "0.52046"
    question = ("device.t", "--every", "1d", "--agg", "mean,stddev,min,max")
    with LogReader.open(database) as log:
        (series,) = log.series()
    assert (series.decimals, series.seen_decimals) == (None, 3)
    lines = output_of("query", *question, "--format", "table").splitlines()
    shown = [text for line in lines for text in line.split()]
    assert {mean, spread, "20.123", "21.5"} <= set(shown)
    exact = [row["mean"] for row in json.loads(output_of("query", *question, "--format", "json"))]
    assert exact != [float(mean)]
    assert f"{exact[0]:.5f}" == mean
    for text in (output_of("query", *question, "--format", "csv"), output_of("export", *question)):
        assert [float(row["mean"]) for row in csv.DictReader(io.StringIO(text))] == exact
    assert "68.2214" in output_of("query", "device.t", "--unit", "degF", "--format", "table")
    assert numbers.computed(exact[0], 3) == mean
