"""What a monitoring system is told."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

from sensorlogd.daemon.main.process.lock import DatabaseLock
from sensorlogd.storage.ingest import status
from sensorlogd.web.settings import Settings
from tests import needs
from tests.connections import connect_writer
from tests.rig import until
from tests.web.conftest import S, Served, make_database, serving

FACTS = {
    "pid": os.getpid(), "version": "9.9", "started_us": 5 * S, "clean_shutdown": False, "commit_interval_us": S, "state": "writing",
    "committed": 780, "commits": 4, "commit_s": 0.5, "last_commit_us": 5 * S, "inbox_depth": 7, "inbox_limit": 1000, "clean_start": False,
}  # fmt: skip


def running_log(fresh: Path, path: Path) -> Path:
    """A log whose daemon gave a sign of life just now; ``lab``'s last reading is ten seconds old."""
    now = time.time_ns() // 1000
    make_database(fresh, path, now - 7200 * S)
    conn = connect_writer(path)
    conn.execute("BEGIN IMMEDIATE")
    status.save_daemon(conn, FACTS | {"heartbeat_us": now})
    conn.execute('UPDATE sensor_status SET counters = \'{"readings": 780, "dropped": 3, "reconnects": 2}\' WHERE sensor_id = 1')
    conn.execute("COMMIT")
    conn.close()
    return path


def test_a_daemon_that_was_killed_is_down_at_once(fresh: Path, tmp_path: Path) -> None:
    """A fresh note of its own does not make it run: nobody holds the database."""
    with serving(Settings(running_log(fresh, tmp_path / "log.db"))) as running:
        assert samples(running.client.get("/metrics").text)["sensorlogd_up"] == 0
        answer = running.client.get("/ready")
        assert (answer.status_code, f"the daemon is crashed: pid {os.getpid()}" in answer.json()["error"]["message"]) == (
            503,
            True,
        )


def samples(text: str) -> dict[str, float]:
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines}


def test_counts_are_those_of_the_daemon(fresh: Path, tmp_path: Path) -> None:
    """Readings, losses, reconnects, inbox, commits, sizes, roll-ups, clean start; values only on request."""
    path = running_log(fresh, tmp_path / "log.db")
    with DatabaseLock(path, None), serving(Settings(path)) as running:
        found = samples(running.client.get("/metrics").text)
        assert found["sensorlogd_up"] == found["sensorlogd_writing"] == 1
        assert found["sensorlogd_clean_start"] == 0
        assert found["sensorlogd_readings_total"] == 780
        assert (found["sensorlogd_commit_duration_seconds_sum"], found["sensorlogd_commit_duration_seconds_count"]) == (0.5, 4)
        assert 0 <= found["sensorlogd_last_commit_age_seconds"] < 60
        assert found["sensorlogd_inbox_readings"] == 7
        assert found["sensorlogd_database_bytes"] > 10_000
        assert 0 <= found["sensorlogd_rollup_lag_seconds"] < 60
        assert found['sensorlogd_sensor_readings_total{sensor="lab"}'] == 780
        assert found['sensorlogd_sensor_reconnects_total{sensor="lab"}'] == 2
        assert found['sensorlogd_sensor_faults_total{kind="dropped",sensor="lab"}'] == 3
        assert (found['sensorlogd_sensor_up{sensor="lab"}'], found['sensorlogd_sensor_up{sensor="roof"}']) == (1, 0)
        assert found['sensorlogd_sensor_state{sensor="roof",sensorlogd_sensor_state="failed"}'] == 1
        assert not any(name.startswith("sensorlogd_value") for name in found)
        found = samples(running.client.get("/metrics?values=1&series=lab").text)
        assert found['sensorlogd_value{channel="t",room="2",sensor="lab",unit="°C"}'] == 22.9
        assert found['sensorlogd_value{channel="n",room="2",sensor="lab",unit=""}'] == 7140
        assert running.get("/ready") == {"status": "ready"}


def test_both_formats_are_what_they_say(fresh: Path, tmp_path: Path) -> None:
    """promtool has nothing to object to; OpenMetrics for whoever asks for it."""
    promtool = needs.tool("promtool", "prometheus")
    with serving(Settings(running_log(fresh, tmp_path / "log.db"))) as running:
        answer = running.client.get("/metrics?values=1")
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
        done = subprocess.run([promtool, "check", "metrics"], input=answer.text, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout + done.stderr) == (0, "")
        answer = running.client.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
        assert answer.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
        assert answer.text.endswith("# EOF\n")


def test_a_log_without_a_daemon_is_not_ready(served: Served) -> None:
    """The process lives, the metrics say that nothing runs, and why it is not ready is told."""
    assert served.client.get("/health").status_code == 200
    answer = served.client.get("/ready")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "not_ready")
    assert "no daemon has run" in answer.json()["error"]["message"]
    assert samples(served.client.get("/metrics").text)["sensorlogd_up"] == 0


def test_without_a_database_the_process_still_lives(tmp_path: Path) -> None:
    """/health asks nothing of it; /ready says what is missing."""
    with serving(Settings(tmp_path / "none.db")) as running:
        until(lambda: running.client.get("/health").status_code == 200, "a worker that answers")
        answer = running.client.get("/ready")
        assert (answer.status_code, "no such database" in answer.text) == (503, True)
        assert running.client.get("/metrics").status_code == 503
