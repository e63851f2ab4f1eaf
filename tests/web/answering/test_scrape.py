"""Prometheus itself takes what /metrics says."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import httpx

from sensorlogd.daemon.main.process.lock import DatabaseLock
from sensorlogd.web import token
from sensorlogd.web.settings import Settings
from tests import needs
from tests.ports import free_port
from tests.rig import DEADLINE_S, until
from tests.web.answering.test_metrics import running_log
from tests.web.conftest import serving


def test_prometheus_scrapes_it(fresh: Path, tmp_path: Path) -> None:
    """With the token, as OpenMetrics; counters, states and values arrive with their labels."""
    prometheus = needs.tool("prometheus", "prometheus")
    path = tmp_path / token.NAME
    settings = Settings(running_log(fresh, tmp_path / "log.db"), auth="token", token_file=path)
    right, port = token.ensure(path), free_port()
    with DatabaseLock(tmp_path / "log.db", None), serving(settings) as running:
        job = {
            "job_name": "sensorlogd",
            "scrape_interval": "1s",
            "params": {"values": ["1"]},
            "authorization": {"credentials": right},
            "static_configs": [{"targets": [running.url.removeprefix("http://")]}],
        }
        (tmp_path / "prometheus.yml").write_text(json.dumps({"scrape_configs": [job]}))
        command = [
            prometheus, f"--config.file={tmp_path}/prometheus.yml", f"--storage.tsdb.path={tmp_path}/tsdb",
            f"--web.listen-address=127.0.0.1:{port}", "--log.level=error",
        ]  # fmt: skip
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        try:

            def ask(query: str) -> list[Any]:
                try:
                    url = f"http://127.0.0.1:{port}/api/v1/query"
                    answer = httpx.get(url, params={"query": query}, trust_env=False, timeout=DEADLINE_S)
                except httpx.TransportError:
                    return []
                found: list[Any] = answer.json()["data"]["result"] if answer.status_code == 200 else []
                return [{key: text for key, text in sample["metric"].items() if key not in ("job", "instance")} | {"is": sample["value"][1]}
                        for sample in found]  # fmt: skip

            until(lambda: ask("sensorlogd_up"), "a scrape")
            assert [sample["is"] for sample in ask('up{job="sensorlogd"}')] == ["1"]
            assert ask('sensorlogd_sensor_faults_total{sensor="lab"}') == [
                {"__name__": "sensorlogd_sensor_faults_total", "sensor": "lab", "kind": "dropped", "is": "3"}
            ]
            assert ask('sensorlogd_value{channel="t"}') == [
                {"__name__": "sensorlogd_value", "sensor": "lab", "channel": "t", "unit": "°C", "room": "2", "is": "22.9"}
            ]
            assert ask('sensorlogd_sensor_state{sensor="roof"} == 1')[0]["sensorlogd_sensor_state"] == "failed"
        finally:
            process.terminate()
            process.wait(DEADLINE_S)
