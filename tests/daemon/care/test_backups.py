"""Backups that are proven and few."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from sensorlogd.config.care import BackupOptions
from sensorlogd.daemon.care.backups import Backups, backups, when_us
from tests.daemon.care.rig import configuration, events_of
from tests.rig import Daemon, until

NOW_US = 1_800_000_000_000_000


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


def test_backups_are_due_by_their_names(tmp_path: Path) -> None:
    """Those of this database only; a restart makes none before its time."""
    due = Backups(tmp_path / "log.db", lambda: NOW_US, lambda: 1, lambda *_: None)
    due.use(BackupOptions(to=str(tmp_path)))
    (tmp_path / "log-20270115T000000Z.db").touch()
    (tmp_path / "log-20270114T000000Z.db").touch()
    (tmp_path / "log-today.db").touch()
    assert [path.name for path in backups(tmp_path, "log")] == ["log-20270114T000000Z.db", "log-20270115T000000Z.db"]
    assert when_us(backups(tmp_path, "log")[-1]) == 1_799_971_200_000_000
    due.tick()
    assert due._child is None, "the newest is younger than a day"
    assert due._not_before_us > NOW_US


def test_a_backup_dated_later_than_now_neither_stops_the_others_nor_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clock that was wrong once has named it."""

    def make_at_once(command: list[str], **_: object) -> SimpleNamespace:
        Path(command[-3]).touch()
        return SimpleNamespace(returncode=0, communicate=lambda timeout: ("made", None))

    monkeypatch.setattr(subprocess, "Popen", make_at_once)
    told: list[str] = []
    now = NOW_US
    made = Backups(tmp_path / "log.db", lambda: now, lambda: 1, lambda kind, sensor, detail: told.append(f"{kind} {detail}"))
    made.use(BackupOptions(to=str(tmp_path), keep=2))
    for name in ("log-20270112T000000Z.db", "log-20270113T000000Z.db", "log-20990101T000000Z.db"):
        (tmp_path / name).touch()
    for _ in range(2):
        made.tick()
        made.tick()
        now += 86_400_000_000
    assert [path.name for path in backups(tmp_path, "log")] == [
        "log-20270115T080000Z.db",
        "log-20270116T080000Z.db",
        "log-20990101T000000Z.db",
    ]
    assert told == [
        "backup_made made; left out of schedule and number, because they are dated later: log-20990101T000000Z.db",
        "backup_made made",
    ]


def test_a_backup_that_cannot_be_killed_does_not_hold_up_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It hangs in the kernel, on a share whose server is gone."""

    class Hanging:
        pid = 7

        def communicate(self, timeout: float | None = None) -> tuple[str, None]:
            assert timeout is not None
            assert timeout < 1.0
            raise subprocess.TimeoutExpired("backup", timeout)

    monkeypatch.setattr(os, "killpg", lambda pid, number: None)
    made = Backups(tmp_path / "log.db", lambda: NOW_US, lambda: 1, lambda *_: None)
    made._child = cast(Any, Hanging())
    made.stop(0.5)
    assert made._child is None


def test_what_cannot_be_deleted_keeps_no_backup_from_being_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unfinished backup of another user, in a folder that all may write to."""
    started: list[object] = []
    monkeypatch.setattr(subprocess, "Popen", lambda command, **_: started.append(command))
    (tmp_path / ".log-20270115T000000Z.db.part").mkdir()  # a file is deleted by unlink, a folder is not
    made = Backups(tmp_path / "log.db", lambda: NOW_US, lambda: 1, lambda *_: None)
    made.use(BackupOptions(to=str(tmp_path)))
    made.tick()
    assert started


def test_none_is_begun_after_the_stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread was waiting for the folder, on a slow share, when the daemon stopped: nobody would end the process."""
    started: list[object] = []
    monkeypatch.setattr(subprocess, "Popen", lambda command, **_: started.append(command))
    made = Backups(tmp_path / "log.db", lambda: NOW_US, lambda: 1, lambda *_: None)
    made.use(BackupOptions(to=str(tmp_path)))

    def stop_meanwhile(folder: Path, stem: str) -> list[Path]:
        made.stop(0.0)
        return []

    monkeypatch.setattr("sensorlogd.daemon.care.backups.backups", stop_meanwhile)
    made.tick()
    assert not started
