"""What selectors, operators and functions need of the evaluator.

They get an Evaluator and know no engine; the engine knows all of them. So imports form no circle, though expressions do.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Self

from promql_parser import Expr

from sensorlogd.web.prometheus.promql.grid import Grid
from sensorlogd.web.prometheus.promql.queryable import Source
from sensorlogd.web.prometheus.promql.values import PromError, Scalar, Text, Value, Vector


class Evaluator(ABC):
    """Evaluates expressions at all instants of ``grid``. ``lookback_us``: how long a reading counts for an instant selector."""

    def __init__(self, grid: Grid, source: Source, lookback_us: int) -> None:
        self.grid = grid
        self.source = source
        self.lookback_us = lookback_us

    @abstractmethod
    def value(self, node: Expr) -> Value:
        """The value of a node at all instants. Raises PromError."""

    def on(self, grid: Grid) -> Self:
        """An evaluator of the same query on another grid, for subqueries."""
        return type(self)(grid, self.source, self.lookback_us)

    def vector(self, node: Expr) -> Vector:
        """The value of a node that has to be an instant vector. Raises PromError (bad_data) if it is something else, as the
        methods below do."""
        value = self.value(node)
        if not isinstance(value, Vector):
            raise PromError("expected a vector", "bad_data")
        return value

    def scalar(self, node: Expr) -> Scalar:
        """The value of an expression that must be a scalar. Raises PromError."""
        value = self.value(node)
        if not isinstance(value, Scalar):
            raise PromError("expected a scalar", "bad_data")
        return value

    def text(self, node: Expr) -> str:
        """The value of an expression that must be a string. Raises PromError."""
        value = self.value(node)
        if not isinstance(value, Text):
            raise PromError("expected a string", "bad_data")
        return value.value

    def constant(self, number: float) -> Scalar:
        """A scalar with the same number at all instants."""
        return Scalar([number] * self.grid.steps)

    def check(self, series: int) -> None:
        """Raises PromError if this many series at all instants would be too many values."""
        self.source.limits.check_between(series, self.grid.steps, self.grid.step_us)
