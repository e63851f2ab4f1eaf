"""Formulas with a memory: the running integral, degree days, the derivative.

The whole memory of an integral is the reading before (time and what is integrated) and the sum; and the sum is what is stored
as the channel's value. So the log itself is the memory: whoever knows the last reading of the channel, and the inputs since,
goes on exactly (``docs/computed.md``).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """How the values of a formula are combined over time."""

    INTEGRAL = "integral"
    DERIVATIVE = "derivative"


@dataclass(frozen=True, slots=True)
class State:
    """The state after a reading. ``ts``: its time in µs; ``x``: the value of the formula then; ``total``: the sum so far."""

    ts: int
    x: float
    total: float = 0.0


@dataclass(frozen=True, slots=True)
class Running:
    """A formula that is combined over time. ``per_s``: the unit of time in seconds, e.g. 3600 for an integral of W in Wh, or a
    derivative per hour."""

    kind: Kind
    per_s: float

    def step(self, before: State | None, ts: int, x: float, gap_us: int, total: float = 0.0) -> tuple[State, float | None]:
        """(the state after a reading, the value of the channel or None if there is none yet).

        An integral adds the trapezoid between two readings. If they are further apart than ``gap_us`` nothing is known in between:
        it adds nothing to an integral, and a derivative has no value. ``total``: what an integral begins with.
        """
        if before is None:
            return State(ts, x, total), (total if self.kind is Kind.INTEGRAL else None)
        elapsed_us = ts - before.ts
        known = 0 < elapsed_us <= gap_us
        steps = elapsed_us / (1e6 * self.per_s)
        if self.kind is Kind.DERIVATIVE:
            return State(ts, x), ((x - before.x) / steps if known else None)
        sum_ = before.total + ((x + before.x) / 2 * steps if known else 0.0)
        return State(ts, x, sum_), sum_
