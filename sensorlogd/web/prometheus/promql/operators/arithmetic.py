"""Binary operators on floats, on two scalars, and on a vector and a scalar."""

from __future__ import annotations

import math
from collections.abc import Callable

from sensorlogd.web.prometheus.promql.statistics import divided
from sensorlogd.web.prometheus.promql.values import Scalar, Series, Vector, merged, without_name

Operator = Callable[[float, float], float]


def _modulo(a: float, b: float) -> float:
    try:
        return math.fmod(a, b)
    except ValueError:
        return math.nan


def _power(a: float, b: float) -> float:
    try:
        return math.pow(a, b)
    except OverflowError:
        return -math.inf if a < 0 and b % 2 == 1 else math.inf
    except ValueError:
        return math.nan if a != 0 else math.copysign(math.inf, a) if b % 2 == 1 else math.inf


ARITHMETIC: dict[str, Operator] = {
    "+": lambda a, b: a + b, "-": lambda a, b: a - b, "*": lambda a, b: a * b, "/": divided, "%": _modulo, "^": _power,
    "atan2": math.atan2,
}  # fmt: skip
COMPARISON: dict[str, Callable[[float, float], bool]] = {
    "==": lambda a, b: a == b, "!=": lambda a, b: a != b, ">": lambda a, b: a > b, "<": lambda a, b: a < b,
    ">=": lambda a, b: a >= b, "<=": lambda a, b: a <= b,
}  # fmt: skip


Combine = Callable[[float, float], float | None]  # of left and right; None: a comparison that does not hold


def combiner(op: str, *, as_bool: bool) -> Combine:
    """The function for a pair of vector values. A comparison keeps the left value, or gives 0 or 1 with ``bool``."""
    compare = COMPARISON.get(op)
    if compare is None:
        return ARITHMETIC[op]
    if as_bool:
        return lambda left, right: float(compare(left, right))
    return lambda left, right: left if compare(left, right) else None


def keeps_name(op: str, *, as_bool: bool) -> bool:
    """Whether the result keeps its metric name: only a filter leaves the values as they are."""
    return op in COMPARISON and not as_bool


def scalars(op: str, a: Scalar, b: Scalar) -> Scalar:
    """An operator on two scalars. A comparison gives 1 or 0."""
    function: Operator = COMPARISON.get(op) or ARITHMETIC[op]
    return Scalar([float(function(x, y)) for x, y in zip(a.values, b.values, strict=True)])


def with_scalar(op: str, vector: Vector, scalar: Scalar, *, scalar_left: bool, as_bool: bool) -> Vector:
    """A vector and a scalar. A comparison keeps the vector's value, on whichever side it stands (or gives 0 or 1 with ``bool``)."""
    combine = _with_number(op, scalar_left=scalar_left, as_bool=as_bool)
    found = []
    for series in vector.series:
        labels = dict(series.labels) if keeps_name(op, as_bool=as_bool) else without_name(series.labels)
        pairs = zip(series.values, scalar.values, strict=True)
        found.append(Series(labels, [None if value is None else combine(value, number) for value, number in pairs]))
    return Vector(merged(found))


def _with_number(op: str, *, scalar_left: bool, as_bool: bool) -> Combine:
    """The function of the vector's value and the scalar, in this order."""
    compare = COMPARISON.get(op)
    if not scalar_left:
        return combiner(op, as_bool=as_bool)
    if compare is not None and not as_bool:
        return lambda value, number: value if compare(number, value) else None
    combine = combiner(op, as_bool=as_bool)
    return lambda value, number: combine(number, value)
