"""Operators, and how the series of two vectors find each other."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

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
    merged,
    without_name,
)

Operator = Callable[[float, float], float]


def _divide(a: float, b: float) -> float:
    if b == 0:
        return math.nan if a == 0 or math.isnan(a) else math.copysign(math.inf, a) * math.copysign(1.0, b)
    return a / b


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
    "+": lambda a, b: a + b, "-": lambda a, b: a - b, "*": lambda a, b: a * b, "/": _divide, "%": _modulo, "^": _power,
    "atan2": math.atan2,
}  # fmt: skip
COMPARISON: dict[str, Callable[[float, float], bool]] = {
    "==": lambda a, b: a == b, "!=": lambda a, b: a != b, ">": lambda a, b: a > b, "<": lambda a, b: a < b,
    ">=": lambda a, b: a >= b, "<=": lambda a, b: a <= b,
}  # fmt: skip
SETS = ("and", "or", "unless")


@dataclass(frozen=True, slots=True)
class Matching:
    """``labels``: of ``on`` (``on`` True) or of ``ignoring``. ``card``: which side may have many. ``include``: of group_left/right."""

    on: bool = False
    labels: tuple[str, ...] = ()
    card: str = "one-to-one"  # one-to-one, many-to-one, one-to-many, many-to-many
    include: tuple[str, ...] = ()

    def signature(self, labels: Labels) -> Key:
        if self.on:
            return tuple((name, labels[name]) for name in sorted(self.labels) if name in labels)
        return tuple(sorted((name, value) for name, value in labels.items() if name not in self.labels and name != NAME))


def scalars(op: str, a: Scalar, b: Scalar) -> Scalar:
    if op in COMPARISON:
        return Scalar([float(COMPARISON[op](x, y)) for x, y in zip(a.values, b.values, strict=True)])
    return Scalar([ARITHMETIC[op](x, y) for x, y in zip(a.values, b.values, strict=True)])


def with_scalar(op: str, vector: Vector, scalar: Scalar, *, scalar_left: bool, as_bool: bool) -> Vector:
    """A comparison keeps the vector's value (or is 0 or 1 with ``bool``)."""
    compare = COMPARISON.get(op)
    found = []
    for series in vector.series:
        values: Values = []
        for value, number in zip(series.values, scalar.values, strict=True):
            if value is None:
                values.append(None)
                continue
            left, right = (number, value) if scalar_left else (value, number)
            if compare is None:
                values.append(ARITHMETIC[op](left, right))
            elif as_bool:
                values.append(float(compare(left, right)))
            else:
                values.append(value if compare(left, right) else None)
        keeps_name = compare is not None and not as_bool
        found.append(Series(dict(series.labels) if keeps_name else without_name(series.labels), values))
    return Vector(merged(found))


def vectors(op: str, left: Vector, right: Vector, matching: Matching, *, as_bool: bool, steps: int) -> Vector:
    """Raises PromError where a series finds more than one partner."""
    if op in SETS:
        return _sets(op, left, right, matching, steps)
    swapped = matching.card == "one-to-many"
    many, one = (right, left) if swapped else (left, right)
    partners: dict[Key, list[Series]] = {}
    for series in one.series:
        partners.setdefault(matching.signature(series.labels), []).append(series)
    for signature, group in partners.items():
        _check_alone(signature, group, "left" if swapped else "right", steps)
    compare = COMPARISON.get(op)
    results: dict[Key, Series] = {}
    taken: dict[tuple[Key, int], Key] = {}
    for series in many.series:
        signature = matching.signature(series.labels)
        for partner in partners.get(signature, ()):
            labels = _result(series.labels, partner.labels, matching, drops_name=compare is None or as_bool)
            result = None
            for at in range(steps):
                a, b = series.values[at], partner.values[at]
                if a is None or b is None:
                    continue
                x, y = (b, a) if swapped else (a, b)
                if compare is None:
                    value = ARITHMETIC[op](x, y)
                elif as_bool:
                    value = float(compare(x, y))
                elif compare(x, y):
                    value = x
                else:
                    continue
                result = result or results.setdefault(key(labels), Series(labels, [None] * steps))
                place = (key(labels) if matching.card != "one-to-one" else signature, at)
                if place in taken:
                    if matching.card == "one-to-one":
                        raise PromError(
                            "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)"
                        )
                    raise PromError("multiple matches for labels: grouping labels must ensure unique matches")
                taken[place] = signature
                result.values[at] = value
    return Vector(list(results.values()))


def _check_alone(signature: Key, group: Sequence[Series], side: str, steps: int) -> None:
    if len(group) < 2:
        return
    for at in range(steps):
        there = [series for series in group if series.values[at] is not None]
        if len(there) > 1:
            shown = ", ".join(f'{name}="{value}"' for name, value in signature)
            both = ", ".join(_shown(series.labels) for series in there[1::-1])
            raise PromError(
                f"found duplicate series for the match group {{{shown}}} on the {side} hand-side of the operation: [{both}]"
                ";many-to-many matching not allowed: matching labels must be unique on one side"
            )


def _shown(labels: Labels) -> str:
    inner = ", ".join(f'{name}="{value}"' for name, value in sorted(labels.items()) if name != NAME)
    return f"{labels.get(NAME, '')}{{{inner}}}"


def _result(many: Labels, one: Labels, matching: Matching, *, drops_name: bool) -> Labels:
    labels = without_name(many) if drops_name else dict(many)
    if matching.card == "one-to-one":
        if matching.on:
            labels = {name: value for name, value in labels.items() if name in matching.labels}
        else:
            labels = {name: value for name, value in labels.items() if name not in matching.labels}
    for name in matching.include:
        if one.get(name):
            labels[name] = one[name]
        else:
            labels.pop(name, None)
    return labels


def _sets(op: str, left: Vector, right: Vector, matching: Matching, steps: int) -> Vector:
    there: dict[Key, list[bool]] = {}
    for series in left.series if op == "or" else right.series:
        flags = there.setdefault(matching.signature(series.labels), [False] * steps)
        for at, value in enumerate(series.values):
            flags[at] = flags[at] or value is not None
    nothing = [False] * steps
    wanted = op == "and"
    found = [Series(dict(series.labels), list(series.values)) for series in left.series] if op == "or" else []
    for series in right.series if op == "or" else left.series:
        flags = there.get(matching.signature(series.labels), nothing)
        values: Values = [value if flag == wanted else None for value, flag in zip(series.values, flags, strict=True)]
        if any(value is not None for value in values):
            found.append(Series(dict(series.labels), values))
    return Vector(merged(found))
