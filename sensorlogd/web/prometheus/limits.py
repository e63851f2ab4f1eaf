"""How much a query may look at and give, and what to say when that is met: always with what would fit."""

from __future__ import annotations

import math
from dataclasses import dataclass

from sensorlogd.web.prometheus.promql.values import PromError

BETWEEN = 4  # times the cells of an answer: what a step of the evaluation may hold


@dataclass(frozen=True, slots=True)
class Limits:
    """``readings``: looked at in all. ``cells``: values of an answer."""

    readings: int = 5_000_000
    cells: int = 500_000

    def check_readings(self, looked_at: int) -> None:
        """Raises PromError."""
        if looked_at > self.readings:
            raise PromError(
                f"the query needs more than {self.readings:,} readings; ask for fewer series, a shorter range, or shorter windows"
            )

    def check_answer(self, series: int, steps: int, step_us: int) -> None:
        """Raises PromError."""
        self._check(series, steps, step_us, self.cells, "the answer has")

    def check_between(self, series: int, steps: int, step_us: int) -> None:
        """Of a vector on the way to the answer. Raises PromError."""
        self._check(series, steps, step_us, BETWEEN * self.cells, "a part of the query has")

    def _check(self, series: int, steps: int, step_us: int, most: int, what: str) -> None:
        if series * steps <= most:
            return
        fit = most // series
        if fit and step_us:
            longer = f"a step of {math.ceil(step_us * steps / fit / 1e6)} s or more, or {most // steps:,} series, would fit"
        else:
            longer = f"{most // steps:,} series would fit"
        raise PromError(f"{what} {series:,} series at {steps:,} steps; at most {most:,} values are given; {longer}")
