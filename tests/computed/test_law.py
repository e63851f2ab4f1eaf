"""The law by which inputs are joined, against a slow model that remembers everything and looks through all of it."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensorlogd.batch import Column
from sensorlogd.computed.channel import EQUAL, NEWEST, Channel, Input, Key, Made
from sensorlogd.computed.engine import Cycle, Engine, in_order
from sensorlogd.computed.formula import parse
from sensorlogd.quality import FLAG_MASK, GOOD, MISSING, Flag, Test, combine, describe

S = 1_000_000
A, B = ("meter", "a"), ("probe", "b")
FAIL = int(Flag.FAIL) | int(Test.GROSS_RANGE)
Reading = tuple[Key, int, float | None, int]


def channel(text: str = "a * 10 + b", key: Key = ("sum", "s"), inputs: dict[str, Key] | None = None, **options: Any) -> Channel:
    known = inputs or {"a": A, "b": B}
    formula = parse(text, known)
    return Channel(key, formula, tuple(Input(name, known[name], 5 * S) for name in formula.names), gap_us=5 * S, **options)


@dataclass
class Rig:
    """An engine that treats nothing. ``counted``: counter -> n."""

    channels: list[Channel]
    counted: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.engine = Engine(self.channels, self.treat, self.count)

    def treat(self, key: Key, made: Made) -> Column:
        return Column(key[1], made.times, made.values, made.qualities)

    def count(self, key: Key, counter: str, n: int, example: str) -> None:
        self.counted[counter] = self.counted.get(counter, 0) + n

    def feed(self, *readings: Reading) -> list[Reading]:
        """Readings that arrive together, of one sensor."""
        columns: dict[str, Column] = {}
        for (_, name), ts, value, quality in readings:
            column = columns.setdefault(name, Column(name, [], [], []))
            assert isinstance(column.quality, list)
            column.times_us.append(ts)
            column.values.append(value)
            column.quality.append(quality)
        made = self.engine.feed(readings[0][0][0], list(columns.values()))
        return [
            (key, ts, value, quality)
            for key, column in made
            for ts, value, quality in zip(column.times_us, column.values, column.quality, strict=True)  # type: ignore[arg-type]  # as treat() gives it, a list
        ]


class Model:
    """The law, told once more: every reading that ever came, searched from end to end."""

    def __init__(self, join: str, follows: frozenset[Key]) -> None:
        self.join, self.follows = join, follows
        self.known: dict[Key, dict[int, tuple[float | None, int]]] = {A: {}, B: {}}
        self.made: dict[int, tuple[float | None, int]] = {}

    def hand_over(self, key: Key, readings: list[Reading]) -> list[Reading]:
        fresh = set()
        for _, ts, value, quality in readings:
            if ts not in self.known[key]:
                self.known[key][ts] = value, quality
                fresh.add(ts)
        found = []
        for ts in sorted(fresh):
            if ts in self.made or (self.join == NEWEST and self.follows and key not in self.follows):
                continue
            inputs = [self.look(input_key, ts) for input_key in (A, B)]
            if self.join == EQUAL and None in inputs:
                continue
            self.made[ts] = self.together(inputs)
            found.append((("sum", "s"), ts, *self.made[ts]))
        return found

    def look(self, key: Key, ts: int) -> tuple[float | None, int] | None:
        if self.join == EQUAL:
            return self.known[key].get(ts)
        times = [at for at in self.known[key] if ts - 5 * S <= at <= ts]
        return self.known[key][max(times)] if times else None

    def together(self, inputs: list[tuple[float | None, int] | None]) -> tuple[float | None, int]:
        quality, values = GOOD, []
        for reading in inputs:
            value, flags = reading or (None, MISSING | int(Test.INPUT))
            if flags & FLAG_MASK in (Flag.FAIL, Flag.MISSING):
                flags |= int(Test.INPUT)
            quality = combine(quality, flags)
            values.append(value)
        a, b = values
        return (None if a is None or b is None else a * 10 + b), quality


_reading = st.tuples(
    st.integers(0, 30),
    st.sampled_from([(1.0, GOOD), (2.0, 2), (3.0, int(Flag.SUSPECT) | int(Test.SPIKE)), (4.0, FAIL), (None, MISSING)]),
)
_hand_overs = st.lists(st.tuples(st.sampled_from([A, B]), st.lists(_reading, min_size=1, max_size=4)), max_size=25)


@settings(max_examples=300)
@given(_hand_overs, st.sampled_from([NEWEST, EQUAL]), st.sampled_from([frozenset(), frozenset([A])]))
def test_readings_in_any_order_follow_the_law(
    hand_overs: list[tuple[Key, list[tuple[int, tuple[float | None, int]]]]], join: str, follows: frozenset[Key]
) -> None:
    """Device-timed, late, repeated, failed, missing: the engine's readings are those of the model, in the same order."""
    rig, model = Rig([channel(join=join, follows=follows)]), Model(join, follows)
    for memory in rig.engine.memories.values():
        memory.forget_after_us = 1 << 60  # what is not remembered any more is another test
    for key, readings in hand_overs:
        block = [(key, ts * S, *found) for ts, found in readings]
        assert rig.feed(*block) == model.hand_over(key, block)


