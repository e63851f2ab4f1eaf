"""``sort`` and ``sort_desc``. They matter for instant queries only; a range query has its own order."""

from __future__ import annotations

import math
from collections.abc import Sequence

from promql_parser import Expr

from sensorlogd.web.prometheus.promql.evaluator import Evaluator
from sensorlogd.web.prometheus.promql.values import Series, Vector


def sort(evaluator: Evaluator, arguments: Sequence[Expr]) -> Vector:
    return _sorted(evaluator, arguments[0], descending=False)


def sort_desc(evaluator: Evaluator, arguments: Sequence[Expr]) -> Vector:
    return _sorted(evaluator, arguments[0], descending=True)


def _sorted(evaluator: Evaluator, node: Expr, *, descending: bool) -> Vector:
    vector = evaluator.vector(node)
    return _in_order(vector, descending=descending) if evaluator.grid.steps == 1 else vector


def _in_order(vector: Vector, *, descending: bool) -> Vector:
    """The series ordered by their value at the (only) instant; NaN last."""
    there = [series for series in vector.series if series.values[0] is not None]

    def place(series: Series) -> tuple[bool, float]:
        value = series.values[0]
        assert value is not None
        return (True, 0.0) if math.isnan(value) else (False, -value if descending else value)

    return Vector(sorted(there, key=place), ordered=True)
