"""The law of counters: by how much one rose from reading to reading. Roll-ups, queries and alarms all go by it.

Each pair of neighbours counts for itself, so rises add up over any span; but see ``is_glitch``.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple, Protocol

DIP = 0.1  # the default of ``dip``: a counter that falls by no more than this fraction of its value has wobbled, not been reset


class Law(Protocol):
    """What is known of a counter, in the unit that is stored.

    ``wrap``: by how much it falls when it begins anew after its highest value; None: it has no highest value. ``dip``: the fraction of
    its value by which it may fall and has only wobbled. ``zero``: what it shows when it begins, its ``offset``.
    """

    @property
    def wrap(self) -> float | None: ...
    @property
    def dip(self) -> float: ...
    @property
    def zero(self) -> float: ...


class Counter(NamedTuple):
    """A ``Law`` that stands alone."""

    wrap: float | None = None
    dip: float = DIP
    zero: float = 0.0


def rise(before: float, after: float, law: Law) -> tuple[float, int]:
    """What a counter rose by between two readings, and 1 if it began again.

    - It did not fall: the difference.
    - ``wrap`` is declared, and it fell by more than half of that, and by no more than all: it went on at its lowest, and
      rose by what the fall leaves of ``wrap``. (A counter of 65536 that went from 65000 to 100 rose by 636; with an offset
      of 1,000,000 from 1,065,000 to 1,000,100.)
    - It fell by no more than ``dip`` (a fraction) of its value: it wobbles. The difference, which is negative, so that
      the sum over a dip and its recovery is right.
    - It fell by more: it began again, and rose by what it shows now above ``zero``. That is a reset.

    Its value is counted from ``zero``. It never falls below that, so a reading below it is from a time when the offset was
    another one, and both are counted from 0.
    """
    if after >= before:
        return after - before, 0
    fall, wrap = before - after, law.wrap
    if wrap is not None and wrap < 2 * fall <= 2 * wrap:
        return wrap - fall, 0
    zero = _zero(after, law)
    if fall <= law.dip * abs(before - zero):
        return -fall, 0
    return after - zero, 1


def is_glitch(a: float, b: float, c: float, law: Law) -> bool:
    """Whether ``b`` is a misread between its neighbours: it falls by more than a wobble, and the next reading makes it good.

    "Made good": ``c`` is no lower than ``a``, but for a wobble. The step to a glitch then counts nothing, no reset, and the
    step back counts ``rise(a, c)``. So an increase depends on three readings in a row, and no two such triples overlap: after
    a glitch comes a rise. That stays mergeable because a roll-up keeps its second and its last but one value: what readings
    of two neighbours decide together is decided when they meet (see ``rollup.glitches``).
    """
    if not b < a:
        return False
    fall, began = rise(a, b, law)
    if not began and fall < 0:
        return False  # a wobble
    return c > b and c >= a - law.dip * abs(a - _zero(c, law))


def _zero(value: float, law: Law) -> float:
    return law.zero if value >= law.zero else 0.0


def steps(values: Sequence[float], law: Law) -> list[tuple[float, int]]:
    """``rise`` of each pair of neighbours, with what glitches among them count."""
    found = [rise(before, after, law) for before, after in pairwise(values)]
    for index, (a, b, c) in enumerate(zip(values, values[1:], values[2:], strict=False)):
        if b < a and is_glitch(a, b, c, law):
            found[index], found[index + 1] = (0.0, 0), rise(a, c, law)
    return found


class Unbroken:
    """A counter as it would be if it never fell: readings go in one by one, what it rose by since the first comes out.

    What a fall means is known one reading later (``is_glitch``), so it counts nothing until then.
    """

    def __init__(self, law: Law) -> None:
        self.law = law
        self.risen = 0.0
        self._last: float | None = None
        self._before_fall: float | None = None  # the reading before ``_last``, if that fell by more than a wobble

    def add(self, value: float) -> float:
        """The rise since the first reading, with this one."""
        last, before, law = self._last, self._before_fall, self.law
        self._last, self._before_fall = value, None
        if last is None:
            return 0.0
        if before is not None:
            if is_glitch(before, last, value, law):
                self.risen += rise(before, value, law)[0]
                return self.risen
            self.risen += rise(before, last, law)[0]
        step, began = rise(last, value, law)
        if began or (value < last and step >= 0):
            self._before_fall = last
        else:
            self.risen += step
        return self.risen
