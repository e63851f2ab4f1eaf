"""What conditions compare, computed as readings come: rate, and mean, min, max, increase over a window.

Time here is time watched (``watch``), in microseconds. A window is kept in slices, a sixtieth of it each, so a month of
readings takes no more memory than a minute. A slice counts while its newest reading is in the window. So mean, min and max reach
back by the length of the window, and by up to one slice more where readings are dense; of what a counter rose by in the oldest slice
the part that lies in the window is counted.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import Protocol

from sensorlogd.config import conditions
from sensorlogd.counters import Counter, Unbroken

SLICES = 60


class Term(Protocol):
    """A quantity that a condition compares."""

    def add(self, at_us: int, value: float) -> None:
        """Take a reading: ``at_us`` is time watched in µs and never goes back, ``value`` in the unit of the series."""

    def value(self, at_us: int) -> float | None:
        """The quantity at ``at_us``, which is not before the last reading; None while it is not known."""


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
        """The newest value, however old it is: a silent sensor is another condition."""
        return self.newest


@dataclass(slots=True)
class _Slice:
    """The readings of a sixtieth of the window, added up."""

    number: int
    last_us: int
    n: int
    total: float
    low: float
    high: float


class Window:
    """Mean, min or max of the readings of the last ``over_us``; None where there are none."""

    def __init__(self, kind: str, over_us: int) -> None:
        self.kind = kind
        self.over_us = over_us
        self.width = max(over_us // SLICES, 1)
        self.slices: deque[_Slice] = deque()

    def add(self, at_us: int, value: float) -> None:
        """Add a reading to its slice. One that is older than the newest slice counts there."""
        number = at_us // self.width
        last = self.slices[-1] if self.slices else None
        if last is None or number > last.number:
            self.slices.append(_Slice(number, at_us, 1, value, value, value))
            self._forget(at_us)
            return
        last.last_us = at_us
        last.n += 1
        last.total += value
        last.low = min(last.low, value)
        last.high = max(last.high, value)

    def _forget(self, at_us: int) -> None:
        while self.slices and self.slices[0].last_us <= at_us - self.over_us:
            self.slices.popleft()

    def value(self, at_us: int) -> float | None:
        """Mean, min or max of the slices whose newest reading is younger than ``over_us``; None if there are none."""
        self._forget(at_us)
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


@dataclass(slots=True)
class _Rise:
    """The ``n`` steps of a sixtieth of the window: from the reading at ``before_us`` to the one at ``last_us``."""

    number: int
    before_us: int
    last_us: int
    n: int
    rise: float

    def since(self, start_us: int) -> float:
        """What the steps that end after ``start_us`` rose by, if they are equally long and high."""
        if self.before_us >= start_us:
            return self.rise
        step_us = (self.last_us - self.before_us) / self.n
        return self.rise * min(math.ceil((self.last_us - start_us) / step_us), self.n) / self.n


class Increase:
    """The rise over the last ``over_us``: each step belongs to the time of its second reading, as in a query."""

    def __init__(self, over_us: int) -> None:
        self.over_us = over_us
        self.width = max(over_us // SLICES, 1)
        self.slices: deque[_Rise] = deque()
        self.last: tuple[int, float] | None = None

    def add(self, at_us: int, value: float) -> None:
        """Add the step from the reading before to its slice. The first reading ever is no step."""
        before, self.last = self.last, (at_us, value)
        if before is None:
            return
        number, newest = at_us // self.width, self.slices[-1] if self.slices else None
        if newest is not None and newest.number >= number:
            newest.last_us, newest.n, newest.rise = at_us, newest.n + 1, newest.rise + value - before[1]
        else:
            self.slices.append(_Rise(number, before[0], at_us, 1, value - before[1]))
            self._forget(at_us)

    def _forget(self, at_us: int) -> None:
        while self.slices and self.slices[0].last_us <= at_us - self.over_us:
            self.slices.popleft()

    def value(self, at_us: int) -> float | None:
        """The rise over the last ``over_us`` in the unit of the series: 0 if nothing came within it, None before the first reading."""
        self._forget(at_us)
        return None if self.last is None else sum([part.since(at_us - self.over_us) for part in self.slices])


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
        """Keep the reading as the end of the span, and the first of each slice as a possible beginning."""
        if not self.points or at_us - self.points[-1][0] >= self.width:
            self.points.append((at_us, value))
        self.last = (at_us, value)
        while len(self.points) > 1 and self.points[1][0] <= at_us - self.over_us:
            self.points.popleft()

    def value(self, at_us: int) -> float | None:
        """Units per second, to the newest reading, whenever that was; None until half of ``over_us`` has been seen."""
        if self.last is None:
            return None
        began, value = self.points[0]
        span = self.last[0] - began
        return None if span < self.over_us // 2 or span <= 0 else (self.last[1] - value) / (span / 1e6)