@settings(max_examples=300)
@given(_hand_overs, st.integers(1, 5))
def test_equal_makes_a_reading_or_counts_it_as_late(
    hand_overs: list[tuple[Key, list[tuple[int, tuple[float | None, int]]]]], kept: int
) -> None:
    """Whatever is forgotten: no reading of the law is left out without being counted, and none is made beside the law."""
    rig, model = Rig([channel(join=EQUAL)]), Model(EQUAL, frozenset())
    for memory in rig.engine.memories.values():
        memory.kept = kept
    seen: set[tuple[Key, int]] = set()
    made: list[Reading] = []
    for key, readings in hand_overs:
        block = [(key, ts * S, *found) for ts, found in dict(readings).items() if (key, ts) not in seen]
        seen |= {(key, ts) for ts, _ in readings}
        if block:
            made += rig.feed(*block)
            model.hand_over(key, block)
    assert all(model.made[ts] == (value, quality) for _, ts, value, quality in made)
    assert len(model.made) - len(made) <= rig.counted.get("late", 0)


def test_equal_waits_for_long_blocks() -> None:
    """Two fast devices that hand over in turn, several blocks behind each other."""
    rig = Rig([channel(join=EQUAL)])
    blocks = [[(block * 600 + n) * S // 1_000 for n in range(600)] for block in range(3)]
    for key in (A, B):
        made = [reading for times in blocks for reading in rig.feed(*((key, ts, 1.0, GOOD) for ts in times))]
    assert len(made) == 1_800
    assert rig.counted == {}


def test_one_reading_far_in_the_future_makes_nothing_forgotten() -> None:
    rig = Rig([channel(join=EQUAL)])
    made = []
    for second in range(20):
        rig.feed((A, second * S, 1.0, GOOD))
        if second == 3:
            rig.feed((A, 10**15, 1.0, GOOD))
        if second:
            made += rig.feed((B, (second - 1) * S, 2.0, GOOD))
    assert [ts for _, ts, *_ in made] == [second * S for second in range(19)]


@given(st.lists(st.tuples(st.sampled_from([A, B]), st.integers(1, 40), st.floats(-9, 9)), max_size=40), st.data())
def test_the_cut_into_hand_overs_does_not_matter(steps: list[tuple[Key, int, float]], data: st.DataObject) -> None:
    """Readings that go forward in time give the same, one by one or many at once."""
    now = 0
    runs: list[Any] = []
    for key, step, value in steps:
        now += step * S // 10
        if runs and runs[-1][-1][0] == key:
            runs[-1].append((key, now, value, GOOD))
        else:
            runs.append([(key, now, value, GOOD)])
    whole, single = Rig([channel("integral(a + b)")]), Rig([channel("integral(a + b)")])
    together = [result for run in runs for result in whole.feed(*run)]
    alone = [result for run in runs for reading in run for result in single.feed(reading)]
    assert together == alone


def test_a_reading_is_of_the_newest_within_the_heartbeat() -> None:
    rig = Rig([channel()])
    assert rig.feed((A, 0, 1.0, GOOD)) == [(("sum", "s"), 0, None, MISSING | int(Test.INPUT))]
    assert rig.feed((B, 1 * S, 2.0, GOOD)) == [(("sum", "s"), 1 * S, 12.0, GOOD)]
    assert rig.feed((A, 6 * S, 3.0, GOOD))[0][2] == 32.0
    assert rig.feed((A, 7 * S, 3.0, GOOD))[0][2:] == (None, MISSING | int(Test.INPUT))
    assert rig.counted["no_input"] == 2


def test_quality_is_the_worst_of_the_inputs_and_says_why() -> None:
    rig = Rig([channel()])
    rig.feed((B, 0, 2.0, int(Flag.SUSPECT) | int(Test.SPIKE)))
    assert [describe(q) for *_, q in rig.feed((A, S, 1.0, 2))] == ["suspect:spike"]
    assert [(v, describe(q)) for *_, v, q in rig.feed((A, 2 * S, 1.0, FAIL))] == [(12.0, "fail:gross_range+spike+input")]
    assert [(v, describe(q)) for *_, v, q in rig.feed((A, 3 * S, None, MISSING))] == [(None, "missing:spike+input")]
    divided = Rig([channel("a / b")])
    divided.feed((B, 0, 0.0, GOOD))
    assert [(v, describe(q)) for *_, v, q in divided.feed((A, S, 1.0, GOOD))] == [(None, "missing:formula")]


def test_what_is_too_late_is_counted_and_not_guessed() -> None:
    """Twice the heartbeat is remembered."""
    rig = Rig([channel()])
    for second in range(60):
        rig.feed((B, second * S, float(second), GOOD))
    assert rig.feed((A, 55 * S + 1, 1.0, GOOD))[0][2] == 65.0
    assert rig.feed((A, 20 * S + 1, 1.0, GOOD)) == []
    assert rig.counted["late"] == 1


def test_an_integral_goes_forward_only() -> None:
    rig = Rig([channel("integral(a)")])
    assert [v for *_, v, _ in rig.feed((A, 0, 1.0, GOOD), (A, 2 * S, 1.0, GOOD))] == [0.0, 2.0]
    assert rig.feed((A, S, 100.0, GOOD)) == []
    assert rig.feed((A, 3 * S, 1.0, FAIL)) == [(("sum", "s"), 3 * S, 2.0, FAIL | int(Test.INPUT))]
    assert [v for *_, v, _ in rig.feed((A, 4 * S, 1.0, GOOD))] == [4.0]
    assert rig.counted["late"] == 1


def test_computed_of_computed_in_order() -> None:
    first, second = ("one", "x"), ("two", "y")
    channels = {
        second: channel("x + a", second, {"x": first, "a": A}),
        first: channel("a * 2", first, {"a": A}),
    }
    order = in_order({key: [source.key for source in value.inputs] for key, value in channels.items()})
    assert order == [first, second]
    rig = Rig([channels[key] for key in order])
    assert [(key, v) for key, _, v, _ in rig.feed((A, 0, 5.0, GOOD))] == [(first, 10.0), (second, 15.0)]


def test_a_cycle_is_told_with_its_path() -> None:
    with pytest.raises(Cycle) as caught:
        in_order({("a", "x"): [("b", "y")], ("b", "y"): [("c", "z")], ("c", "z"): [("a", "x"), A]})
    path = caught.value.path
    assert path[0] == path[-1]
    assert set(path) == {"a.x", "b.y", "c.z"}
    uses = {"a.x": "b.y", "b.y": "c.z", "c.z": "a.x"}
    assert all(uses[name] == other for name, other in itertools.pairwise(path))


def test_what_stays_the_same_goes_on_when_the_rest_changes() -> None:
    rig = Rig([channel("integral(a)"), channel("a + b", ("sum", "t"))])
    rig.feed((A, 0, 1.0, GOOD), (A, 2 * S, 1.0, GOOD))
    rig.engine = Engine([channel("integral(a)"), channel("a - b", ("sum", "t"))], rig.treat, rig.count, rig.engine)
    assert [node.channel.key for node in rig.engine.new_nodes] == [("sum", "t")]
    assert [v for key, _, v, _ in rig.feed((A, 3 * S, 1.0, GOOD)) if key == ("sum", "s")] == [3.0]
