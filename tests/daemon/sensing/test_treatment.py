"""Treatment: what becomes of every sample, and that the fast ways give what the definition gives."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sensorlogd.batch import Batch, Block
from sensorlogd.config.models import ChannelOptions
from sensorlogd.daemon.sensing.treatment import LAST_US, Treatment
from sensorlogd.quality import Flag, Test, combine, describe

S = 1_000_000
START = 1_700_000_000 * S
HEARTBEAT = 10 * S


class Counts(dict[str, int]):
    """Counters as a reader keeps them, with the last example of each."""

    def __init__(self) -> None:
        super().__init__()
        self.examples: dict[str, str] = {}

    def __call__(self, counter: str, n: int, example: str) -> None:
        self[counter] = self.get(counter, 0) + n
        self.examples[counter] = example


def treatment(counts: Counts | None = None, **channels: dict[str, Any]) -> Treatment:
    options = {name: ChannelOptions.model_validate(given) for name, given in channels.items()}
    return Treatment("sensor", options, HEARTBEAT, counts if counts is not None else Counts())


def readings(block: Block | None, channel: str = "x") -> list[tuple[int, float | None, int]]:
    """(time, value, quality) of one channel."""
    found: list[tuple[int, float | None, int]] = []
    for column in block.columns if block else ():
        if column.channel == channel:
            quality = [column.quality] * len(column.times_us) if isinstance(column.quality, int) else column.quality
            found += zip(column.times_us, column.values, quality, strict=True)
    return found


def flags(options: dict[str, Any], values: Sequence[Any], *, step_us: int = S, split: bool = False) -> list[str]:
    """Words for the quality of ``values`` taken ``step_us`` apart, in one batch or each in its own."""
    treater = treatment(x=options)
    times = [START + n * step_us for n in range(len(values))]
    if not split:
        return [describe(q) for _, _, q in readings(treater.process(Batch(times, {"x": list(values)})))]
    blocks = [treater.process(Batch([ts], {"x": [value]})) for ts, value in zip(times, values, strict=True)]
    return [describe(q) for block in blocks for _, _, q in readings(block)]


# ---- what is promised ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("split", [False, True])
class TestFlags:
    def test_a_reading_without_a_test_is_not_evaluated(self, split: bool) -> None:
        """'good' means that somebody said what good is."""
        assert flags({}, [1.0, 2.0], split=split) == ["not_evaluated", "not_evaluated"]

    def test_the_limits_of_valid_are_inside(self, split: bool) -> None:
        values = [-40.0, 85.0, 85.001, -40.001, 0.0]
        want = ["good", "good", "fail:gross_range", "fail:gross_range", "good"]
        assert flags({"valid": (-40, 85)}, values, split=split) == want

    def test_one_limit_is_enough(self, split: bool) -> None:
        assert flags({"valid": (0, None)}, [1e9, -0.1], split=split) == ["good", "fail:gross_range"]

    def test_valid_is_checked_after_scale_and_offset(self, split: bool) -> None:
        assert flags({"valid": (0, 10), "scale": 0.1, "offset": -2}, [120.0, 121.0, 19.0], split=split) == [
            "good",
            "fail:gross_range",
            "fail:gross_range",
        ]

    def test_a_jump_and_the_return_are_suspect(self, split: bool) -> None:
        want = ["good", "good", "suspect:rate_of_change", "suspect:rate_of_change", "good"]
        assert flags({"max_rate": "5/s"}, [20.0, 25.0, 60.0, 25.0, 24.0], split=split) == want

    def test_a_failed_reading_is_no_yardstick(self, split: bool) -> None:
        """After a spike that is out of range the next true value is not suspect."""
        values = [20.0, 999.0, 21.0]
        want = ["good", "fail:gross_range+rate_of_change", "good"]
        assert flags({"valid": (-40, 85), "max_rate": "5/s"}, values, split=split) == want

    def test_longer_silence_allows_a_larger_change(self, split: bool) -> None:
        assert flags({"max_rate": "5/s"}, [20.0, 60.0], step_us=8 * S, split=split) == ["good", "good"]
        assert flags({"max_rate": "5/s"}, [20.0, 60.0], step_us=8 * S - 1, split=split)[1] == "suspect:rate_of_change"

    def test_a_value_is_stuck_until_it_changes(self, split: bool) -> None:
        values = [1.0, 2.0, 2.0, 2.0, 2.0, 3.0]
        want = ["good", "good", "good", "good", "suspect:flat_line", "good"]
        assert flags({"stuck_after": "3s"}, values, split=split) == want

    def test_a_missing_reading_does_not_unstick(self, split: bool) -> None:
        values = [2.0, 2.0, math.nan, 2.0]
        assert flags({"stuck_after": "3s"}, values, split=split) == ["good", "good", "missing", "suspect:flat_line"]

    @pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, "12", b"1", 10**400, object()])
    def test_what_is_no_number_is_missing(self, split: bool, value: Any) -> None:
        assert flags({"valid": (0, 10)}, [1.0, value, 2.0], split=split) == ["good", "missing", "good"]

    def test_a_value_that_scaling_makes_infinite_is_missing(self, split: bool) -> None:
        assert flags({"scale": 1e10}, [1e300, 1.0], split=split) == ["missing", "not_evaluated"]

    def test_sums_that_overflow_hide_nothing(self, split: bool) -> None:
        """Every value is finite, though their sum is not."""
        assert flags({"valid": (0, None)}, [1e308, 1e308, 1.0], split=split) == ["good"] * 3


def test_missing_is_stored_as_null() -> None:
    block = treatment(x={}).process(Batch([START, START + 1], {"x": [math.nan, 1.0]}))
    assert readings(block) == [(START, None, Flag.MISSING), (START + 1, 1.0, Flag.NOT_EVALUATED)]


def test_integers_become_numbers_of_the_database() -> None:
    """A JSON device that sends 5, then true, then 10^19 (which no SQLite integer holds)."""
    raw: list[Any] = [5, True, 10**19]
    block = treatment(x={}).process(Batch([1, 2, 3], {"x": raw}))
    values = [value for _, value, _ in readings(block)]
    assert values == [5.0, 1.0, 1e19]
    assert {type(value) for value in values} == {float}


def test_lines_that_arrive_together_are_compared_with_what_came_before() -> None:
    """Ten lines in one read are one microsecond apart in the log, but that is not how fast the value changed."""
    treater = treatment(x={"max_rate": "1/s"})
    treater.process(Batch([START], {"x": [20.0]}))
    burst = treater.process(Batch([START + 10 * S] * 4, {"x": [21.0, 25.0, 29.0, 31.0]}))
    assert [ts - START for ts, _, _ in readings(burst)] == [10 * S, 10 * S + 1, 10 * S + 2, 10 * S + 3]
    assert [describe(q) for _, _, q in readings(burst)] == ["good", "good", "good", "suspect:rate_of_change"]


def test_an_unsynchronised_clock_is_marked_on_host_times_only() -> None:
    batch = Batch([START], {"x": [1.0]})
    assert readings(treatment(x={}).process(batch, clock_synced=False)) == [
        (START, 1.0, Flag.NOT_EVALUATED | Test.CLOCK_UNSYNCED)
    ]
    batch.device_time = True
    assert readings(treatment(x={}).process(batch, clock_synced=False)) == [(START, 1.0, Flag.NOT_EVALUATED)]
    batch = Batch([START, START + 1], {"x": [1.0, 99.0]})
    marked = treatment(x={"valid": (0, 10)}).process(batch, clock_synced=False)
    assert [describe(q) for _, _, q in readings(marked)] == ["good:clock_unsynced", "fail:gross_range+clock_unsynced"]


# ---- names and columns ---------------------------------------------------------------------------------------------


def test_a_field_can_feed_several_channels() -> None:
    """``source`` names the device's field; a field of no channel is counted, not stored."""
    counts = Counts()
    treater = treatment(counts, celsius={"source": "T"}, fahrenheit={"source": "T", "scale": 1.8, "offset": 32})
    block = treater.process(Batch([START], {"T": [100.0], "celsius": [5.0]}))
    assert readings(block, "celsius") == [(START, 100.0, 2)]
    assert readings(block, "fahrenheit") == [(START, 212.0, 2)]
    assert counts == {"unmapped": 1}
    assert "'celsius'" in counts.examples["unmapped"]
    assert treater.mapped == 2


