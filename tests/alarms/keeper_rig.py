"""A writer with alarms, in a time that the test says, and what it has stored."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import Any

from sensorlogd.alarms.keeping.keeper import Clocks, Keeper
from sensorlogd.alarms.notifying.sender import Sender, SenderSettings
from sensorlogd.batch import Block, Column
from sensorlogd.daemon.timekeeping.judged_clock import JudgedClock
from sensorlogd.event_kinds import OtherKind
from sensorlogd.storage.alarms.notifications import NoticeRow
from tests.alarms.rig import plan_of
from tests.daemon.writing.rig import Rig, Script, Time

HOT: dict[str, Any] = {"a": {"series": "a.x", "when": "> 30", "notify": "me"}}


class Caught(Sender):
    """A sender that sends nothing and remembers what it was given."""

    def __init__(self) -> None:
        super().__init__(SenderSettings(lambda: 0, lambda *_: None, lambda: None))
        self.given: dict[str, NoticeRow] = {}

    def put(self, rows: Any) -> None:
        self.given |= {row.identity: row for row in rows}

    def kinds(self) -> list[str]:
        return [row.kind for row in self.given.values()]


class Logger:
    """A rig with alarms: ``feed`` hands over one reading of ``a.x`` that is stamped now."""

    def __init__(self, path: Path, script: Script, fake: Time, alarms: dict[str, Any], **how: Any) -> None:
        self.sender = Caught()

        def tell(kind: str, sensor: str | None, detail: str) -> None:
            self.rig.writer.emit(OtherKind(kind), sensor, detail)

        def keeper(clock: JudgedClock) -> Keeper:
            clocks = Clocks(clock.now_us, clock.monotonic_us)
            self.keeper = Keeper(plan_of(alarms, sensors=("a", "b")), self.sender, clocks, tell, lambda: None)
            return self.keeper

        self.rig = Rig(path, script=script, fake=fake, watcher=keeper, **how)

    def feed(self, value: float, sensor: str = "a") -> None:
        assert self.rig.inbox.put(Block(sensor, [Column("x", [self.rig.clock.now_us()], [value], 1)]), 0.0)

    def settle(self, seconds: float = 0.1) -> None:
        self.rig.turn_until(self.rig.is_idle, "everything to be committed", seconds=seconds)

    def run(self, *readings: float) -> None:
        """A second each."""
        for value in readings:
            self.feed(value)
            self.rig.turn(4, 0.25)


def rows(path: Path, query: str) -> list[tuple[Any, ...]]:
    with contextlib.closing(sqlite3.connect(path)) as conn:
        return conn.execute(query).fetchall()


def changes(path: Path) -> list[str]:
    return [kind for (kind,) in rows(path, "SELECT kind FROM alarm_change ORDER BY id")]


def state(path: Path, name: str = "a") -> str:
    ((found,),) = rows(path, f"SELECT state FROM alarm WHERE name = '{name}' AND subject IN ('a.x', '')")
    return str(found)
