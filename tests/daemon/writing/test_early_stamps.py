"""Readings stamped before it was known what time it is are put right on every way out of the inbox, and seen once."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from sensorlogd.batch import Block, Column
from sensorlogd.daemon.writing.commits.watcher import NullWatcher
from sensorlogd.daemon.writing.disk import spill
from sensorlogd.quality import Test
from tests.daemon.writing.rig import T0, Rig, S, Script, Time, sqlite_error

DAY_S = 86_400


class Watching(NullWatcher):
    """Keeps what it is shown: object -> its first time."""

    def __init__(self) -> None:
        self.seen: dict[int, tuple[Block, int]] = {}

    def observe(self, blocks: Iterable[Block], *, well: bool) -> None:
        for block in blocks:
            if block.rows:
                self.seen.setdefault(id(block), (block, block.columns[0].times_us[0]))


@pytest.fixture
def watching() -> Watching:
    return Watching()


@pytest.fixture
def behind(make: Callable[..., Rig], fake: Time, watching: Watching) -> Rig:
    """A second run of the same log: its clock has no battery and shows a day of the month before. Five blocks of 30,000 readings
    came before the database was open: more than one batch."""
    first = make()
    first.put(1)
    first.turn_until(first.is_idle, "rest")
    first.stop()
    fake.set_by = -30 * DAY_S
    rig = make(watcher=lambda clock: watching, boot="two", is_synchronised=None)
    rig.writer._pending.limit = 20
    for _ in range(5):
        rig.inbox.put(Block("a", [Column("x", [rig.clock.now_us() + i for i in range(10)], [1.0] * 10, 0)]), 0.0)
        fake.now += 0.1
    return rig


def test_what_is_spilled_has_the_right_times(behind: Rig, script: Script, path: Path) -> None:
    """The disk is full, so that most of it never leaves the inbox before the end."""
    behind.writer._open()
    script.fail_on("BEGIN IMM", lambda: sqlite_error(sqlite3.SQLITE_FULL))
    behind.turn(5)
    behind.stop(3.0)
    script.heal()
    left = spill.read(spill.found(path)[0])
    assert left.readings == 50
    times = [ts for block in left.blocks for column in block.columns for ts in column.times_us]
    assert T0 <= min(times) <= max(times) < T0 + DAY_S * S
    assert all(column.quality == Test.CLOCK_UNSYNCED for block in left.blocks for column in block.columns)
    assert all(T0 <= event.ts_us < T0 + DAY_S * S for event in left.events)


def test_whoever_watches_sees_each_block_once_and_its_right_times(behind: Rig, script: Script, watching: Watching) -> None:
    behind.writer._open()
    script.fail_on("BEGIN IMM", lambda: sqlite_error(sqlite3.SQLITE_FULL))
    behind.turn(5)
    script.heal()
    behind.turn_until(behind.is_idle, "rest")
    assert len(watching.seen) == 5
    assert all(T0 <= ts < T0 + DAY_S * S for _, ts in watching.seen.values())


def test_a_block_that_was_seen_before_the_time_was_known_is_the_same_block_afterwards(
    behind: Rig, script: Script, watching: Watching
) -> None:
    """Alarms have judged it, because the database took long to open."""
    script.before = lambda sql: sqlite_error(sqlite3.SQLITE_BUSY)
    behind.turn(3)
    assert len(watching.seen) == 5
    script.heal()
    behind.turn_until(behind.is_idle, "rest")
    assert len(watching.seen) == 5


def test_a_reading_that_comes_after_the_opening_with_an_earlier_stamp_is_put_right_too(behind: Rig, path: Path) -> None:
    late = Block("b", [Column("x", [behind.clock.now_us()], [1.0], 0)])
    behind.turn(3)
    behind.inbox.put(late, 0.0)
    assert late.columns[0].times_us[0] >= T0
    behind.turn_until(behind.is_idle, "rest")
    assert behind.writer.stats().per_sensor["b"]["readings"] == 1
