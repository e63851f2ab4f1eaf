"""The instants at which an expression is evaluated."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Grid:
    """The instants of a query: ``steps`` of them from ``start_us``, ``step_us`` apart (an instant query has one, and ``step_us``
    0).

    ``first_us``, ``last_us``: start and end of the whole query, which ``@ start()`` and ``@ end()`` mean within subqueries, too.
    """

    start_us: int
    step_us: int
    steps: int
    first_us: int
    last_us: int

    @classmethod
    def of(cls, start_us: int, end_us: int, step_us: int) -> Grid:
        """The grid of a range query; with ``step_us`` 0 that of an instant query at ``start_us``."""
        steps = (end_us - start_us) // step_us + 1 if step_us else 1
        return cls(start_us, step_us, steps, start_us, end_us)

    def at(self, step: int) -> int:
        """The time of an instant, in microseconds since 1970."""
        return self.start_us + step * self.step_us

    def seconds(self) -> list[float]:
        """All instants in seconds since 1970, the unit of PromQL."""
        return [self.at(step) / 1e6 for step in range(self.steps)]
