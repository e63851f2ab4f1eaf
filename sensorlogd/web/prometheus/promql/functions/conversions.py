"""Functions between scalars, vectors and time: ``time``, ``pi``, ``vector``, ``scalar``, ``timestamp``."""

from __future__ import annotations

import math
from collections.abc import Sequence

from promql_parser import Expr, ParenExpr, VectorSelector

from sensorlogd.web.prometheus.promql.evaluator import Evaluator
from sensorlogd.web.prometheus.promql.selectors.instant import last_readings
from sensorlogd.web.prometheus.promql.values import Scalar, Series, Values, Vector, merged, without_name


def time(evaluator: Evaluator, _: Sequence[Expr]) -> Scalar:
    return Scalar(evaluator.grid.seconds())


def pi(evaluator: Evaluator, _: Sequence[Expr]) -> Scalar:
    return evaluator.constant(math.pi)


def vector(evaluator: Evaluator, arguments: Sequence[Expr]) -> Vector:
    return Vector([Series({}, list(evaluator.scalar(arguments[0]).values))])


def scalar(evaluator: Evaluator, arguments: Sequence[Expr]) -> Scalar:
    """The value of a vector with one series; NaN at instants that have none or several."""
    values = []
    columns = [series.values for series in evaluator.vector(arguments[0]).series]
    for step in range(evaluator.grid.steps):
        there = [value for column in columns if (value := column[step]) is not None]
        values.append(there[0] if len(there) == 1 else math.nan)
    return Scalar(values)


def timestamp(evaluator: Evaluator, arguments: Sequence[Expr]) -> Vector:
    """In seconds: for a selector the times of its readings, for any other expression the instant of evaluation."""
    node = arguments[0]
    while isinstance(node, ParenExpr):
        node = node.expr
    return _times_of_readings(evaluator, node) if isinstance(node, VectorSelector) else _times_of_instants(evaluator, node)


def _times_of_readings(evaluator: Evaluator, selector: VectorSelector) -> Vector:
    found = []
    for stored, readings in last_readings(evaluator, selector):
        values: Values = [None if reading is None else reading[0] / 1e6 for reading in readings]
        if any(value is not None for value in values):
            found.append(Series(without_name(stored.labels), values))
    return Vector(merged(found))


def _times_of_instants(evaluator: Evaluator, node: Expr) -> Vector:
    seconds = evaluator.grid.seconds()
    found = []
    for series in evaluator.vector(node).series:
        values: Values = [None if value is None else at for value, at in zip(series.values, seconds, strict=True)]
        found.append(Series(without_name(series.labels), values))
    return Vector(merged(found))
