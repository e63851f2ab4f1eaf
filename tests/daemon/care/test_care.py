"""The thread of backups and signs of life."""

from __future__ import annotations

import dataclasses
import json
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sensorlogd.config.care import HeartbeatOptions
from sensorlogd.config.loader import load_text
from sensorlogd.config.models import Config
from sensorlogd.daemon.care import sign_of_life
from sensorlogd.daemon.main.components.care import Care
from sensorlogd.daemon.main.components.startables import Startables
from sensorlogd.daemon.timekeeping.judged_clock import JudgedClock
from sensorlogd.daemon.writing.totals import WriterState, WriterStats
from sensorlogd.drivers.registry import options_for


def config(folder: Path, **more: Any) -> Config:
    return load_text(
        json.dumps({"daemon": {"data_dir": str(folder)}, "sensors": {}} | more), folder / "sensorlogd.yaml", options_for
    )


def test_a_thread_that_is_not_needed_any_more_is_not_missed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It could not be started, and a reload took away what it was for."""

    def no_thread(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    events: list[str] = []
    writer: Any = SimpleNamespace(emit=lambda kind, sensor, detail: events.append(str(kind)), stats=lambda: None)
    startables = Startables(writer.emit)
    care = Care(tmp_path / "log.db", JudgedClock(), writer, startables)
    monkeypatch.setattr(threading.Thread, "start", no_thread)
    care.use(config(tmp_path, backup={"to": str(tmp_path)}))
    assert startables.missing == {"backups and the sign of life": "can't start new thread"}
    care.use(config(tmp_path))
    assert startables.missing == {}
    care.stop()
    assert events == ["part_failed", "part_started"]


def test_no_sign_of_life_while_no_sensor_gives_readings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The status is committed every ten seconds, whatever the sensors do."""
    sent: list[str] = []
    monkeypatch.setattr(sign_of_life, "fetch", lambda url, *_: sent.append(url))
    stats = WriterStats(state=WriterState.WRITING)
    writer: Any = SimpleNamespace(emit=lambda kind, sensor, detail: None, stats=lambda: stats)
    care = Care(tmp_path / "log.db", JudgedClock(), writer, Startables(writer.emit))
    care._sign_of_life.use(HeartbeatOptions(url="http://localhost/x", every=1_000_000))
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    for commits, committed, expected in [(1, 0, 0), (2, 0, 0), (3, 5, 1), (4, 5, 1), (5, 6, 2)]:
        stats = dataclasses.replace(stats, commits=commits, committed=committed)
        now += 2.0
        care._sign_of_life.tick()
        assert len(sent) == expected
