"""The daemon writes, moves and rolls up while its log is read in Python."""

from __future__ import annotations

import json
from pathlib import Path

import sensorlogd
from tests.rig import Daemon, rows

READINGS = 300


def test_a_log_is_followed_and_asked_while_the_daemon_writes(tmp_path: Path) -> None:
    """What the tail gives is what is stored, in the end, without a gap."""
    ramp = {"signal": {"ramp": {"high": 100, "period": "10s"}}, "unit": "V", "valid": [-1e9, 1e9]}
    configuration = tmp_path / "sensorlogd.yaml"
    configuration.write_text(
        json.dumps(
            {
                "daemon": {"data_dir": str(tmp_path / "data"), "timezone": "Europe/Berlin"},
                "storage": {"commit_interval": "50ms", "min_free": "0B"},
                "sensors": {"lab": {"driver": "simulated", "interval": "5ms", "channels": {"a": ramp, "b": ramp}}},
            }
        )
    )
    database = tmp_path / "data" / "sensorlogd.db"
    with Daemon(configuration, tmp_path / "data") as daemon, sensorlogd.open(daemon.wait_ready().config) as log:
        assert log.tz == "Europe/Berlin"
        found = []
        tail = log.tail("lab", since="-1h", duration="2min")
        for reading in tail:
            found.append((reading.ts_us, reading.series.channel))
            if len(found) % 50 == 0:
                newest = {reading.series.channel: reading for reading in log.latest("lab.*")}
                assert newest["a"].value is not None
                assert sum(row["count"] for row in log.query("lab", reading.ts_us, reading.ts_us + 1, every="1s")) == 2
            if len(found) == READINGS:
                tail.stop()
        assert len(found) == READINGS
        daemon.stop()
        stored = sorted((ts, channel) for ts, channel, _, _ in rows(database, "lab"))
        assert sorted(found) == stored[:READINGS]
        assert tail.late == []
