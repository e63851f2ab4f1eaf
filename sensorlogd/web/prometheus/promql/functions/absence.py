"""``absent`` and ``absent_over_time``: functions that have a value where there is no series."""

from __future__ import annotations

from collections.abc import Sequence

from promql_parser import Expr

from sensorlogd.web.prometheus.promql.evaluator import Evaluator
from sensorlogd.web.prometheus.promql.functions.over_time import windowed
from sensorlogd.web.prometheus.promql.selectors.matchers import exact_labels
from sensorlogd.web.prometheus.promql.values import NAME, Labels, Series, Values, Vector


def absent(evaluator: Evaluator, arguments: Sequence[Expr]) -> Vector:
    """1 at instants at which the argument has no series."""
    return _absent(evaluator.vector(arguments[0]), exact_labels(arguments[0]), evaluator.grid.steps)


def absent_over_time(evaluator: Evaluator, arguments: Sequence[Expr]) -> Vector:
    """1 at instants whose window holds no reading of any series."""
    present = windowed(evaluator, arguments[0], "present_over_time")
    return _absent(present, exact_labels(arguments[0]), evaluator.grid.steps)


def _absent(vector: Vector, labels: Labels, steps: int) -> Vector:
    """1 at instants without a series, with the labels that the selector names exactly."""
    values: Values = [None if any(series.values[at] is not None for series in vector.series) else 1.0 for at in range(steps)]
    return Vector([Series({name: value for name, value in labels.items() if name != NAME}, values)])
