"""One computed channel: what it is, and how its readings follow from those of its inputs.

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
from sensorlogd.quality import FLAG_MASK, GOOD, MISSING, Flag, Test, combine

Key = tuple[str, str]  # (sensor, channel)
Count = Callable[[Key, str, int, str], None]  # (channel, counter, n, example)

SUMS = 1_024  # readings that may be on their way to the log while a sum is put right
NEWEST, EQUAL = "newest", "equal"
_NO_INPUT = MISSING | int(Test.INPUT)
_NO_VALUE = MISSING | int(Test.FORMULA)
_BAD = (int(Flag.FAIL), int(Flag.MISSING))


@dataclass(frozen=True, slots=True)
class Input:
    """``name``: in the formula. ``heartbeat_us``: for so long a reading counts."""

    name: str
    key: Key
    heartbeat_us: int


@dataclass(frozen=True, slots=True)
class Channel:
    """``inputs``: those of the formula, in the order of ``formula.names``. ``follows``: a reading of these gives a reading.

    ``gap_us``: over a longer gap nothing is integrated.
    """

    key: Key
    formula: Formula
    inputs: tuple[Input, ...]
    join: str = NEWEST
    follows: frozenset[Key] = frozenset()
    gap_us: int = 60_000_000

    def triggers(self) -> frozenset[Key]:
        """The inputs whose readings give readings."""
        return self.follows if self.join == NEWEST and self.follows else frozenset(input_.key for input_ in self.inputs)

    @property
    def is_integral(self) -> bool:
        return self.formula.running is not None and self.formula.running.kind is Kind.INTEGRAL


class Made(NamedTuple):
    """Computed readings, before they are treated."""

    times: list[int]
    values: list[float | None]
    qualities: list[int]


class Node:
    """A channel at work. ``memories``: of all inputs there are, by key."""

    def __init__(self, channel: Channel, memories: Mapping[Key, Memory], count: Count) -> None:
        self.channel = channel
        self.count = count
        self.state: State | None = None
        self.seed = 0.0  # what an integral begins with
        self._sums: deque[tuple[int, float]] = deque(maxlen=SUMS)  # the last ones of an integral
        self.triggers = channel.triggers()
        self._memories = [memories[input_.key] for input_ in channel.inputs]
        self._done: set[int] = set()  # times that have their reading
        self._order: deque[int] = deque()

    def compute(self, times: Sequence[int]) -> Made | None:
        """Readings for ``times``, in order; None: there are none."""
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

    def known(self, times: Sequence[int]) -> None:
        """These have their reading already."""
        for ts in times:
            if ts not in self._done:
                self._done.add(ts)
                self._order.append(ts)

    def take_over(self, former: Node) -> None:
        """Go on as another node of the same channel."""
        self.state, self.seed, self._sums = former.state, former.seed, former._sums
        self.known(list(former._order))

    def resume(self, ts: int, total: float) -> None:
        """Go on from a stored reading of an integral."""
        self.seed = total
        arguments: list[float | None] = []
        look = self._equal if self.channel.join == EQUAL else self._newest
        quality = look(ts, arguments)
        if quality is None or quality & FLAG_MASK in _BAD:
            return
        x = self.channel.formula.value(arguments)  # type: ignore[arg-type]  # a missing one is bad
        if x is not None:
            self.state = State(ts, x, total)
            self._sums.append((ts, total))

    def correct(self, ts: int, total: float) -> float:
        """The sum of an integral should have been ``total`` at that time; by how much it was less. Asked again: by nothing."""
        if self.state is None:
            by, self.seed = total - self.seed, total
            return by
        known = next((was for when, was in self._sums if when == ts), None)
        if known is None:
            return 0.0
        by = total - known
        self.seed += by
        self.state = State(self.state.ts, self.state.x, self.state.total + by)
        self._sums = deque(((when, was + by) for when, was in self._sums), SUMS)
        return by

    def _newest(self, ts: int, arguments: list[float | None]) -> int | None:
        """Fill ``arguments``; the worst quality of the inputs. None: what was then is not remembered."""
        quality = GOOD
        for memory, input_ in zip(self._memories, self.channel.inputs, strict=True):
            found = memory.at(ts)
            if found is None:
                self.count(self.channel.key, "no_input", 1, f"{input_.name} ({'.'.join(input_.key)}): none within its heartbeat")
                quality = combine(quality, _NO_INPUT)
                arguments.append(None)
                continue
            if isinstance(found, Gone):
                self.count(
                    self.channel.key, "late", 1, f"{input_.name} ({'.'.join(input_.key)}) at {ts} µs is not remembered any more"
                )
                return None
            quality = self._with(quality, found[1], input_)
            arguments.append(found[0])
        return quality

    def _equal(self, ts: int, arguments: list[float | None]) -> int | None:
        """The same; None: not all inputs have a reading of that time (yet)."""
        quality = GOOD
        for memory, input_ in zip(self._memories, self.channel.inputs, strict=True):
            found = memory.exactly(ts)
            if found is None:
                return None
            quality = self._with(quality, found[1], input_)
            arguments.append(found[0])
        return quality

    def _with(self, quality: int, other: int, input_: Input) -> int:
        if other == quality:
            return quality
        if other & FLAG_MASK in _BAD:
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
        if quality & FLAG_MASK in _BAD:  # it is not taken in; the sum so far is told, as failed
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
