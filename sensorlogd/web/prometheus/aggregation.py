"""Many series to few: ``sum by (sensor) (...)`` and the like."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from sensorlogd.web.prometheus.values import (
    NAME,
    Key,
    Labels,
    PromError,
    Scalar,
    Series,
    Values,
    Vector,
    key,
    mean,
    quantile,
    total,
    unsupported,
    variance,
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


def aggregate(
    op: str, vector: Vector, names: Sequence[str] | None, without: bool, param: Scalar | str | None, steps: int
) -> Vector:
    """``names``: of ``by`` or, with ``without``, of ``without``; None: all together. Raises PromError."""
    groups: dict[Key, tuple[Labels, list[Series]]] = {}
    for series in vector.series:
        labels = _group(series.labels, names, without)
        groups.setdefault(key(labels), (labels, []))[1].append(series)
    if op in REDUCTIONS:
        return Vector([Series(labels, _reduced(members, REDUCTIONS[op], steps)) for labels, members in groups.values()])
    if op == "quantile":
        assert isinstance(param, Scalar)
        return Vector([Series(labels, _quantiles(members, param.values, steps)) for labels, members in groups.values()])
    if op in ("topk", "bottomk"):
        assert isinstance(param, Scalar)
        return _some([members for _, members in groups.values()], param.values, steps, largest=op == "topk")
    if op == "count_values":
        assert isinstance(param, str)
        return _counted(groups, param, steps)
    raise unsupported(f"the aggregation {op}")


def _group(labels: Labels, names: Sequence[str] | None, without: bool) -> Labels:
    if names is None:
        return {}
    if without:
        return {name: value for name, value in labels.items() if name not in names and name != NAME}
    return {name: labels[name] for name in names if name in labels}


def _reduced(members: Sequence[Series], reduce: Reduce, steps: int) -> Values:
    if len(members) == 1 and reduce is not REDUCTIONS["count"]:
        return [None if value is None else reduce([value]) for value in members[0].values]
    found: Values = []
    for column in zip(*(member.values for member in members), strict=True):
        numbers = [value for value in column if value is not None]
        found.append(reduce(numbers) if numbers else None)
    return found


def _quantiles(members: Sequence[Series], fractions: Sequence[float], steps: int) -> Values:
    found: Values = []
    for fraction, *column in zip(fractions, *(member.values for member in members), strict=True):
        numbers = [value for value in column if value is not None]
        found.append(quantile(fraction, numbers) if numbers else None)
    return found


def _some(groups: Sequence[Sequence[Series]], counts: Sequence[float], steps: int, *, largest: bool) -> Vector:
    """The k largest (or smallest) of each group at each instant, with all their labels; NaN comes last."""
    kept: dict[int, Series] = {}
    order: list[Series] = []
    for at in range(steps):
        if math.isnan(counts[at]) or math.isinf(counts[at]) or abs(counts[at]) > 2**62:
            raise PromError(f"Scalar value {counts[at]:g} is not a valid number of series")
        for members in groups:
            there = [(value, series) for series in members if (value := series.values[at]) is not None]
            there.sort(key=lambda one: (math.isnan(one[0]), -one[0] if largest else one[0]))
            for value, series in there[: max(int(counts[at]), 0)]:
                one = kept.get(id(series))
                if one is None:
                    one = kept[id(series)] = Series(series.labels, [None] * steps)
                    order.append(one)
                one.values[at] = value
    return Vector(order, ordered=True)


def _counted(groups: dict[Key, tuple[Labels, list[Series]]], label: str, steps: int) -> Vector:
    from sensorlogd.web.prometheus.routes import number

    if not label:
        raise PromError('invalid label name ""')
    found: dict[Key, Series] = {}
    for labels, members in groups.values():
        for member in members:
            for at, value in enumerate(member.values):
                if value is None:
                    continue
                named = labels | {label: number(value)}
                one = found.setdefault(key(named), Series(named, [None] * steps))
                one.values[at] = (one.values[at] or 0.0) + 1.0
    return Vector(list(found.values()))
