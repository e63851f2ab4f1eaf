"""Whoever looks at a port sees all that passes, or is told how much it missed; and looking costs the port nothing."""

from __future__ import annotations

import time

import pytest

from sensorlogd.drivers import tap
from sensorlogd.drivers.tap import Tap


def test_two_who_look_at_once_both_see_everything() -> None:
    """What one has seen is still there for the other."""
    port = Tap()
    seen, _, _ = port.since(None)
    other, _, _ = port.since(None)
    port.offer(1, b"one")
    seen, missed, passed = port.since(seen)
    assert (missed, [data for _, _, data in passed]) == (0, [b"one"])
    port.offer(2, b"two", "tx")
    assert port.since(seen)[1:] == (0, [(2, "tx", b"two")])
    assert port.since(other)[1:] == (0, [(1, "rx", b"one"), (2, "tx", b"two")])


def test_what_did_not_fit_is_told_to_whoever_missed_it() -> None:
    """In bytes, and to nobody else."""
    port = Tap()
    slow, _, _ = port.since(None)
    for at in range(10):
        port.offer(at, bytes(tap.MAX_HELD_BYTES // 4))
    following, missed, passed = port.since(slow)
    assert missed + sum(len(data) for _, _, data in passed) == 10 * (tap.MAX_HELD_BYTES // 4)
    assert missed > 0
    port.offer(11, b"x")
    assert port.since(following)[1:] == (0, [(11, "rx", b"x")])


def test_a_look_away_is_not_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """After some seconds without a question nothing is kept; what passed meanwhile is counted as missed."""
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    port = Tap()
    following, _, _ = port.since(None)
    port.offer(1, b"seen")
    now += tap.LOOKING_S + 1
    port.offer(2, b"unseen")
    assert port.held() == 0
    _, missed, passed = port.since(following)
    assert (missed, passed) == (10, [])
    assert port.since(None)[1:] == (0, [])  # whoever begins has missed nothing
