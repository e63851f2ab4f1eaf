"""A sensor thread whose driver did not return in time hands over nothing after that."""

from __future__ import annotations

import pytest

from sensorlogd.batch import Sample
from sensorlogd.drivers.contract import DriverContext
from tests.daemon.fakes import DEADLINE, Gate, Rig, Script
from tests.rig import until


@pytest.mark.parametrize("waits", [False, True])
def test_what_a_driver_brings_after_it_was_left_behind_is_refused_and_counted(waits: bool) -> None:
    """A reload has given the sensor another scale by then, under which this reading would be stored."""
    gate = Gate()

    def late(context: DriverContext) -> list[Sample]:
        gate(context)
        return [Sample(None, {"x": 1.0})]

    with Rig(Script(late)) as rig:
        gate.entered.wait(DEADLINE)
        rig.thread._source_waits = waits
        rig.thread.stop()
        assert not rig.thread.join(0.0)
        rig.thread.leave_behind()
        gate.release.set()
        until(lambda: rig.thread.join(0.0), "the end of the thread")
        assert rig.blocks() == []
        assert rig.thread.status().counters["refused_at_stop"] == 1
