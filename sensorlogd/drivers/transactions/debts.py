"""The answers that are still owed on a line: those to questions that were not answered in time."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from sensorlogd.drivers.contract import Count
from sensorlogd.drivers.transactions.answers import Awaited, Separation

MAX_DEBTS = 64
FORGOTTEN_S = 60.0  # an answer that comes after this long is not recognised any more


@dataclass(slots=True, eq=False)
class Debt:
    """A question whose answer may still come. ``until``: nothing like it is asked before."""

    awaited: Awaited
    key: str
    count: Count
    turnaround_s: float
    asked_at: float
    until: float
    separation: Separation


class Debts:
    """All debts of one line, the oldest first. Not for several threads at once: the line locks."""

    def __init__(self) -> None:
        self._debts: deque[Debt] = deque(maxlen=MAX_DEBTS)

    def add(self, debt: Debt) -> None:
        """Note that an answer is owed. Beyond ``MAX_DEBTS`` the oldest is forgotten."""
        self._debts.append(debt)

    def __contains__(self, debt: Debt | None) -> bool:
        return debt in self._debts

    def drop(self, debt: Debt | None) -> None:
        """The answer has come another way."""
        if debt is not None and debt in self._debts:
            self._debts.remove(debt)

    def is_owing(self, now: float) -> bool:
        """Whether somebody may still have to be kept waiting."""
        return any(debt.until > now for debt in self._debts)

    def free_at(self, awaited: Awaited, now: float, exempt_key: str | None) -> float:
        """From when on nothing is owed that could be taken for ``awaited``; 0 if nothing is. Debts of ``exempt_key`` do not count."""
        hindering = (
            debt.until for debt in self._debts if debt.until > now and debt.key != exempt_key and awaited.like(debt.awaited)
        )
        return max(hindering, default=0.0)

    def match(self, data: bytes, now_us: int, now: float, current: Awaited | None) -> Debt | None:
        """The debt whose answer ``data`` completes, if it completes one: it is dropped with all like it that are older, whose
        answers will not come any more. Debts like ``current`` are for the one who asks to judge."""
        while self._debts and self._debts[0].asked_at < now - FORGOTTEN_S and self._debts[0].until <= now:
            self._debts.popleft()
        owed = [debt for debt in self._debts if current is None or not debt.awaited.like(current)]
        come = [debt for debt in owed if debt.awaited.feed(data, now_us) is not None]
        if not come:
            return None
        matched = next((debt for debt in come if debt.until > now), come[-1])  # the oldest that is waited for, else the youngest
        for other in [other for other in self._debts if other.awaited.like(matched.awaited)]:
            other.awaited = other.awaited.fresh()  # these bytes were the other's
            if other.asked_at <= matched.asked_at:
                self._debts.remove(other)
        return matched
