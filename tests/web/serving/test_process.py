"""The web process of a real daemon: it serves what is logged, and whatever happens to it, logging goes on."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from sensorlogd.daemon.web_process import WebProcess
from sensorlogd.web.settings import Settings
from tests.ports import free_port
from tests.rig import DEADLINE_S, Daemon, reading, until

SENSOR = "greenhouse"  # whose channel temperature is the example of the API's description


def write_config(folder: Path, **web: Any) -> Path:
    """Two channels of a simulated sensor every 50 ms."""
    channels = {"temperature": {"unit": "V", "signal": {"counter": {"step": 1}}}, "noise": {"signal": {"noise": {"stddev": 1}}}}
    config = {
        "daemon": {"data_dir": str(folder / "data")},
        "storage": {"commit_interval": "100ms", "min_free": "1MB"},
        "web": {"listen": "127.0.0.1:0"} | web,
        "sensors": {SENSOR: {"driver": "simulated", "interval": "50ms", "channels": channels}},
    }
    path = folder / "sensorlogd.yaml"
    path.write_text(json.dumps(config))
    return path


def facts(daemon: Daemon) -> dict[str, Any]:
    found: dict[str, Any] = daemon.ask("status")["daemon"]
    return found


def url(daemon: Daemon) -> str:
    return until(lambda: str(facts(daemon)["web_url"]), "the pages")


def web_pid(daemon: Daemon) -> int:
    for task in Path(f"/proc/{daemon.process.pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            try:
                command = Path(f"/proc/{child}/cmdline").read_bytes()
            except OSError:
                continue
            if b"sensorlogd.web" in command:
                return int(child)
    return 0


def get(address: str, path: str) -> Any:
    answer = httpx.get(address.rstrip("/") + path, trust_env=False, timeout=DEADLINE_S)
    assert answer.status_code == 200, answer.text
    return answer.json()


def loaded(pid: int, part: bytes) -> bool:
    """Whether a file of this name is mapped into the process or one of its children."""
    children = [child for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()]
    return any(part in Path(f"/proc/{process_id}/maps").read_bytes() for process_id in [str(pid), *children])


def committed(daemon: Daemon) -> int:
    return int(facts(daemon)["committed"])


def events(daemon: Daemon, kind: str) -> list[str]:
    with reading(daemon.data_dir / "sensorlogd.db") as conn:
        return [detail for (detail,) in conn.execute("SELECT detail FROM event WHERE kind = ?", (kind,))]


def test_what_reads_the_configuration_is_not_in_its_memory(tmp_path: Path) -> None:
    """pydantic alone is 10 MB, and a Pi Zero has 512."""
    with Daemon(write_config(tmp_path), tmp_path / "data", web=True).wait_ready() as daemon:
        address = url(daemon)
        until(lambda: committed(daemon) > 20, "readings")
        for path in ("/", "/api/v1/sensors", "/api/v1/status", "/api/v1/buckets?series=*.*&max_points=10", "/api/v1/database"):
            assert httpx.get(address.rstrip("/") + path, trust_env=False, timeout=DEADLINE_S).status_code == 200, path
        pid = web_pid(daemon)
        assert loaded(pid, b"_sqlite3.")
        assert not loaded(pid, b"pydantic_core")
        assert loaded(daemon.process.pid, b"pydantic_core")  # it would be seen here


def test_values_over_http_are_those_of_the_database(tmp_path: Path) -> None:
    """And a clean stop ends the web process first: a single file is left, without a WAL."""
    with Daemon(write_config(tmp_path), tmp_path / "data", web=True).wait_ready() as daemon:
        address = url(daemon)
        until(lambda: committed(daemon) > 20, "readings")
        rows = get(address, "/api/v1/readings?series=greenhouse.temperature&limit=10")["readings"]
        assert [row["value"] for row in rows] == list(range(10))
        until(lambda: get(address, "/api/v1/status")["daemon"].get("web_url") == address, "the address in the status")
        assert httpx.get(f"{address}ready", trust_env=False).status_code == 200
        assert [sensor["health"] for sensor in get(address, "/api/v1/sensors")["sensors"]] == ["ok"]
        pid = web_pid(daemon)
        assert pid
        with httpx.stream("GET", f"{address}api/v1/stream", trust_env=False, timeout=DEADLINE_S) as viewer:
            assert next(viewer.iter_lines()).startswith("retry")
            assert daemon.stop() == 0
            viewer.close()
        assert not Path(f"/proc/{pid}").exists()
    assert (tmp_path / "data" / "sensorlogd.db").exists()
    assert list((tmp_path / "data").glob("sensorlogd.db-*")) == []
    conn = sqlite3.connect(tmp_path / "data" / "sensorlogd.db")
    assert conn.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    conn.close()


def another_pid(daemon: Daemon, gone: int) -> bool:
    return web_pid(daemon) not in (0, gone)


def test_a_web_process_that_dies_or_hangs_is_replaced_and_logging_goes_on(tmp_path: Path) -> None:
    """Every reading of the counter is there, however often the pages were killed; it is told once."""
    with Daemon(write_config(tmp_path), tmp_path / "data", web=True).wait_ready() as daemon:
        for _ in range(2):
            url(daemon)
            pid = web_pid(daemon)
            os.kill(pid, signal.SIGKILL)
            until(partial(another_pid, daemon, pid), "another process")
        address = url(daemon)
        until(lambda: facts(daemon)["web_restarts"] == 2, "the count of restarts")
        until(lambda: events(daemon, "web_recovered"), "the event")
        assert set(events(daemon, "web_down")) == {"ended by signal 9"}
        daemon.commit()
        rows = get(address, "/api/v1/readings?series=greenhouse.temperature&limit=100000")["readings"]
        assert [row["value"] for row in rows] == list(range(len(rows)))
        os.kill(web_pid(daemon), signal.SIGSTOP)
        assert daemon.stop() == 0


def test_a_question_that_needs_too_much_memory_is_told_so(tmp_path: Path) -> None:
    """Its worker ends; the web process stays, small, and answers the next question."""
    path = write_config(tmp_path, memory_limit="64MB")
    with Daemon(path, tmp_path / "data", web=True).wait_ready() as daemon:
        address = url(daemon)
        first = web_pid(daemon)
        wide = f"{address}api/v1/buckets?series=greenhouse&every=1ms&since=-45s&fill=null"
        answer = httpx.get(wide, trust_env=False, timeout=DEADLINE_S)
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "takes_too_much")
        assert "more than 32 MB of memory" in answer.json()["error"]["message"]
        assert get(address, "/api/v1/events")["events"]
        script = "import sys; from sensorlogd.daemon.web_process import resident_bytes; print(resident_bytes(int(sys.argv[1])))"
        used = int(subprocess.run([sys.executable, "-c", script, str(first)], capture_output=True, check=True).stdout)
        assert 10_000_000 < used < 64_000_000
        assert web_pid(daemon) == first
        assert not events(daemon, "web_down")


def test_a_web_process_that_grows_is_replaced(tmp_path: Path) -> None:
    """The limit is the settings', and the event says what it needed."""
    details: list[str] = []
    settings = Settings(tmp_path / "log.db", port=0, memory_limit_bytes=20_000_000)
    process = WebProcess(settings, lambda kind, _, detail: details.append(f"{kind}: {detail}"))
    try:

        def replaced() -> bool:
            process.tick()
            process.on_readable()
            return bool(details)

        until(replaced, "the event")
        assert re.fullmatch(r"web_down: needed \d+ MB of memory, web.memory_limit is 20 MB", details[0])
        until(lambda: replaced() and process.restarts > 0, "another process")
    finally:
        process.stop()


