"""Silence and windows go on over several ends; the time in between does not count."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensorlogd.alarms.keeping.unwatched import MAX_SPANS, Unwatched
from sensorlogd.event_kinds import EventKind
from tests.alarms.keeper_rig import Logger, changes, state
from tests.daemon.writing.rig import Time

SILENT: dict[str, Any] = {"a": {"series": "a.x", "when": "missing 1min", "notify": "me"}}


def _end(logger: Logger, *, is_killed: bool) -> None:
    logger.settle()
    if is_killed:
        logger.rig.kill()
    else:
        logger.rig.stop()


@pytest.mark.parametrize("is_killed", [True, False])
@pytest.mark.parametrize("down_s", [0.0, 3_600.0])
def test_over_several_ends_silence_is_what_was_watched(
    make: Callable[..., Logger], path: Path, fake: Time, down_s: float, is_killed: bool
) -> None:
    """The log of another sensor goes on. What lies between runs was taken for silence by the second start."""
    logger = make(SILENT)
    logger.run(1)
    for _ in range(4):
        for _ in range(10):
            logger.feed(1, "b")
            logger.rig.turn(4, 0.25)
        _end(logger, is_killed=is_killed)
        fake.now += down_s
        logger = make(SILENT)
    for _ in range(10):
        logger.feed(1, "b")
        logger.rig.turn(4, 0.25)
    assert changes(path) == []
    for _ in range(25):
        logger.feed(1, "b")
        logger.rig.turn(4, 0.25)
    assert changes(path) == ["raised"]


def test_silence_of_all_sensors_goes_on_over_an_end(make: Callable[..., Logger], path: Path, fake: Time) -> None:
    """No reading says how long the former run watched; it has written it down. Silence began anew with each start."""
    logger = make(SILENT)
    logger.run(1)
    for _ in range(3):
        for _ in range(4):  # a commit without readings, as the status of the sensors makes one
            logger.rig.turn(20, 0.25)
            logger.rig.writer.emit(EventKind.STALE, "a", "")
        _end(logger, is_killed=False)
        fake.now += 3_600
        logger = make(SILENT)
    logger.rig.turn(80, 0.25)
    assert changes(path) == ["raised"]


def test_a_window_reaches_over_several_ends(make: Callable[..., Logger], path: Path, fake: Time) -> None:
    """As if nothing had ended: the readings before the last two ends are in it."""
    alarms = {"a": {"series": "a.x", "when": "max(1min) > 30", "notify": "me"}}
    logger = make(alarms)
    logger.run(31)
    for _ in range(2):
        _end(logger, is_killed=False)
        fake.now += 3_600
        logger = make(alarms)
        logger.run(*[20] * 10)
    assert state(path) == "unacknowledged"
    logger.run(*[20] * 60)
    logger.settle()
    assert changes(path) == ["raised", "returned"]


def test_a_state_that_is_not_known_costs_its_alarm_only(make: Callable[..., Logger], path: Path) -> None:
    """As another release may store it: that alarm is judged anew, which is an event; the others go on."""
    alarms = {name: {"series": "a.x", "when": "> 30", "notify": "me"} for name in "ab"}
    logger = make(alarms)
    logger.run(31)
    _end(logger, is_killed=False)
    with contextlib.closing(sqlite3.connect(path)) as conn, conn:
        conn.execute("UPDATE alarm SET state = 'latched' WHERE name = 'a'")
    again = make(alarms)
    again.run(31)
    again.settle()
    fresh = [row.name for row in again.sender.given.values() if row.identity not in logger.sender.given]
    assert fresh == ["a"]
    assert "alarms_failed" in again.rig.kinds()
    assert (state(path, "a"), state(path, "b")) == ("unacknowledged", "unacknowledged")


_SPANS = st.lists(st.tuples(st.integers(0, 500), st.integers(1, 50)), max_size=60)


@given(_SPANS, st.integers(0, 600), st.integers(0, 600))
def test_what_was_watched_is_what_is_left(spans: list[tuple[int, int]], from_us: int, until_us: int) -> None:
    """Counted microsecond by microsecond; spans come in order, and what is stored is read again."""
    unwatched, missed, now_us = Unwatched(), set[int](), 0
    for pause, length in spans[:MAX_SPANS]:
        unwatched.add(now_us + pause, now_us + pause + length)
        missed |= set(range(now_us + pause, now_us + pause + length))
        now_us += pause + length
    again = Unwatched.read(unwatched.text())
    assert again.text() == unwatched.text()
    watched_us = again.watched_us(from_us, until_us)
    assert watched_us == len(set(range(from_us, until_us)) - missed)
    assert again.watched_us(again.back(until_us, watched_us), until_us) == watched_us


@pytest.mark.parametrize("stored", ["", "x", "1-2-3", "5", "9-3", "-1-5", None])
def test_what_is_not_understood_is_no_span(stored: str | None) -> None:
    assert Unwatched.read(stored).text() == ""


def test_a_clock_that_was_set_back_forgets_spans_of_the_future() -> None:
    unwatched = Unwatched([(10, 20), (1_000, 2_000)])
    unwatched.add(500, 600)
    assert unwatched.text() == "10-20 500-600"
    unwatched.add(590, 700)
    unwatched.add(800, 800)
    assert unwatched.text() == "10-20 500-700"


def test_spans_are_bounded() -> None:
    unwatched = Unwatched((10 * n, 10 * n + 1) for n in range(2 * MAX_SPANS))
    assert len(unwatched.text().split()) == MAX_SPANS
