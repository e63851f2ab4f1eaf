"""Computes the readings of a computed channel from those of its inputs.

The law, for every input reading that is new (its time is not known yet):

newest  It gives a reading at its own time, of the newest readings of all inputs at or before that time, none older than the
        heartbeat of its series. Readings that arrive together count together.
equal   It gives a reading at its own time once all inputs have one of that very time, in whatever order they arrive.

The first reading of a time stays. A channel with a memory (integral, derivative) goes forward only.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sensorlogd.computed.formula import Formula
from sensorlogd.computed.memory import Gone, Memory
from sensorlogd.computed.running import Kind, State
from sensorlogd.notation.microseconds import MINUTE_US
from sensorlogd.quality import FLAG_MASK, GOOD, MISSING, UNUSABLE, Test, combine

Key = tuple[str, str]  # (sensor, channel)
Count = Callable[[Key, str, int, str], None]  # (channel, counter, n, example)

MAX_SUM_READINGS = 1_024  # the most readings that can be on their way to the log while a sum is corrected
NEWEST, EQUAL = "newest", "equal"
_NO_INPUT = MISSING | int(Test.INPUT)
_NO_VALUE = MISSING | int(Test.FORMULA)


@dataclass(frozen=True, slots=True)
class Input:
    """An input of a formula. ``name``: in the formula. ``key``: its series. ``heartbeat_us``: how long a reading of it counts."""

    name: str
    key: Key
    heartbeat_us: int


@dataclass(frozen=True, slots=True)
class Channel:
    """A computed channel. ``inputs``: in the order of ``formula.names``. ``follows``: with join ``newest``, only readings of these
    give a reading; empty: readings of any input.

    ``gap_us``: an integral adds nothing over a longer gap.
    """

    key: Key
    formula: Formula
    inputs: tuple[Input, ...]
    join: str = NEWEST
    follows: frozenset[Key] = frozenset()
    gap_us: int = MINUTE_US

    def triggers(self) -> frozenset[Key]:
        """The inputs whose readings give a reading of this channel."""
        return self.follows if self.join == NEWEST and self.follows else frozenset(input_.key for input_ in self.inputs)

    @property
    def is_integral(self) -> bool:
        """Whether its readings go on from a sum that must outlive a restart."""
        return self.formula.running is not None and self.formula.running.kind is Kind.INTEGRAL


class Made(NamedTuple):
    """Computed readings, before they are scaled, tested and thinned out."""

    times: list[int]
    values: list[float | None]
    qualities: list[int]


class Node:
    """A channel while it runs, with its state. ``memories``: those of all inputs of the engine, by key."""

    def __init__(self, channel: Channel, memories: Mapping[Key, Memory], count: Count) -> None:
        self.channel = channel
        self.count = count
        self.state: State | None = None
        self.seed = 0.0  # the value that an integral begins with
        self._sums: deque[tuple[int, float]] = deque(maxlen=MAX_SUM_READINGS)  # the newest sums of an integral: (time in µs, sum)
        self.triggers = channel.triggers()
        self._memories = [memories[input_.key] for input_ in channel.inputs]
        self._done: set[int] = set()  # the times that have their reading
        self._order: deque[int] = deque()

    def compute(self, times: Sequence[int]) -> Made | None:
        """Compute the readings for ``times`` (µs, rising); None if there are none."""
        made = Made([], [], [])
        self._forget_done()
        look = self._equal if self.channel.join == EQUAL else self._newest
        for ts in times:
            if ts in self._done:
                self.count(self.channel.key, "same_time", 1, "")
                continue
            arguments: list[float | None] = []
            quality = look(ts, arguments)
            if quality is None:
                continue
            value, quality, is_reading = self._value(ts, arguments, quality)
            if not is_reading:
                continue
            self._done.add(ts)
            self._order.append(ts)
            made.times.append(ts)
            made.values.append(value)
            made.qualities.append(quality)
        return made if made.times else None

    def note_known(self, times: Sequence[int]) -> None:
        """Mark times whose readings are stored already."""
        for ts in times:
            if ts not in self._done:
                self._done.add(ts)
                self._order.append(ts)

    def take_over(self, former: Node) -> None:
        """Continue with the state of another node of the same channel."""
        self.state, self.seed, self._sums = former.state, former.seed, former._sums
        self.note_known(list(former._order))

    def begin_with(self, total: float) -> None:
        """Let an integral begin with this sum instead of 0."""
        self.seed = total

    def resume(self, ts: int, total: float) -> None:
        """Continue from a stored reading of an integral. ``ts``: µs; ``total``: its value."""
        self.seed = total
        arguments: list[float | None] = []
        look = self._equal if self.channel.join == EQUAL else self._newest
        quality = look(ts, arguments)
        if quality is None or quality & FLAG_MASK in UNUSABLE:
            return
        x = self.channel.formula.value(arguments)  # type: ignore[arg-type]  # a missing one is bad
        if x is not None:
            self.state = State(ts, x, total)
            self._sums.append((ts, total))

    def correct(self, ts: int, total: float) -> float:
        """Correct an integral whose sum at ``ts`` should have been ``total``. Returns what was added to it; 0.0 if that was done
        already or the sum then is not remembered."""
        if self.state is None:
            by, self.seed = total - self.seed, total
            return by
        known = next((was for when, was in self._sums if when == ts), None)
        if known is None:
            return 0.0
        by = total - known
        self.seed += by
        self.state = State(self.state.ts, self.state.x, self.state.total + by)
        self._sums = deque(((when, was + by) for when, was in self._sums), MAX_SUM_READINGS)
        return by

    def _newest(self, ts: int, arguments: list[float | None]) -> int | None:
        """Fill ``arguments`` with the newest values at ``ts``. Returns the worst quality of the inputs; None if they are not
        remembered so far back."""
        quality = GOOD
        for memory, input_ in zip(self._memories, self.channel.inputs, strict=True):
            found = memory.at(ts)
            if found is None:
                self.count(self.channel.key, "no_input", 1, f"{input_.name} ({'.'.join(input_.key)}): none within its heartbeat")
                quality = combine(quality, _NO_INPUT)
                arguments.append(None)
                continue
            if isinstance(found, Gone):
                self._count_gone(ts, input_)
                return None
            quality = self._combine_input(quality, found[1], input_)
            arguments.append(found[0])
        return quality

    def _equal(self, ts: int, arguments: list[float | None]) -> int | None:
        """Fill ``arguments`` with the values at exactly ``ts``. Returns the worst quality of the inputs; None if one has no reading
        of that time (yet), or does not remember it."""
        quality = GOOD
        for memory, input_ in zip(self._memories, self.channel.inputs, strict=True):
            found = memory.exactly(ts)
            if found is None:
                return None
            if isinstance(found, Gone):
                self._count_gone(ts, input_)
                return None
            quality = self._combine_input(quality, found[1], input_)
            arguments.append(found[0])
        return quality

    def _count_gone(self, ts: int, input_: Input) -> None:
        self.count(self.channel.key, "late", 1, f"{input_.name} ({'.'.join(input_.key)}) at {ts} µs is not remembered any more")

    def _combine_input(self, quality: int, other: int, input_: Input) -> int:
        """The quality combined with that of an input; a bad input is counted, and marked in the result."""
        if other == quality:
            return quality
        if other & FLAG_MASK in UNUSABLE:
            self.count(self.channel.key, "bad_input", 1, f"{input_.name} ({'.'.join(input_.key)})")
            other |= int(Test.INPUT)
        return combine(quality, other)

    def _value(self, ts: int, arguments: list[float | None], quality: int) -> tuple[float | None, int, bool]:
        """(value, quality, whether there is a reading at all)."""
        running = self.channel.formula.running
        before = self.state
        if running is not None and before is not None and ts <= before.ts:
            self.count(self.channel.key, "late", 1, f"a reading at {ts} µs, after one at {before.ts} µs")
            return None, quality, False
        if None in arguments:
            return None, combine(quality, MISSING), True
        x = self.channel.formula.value(arguments)  # type: ignore[arg-type]  # none is None
        if x is None:
            self.count(self.channel.key, "no_value", 1, f"of {', '.join(map(repr, arguments))}")
            return None, combine(quality, _NO_VALUE), True
        if running is None:
            return x, quality, True
        if quality & FLAG_MASK in UNUSABLE:  # the reading is not added; the sum so far is reported again, flagged fail
            if running.kind is Kind.DERIVATIVE:
                return None, quality, False
            return (self.seed if before is None else before.total), quality, True
        self.state, value = running.step(before, ts, x, self.channel.gap_us, self.seed)
        if running.kind is Kind.INTEGRAL:
            self._sums.append((ts, self.state.total))
        return value, quality, value is not None

    def _forget_done(self) -> None:
        while len(self._order) > 4_096:
            self._done.discard(self._order.popleft())
