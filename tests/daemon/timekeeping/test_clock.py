"""Who tells whether the clock is synchronised, and how far that is believed."""

from __future__ import annotations

import ctypes
import time
from pathlib import Path

import pytest

from sensorlogd.daemon.timekeeping import sync_sources
from sensorlogd.daemon.timekeeping.clock import Clock
from sensorlogd.daemon.timekeeping.sync_sources import _Timex, kernel_synchronised, timesyncd_synchronised


@pytest.mark.parametrize(("timesyncd", "believed"), [(None, None), (False, False), (True, True)])
def test_where_the_kernel_does_not_tell_timesyncd_does(
    monkeypatch: pytest.MonkeyPatch, timesyncd: bool | None, believed: bool | None
) -> None:
    monkeypatch.setattr(sync_sources, "kernel_synchronised", lambda: None)
    monkeypatch.setattr(sync_sources, "timesyncd_synchronised", lambda: timesyncd)
    assert sync_sources.synchronised() is believed


def test_timesyncd_is_asked_by_its_mark(tmp_path: Path) -> None:
    assert timesyncd_synchronised(tmp_path / "absent") is None
    assert timesyncd_synchronised(tmp_path) is False
    (tmp_path / "synchronized").touch()
    assert timesyncd_synchronised(tmp_path) is True


@pytest.mark.parametrize(("age_s", "believed"), [(0, True), (3600, True), (32_001, False), (-60, False), (315_000_000, False)])
def test_the_mark_of_timesyncd_says_nothing_of_a_clock_that_was_set_since(tmp_path: Path, age_s: int, believed: bool) -> None:
    """It stays where it is for the whole boot; when it was touched tells."""
    mark = tmp_path / "synchronized"
    mark.touch()
    touched = mark.stat().st_mtime
    assert timesyncd_synchronised(tmp_path, lambda: touched + age_s) is believed


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
