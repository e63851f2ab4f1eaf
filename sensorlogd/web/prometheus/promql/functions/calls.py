"""Which function a name in an expression means. A name that is in no table is refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from promql_parser import Call, Expr

from sensorlogd.web.prometheus.promql.evaluator import Evaluator
from sensorlogd.web.prometheus.promql.functions import (
    absence,
    calendar,
    conversions,
    elementwise,
    labels,
    ordering,
    over_time,
    windows,
)
from sensorlogd.web.prometheus.promql.values import Series, Value, Vector, unsupported


def call(evaluator: Evaluator, node: Call) -> Value:
    """The value of a function call. Raises PromError."""
    name, arguments = node.func.name, node.args
    if name in windows.FUNCTIONS:
        return over_time.windowed(evaluator, arguments[0], name)
    if name in elementwise.VALUES:
        return elementwise.of_values(evaluator.vector(arguments[0]), elementwise.VALUES[name])
    if name in calendar.CALENDAR:
        seconds = evaluator.vector(arguments[0]) if arguments else _now(evaluator)
        return elementwise.of_values(seconds, calendar.on_calendar(name))
    handler = _CALLS.get(name)
    if handler is None:
        raise unsupported(f"the function {name}")
    return handler(evaluator, arguments)


def _now(evaluator: Evaluator) -> Vector:
    return Vector([Series({}, list[float | None](evaluator.grid.seconds()))])


_CALLS: dict[str, Callable[[Evaluator, Sequence[Expr]], Value]] = {
    "quantile_over_time": over_time.quantile_over_time, "predict_linear": over_time.predict_linear,
    "absent": absence.absent, "absent_over_time": absence.absent_over_time,
    "time": conversions.time, "pi": conversions.pi, "vector": conversions.vector, "scalar": conversions.scalar,
    "timestamp": conversions.timestamp,
    "clamp": elementwise.clamp, "clamp_min": elementwise.clamp_min, "clamp_max": elementwise.clamp_max, "round": elementwise.round_,
    "sort": ordering.sort, "sort_desc": ordering.sort_desc,
    "label_replace": labels.label_replace, "label_join": labels.label_join,
}  # fmt: skip
