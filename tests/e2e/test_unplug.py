"""Unplugged and replugged: nothing that arrived while plugged is lost, and nobody is told the same thing every second."""

from __future__ import annotations

import json
import os
from pathlib import Path

from tests.rig import Daemon, Port, reading, rows, until

TIMES = 10


def configuration(folder: Path, *ports: Path) -> Path:
    path = folder / "sensorlogd.yaml"
    path.write_text(
        json.dumps(
            {
                "daemon": {"data_dir": str(folder / "data")},
                "storage": {"commit_interval": "20ms", "min_free": "0B"},
                "sensors": {
                    f"device{n}": {
                        "driver": "serial",
                        "port": str(port),
                        "heartbeat": "1h",
                        "format": {"type": "csv", "fields": ["n", "square"]},
                    }
                    for n, port in enumerate(ports)
                },
            }
        )
    )
    return path


def test_ten_times_unplugged_and_replugged(tmp_path: Path) -> None:
    """Every line that was sent while the port was open is in the database, in order."""
    port = Port(tmp_path / "tty")
    database = tmp_path / "data" / "sensorlogd.db"
    sent: list[float] = []
    try:
        with Daemon(configuration(tmp_path, port.path), tmp_path / "data") as daemon:
            daemon.wait_ready()
            for plugged in range(TIMES + 1):
                until(port.opened, "the port to be opened")
                for _ in range(50):
                    n = len(sent)
                    port.send(b"%d,%d\r\n" % (n, n * n))
                    sent.append(float(n))
                until(port.drained, "the daemon to read everything")
                until(lambda: len(rows(database, "device0", "n")) >= len(sent), f"all lines of plugging {plugged}")
                if plugged < TIMES:
                    port.unplug()
                    until(lambda: _state(daemon) == "backing_off", "the loss to be noticed")
                    port.plug()
            assert daemon.stop() == 0
    finally:
        port.close()
    assert [value for _, _, value, _ in rows(database, "device0", "n")] == sent
    assert [value for _, _, value, _ in rows(database, "device0", "square")] == [n * n for n in sent]
    with reading(database) as conn:
        kinds = [kind for (kind,) in conn.execute("SELECT kind FROM event WHERE sensor = 'device0' ORDER BY id")]
    # One 'lost' per cause (the device has gone, then no such port), one 'connected' per return.
    assert kinds.count("connected") == TIMES + 1
    assert TIMES <= kinds.count("lost") <= 2 * TIMES


def _state(daemon: Daemon) -> str:
    return str(daemon.ask("status")["sensors"][0]["state"])


def test_a_missing_port_says_so_once_and_hurts_no_other(tmp_path: Path) -> None:
    """One port never exists: its sensor waits and says why once; the other one logs."""
    port = Port(tmp_path / "tty")
    try:
        with Daemon(configuration(tmp_path, port.path, tmp_path / "nowhere"), tmp_path / "data") as daemon:
            daemon.wait_ready()
            until(port.opened, "the port to be opened")
            port.send(b"1,1\n")
            sensors = until(lambda: _retried(daemon, "device1"), "several attempts")
            assert str(sensors["device1"]["last_error"]).startswith(f"{tmp_path / 'nowhere'}: no such port; plug the device in")
            until(lambda: rows(tmp_path / "data" / "sensorlogd.db", "device0"), "the other sensor's readings")
            assert daemon.stop() == 0
    finally:
        port.close()
    with reading(tmp_path / "data" / "sensorlogd.db") as conn:
        assert conn.execute("SELECT count(*) FROM event WHERE sensor = 'device1'").fetchone() == (1,)


def _retried(daemon: Daemon, sensor: str) -> dict[str, dict[str, object]] | None:
    sensors = {entry["sensor"]: entry for entry in daemon.ask("status")["sensors"]}
    return sensors if sensors[sensor]["counters"].get("attempts", 0) >= 5 else None


def test_a_busy_port_names_who_has_it(tmp_path: Path) -> None:
    """A second sensorlogd on the same port waits, and says which process holds it."""
    port = Port(tmp_path / "tty")
    try:
        first_folder, second_folder = tmp_path / "first", tmp_path / "second"
        first_folder.mkdir()
        second_folder.mkdir()
        with (
            Daemon(configuration(first_folder, port.path), first_folder / "data") as first,
        ):
            first.wait_ready()
            until(port.opened, "the port to be opened")
            with Daemon(configuration(second_folder, port.path), second_folder / "data") as second:
                second.wait_ready()
                until(lambda: _state(second) == "backing_off", "the second to be refused")
                error = second.ask("status")["sensors"][0]["last_error"]
                assert "busy" in error
                # The test holds the pty's other name open too; either of the two is a true answer.
                assert any(f"(pid {pid})" in error for pid in (first.process.pid, os.getpid()))
                assert second.stop() == 0
            assert first.stop() == 0
    finally:
        port.close()
