"""When a run is due, how much it closes, and when what went wrong is told."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensorlogd.daemon.backoff import Backoff
from sensorlogd.daemon.rollups.run_failures import RunFailures
from sensorlogd.daemon.rollups.schedule import (
    BLOCK_US,
    FIRST_WITHIN_S,
    MAX_BLOCK_US,
    MIN_BLOCK_US,
    ROWS_TRIGGER,
    RUN_S,
    Schedule,
)

INTERVAL_S = 60.0


def schedule(committed: list[int] | None = None) -> Schedule:
    stored = committed if committed is not None else [0]
    return Schedule(INTERVAL_S, lambda: stored[0], 0.0)


def test_the_first_run_is_due_soon_and_each_other_after_an_interval() -> None:
    it = schedule()
    assert not it.is_due(FIRST_WITHIN_S - 0.1)
    assert it.is_due(FIRST_WITHIN_S)
    it.note_begin(FIRST_WITHIN_S)
    assert not it.is_due(FIRST_WITHIN_S + INTERVAL_S - 0.1)
    assert it.is_due(FIRST_WITHIN_S + INTERVAL_S)


def test_one_that_is_wanted_at_once_leaves_a_second_between_two() -> None:
    it = schedule()
    it.note_begin(10.0)
    it.want()
    assert not it.is_due(10.9)
    assert it.is_due(11.0)
    it.note_begin(11.0)
    assert not it.wanted


def test_many_new_readings_make_one_due() -> None:
    stored = [0]
    it = schedule(stored)
    it.note_begin(10.0)
    stored[0] = ROWS_TRIGGER - 1
    assert not it.is_due(20.0)
    stored[0] = ROWS_TRIGGER
    assert it.is_due(20.0)
    it.note_begin(20.0)
    assert not it.is_due(30.0)


def test_one_that_is_put_off_waits_and_is_not_forgotten() -> None:
    it = schedule()
    it.note_begin(10.0)
    it.put_off(200.0)
    assert not it.is_due(199.0)
    assert it.is_due(200.0)


@pytest.mark.parametrize(("more_to_close", "more", "at_once"), [(True, False, True), (False, True, True), (False, False, False)])
def test_what_could_go_on_goes_on_at_once(more_to_close: bool, more: bool, at_once: bool) -> None:
    it = schedule()
    it.note_begin(10.0)
    it.note_end(1.0, more_to_close=more_to_close, more=more, left=False)
    assert (it.wanted, it.is_due(10.0)) == (at_once, at_once)


def test_what_is_left_is_wanted_but_not_at_once() -> None:
    it = schedule()
    it.note_begin(10.0)
    it.note_end(1.0, more_to_close=False, more=False, left=True)
    assert it.wanted
    assert not it.is_due(10.5)


@given(st.lists(st.floats(0.0, 1e6)))
def test_a_block_stays_within_bounds_whatever_runs_take(seconds: list[float]) -> None:
    """It grows where a run was quick, and shrinks where it was slow."""
    it = schedule()
    for took in seconds:
        before = it.block_us
        it.note_end(took, more_to_close=True, more=False, left=False)
        assert MIN_BLOCK_US <= it.block_us <= MAX_BLOCK_US
        assert it.block_us >= before if took <= RUN_S else it.block_us <= before


def test_a_run_that_closed_all_there_was_says_nothing_of_the_size() -> None:
    it = schedule()
    it.note_end(1e6, more_to_close=False, more=True, left=True)
    assert it.block_us == BLOCK_US


def trouble() -> tuple[RunFailures, list[str]]:
    details: list[str] = []
    backoff = Backoff(random.Random(1), first_s=1.0, quick_s=5.0, quick_for=5, cap_s=60.0)
    return RunFailures(lambda kind, sensor, detail: details.append(detail), backoff), details


def test_each_reason_is_told_once_until_a_run_succeeds() -> None:
    it, details = trouble()
    for reason in ("full", "full", "gone", "full"):
        it.report(reason)
    assert details == ["full", "gone", "full"]
    it.over()
    assert it.last_error == ""
    it.report("full")
    assert details == ["full", "gone", "full", "full"]


def test_pauses_grow_until_a_run_succeeds() -> None:
    it, _ = trouble()
    pauses = [it.pause_s() for _ in range(4)]
    assert pauses == sorted(pauses)
    it.over()
    assert it.pause_s() < pauses[1]


def test_damage_is_certain_the_second_time_on_the_same_opening() -> None:
    it, _ = trouble()
    assert [it.is_damage(opening) for opening in (1, 2, 2, 3, 3, 3)] == [False, False, True, False, True, True]
    assert not it.is_damage(None)
    assert not it.is_damage(None)