def test_a_web_process_that_is_stopped_is_replaced(tmp_path: Path) -> None:
    """It says nothing any more: the daemon ends it, and another serves."""
    with Daemon(write_config(tmp_path), tmp_path / "data", web=True).wait_ready() as daemon:
        url(daemon)
        first = web_pid(daemon)
        os.kill(first, signal.SIGSTOP)
        until(lambda: web_pid(daemon) not in (0, first), "another process", 90.0)
        assert events(daemon, "web_down") == ["has hung for 25 s"]
        until(lambda: events(daemon, "web_recovered"), "the event")
        assert get(url(daemon), "/health") == {"status": "ok"}


def test_a_port_that_is_taken_is_told_and_tried_again(tmp_path: Path) -> None:
    """Logging does not wait for it; the pages come when it is free."""
    with socket.socket() as taken:
        port = free_port()
        taken.bind(("127.0.0.1", port))
        taken.listen()
        daemon = Daemon(write_config(tmp_path, listen=f"127.0.0.1:{port}"), tmp_path / "data", web=True).wait_ready()
        with daemon:
            until(lambda: events(daemon, "web_down"), "the event")
            assert events(daemon, "web_down") == [f"cannot listen on 127.0.0.1:{port}: Address already in use"]
            assert "in use" in facts(daemon)["web_error"]
            until(lambda: committed(daemon) > 5, "readings")
            taken.close()
            assert get(url(daemon), "/health") == {"status": "ok"}
            daemon.stop()


def test_the_web_process_goes_with_a_daemon_that_is_killed(tmp_path: Path) -> None:
    """Nothing is left that holds the port or the database."""
    daemon = Daemon(write_config(tmp_path), tmp_path / "data", web=True).wait_ready()
    url(daemon)
    pid = web_pid(daemon)
    daemon.kill()
    until(lambda: not Path(f"/proc/{pid}").exists(), "the end of the web process")


def test_a_reload_changes_the_pages(tmp_path: Path) -> None:
    """Another address, then none, then a token: no restart of the daemon is needed."""
    path, port = write_config(tmp_path), free_port()
    with Daemon(path, tmp_path / "data", web=True).wait_ready() as daemon:
        url(daemon)
        write_config(tmp_path, listen=f"127.0.0.1:{port}", auth="token")
        assert daemon.ask("reload")["ok"]
        until(lambda: facts(daemon)["web_url"] == f"http://127.0.0.1:{port}/", "the new address")
        assert httpx.get(f"http://127.0.0.1:{port}/api/v1/latest", trust_env=False).status_code == 401
        shown = subprocess.run(
            [sys.executable, "-m", "sensorlogd", "web", "token", "-c", str(path)], capture_output=True, text=True, check=True
        ).stdout.strip()
        assert shown.startswith(f"http://127.0.0.1:{port}/login?token=")
        with httpx.Client(trust_env=False, follow_redirects=True) as browser:
            assert "sensorlogd" in browser.get(shown).text
            assert browser.get(f"http://127.0.0.1:{port}/api/v1/latest").status_code == 200
        write_config(tmp_path, enabled=False)
        assert daemon.ask("reload")["ok"]
        until(lambda: facts(daemon)["web_state"] == "off", "no pages")
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"http://127.0.0.1:{port}/", trust_env=False)
        assert daemon.stop() == 0
