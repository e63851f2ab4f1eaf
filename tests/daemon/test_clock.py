"""The clock: steps are seen, drift is not one, and an unsynchronised clock is known as such."""

from __future__ import annotations

import ctypes
import time
from pathlib import Path

import pytest

from sensorlogd.daemon import clock as clock_module
from sensorlogd.daemon.clock import Clock, ClockWatch, _Timex, kernel_synchronised, timesyncd_synchronised
from tests.daemon.fakes import FakeClock, S


@pytest.mark.parametrize("step_us", [-3600 * S, -S, S // 2, 10 * 365 * 86400 * S])
def test_a_step_is_reported_once_with_its_size(step_us: int) -> None:
    clock = FakeClock()
    watch = ClockWatch(clock, ask_kernel=False)
    clock.advance(S)
    assert watch.look() == 0
    clock.set(step_us)
    clock.advance(S)
    assert watch.look() == step_us
    clock.advance(S)
    assert watch.look() == 0


def test_slewing_is_not_a_step_however_far_it_goes() -> None:
    """chrony may move the clock by 83 ms a second, for hours."""
    clock = FakeClock()
    watch = ClockWatch(clock, ask_kernel=False)
    for _ in range(100):
        clock.advance(S)
        clock.set(83_000)
        assert watch.look() == 0


def test_the_kernel_is_asked_again_until_the_clock_is_synchronised(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[bool] = [False, False, True]
    asked: list[bool] = []

    def answer() -> bool:
        asked.append(True)
        return answers.pop(0) if len(answers) > 1 else answers[0]

    monkeypatch.setattr(clock_module, "kernel_synchronised", answer)
    clock = FakeClock()
    watch = ClockWatch(clock)
    assert not watch.synchronised
    watch.look()
    assert not watch.synchronised
    watch.look()
    assert watch.synchronised
    watch.look()
    assert len(asked) == 3, "and then only now and then"
    answers[:] = [False]
    clock.advance(10 * S)
    watch.look()
    assert not watch.synchronised


@pytest.mark.parametrize(("timesyncd", "believed"), [(None, True), (False, False), (True, True)])
def test_where_the_kernel_does_not_tell_timesyncd_does(
    monkeypatch: pytest.MonkeyPatch, timesyncd: bool | None, believed: bool
) -> None:
    monkeypatch.setattr(clock_module, "kernel_synchronised", lambda: None)
    monkeypatch.setattr(clock_module, "timesyncd_synchronised", lambda: timesyncd)
    assert ClockWatch(FakeClock()).synchronised is believed


def test_timesyncd_is_asked_by_its_mark(tmp_path: Path) -> None:
    assert timesyncd_synchronised(tmp_path / "absent") is None
    assert timesyncd_synchronised(tmp_path) is False
    (tmp_path / "synchronized").touch()
    assert timesyncd_synchronised(tmp_path) is True


def test_the_real_kernel_gives_an_answer_without_a_complaint() -> None:
    assert kernel_synchronised() in (True, False, None)
    assert _Timex.maxerror.offset == 3 * ctypes.sizeof(ctypes.c_long)


def test_a_denied_call_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    class Denying:
        def adjtimex(self, _: object) -> int:
            return -1

    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: Denying())
    assert kernel_synchronised() is None
    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: object())
    assert kernel_synchronised() is None, "a C library without the call"


def test_the_real_clock_agrees_with_the_system() -> None:
    clock = Clock()
    before = time.time_ns() // 1000
    now = clock.now_us()
    assert before <= now <= time.time_ns() // 1000
    assert clock.monotonic_us() <= clock.monotonic_us()
