"""Device times between driver and storage: judged, counted, told once; the readings stay."""

from __future__ import annotations

from sensorlogd.batch import Batch, Stamp
from sensorlogd.config.models import ChannelOptions
from sensorlogd.daemon.sensing.time_judge import TimeJudge
from sensorlogd.daemon.sensing.treatment import Treatment
from sensorlogd.notation.microseconds import DAY_US
from sensorlogd.quality import describe
from sensorlogd.stamping.judging import BUILT_US, ROLL_OVER_US, TimeLimits

NOW = BUILT_US + 30 * DAY_US
HOUR = 3_600_000_000
DEFAULT = TimeLimits()


class Host:
    """Collects what is counted and told."""

    def __init__(self, limits: TimeLimits | None = DEFAULT) -> None:
        self.counts: dict[str, int] = {}
        self.events: list[tuple[str, str]] = []
        self.judge = TimeJudge(limits, self.count, lambda kind, detail: self.events.append((kind, detail)))

    def count(self, name: str, n: int, example: str) -> None:
        self.counts[name] = self.counts.get(name, 0) + n

    def stored(self, batch: Batch, now_us: int = NOW) -> list[tuple[int, float | None, str, bool]]:
        """(time, value, quality, whether it is the device's time)."""
        treatment = Treatment("s", {"x": ChannelOptions()}, HOUR, self.count)
        found = []
        for part in self.judge.judge(batch, now_us, clock_set=True):
            block = treatment.process(part)
            assert block is not None
            for column in block.columns:
                quality = [column.quality] * len(column.times_us) if isinstance(column.quality, int) else column.quality
                found += [
                    (ts, value, describe(q), block.device_time)
                    for ts, value, q in zip(column.times_us, column.values, quality, strict=True)
                ]
        return found


def test_what_cannot_be_is_stamped_on_arrival_flagged_counted_and_told_once() -> None:
    host = Host()
    batch = Batch([NOW - 5, 0, NOW + 2 * DAY_US], {"x": [1.0, 2.0, 3.0]}, device_time=True)
    assert host.stored(batch) == [
        (NOW - 5, 1.0, "not_evaluated", True),
        (NOW, 2.0, "not_evaluated:bad_time", False),
        (NOW + 1, 3.0, "not_evaluated:bad_time", False),
    ]
    assert host.counts == {"bad_time": 2}
    host.stored(Batch([0], {"x": [1.0]}, device_time=True), NOW + HOUR)
    assert [kind for kind, _ in host.events] == ["bad_time"]
    assert "1970-01-01T00:00:00Z" in host.events[0][1]
    host.stored(Batch([0], {"x": [1.0]}, device_time=True), NOW + 3 * HOUR)  # it was well for more than an hour
    assert len(host.events) == 2


def test_times_of_arrival_and_of_the_past_are_nobodys_business() -> None:
    assert Host().stored(Batch([NOW - 5], {"x": [1.0]})) == [(NOW - 5, 1.0, "not_evaluated", False)]
    assert Host(None).stored(Batch([5], {"x": [1.0]}, device_time=True)) == [(5, 1.0, "not_evaluated", True)]


def test_samples_with_a_time_of_their_own_are_judged_too() -> None:
    """A driver's ``Sample(time, ...)`` says not whose clock it is; 1970 is nobody's."""
    assert Host().stored(Batch([NOW, 5], {"x": [1.0, 2.0]})) == [
        (NOW, 1.0, "not_evaluated", False), (NOW + 1, 2.0, "not_evaluated:bad_time", False),
    ]  # fmt: skip


def test_a_receiver_is_put_right_and_another_device_gets_a_hint() -> None:
    batch = Batch([NOW - ROLL_OVER_US], {"x": [1.0]}, device_time=True)
    host = Host(TimeLimits(gnss=True))
    assert host.stored(batch) == [(NOW, 1.0, "not_evaluated", True)]
    assert (host.counts, [kind for kind, _ in host.events]) == ({"week_rollover": 1}, ["week_rollover"])
    host = Host()
    assert host.stored(batch)[0][2] == "not_evaluated:bad_time"
    assert "weeks have rolled over" in host.events[0][1]


def test_samples_of_one_batch_may_have_times_of_different_clocks() -> None:
    stamps = bytes((Stamp.ARRIVAL, Stamp.DEVICE, Stamp.IMPOSSIBLE))
    host = Host()
    batch = Batch([NOW, NOW - HOUR, NOW], {"x": [1.0, None, 3.0], "y": [None, 2.0, None]}, stamps=stamps)
    assert [(part.device_time, part.bad_time, part.values) for part in batch.parts()] == [
        (False, False, {"x": [1.0]}), (True, False, {"y": [2.0]}), (False, True, {"x": [3.0]}),
    ]  # fmt: skip
    host.judge.judge(batch, NOW, clock_set=True)
    assert host.counts == {"bad_time": 1}
