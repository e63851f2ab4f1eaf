"""The limits of a PromQL query, and the errors for exceeding them. Each error says what would fit."""

from __future__ import annotations

import math
from dataclasses import dataclass

from sensorlogd.web.prometheus.promql.values import PromError

BETWEEN = 4  # times the cells of an answer: what a step of the evaluation may hold


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of a query. ``readings``: how many readings it may look at. ``cells``: how many values an answer may have."""

    readings: int = 5_000_000
    cells: int = 500_000

    def check_readings(self, looked_at: int) -> None:
        """Raises PromError if ``looked_at`` readings are too many."""
        if looked_at > self.readings:
            raise PromError(
                f"the query needs more than {self.readings:,} readings; ask for fewer series, a shorter range, or shorter windows"
            )

    def check_answer(self, series: int, steps: int, step_us: int) -> None:
        """Raises PromError if an answer of that size is too large."""
        self._check(series, steps, step_us, self.cells, "the answer has")

    def check_between(self, series: int, steps: int, step_us: int) -> None:
        """The same for an intermediate vector. Raises PromError."""
        self._check(series, steps, step_us, BETWEEN * self.cells, "a part of the query has")

    def _check(self, series: int, steps: int, step_us: int, limit: int, what: str) -> None:
        if series * steps <= limit:
            return
        fit = limit // series
        if fit and step_us:
            longer = f"a step of {math.ceil(step_us * steps / fit / 1e6)} s or more, or {limit // steps:,} series, would fit"
        else:
            longer = f"{limit // steps:,} series would fit"
        raise PromError(f"{what} {series:,} series at {steps:,} steps; at most {limit:,} values are given; {longer}")
