"""The set operators ``and``, ``or`` and ``unless``: whether the other side has a series of the same signature at an instant."""

from __future__ import annotations

from sensorlogd.web.prometheus.promql.operators.matching import Matching
from sensorlogd.web.prometheus.promql.values import Key, Series, Values, Vector, merged

SETS = ("and", "or", "unless")


def of_sets(op: str, left: Vector, right: Vector, matching: Matching, steps: int) -> Vector:
    """The value of a set operator. Of ``or`` the left side comes first, then what the right side has where the left one has
    nothing."""
    there: dict[Key, list[bool]] = {}
    for series in left.series if op == "or" else right.series:
        flags = there.setdefault(matching.signature(series.labels), [False] * steps)
        for step, value in enumerate(series.values):
            flags[step] = flags[step] or value is not None
    nothing = [False] * steps
    wanted = op == "and"
    found = [Series(dict(series.labels), list(series.values)) for series in left.series] if op == "or" else []
    for series in right.series if op == "or" else left.series:
        flags = there.get(matching.signature(series.labels), nothing)
        values: Values = [value if flag == wanted else None for value, flag in zip(series.values, flags, strict=True)]
        if any(value is not None for value in values):
            found.append(Series(dict(series.labels), values))
    return Vector(merged(found))
