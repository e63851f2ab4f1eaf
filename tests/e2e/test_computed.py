"""Computed channels of a real daemon: kills, a reload, computing anew while readings come."""

from __future__ import annotations

import contextlib
import json
import signal
import sqlite3
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.rig import Daemon, rows, until


def write(path: Path, folder: Path, factor: str = "1") -> None:
    signals = {
        "voltage": {"signal": {"random_walk": {"start": 230, "step": 1}}},
        "current": {"signal": {"constant": {"value": 2}}},
    }
    computed: dict[str, Any] = {
        "inputs": {"u": "mains.voltage", "i": "mains.current", "p": "energy.power"},
        "channels": {"power": {"formula": f"power(u, i, {factor})"}, "work": {"formula": "integral(p)", "unit": "J"}},
    }
    path.write_text(
        json.dumps(
            {
                "daemon": {"data_dir": str(folder / "data")},
                "storage": {"commit_interval": "20ms", "min_free": "0B"},
                "sensors": {"mains": {"driver": "simulated", "interval": "10ms", "channels": signals}},
                "computed": {"energy": computed},
            }
        )
    )


def check(database: Path, factor: float = 1.0) -> int:
    """How many readings there are; all follow from the inputs, and the sum from all."""
    voltage = {ts: value for ts, _, value, _ in rows(database, "mains", "voltage")}
    power = {ts: value for ts, _, value, _ in rows(database, "energy", "power")}
    work = [(ts, value) for ts, _, value, _ in rows(database, "energy", "work")]
    assert power == {ts: pytest.approx((value or 0) * 2 * factor) for ts, value in voltage.items()}
    assert [ts for ts, _ in work] == sorted(voltage)
    for (before, was), (ts, now) in pairwise(work):
        grown = (power[ts] + power[before]) / 2 * (ts - before) / 1e6  # type: ignore[operator]  # none is missing
        assert now == pytest.approx((was or 0) + (grown if ts - before <= 5_000_000 else 0))
    return len(work)


def test_kills_a_reload_and_computing_anew(tmp_path: Path) -> None:
    config, database = tmp_path / "sensorlogd.yaml", tmp_path / "data" / "sensorlogd.db"
    write(config, tmp_path)
    seen = 0
    for _ in range(4):
        with Daemon(config, tmp_path / "data") as daemon:
            daemon.wait_ready()
            until(lambda: len(rows(database, "energy", "work")) > seen + 20, "readings")  # noqa: B023  # called at once
            daemon.kill()
        seen = check(database)
    with Daemon(config, tmp_path / "data") as daemon:
        daemon.wait_ready()
        write(config, tmp_path, "0.5")
        daemon.signal(signal.SIGHUP)
        until(lambda: "energy" in daemon.log.read_text().rpartition("reload: started")[2], "the reload")
        verb = [sys.executable, "-m", "sensorlogd", "recompute", "energy", "--since", "-1h", "--yes", "-c", str(config)]
        done = subprocess.run(verb, capture_output=True, text=True, timeout=120, check=True, cwd=Path(__file__).parents[2])
        assert "energy.power = power(u, i, 0.5)" in done.stdout
        advised = done.stdout.partition("others than they were; to take that back: ")[2].strip()
        assert advised == "sensorlogd flag --undo 2 && sensorlogd flag --undo 1"
        sensors = {sensor["sensor"]: sensor for sensor in daemon.ask("status")["sensors"]}
        assert sensors["energy"]["state"] == "reading"
        until(lambda: len(rows(database, "energy", "work")) > seen + 20, "readings")
        assert daemon.stop() == 0
    assert check(database, 0.5) > seen
    for command in advised.split(" && "):
        verb = [sys.executable, "-m", *command.split(), "-c", str(config)]
        subprocess.run(verb, capture_output=True, timeout=120, check=True, cwd=Path(__file__).parents[2])
    with contextlib.closing(sqlite3.connect(database)) as conn:
        assert conn.execute("SELECT count(*), count(undone_us) FROM mend").fetchone() == (2, 2)
