"""What conditions compare, computed as readings come: rate, and mean, min, max, increase over a window.

Time here is time watched (``watch``), in microseconds. A window is kept in slices, a sixtieth of it each, so a month of
readings takes no more memory than a minute: it reaches back by its length, and by up to one slice more.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Protocol

from sensorlogd.config import conditions
from sensorlogd.counters import Counter, Unbroken

SLICES = 60


class Term(Protocol):
    """A quantity that a condition compares. ``add`` in order of time. ``value``: None while it is not known."""

    def add(self, at_us: int, value: float) -> None: ...
    def value(self, at_us: int) -> float | None: ...


def make(kind: str, over_us: int, counter: Counter | None) -> Term:
    """The term for a condition's ``kind``. ``counter``: the law by which the series rises and falls; None if it is no counter."""
    if kind == conditions.VALUE:
        return Newest()
    if kind not in (conditions.RATE, conditions.INCREASE):
        return Window(kind, over_us)
    term = Rate(over_us) if kind == conditions.RATE else Increase(over_us)
    return term if counter is None else OfCounter(counter, term)


class Newest:
    """The newest value."""

    def __init__(self) -> None:
        self.newest: float | None = None

    def add(self, at_us: int, value: float) -> None:
        self.newest = value

    def value(self, at_us: int) -> float | None:
        return self.newest


@dataclass(slots=True)
class _Slice:
    """The readings of a sixtieth of the window, added up."""

    number: int
    n: int
    total: float
    low: float
    high: float


class Window:
    """Mean, min or max of the readings of the last ``over_us``; None where there are none."""

    def __init__(self, kind: str, over_us: int) -> None:
        self.kind = kind
        self.width = max(over_us // SLICES, 1)
        self.slices: deque[_Slice] = deque()

    def add(self, at_us: int, value: float) -> None:
        number = at_us // self.width
        last = self.slices[-1] if self.slices else None
        if last is None or number > last.number:
            self.slices.append(_Slice(number, 1, value, value, value))
            self._forget(number)
            return
        last.n += 1
        last.total += value
        last.low = min(last.low, value)
        last.high = max(last.high, value)

    def _forget(self, number: int) -> None:
        while self.slices and self.slices[0].number < number - SLICES:
            self.slices.popleft()

    def value(self, at_us: int) -> float | None:
        self._forget(at_us // self.width)
        if not self.slices:
            return None
        if self.kind == conditions.MIN:
            return min([part.low for part in self.slices])
        if self.kind == conditions.MAX:
            return max([part.high for part in self.slices])
        return sum([part.total for part in self.slices]) / sum([part.n for part in self.slices])


class OfCounter:
    """A term of what a counter has risen by, as if it had never begun again."""

    def __init__(self, counter: Counter, term: Term) -> None:
        self.unbroken = Unbroken(counter)
        self.term = term

    def add(self, at_us: int, value: float) -> None:
        self.term.add(at_us, self.unbroken.add(value))

    def value(self, at_us: int) -> float | None:
        return self.term.value(at_us)


class Increase:
    """The rise over the last ``over_us``."""

    def __init__(self, over_us: int) -> None:
        self.width = max(over_us // SLICES, 1)
        self.slices: deque[list[float]] = deque()  # [number, rise]
        self.last: float | None = None

    def add(self, at_us: int, value: float) -> None:
        number = at_us // self.width
        rise = 0.0 if self.last is None else value - self.last
        self.last = value
        if self.slices and self.slices[-1][0] >= number:
            self.slices[-1][1] += rise
        else:
            self.slices.append([number, rise])
            self._forget(number)

    def _forget(self, number: int) -> None:
        while self.slices and self.slices[0][0] < number - SLICES:
            self.slices.popleft()

    def value(self, at_us: int) -> float | None:
        self._forget(at_us // self.width)
        return None if self.last is None else sum([rise for _, rise in self.slices])


class Rate:
    """Units per second from a reading some ``over_us`` ago to the newest; of slow series between the last two.

    Not known until half of that time has been seen: two readings a second apart say little of a rate per minute.
    """

    def __init__(self, over_us: int) -> None:
        self.over_us = over_us
        self.width = max(over_us // SLICES, 1)
        self.points: deque[tuple[int, float]] = deque()  # the first of each slice
        self.last: tuple[int, float] | None = None

    def add(self, at_us: int, value: float) -> None:
        if not self.points or at_us - self.points[-1][0] >= self.width:
            self.points.append((at_us, value))
        self.last = (at_us, value)
        while len(self.points) > 1 and self.points[1][0] <= at_us - self.over_us:
            self.points.popleft()

    def value(self, at_us: int) -> float | None:
        if self.last is None:
            return None
        began, value = self.points[0]
        span = self.last[0] - began
        return None if span < self.over_us // 2 or span <= 0 else (self.last[1] - value) / (span / 1e6)
