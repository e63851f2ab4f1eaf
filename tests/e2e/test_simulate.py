"""Pretend instruments on real ptys, a real daemon: the database holds what was truly measured, and nothing that was damaged."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.rig import Daemon, rows, until

ROOT = Path(__file__).parents[2]


@contextmanager
def simulated(folder: Path, protocol: str, *arguments: str, patient: bool = True) -> Iterator[Path]:
    """``sensorlogd simulate``; gives the link to its port, which is there. Told to end, unless it has come to its end itself."""
    link = folder / f"{protocol}.port"
    with (folder / f"{protocol}.err").open("wb") as errors:
        process = subprocess.Popen(
            [
                sys.executable, "-m", "tests.patient_simulate" if patient else "sensorlogd", "simulate", protocol, "--link", str(link), "--truth", str(folder / f"{protocol}.truth"),
                *arguments,
            ],
            cwd=ROOT, stdin=subprocess.DEVNULL, stdout=errors, stderr=errors,
        )  # fmt: skip
        try:
            until(lambda: link.is_symlink() or process.poll() is not None, f"the port of {protocol}")
            yield link
        finally:
            if link.is_symlink():
                process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0, (folder / f"{protocol}.err").read_text()
    assert not link.is_symlink()


def truth(folder: Path, protocol: str) -> dict[str, list[float]]:
    """channel -> the values that were sent intact, in order."""
    found: dict[str, list[float]] = {}
    for line in (folder / f"{protocol}.truth").read_text().splitlines():
        row = json.loads(line)
        found.setdefault(row["channel"], []).append(row["value"])
    return found


def configuration(folder: Path, sensors: Mapping[str, object]) -> Path:
    path = folder / "sensorlogd.yaml"
    path.write_text(
        json.dumps(
            {
                "daemon": {"data_dir": str(folder / "data")},
                "storage": {"commit_interval": "50ms", "min_free": "0B"},
                "sensors": sensors,
            }
        )
    )
    return path


def test_every_protocol_is_logged_to_the_last_digit(tmp_path: Path) -> None:
    """All values of all channels that were sent while the port was open, in order; polled ones as they were when asked."""
    sensors: dict[str, dict[str, Any]] = {
        "csv": {"driver": "serial", "format": {"type": "csv", "fields": ["temperature", "humidity"]}},
        "nmea": {"driver": "nmea", "channels": {"altitude": {}, "depth": {}}},
        "pms": {"profile": "plantower-pms5003"},
        "vedirect": {"profile": "victron-vedirect"},
        "p1": {"profile": "dsmr-p1"},
        "mhz19b": {"profile": "winsen-mhz19b", "interval": "100ms"},
        "sics": {"profile": "mettler-sics", "interval": "100ms"},
        "modbus-rtu": {
            "driver": "modbus", "interval": "100ms", "function": "input", "turnaround": "2s",
            "channels": {
                "voltage": {"address": 0, "scale": 0.1},
                "temperature": {"address": 1, "type": "i16", "scale": 0.1},
                "energy": {"address": 2, "type": "u32", "scale": 0.001},
            },
        },
    }  # fmt: skip
    database = tmp_path / "data" / "sensorlogd.db"
    running = {name: simulated(tmp_path, name, "--interval", "50ms", "--count", "30") for name in sensors}
    for name, simulation in running.items():
        sensors[name] = {**sensors[name], "port": str(simulation.__enter__()), "heartbeat": "1h"}
    try:
        with Daemon(configuration(tmp_path, sensors), tmp_path / "data") as daemon:
            daemon.wait_ready()
            # Not before all have sent: the truth is complete when the port has gone.
            until(lambda: not any((tmp_path / f"{name}.port").is_symlink() for name in sensors), "all frames to be sent")
            for name in sensors:
                for channel, values in truth(tmp_path, name).items():
                    if name == "nmea" and channel not in ("altitude", "depth"):
                        continue
                    assert len(values) >= 25
                    until(partial(holds, database, name, channel, values), f"{name}.{channel} to be what was sent")
            assert daemon.stop() == 0
    finally:
        for simulation in running.values():
            simulation.__exit__(None, None, None)


@pytest.mark.parametrize("protocol", ["pms", "vedirect", "p1"])
def test_what_is_damaged_is_counted_and_never_stored(tmp_path: Path, protocol: str) -> None:
    """Wrong checksums, flipped bits, garbage before frames, frames that are missing."""
    profile = {"pms": "plantower-pms5003", "vedirect": "victron-vedirect", "p1": "dsmr-p1"}[protocol]
    channel = {"pms": "pm25", "vedirect": "voltage", "p1": "power"}[protocol]
    database = tmp_path / "data" / "sensorlogd.db"
    faults = ("wrong-checksum:0.2", "bit-errors:2e-4", "dropout:0.1")
    arguments = [part for fault in faults for part in ("--fault", fault)]
    with simulated(tmp_path, protocol, "--interval", "20ms", "--count", "150", "--seed", "3", *arguments) as link:
        sensors: dict[str, object] = {"s": {"profile": profile, "port": str(link), "heartbeat": "1h"}}
        with Daemon(configuration(tmp_path, sensors), tmp_path / "data") as daemon:
            daemon.wait_ready()
            until(lambda: not link.is_symlink(), "all frames to be sent")
            expected = truth(tmp_path, protocol)[channel]
            stored = until(
                lambda: (found := [value for _, _, value, _ in rows(database, "s", channel)])[-1:] == expected[-1:] and found,
                "the last intact frame",
            )
            assert daemon.stop() == 0
    assert 80 < len(expected) < 130
    if protocol == "vedirect":
        # A block carries no mark at its beginning: damage costs the block behind it, too; what is stored is still true.
        rest: Iterator[float | None] = iter(expected)
        assert all(value in rest for value in stored)
        assert len(stored) > len(expected) // 2
    else:
        assert stored == expected


def test_a_cable_that_comes_and_goes(tmp_path: Path) -> None:
    """Every ten frames the port vanishes; whatever was sent while it was there is stored, and each loss is an event."""
    database = tmp_path / "data" / "sensorlogd.db"
    with simulated(tmp_path, "csv", "--interval", "20ms", "--count", "45", "--fault", "disconnect:every=10,for=200ms") as link:
        sensors: dict[str, object] = {
            "s": {
                "driver": "serial",
                "port": str(link),
                "heartbeat": "1h",
                "format": {"type": "csv", "fields": ["temperature", "humidity"]},
            }
        }
        with Daemon(configuration(tmp_path, sensors), tmp_path / "data") as daemon:
            daemon.wait_ready()
            until(
                lambda: not link.is_symlink() and len(truth(tmp_path, "csv").get("humidity", [])) >= 44, "all frames to be sent"
            )
            expected = truth(tmp_path, "csv")["humidity"]
            until(lambda: [value for _, _, value, _ in rows(database, "s", "humidity")] == expected, "all that was sent")
            assert daemon.stop() == 0
    assert "4 disconnect" in (tmp_path / "csv.err").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["csv", "--fault", "wrong-checksum"], "csv has no checksum"),
        (["pms", "--set", "pm3=1"], "there is no channel 'pm3'"),
        (["pms", "--interval", "1us"], "below 1ms"),
        (["morse"], "is not one of"),
        (["csv", "--link", "/proc/nothing/port"], "--link"),
    ],
)
def test_mistakes_are_told_in_a_line(arguments: list[str], message: str) -> None:
    """And nothing is left behind."""
    done = subprocess.run(
        [sys.executable, "-m", "sensorlogd", "simulate", *arguments, "--for", "1s"],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=60, env=os.environ | {"COLUMNS": "200"},
    )  # fmt: skip
    assert done.returncode in (1, 2)
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def holds(database: Path, name: str, channel: str, values: list[float]) -> bool:
    return [value for _, _, value, _ in rows(database, name, channel)] == values
