"""What the writer has taken and not committed yet: order, names, and who waits for it."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sensorlogd.batch import Block, Column
from sensorlogd.daemon.writing.intake.inbox import Inbox
from sensorlogd.daemon.writing.intake.pending import Flush, NewSpecs, Pending
from sensorlogd.storage.series.catalog import SensorSpec, SeriesSpec
from tests.daemon.writing.rig import SPECS, Rig, Script, plan_forever, sqlite_error, values_by_series


def block(n: int = 1, sensor: str = "a") -> Block:
    return Block(sensor, [Column("x", list(range(n)), [0.0] * n, 0)])


def marker() -> NewSpecs:
    return NewSpecs([], plan_forever())


def filled(*blocks: Block, limit: int = 1_000) -> Pending:
    inbox = Inbox(10_000)
    pending = Pending(inbox, limit, 1.0)
    for each_block in blocks:
        inbox.put(each_block, 0.0)
    pending.take(0.0)
    return pending


def test_a_commit_takes_what_stands_before_new_sensors() -> None:
    """Nothing behind the marker is stored under the former names, nothing before it under the new ones; it stays in the inbox until
    the new ones are there."""
    first, mark, second = block(2), marker(), block(3)
    pending = filled(first, mark, second)
    assert pending.first() == [first]
    assert pending.next_specs() is None
    pending.note_committed(1)
    assert pending.first() == []
    assert pending.next_specs() is mark
    pending.take(0.0)
    assert pending.blocks == [mark]
    pending.note_committed(1)
    pending.take(0.0)
    assert pending.first() == [second]
    assert pending.next_specs() is None
    assert pending.rows == 3


def test_the_first_readings_of_a_run_are_due_at_once() -> None:
    """Later ones wait for the interval, so that the card is written less often; a marker before them changes nothing."""
    pending = filled(marker(), block())
    pending.note_committed(1)
    pending.take(0.0)
    assert pending.is_due(time.monotonic())
    pending.note_committed(1)
    before = time.monotonic()
    pending.add([block()])
    assert pending.due_at >= before + pending.interval_s
    assert not pending.is_due(before)


def test_two_markers_are_two_steps() -> None:
    """Two reloads, one behind the other: each has its turn."""
    first, second = marker(), marker()
    pending = filled(first, second)
    assert pending.next_specs() is first
    pending.note_committed(1)
    pending.take(0.0)
    assert pending.next_specs() is second
    pending.note_committed(1)
    assert not pending.is_due(0.0)


def test_whoever_waits_learns_it_with_the_commit_of_what_came_before() -> None:
    """Not before, and in spite of what came after."""
    first, waiting, last = block(), Flush(), block()
    pending = filled(first, waiting, last)
    assert pending.is_due(0.0)  # somebody waits
    pending.note_committed(1)
    assert not waiting.done.done()
    pending.note_committed(1)
    assert waiting.done.result(0) is None
    assert pending.blocks == [last]
    assert not pending.is_due(pending.due_at - 0.001)
    assert pending.is_due(pending.due_at)


def test_giving_up_tells_whoever_waits() -> None:
    served, waiting = Flush(), Flush()
    pending = filled(served, block(), waiting)
    pending.note_committed(1)
    pending.give_up("the end")
    assert served.done.result(0) is None
    with pytest.raises(RuntimeError, match="the end"):
        waiting.done.result(0)


def test_no_more_is_taken_than_one_commit_holds() -> None:
    """The rest stays in the inbox, which is bounded."""
    pending = filled(*[block(10) for _ in range(10)], limit=35)
    assert pending.rows == 40  # whole blocks
    pending.take(0.0)
    assert pending.rows == 40
    assert pending.inbox.depth == 60
    pending.note_committed(4)
    pending.take(-1.0)
    assert pending.rows == 0  # not now
    pending.take(0.0)
    assert pending.rows == 40


# ---- through the writer ------------------------------------------------------------------------------------------------

RENAMED = [
    SensorSpec("new", "simulated", was="a", series=[SeriesSpec("z", was="x"), SeriesSpec("y")]),
    SensorSpec("a", "simulated", series=[SeriesSpec("x")]),
]


@pytest.mark.parametrize("blocked", [False, True])
def test_a_rename_goes_through_what_waits(make: Callable[..., Rig], script: Script, path: Path, blocked: bool) -> None:
    """Readings of the former ``a`` and of the sensor that bears its name now lie side by side in one inbox: each gets to its
    series, also when the database takes nothing while both come in, and is opened anew meanwhile."""
    rig = make(block_rows=10**6)
    rig.turn(3)
    if blocked:
        script.fail_on("BEGIN", lambda: sqlite_error(sqlite3.SQLITE_IOERR))
    before = rig.put(3)
    rig.turn(2)
    before += rig.put(2)
    rig.writer.use_specs(RENAMED, plan_forever())
    after = rig.put(2)
    moved = rig.put(2, "new", "z")
    waiting = rig.writer.flush()
    if blocked:
        rig.turn(100)
        assert not waiting.done()
    script.heal()
    rig.turn_until(waiting.done, "the flush")
    assert waiting.result(0) is None
    assert values_by_series(path) == {("new", "z"): before + moved, ("a", "x"): after}
    assert rig.opening.specs == RENAMED


def test_readings_of_a_channel_that_left_are_stored_before_it_leaves(make: Callable[..., Rig], path: Path) -> None:
    """What was measured under the former configuration is not unknown to the new one."""
    rig = make(block_rows=10**6)
    rig.turn(3)
    kept = rig.put(2, "b")
    rig.writer.use_specs(SPECS[:1], plan_forever())
    rig.put(1, "b")
    rig.turn_until(rig.is_idle, "all to be committed")
    assert values_by_series(path) == {("b", "x"): kept}
    assert rig.writer.stats().per_sensor["b"]["unknown_channel"] == 1


def test_sensors_that_the_database_refuses_do_not_hold_up_readings_for_ever(
    make: Callable[..., Rig], script: Script, path: Path
) -> None:
    """A fault in taking over new sensors is told; what comes after is stored as far as its names are known."""
    rig = make(block_rows=10**6)
    rig.turn(3)
    script.fail_on("SELECT id FROM sensor", lambda: ValueError("a fault of ours"))
    rig.writer.use_specs(RENAMED, plan_forever())
    later = rig.put(4, "b")
    waiting = rig.writer.flush()
    rig.turn_until(waiting.done, "the flush", within_s=60.0)
    assert values_by_series(path) == {("b", "x"): later}
    assert "sensors_failed" in rig.kinds()


def test_whoever_waits_cannot_take_back_a_flush(rig: Rig, path: Path) -> None:
    """It travels among readings; a request that could be cancelled would trip up the commit it is part of."""
    rig.turn(3)
    first = rig.put(2)
    waiting = rig.writer.flush()
    assert not waiting.cancel()
    second = rig.put(2)
    rig.turn(5)
    assert waiting.result(0) is None
    rig.turn_until(rig.is_idle, "all to be stored")
    found = values_by_series(path)
    assert found == {("a", "x"): first + second}