def test_columns_sampled_together_share_their_times() -> None:
    """The writer interleaves such columns without looking at every time."""
    treater = treatment(a={}, b={}, c={}, d={}, e={})
    block = treater.process(
        Batch([1, 2, 3], {"a": [1.0] * 3, "b": [2.0] * 3, "c": [None, 1.0, 2.0], "d": [None, 1.0, 2.0], "e": [None] * 3})
    )
    assert block is not None
    assert [column.channel for column in block.columns] == ["a", "b", "c", "d"]
    a, b, c, d = (column.times_us for column in block.columns)
    assert a is b
    assert c is d
    assert c == [2, 3]
    assert block.rows == 10


def test_nothing_of_ours_is_nothing() -> None:
    assert treatment(x={}).process(Batch([], {})) is None
    assert treatment(x={}).process(Batch([1], {"y": [1.0]})) is None
    assert treatment(x={}).process(Batch([1], {"x": [None]})) is None


def test_a_batch_that_breaks_the_contract_is_refused_by_name() -> None:
    """A third-party driver's mistake must show itself there, not in the writer."""
    with pytest.raises(ValueError, match="2 times but 1 values of 'x'"):
        treatment(x={}).process(Batch([1, 2], {"x": [1.0]}))
    bad: Any = [START, START + 0.5]
    with pytest.raises(TypeError, match=r"1700000000000000\.5; times are integers"):
        treatment(x={}).process(Batch(bad, {"x": [1.0, 2.0]}))


