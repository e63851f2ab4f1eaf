"""Backups that are proven and few, and a sign of life only while readings are committed."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast

import pytest

from sensorlogd.config.care import BackupOptions, HeartbeatOptions
from sensorlogd.daemon.backups_and_pings import BackupsAndPings, backups, when_us
from tests.faults.test_blocked import locked
from tests.rig import Daemon, reading, until

NOW_US = 1_800_000_000_000_000
DAY_US = 86_400_000_000


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


def configuration(folder: Path, **more: Any) -> Path:
    path = folder / "sensorlogd.yaml"
    whole = {
        "daemon": {"data_dir": str(folder / "data")},
        "storage": {"commit_interval": "50ms", "min_free": "0B"},
        "sensors": {"s": {"driver": "simulated", "interval": "50ms", "channels": {"x": {"signal": {"constant": {"value": 1}}}}}},
    }
    path.write_text(json.dumps(whole | more))
    return path


def events_of(folder: Path) -> list[tuple[str, str]]:
    with reading(folder / "data" / "sensorlogd.db") as conn:
        return conn.execute("SELECT kind, detail FROM event ORDER BY id").fetchall()


def test_a_daemon_makes_backups_and_keeps_few(tmp_path: Path) -> None:
    """The first soon; each is a database that can be read. The oldest give way; what is none of ours stays."""
    target = tmp_path / "backups"
    target.mkdir()
    for name in (
        "sensorlogd-20200101T000000Z.db",
        "sensorlogd-20210101T000000Z.db",
        "other-20200101T000000Z.db",
        "sensorlogd.db",
    ):
        (target / name).write_bytes(b"old")
    config = configuration(tmp_path, backup={"to": str(target), "keep": 2})
    with Daemon(config, tmp_path / "data") as daemon:
        daemon.wait_ready()
        until(lambda: [text for kind, text in events_of(tmp_path) if kind == "backup_made"], "a backup")
        assert daemon.stop() == 0
    names = sorted(path.name for path in target.iterdir())
    assert names[:2] == ["other-20200101T000000Z.db", "sensorlogd-20210101T000000Z.db"]
    assert len(names) == 4
    conn = sqlite3.connect(target / names[2])
    assert conn.execute("SELECT count(*) FROM recent").fetchone()[0] >= 0
    assert conn.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    conn.close()


def test_a_backup_that_fails_is_an_event(tmp_path: Path) -> None:
    """With its reason; an alarm may tell it."""
    config = configuration(
        tmp_path,
        backup={"to": str(tmp_path / "nowhere")},
        notify={"me": {"command": ["sh", "-c", f"cat >> {tmp_path}/told"], "group": "0s"}},
        alarms={"stale": {"events": "backup_failed", "until": "backup_made", "notify": "me"}},
    )
    with Daemon(config, tmp_path / "data") as daemon:
        daemon.wait_ready()
        until(lambda: (tmp_path / "told").exists() and (tmp_path / "told").read_text(), "to be told")
        assert daemon.stop() == 0
    assert "no such folder" in json.loads((tmp_path / "told").read_text())["text"]


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


def test_backups_are_due_by_their_names(tmp_path: Path) -> None:
    """Those of this database only; a restart makes none before its time."""
    tasks = BackupsAndPings(tmp_path / "log.db", lambda: NOW_US, lambda: 1, lambda *_: None)
    tasks.backup = BackupOptions(to=str(tmp_path))
    (tmp_path / "log-20270115T000000Z.db").touch()
    (tmp_path / "log-20270114T000000Z.db").touch()
    (tmp_path / "log-today.db").touch()
    assert [path.name for path in backups(tmp_path, "log")] == ["log-20270114T000000Z.db", "log-20270115T000000Z.db"]
    assert when_us(backups(tmp_path, "log")[-1]) == 1_799_971_200_000_000
    tasks._back_up(tmp_path)
    assert tasks._child is None, "the newest is younger than a day"
    assert tasks._not_before_us > NOW_US


def test_one_address_and_no_secret_in_mistakes() -> None:
    with pytest.raises(ValueError, match="is not an address") as caught:
        HeartbeatOptions.model_validate({"url": "htp:s3cret"})
    assert "write e.g." in str(caught.value)


def test_a_backup_that_cannot_be_killed_does_not_hold_up_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It hangs in the kernel, on a share whose server is gone."""

    class Hanging:
        pid = 7

        def communicate(self, timeout: float | None = None) -> tuple[str, None]:
            assert timeout is not None
            assert timeout < 1.0
            raise subprocess.TimeoutExpired("backup", timeout)

    monkeypatch.setattr(os, "killpg", lambda pid, number: None)
    tasks = BackupsAndPings(tmp_path / "log.db", lambda: NOW_US, lambda: 1, lambda *_: None)
    tasks._child = cast(Any, Hanging())
    tasks.stop(0.5)
    assert tasks._child is None
