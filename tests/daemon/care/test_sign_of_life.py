"""A sign of life only while readings are committed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from sensorlogd.config.care import HeartbeatOptions
from tests.daemon.care.rig import configuration, events_of
from tests.faults.test_blocked import locked
from tests.rig import Daemon, until


class Monitor:
    """Counts GETs, on loopback."""

    def __init__(self) -> None:
        self.pings = 0
        self.status = 200
        monitor = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                monitor.pings += 1
                self.send_response(monitor.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self.url = f"http://127.0.0.1:{self._server.server_port}/s3cret"

    def __enter__(self) -> Monitor:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def monitor() -> Iterator[Monitor]:
    with Monitor() as made:
        yield made


def test_the_sign_of_life_stays_away_while_nothing_is_committed(tmp_path: Path, monitor: Monitor) -> None:
    """And comes again; its address is in no log."""
    config = configuration(tmp_path, heartbeat={"url": monitor.url, "every": "1s"})
    with Daemon(config, tmp_path / "data") as daemon:
        daemon.wait_ready()
        until(lambda: monitor.pings > 1, "signs of life")
        with locked(tmp_path / "data" / "sensorlogd.db"):
            until(lambda: daemon.ask("status")["daemon"]["state"] == "blocked", "state blocked")
            blocked = monitor.pings
            depth = daemon.ask("status")["daemon"]["inbox_depth"]
            until(lambda: daemon.ask("status")["daemon"]["inbox_depth"] > depth + 60, "three seconds to pass")
            assert monitor.pings <= blocked + 1
        until(lambda: monitor.pings > blocked + 2, "signs of life again")
        monitor.status = 500
        until(lambda: any(kind == "heartbeat_failing" for kind, _ in events_of(tmp_path)), "an event")
        monitor.status = 200
        until(lambda: any(kind == "heartbeat_recovered" for kind, _ in events_of(tmp_path)), "another one")
        assert daemon.stop() == 0
        assert "s3cret" not in daemon.log.read_text()
    assert "s3cret" not in str(events_of(tmp_path))


def test_one_address_and_no_secret_in_mistakes() -> None:
    with pytest.raises(ValueError, match="is not an address") as caught:
        HeartbeatOptions.model_validate({"url": "htp:s3cret"})
    assert "write e.g." in str(caught.value)
