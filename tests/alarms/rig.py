"""A judge in the hand: readings go in at times watched that the test says."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sensorlogd.alarms.judging.alarm import Alarm
from sensorlogd.alarms.judging.judge import Judge
from sensorlogd.alarms.plan import Plan, plan
from sensorlogd.batch import Block, Column
from sensorlogd.config.loader import load_text
from sensorlogd.config.models import Config
from sensorlogd.drivers.registry import options_for

S = 1_000_000
NOW_US = 1_800_000_000 * S  # wall clock at time watched 0
GOOD, SUSPECT, FAIL, MISSING = 1, 3, 4, 9


def config_of(
    alarms: dict[str, Any], *, sensors: Sequence[str] = ("s",), kind: str = "gauge", offset: float = 0, **more: Any
) -> Config:
    """Each sensor has the channel ``x`` and a heartbeat of 10 s; a target ``me`` is there, and whatever ``notify`` says."""
    notify = {"me": {"command": ["true"]}, "boss": {"command": ["true"]}, **more.pop("notify", {})}
    channel = {"x": {"unit": "°C", "kind": kind, "offset": offset, "signal": {"constant": {"value": 1}}}}
    made = {name: {"driver": "simulated", "interval": "1s", "heartbeat": "10s", "channels": channel} for name in sensors}
    whole = {"sensors": made, "notify": notify, "alarms": alarms, **more}
    return load_text(json.dumps(whole), Path("test.yaml"), options_for)


def plan_of(alarms: dict[str, Any], **more: Any) -> Plan:
    return plan(config_of(alarms, **more), "here")


class Bench:
    """``read``, ``pass_``: readings and time. ``said``: (seconds, alarm, subject, kind of change) in order."""

    def __init__(self, alarms: dict[str, Any], **more: Any) -> None:
        self.judge = Judge()
        self.wall = 0  # what the wall clock was set by, in µs
        self.at = 0
        self.judge.use(plan_of(alarms, **more), 0, NOW_US)

    @property
    def now_us(self) -> int:
        return NOW_US + self.wall + self.at

    def read(
        self, at_s: float, value: float | None, quality: int = GOOD, *, sensor: str = "s", ts_s: float | None = None
    ) -> None:
        """One reading, seen at ``at_s``; ``ts_s``: its stamp, if it is another time."""
        self.at = int(at_s * S)
        ts = self.now_us if ts_s is None else NOW_US + self.wall + int(ts_s * S)
        self.judge.judge_readings(Block(sensor, [Column("x", [ts], [value], quality)]), self.at, self.now_us)
        self.judge.tick(self.at, self.now_us)

    def batch(self, at_s: float, readings: Sequence[tuple[float, float]], sensor: str = "s") -> None:
        """(stamp, value) of many, seen at once."""
        self.at = int(at_s * S)
        if readings:
            times = [NOW_US + self.wall + int(ts * S) for ts, _ in readings]
            self.judge.judge_readings(
                Block(sensor, [Column("x", times, [value for _, value in readings], GOOD)]), self.at, self.now_us
            )
        self.judge.tick(self.at, self.now_us)

    def pass_(self, at_s: float) -> None:
        self.at = int(at_s * S)
        self.judge.tick(self.at, self.now_us)

    def event(self, at_s: float, kind: str, sensor: str | None = None) -> None:
        self.at = int(at_s * S)
        self.judge.judge_event(kind, sensor, "as told", self.now_us, self.at, self.now_us)
        self.judge.tick(self.at, self.now_us)

    def alarm(self, name: str = "a", subject: str = "s.x") -> Alarm:
        return self.judge.roster.alarms[name, subject]

    @property
    def state(self) -> str:
        return self.alarm().shown().value

    def said(self) -> list[tuple[float, str]]:
        return [((change.ts_us - NOW_US - self.wall) / S, change.kind) for change in self.judge.found.changes]

    def announced(self) -> list[tuple[str, tuple[str, ...]]]:
        return [(announcement.kind, announcement.targets) for announcement in self.judge.found.announced]
