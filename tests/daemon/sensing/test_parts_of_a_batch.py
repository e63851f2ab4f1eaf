"""A batch whose samples are not all of one kind: each part is stored under its own clock, whatever becomes of the others."""

from __future__ import annotations

from typing import Any

from sensorlogd.batch import Batch, Stamp
from sensorlogd.config.models import ChannelOptions
from sensorlogd.stamping.judging import TimeLimits
from tests.daemon.fakes import FakeClock, Rig, S, Script
from tests.rig import until


def test_a_reading_that_is_held_back_leaves_under_its_own_clock() -> None:
    """Its successor is stamped on arrival, because the device's clock went wrong: then there are two blocks."""
    now = FakeClock().now_us()
    script = Script(*[Batch([ts], {"x": [1.0]}, device_time=True) for ts in (now, now + 1, 0)])
    with Rig(script, options=ChannelOptions(spike=5.0), time_limits=TimeLimits(earliest_us=now - S)) as rig:
        until(lambda: rig.inbox.depth == 2, "two readings")
    blocks = rig.blocks()
    assert [(block.device_time, column.times_us) for block in blocks for column in block.columns] == [
        (True, [now]),
        (True, [now + 1]),
        (False, [now]),
    ]


def test_what_a_batch_holds_before_a_fault_is_stored() -> None:
    """The first sample is sound, the second breaks the contract."""
    stamps = bytes([Stamp.ARRIVAL, Stamp.DEVICE])
    times: list[Any] = [FakeClock().now_us(), 1.5]
    with Rig(Script(Batch(times, {"x": [1.0, 2.0]}, stamps=stamps))) as rig:
        assert "TypeError" in rig.until_event("lost")
    assert [column.values for block in rig.blocks() for column in block.columns] == [[1.0]]