def test_a_time_that_is_no_date_is_counted() -> None:
    counts = Counts()
    treater = treatment(counts, x={})
    block = treater.process(Batch([START, LAST_US + 1, -(2**70)], {"x": [1.0, 2.0, 3.0]}, device_time=True))
    assert readings(block) == [(START, 1.0, 2)]
    assert counts == {"bad_time": 2}
    assert treater.process(Batch([2**64], {"x": [1.0]}, device_time=True)) is None


# ---- times ---------------------------------------------------------------------------------------------------------


def times_of(treater: Treatment, times: list[int], *, device_time: bool = False) -> list[int]:
    block = treater.process(Batch(times, {"x": [1.0] * len(times)}, device_time))
    return [ts for ts, _, _ in readings(block)]


def test_a_taken_microsecond_gives_the_next_free_one() -> None:
    treater = treatment(x={})
    assert times_of(treater, [10, 10, 10, 11]) == [10, 11, 12, 13]
    assert times_of(treater, [12]) == [14]
    assert times_of(treater, [20, 21]) == [20, 21]
    assert times_of(treater, [5 - S // 2]) == [22], "a clock that is slewed back a little"


def test_after_a_step_back_times_follow_the_clock() -> None:
    treater = treatment(x={})
    assert times_of(treater, [100 * S]) == [100 * S]
    assert times_of(treater, [90 * S, 90 * S, 91 * S]) == [90 * S, 90 * S + 1, 91 * S]


def test_device_times_are_not_touched() -> None:
    """A device may repeat an hour; what that means is decided where it is stored."""
    treater = treatment(x={})
    assert times_of(treater, [10, 10, 9, 12], device_time=True) == [10, 10, 9, 12]
    assert times_of(treater, [10], device_time=True) == [10]


# ---- deadband ------------------------------------------------------------------------------------------------------


def kept(values: list[float | None], step_us: int = S, **options: Any) -> list[int]:
    """Indices of the readings that were stored."""
    counts = Counts()
    treater = treatment(counts, x=options)
    times = [START + n * step_us for n in range(len(values))]
    stored = [(ts - START) // step_us for ts, _, _ in readings(treater.process(Batch(times, {"x": values})))]
    assert counts.get("suppressed", 0) == len(values) - len(stored)
    assert treater.mapped == len(values)
    return stored


def test_small_changes_are_suppressed_against_the_last_stored_value() -> None:
    """A slow drift cannot creep away below the deadband."""
    assert kept([20.0, 20.4, 20.5, 20.6, 21.0, 21.2], deadband=0.5) == [0, 3, 5]


def test_deadband_zero_keeps_changes_only() -> None:
    assert kept([1.0, 1.0, 2.0, 2.0, 1.0], deadband=0) == [0, 2, 4]


@pytest.mark.parametrize("step_us", [S // 10, S, 2 * S, 3 * S, 7 * S, 30 * S])
def test_a_constant_value_never_looks_dead(step_us: int) -> None:
    """As long as samples come within the heartbeat, stored readings do too, and hardly more often than needed."""
    stored = kept([5.0] * 200, step_us, deadband=1)
    gaps_us = [(b - a) * step_us for a, b in pairwise(stored)]
    assert max(gaps_us) <= max(HEARTBEAT, step_us)
    if step_us <= HEARTBEAT // 4:
        assert min(gaps_us) >= HEARTBEAT // 2


def test_a_changed_flag_always_passes() -> None:
    values: list[float | None] = [9.9, 10.0, 10.1, 10.2, 10.0, math.nan, math.nan, 10.0]
    assert kept(values, deadband=5, valid=(0, 10)) == [0, 2, 4, 5, 7]


def test_each_channel_has_its_own_deadband() -> None:
    treater = treatment(x={"deadband": 1}, y={})
    block = treater.process(Batch([START, START + 1], {"x": [1.0, 1.0], "y": [1.0, 1.0]}))
    assert [len(readings(block, name)) for name in "xy"] == [1, 2]


def test_all_suppressed_is_nothing_to_store() -> None:
    treater = treatment(x={"deadband": 1})
    assert treater.process(Batch([START], {"x": [1.0]})) is not None
    assert treater.process(Batch([START + 1], {"x": [1.0]})) is None


# ---- fast equals slow ----------------------------------------------------------------------------------------------


@dataclass
class Definition:
    """The rules once more, in the plainest words, one sample at a time; it shares no code with what it checks."""

    options: ChannelOptions

    def __post_init__(self) -> None:
        self.accepted: list[tuple[int, float]] = []  # readings that did not fail, in order
        self.held: tuple[int, float] | None = None
        self.stored: tuple[int, float | None, int] | None = None
        self.seen: int | None = None

    def treat(self, arrived: int, ts: int, raw: Any) -> tuple[int, float | None, int] | None:
        try:
            value = math.nan if isinstance(raw, (str, bytes)) else float(raw) * self.options.scale + self.options.offset
        except (TypeError, OverflowError):
            value = math.nan
        if math.isfinite(value):
            reading: tuple[int, float | None, int] = (ts, value, self.quality(arrived, value))
        else:
            reading = (ts, None, 9)
        return reading if self.options.deadband is None or self.worth(reading) else None

    def quality(self, ts: int, value: float) -> int:
        o = self.options
        tested = (o.valid, o.max_rate, o.stuck_after) != (None, None, None)
        quality = 1 if tested else 2
        if o.valid is not None:
            low, high = o.valid
            if (low is not None and value < low) or (high is not None and value > high):
                quality = combine(quality, Flag.FAIL | Test.GROSS_RANGE)
        earlier = next((reading for reading in reversed(self.accepted) if reading[0] != self.accepted[-1][0]), None)
        if self.accepted and self.accepted[-1][0] != ts:
            earlier = self.accepted[-1]
        if o.max_rate is not None and earlier is not None and ts > earlier[0]:
            allowed = o.max_rate / 1e6 * (ts - earlier[0])
            if abs(value - earlier[1]) > allowed:
                quality = combine(quality, Flag.SUSPECT | Test.RATE_OF_CHANGE)
        if self.held is None or self.held[1] != value or ts < self.held[0]:
            self.held = (ts, value)
        if o.stuck_after is not None and ts - self.held[0] >= o.stuck_after:
            quality = combine(quality, Flag.SUSPECT | Test.FLAT_LINE)
        if quality & 0xF != 4:
            self.accepted.append((ts, value))
        return quality

    def worth(self, reading: tuple[int, float | None, int]) -> bool:
        assert self.options.deadband is not None
        ts, value, quality = reading
        pace = max(ts - self.seen, 0) if self.seen is not None else 0
        self.seen = ts
        if self.stored is not None and quality == self.stored[2] and ts >= self.stored[0]:
            near = value is None or (self.stored[1] is not None and abs(value - self.stored[1]) <= self.options.deadband)
            if near and ts + 2 * pace - self.stored[0] <= HEARTBEAT:
                return False
        self.stored = reading
        return True


def defined(options: ChannelOptions, times: list[int], raw: list[Any], device_time: bool) -> list[tuple[int, float | None, int]]:
    definition, newest, out = Definition(options), None, []
    for arrived, value in zip(times, raw, strict=True):
        ts = arrived
        if not device_time:
            if newest is not None and newest - S < ts <= newest:
                ts = newest + 1
            newest = ts
        if value is None:
            continue
        reading = definition.treat(arrived, ts, value)
        if reading is not None:
            out.append(reading)
    return out


channel_options = st.builds(
    ChannelOptions,
    scale=st.sampled_from([1.0, 1.0, 0.5, -3.0]),
    offset=st.sampled_from([0.0, 0.0, 10.0]),
    valid=st.sampled_from([None, None, (-10.0, 10.0), (None, 3.0), (0.0, None)]),
    max_rate=st.sampled_from([None, 0.5, 1.0, 2.5, 1000.0]),
    stuck_after=st.sampled_from([None, 1, 2 * S, 3 * S, 20 * S]),
    deadband=st.sampled_from([None, None, None, 0.0, 1.0]),
)
anything = st.one_of(
    st.integers(-12, 12).map(float), st.integers(-12, 12), st.sampled_from([math.nan, math.inf, None, 1e308, "x"])
)
# Walks in small steps, so that "nothing to flag", and one thing to flag at an edge, are common cases.
walks = st.lists(st.sampled_from([0.0, 0.0, 0.5, -0.5, 1.0, -1.0, 2.0]), min_size=1, max_size=30).map(
    lambda jumps: list(accumulate(jumps))
)
raw_values = st.one_of(walks, walks, walks, st.lists(anything, min_size=1, max_size=30), st.just([4.0] * 30))
steps = st.one_of(
    st.just([S]),
    st.just([0]),
    st.just([0, 0, 0, S]),
    st.just([S - 1000, S + 1000]),
    st.lists(st.sampled_from([S // 2, S, 3 * S]), min_size=1, max_size=30),
    st.lists(st.sampled_from([0, 1, S // 2, S, 3 * S, -S // 4, -5 * S]), min_size=1, max_size=30),
)


@settings(max_examples=1000)
@given(channel_options, raw_values, steps, st.lists(st.integers(0, 30), max_size=6), st.booleans())
@example(ChannelOptions(max_rate=1.0), [0.0, 0.0, 5.0], [0, S], [1], False)
@example(ChannelOptions(stuck_after=3 * S), [1.0] * 8, [S], [2, 5], True)
@example(ChannelOptions(stuck_after=3 * S), [1.0, 2.0, 2.0, 2.0, 2.0], [S], [2], True)
@example(ChannelOptions(stuck_after=2 * S), [4.0] * 6, [-5 * S, 3 * S], [3], True)
def test_any_split_gives_what_the_definition_gives(
    options: ChannelOptions, raw: list[Any], steps: list[int], cuts: list[int], device_time: bool
) -> None:
    """Whatever the samples, their times and the batches they come in: the readings are those of the plain rules."""
    times = [START]
    for n in range(len(raw) - 1):
        times.append(times[-1] + steps[n % len(steps)])
    want = defined(options, times, raw, device_time)
    edges = sorted({0, len(raw), *(cut for cut in cuts if cut < len(raw))})
    for pieces in (edges, [0, len(raw)], list(range(len(raw) + 1))):
        counts = Counts()
        treater = Treatment("sensor", {"x": options}, HEARTBEAT, counts)
        got: list[tuple[int, float | None, int]] = []
        for a, b in pairwise(pieces):
            got += readings(treater.process(Batch(times[a:b], {"x": raw[a:b]}, device_time)))
        assert got == want
        assert len(got) + counts.get("suppressed", 0) == sum(value is not None for value in raw)
