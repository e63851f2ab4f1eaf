"""Progress: rate and time left on one line of a terminal, nothing elsewhere."""

from __future__ import annotations

import io
import re
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensorlogd.cli import appearance
from sensorlogd.cli.progress import BYTES, Progress
from tests.rig import until


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def shown(
    monkeypatch: pytest.MonkeyPatch, columns: int, label: str, total: int | None, unit: str
) -> tuple[Terminal, Progress, Clock]:
    monkeypatch.setenv("COLUMNS", str(columns))
    terminal, clock = Terminal(), Clock()
    return terminal, Progress(label, total, unit, stream=terminal, clock=clock), clock


def test_rate_and_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """From what was done in the last seconds, not from the beginning: a slow start is forgotten."""
    terminal, bar, clock = shown(monkeypatch, 100, "importing", 100_000, "readings")
    with bar:
        clock.now += 20
        bar.update(0)
        for _ in range(20):
            clock.now += 1
            bar.update(1_000)
        last = terminal.getvalue().rpartition("\r")[2]
    assert last.rstrip() == "importing  ━━━━────────────────  20 %  20,000 of 100,000 readings  1,000/s  1 min 20 s left"
    assert terminal.getvalue().rpartition("\r")[0].rpartition("\r")[2].strip() == ""  # it goes when it is over


@pytest.mark.parametrize(
    ("total", "unit", "line"),
    [
        (None, "", "x  for 5 s"),
        (None, "pages", "x  10,000,000 pages  2,000,000/s  for 5 s"),
        (40_000_000, BYTES, "x  ━━━━━───────────────  25 %  10.0 of 40.0 MB  2.0 MB/s  15 s left"),
        (1000, "", "x  ━━━━━━━━━━━━━━━━━━━━  100 %  0 s left"),
        (0, "", "x  for 5 s"),
    ],
)
def test_what_is_known_is_said(monkeypatch: pytest.MonkeyPatch, total: int | None, unit: str, line: str) -> None:
    terminal, bar, clock = shown(monkeypatch, 100, "x", total, unit)
    with bar:
        clock.now += 5
        bar.reach(10_000_000)
        assert terminal.getvalue().lstrip("\r").rstrip() == line


@given(
    st.integers(20, 120), st.integers(0, 10**12), st.one_of(st.none(), st.integers(0, 10**12)),
    st.sampled_from(["", "readings", BYTES]), st.floats(0.3, 1e6),
)  # fmt: skip
def test_a_line_is_never_wider_than_the_terminal(columns: int, done: int, total: int | None, unit: str, seconds: float) -> None:
    with pytest.MonkeyPatch.context() as patched:
        terminal, bar, clock = shown(patched, columns, "rolling up", total, unit)
        clock.now += seconds
        bar.reach(done)
        assert appearance.cells(terminal.getvalue().lstrip("\r")) < columns


def test_where_there_is_no_terminal_nothing_is_said() -> None:
    stream, clock = io.StringIO(), Clock()
    with Progress("importing", 10, stream=stream, clock=clock, measure=lambda: 5) as bar:
        clock.now += 5
        bar.reach(10)
        bar.say("waiting: for the daemon")
    assert stream.getvalue() == "waiting: for the daemon\n"


def test_work_that_cannot_call_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a thread that ends with it."""
    terminal = Terminal()
    monkeypatch.setenv("COLUMNS", "80")
    with Progress("writing anew", 100, measure=lambda: 50, stream=terminal):
        until(lambda: "50 %" in terminal.getvalue(), "what was measured")
    assert not [thread for thread in threading.enumerate() if thread.name == "progress"]


def test_a_line_that_becomes_shorter_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal, bar, clock = shown(monkeypatch, 100, "x", 10_000, "readings")
    for done in (10, 9_999):
        clock.now += 0.5
        bar.reach(done)
    bar.say("waiting")
    whole: dict[int, Any] = {}
    at = 0
    for sign in terminal.getvalue().partition("\n")[0]:
        at = 0 if sign == "\r" else at
        if sign != "\r":
            whole[at] = sign
            at += 1
    assert re.fullmatch(r"waiting *", "".join(whole[n] for n in sorted(whole)))
