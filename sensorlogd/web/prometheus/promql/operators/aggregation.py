"""Aggregation of many series to few: ``sum by (sensor) (...)`` and the like."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from promql_parser import AggModifierType, AggregateExpr, Expr

from sensorlogd.web.prometheus.promql.evaluator import Evaluator
from sensorlogd.web.prometheus.promql.statistics import mean, quantile, total, variance
from sensorlogd.web.prometheus.promql.values import (
    NAME,
    Key,
    Labels,
    PromError,
    Series,
    Values,
    Vector,
    key,
    number,
    unsupported,
)

Reduce = Callable[[Sequence[float]], float]


def _least(numbers: Sequence[float]) -> float:
    real = [number for number in numbers if not math.isnan(number)]
    return min(real) if real else math.nan


def _most(numbers: Sequence[float]) -> float:
    real = [number for number in numbers if not math.isnan(number)]
    return max(real) if real else math.nan


REDUCTIONS: dict[str, Reduce] = {
    "sum": total,
    "avg": mean,
    "min": _least,
    "max": _most,
    "count": lambda numbers: float(len(numbers)),
    "group": lambda numbers: 1.0,
    "stddev": lambda numbers: math.sqrt(variance(numbers)),
    "stdvar": variance,
}


def aggregate(evaluator: Evaluator, node: AggregateExpr) -> Vector:
    """The value of an aggregation. Raises PromError."""
    op = str(node.op)
    if op in REDUCTIONS:
        groups = _group_series(evaluator, node)
        return Vector([Series(labels, _reduce(members, REDUCTIONS[op])) for labels, members in groups])
    if op == "quantile":
        fractions = evaluator.scalar(_parameter(node)).values
        return Vector([Series(labels, _quantiles(members, fractions)) for labels, members in _group_series(evaluator, node)])
    if op in ("topk", "bottomk"):
        counts = evaluator.scalar(_parameter(node)).values
        return _choose_extremes([members for _, members in _group_series(evaluator, node)], counts, largest=op == "topk")
    if op == "count_values":
        label = evaluator.text(_parameter(node))
        return _count_values(_group_series(evaluator, node), label, evaluator)
    raise unsupported(f"the aggregation {op}")


def _parameter(node: AggregateExpr) -> Expr:
    assert isinstance(node.param, Expr)  # the parser lets no such operator be without one
    return node.param


Group = tuple[Labels, list[Series]]  # the labels of the result, and the series that it is made of


def _group_series(evaluator: Evaluator, node: AggregateExpr) -> list[Group]:
    """The series of the argument, in groups by the labels that the modifier names."""
    modifier = node.modifier
    names = None if modifier is None else modifier.labels
    without = modifier is not None and modifier.type == AggModifierType.Without
    groups: dict[Key, Group] = {}
    for series in evaluator.vector(node.expr).series:
        labels = _group_labels(series.labels, names, without)
        groups.setdefault(key(labels), (labels, []))[1].append(series)
    return list(groups.values())


def _group_labels(labels: Labels, names: Sequence[str] | None, without: bool) -> Labels:
    """The labels of a series' group. ``names``: the labels of ``by``, or those of ``without``; None: all series are one group."""
    if names is None:
        return {}
    if without:
        return {name: value for name, value in labels.items() if name not in names and name != NAME}
    return {name: labels[name] for name in names if name in labels}


def _reduce(members: Sequence[Series], reduce: Reduce) -> Values:
    """The value of a reduction at each instant; None where no member has a value."""
    if len(members) == 1:
        return [None if value is None else reduce([value]) for value in members[0].values]
    found: Values = []
    for column in zip(*(member.values for member in members), strict=True):
        numbers = [value for value in column if value is not None]
        found.append(reduce(numbers) if numbers else None)
    return found


def _quantiles(members: Sequence[Series], fractions: Sequence[float]) -> Values:
    found: Values = []
    for fraction, *column in zip(fractions, *(member.values for member in members), strict=True):
        numbers = [value for value in column if value is not None]
        found.append(quantile(fraction, numbers) if numbers else None)
    return found


def _choose_extremes(groups: Sequence[Sequence[Series]], counts: Sequence[float], *, largest: bool) -> Vector:
    """``topk`` and ``bottomk``: the k largest or smallest of each group at each instant, with all their labels. NaN comes last."""
    kept: dict[int, Series] = {}  # in the order in which they came in
    for step, count in enumerate(counts):
        most = _series_count(count)
        for members in groups:
            there = [(value, series) for series in members if (value := series.values[step]) is not None]
            there.sort(key=lambda pair: (math.isnan(pair[0]), -pair[0] if largest else pair[0]))
            for value, series in there[:most]:
                chosen = kept.get(id(series))
                if chosen is None:
                    chosen = kept[id(series)] = Series(series.labels, [None] * len(counts))
                chosen.values[step] = value
    return Vector(list(kept.values()), ordered=True)


def _series_count(count: float) -> int:
    """The parameter k: how many series; 0 if it is negative. Raises PromError for NaN and what is too large."""
    if math.isnan(count) or math.isinf(count) or abs(count) > 2**62:
        raise PromError(f"Scalar value {count:g} is not a valid number of series")
    return max(int(count), 0)


def _count_values(groups: Sequence[Group], label: str, evaluator: Evaluator) -> Vector:
    """``count_values``: one series for each distinct value. Raises PromError, also when there would be too many."""
    if not label:
        raise PromError('invalid label name ""')
    counted: dict[Key, Series] = {}
    for labels, members in groups:
        for member in members:
            for step, value in enumerate(member.values):
                if value is None:
                    continue
                named = labels | {label: number(value)}
                name = key(named)
                count = counted.get(name)
                if count is None:
                    evaluator.check(len(counted) + 1)
                    count = counted[name] = Series(named, [None] * evaluator.grid.steps)
                count.values[step] = (count.values[step] or 0.0) + 1.0
    return Vector(list(counted.values()))
