"""The end of the daemon: whatever fails on the way, the writer is asked to store what it holds."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any
from unittest.mock import Mock

import pytest

from sensorlogd.daemon.main.process.signals import Requested
from sensorlogd.daemon.main.supervisor import Supervisor
from sensorlogd.processes.wake_pipe import WakePipe

STEPS = (
    "notifier.stopping",
    "notifier.extend",
    "alarms.hold",
    "sensors.stop",
    "inbox.close",
    "coordinator.stop",
    "care.stop",
    "alarms.stop",
    "writer.emit",
    "pages.stop",
    "control.stop",
)


@pytest.fixture
def parts() -> Any:
    """Of a daemon, all of which do nothing."""
    parts = Mock()
    parts.clock.monotonic_us.return_value = 0
    parts.inbox.depth = 0
    parts.sensors.running = {}
    parts.writer.stats.return_value.committed = 0
    parts.writer.join.return_value = True
    return parts


@pytest.fixture
def wake() -> Iterator[WakePipe]:
    with WakePipe() as pipe:
        yield pipe


@pytest.mark.parametrize("step", STEPS)
def test_a_part_that_cannot_be_stopped_costs_no_reading(
    parts: Any, wake: WakePipe, step: str, caplog: pytest.LogCaptureFixture
) -> None:
    part, method = step.split(".")
    getattr(getattr(parts, part), method).side_effect = RuntimeError("as scripted")
    with caplog.at_level(logging.ERROR):
        Supervisor(parts, Requested(), wake)._stop_parts()
    for other in (*STEPS, "writer.stop", "writer.join"):
        if other == "notifier.extend" and step == "notifier.stopping":
            continue
        part, method = other.split(".")
        assert getattr(getattr(parts, part), method).called, other
    assert [record.getMessage() for record in caplog.records if "the stop goes on" in record.getMessage()]
