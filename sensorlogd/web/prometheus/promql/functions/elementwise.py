"""Functions that are applied to each value by itself (``abs``, ``clamp`` ...)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from promql_parser import Expr

from sensorlogd.web.prometheus.promql.evaluator import Evaluator
from sensorlogd.web.prometheus.promql.values import Series, Vector, merged, without_name


def _guarded(function: Callable[[float], float]) -> Callable[[float], float]:
    """The function with NaN or infinity where Python would raise, as floating point arithmetic has it."""

    def apply(value: float) -> float:
        try:
            return function(value)
        except ValueError:
            return math.nan
        except OverflowError:
            return math.inf

    return apply


def _log(base: Callable[[float], float]) -> Callable[[float], float]:
    return _guarded(lambda value: -math.inf if value == 0 else base(value) if value > 0 or math.isnan(value) else math.nan)


def _sign(value: float) -> float:
    return value if math.isnan(value) or value == 0 else math.copysign(1.0, value)


def _whole(function: Callable[[float], int]) -> Callable[[float], float]:
    return lambda value: float(function(value)) if math.isfinite(value) else value


def _signed(function: Callable[[float], float]) -> Callable[[float], float]:
    return _guarded(lambda value: math.copysign(math.inf, value) if math.isinf(value) else function(value))


VALUES: dict[str, Callable[[float], float]] = {
    "abs": abs, "ceil": _whole(math.ceil), "floor": _whole(math.floor), "exp": _guarded(math.exp),
    "ln": _log(math.log), "log2": _log(math.log2), "log10": _log(math.log10), "sqrt": _guarded(math.sqrt), "sgn": _sign,
    "sin": _guarded(math.sin), "cos": _guarded(math.cos), "tan": _guarded(math.tan),
    "asin": _guarded(math.asin), "acos": _guarded(math.acos), "atan": math.atan,
    "sinh": _signed(math.sinh), "cosh": _guarded(math.cosh), "tanh": math.tanh,
    "asinh": math.asinh, "acosh": _guarded(math.acosh), "atanh": _guarded(math.atanh),
    "deg": math.degrees, "rad": math.radians,
}  # fmt: skip


def of_values(vector: Vector, function: Callable[[float], float]) -> Vector:
    """Apply a function to each value. The result has no metric name."""
    found = (
        Series(without_name(series.labels), [None if value is None else function(value) for value in series.values])
        for series in vector.series
    )
    return Vector(merged(found))


def _with_numbers(vector: Vector, function: Callable[..., float], *numbers: Sequence[float]) -> Vector:
    """Apply a function to each value and to the scalar arguments at its instant (``clamp``, ``round``)."""
    found = (
        Series(
            without_name(series.labels),
            [None if value is None else function(value, *at) for value, *at in zip(series.values, *numbers, strict=True)],
        )
        for series in vector.series
    )
    return Vector(merged(found))


def _clamped(value: float, low: float, high: float) -> float:
    if math.isnan(value) or math.isnan(low) or math.isnan(high):
        return math.nan
    return max(low, min(high, value))


def _rounded(value: float, nearest: float) -> float:
    """Halves are rounded up. An intermediate value beyond a double becomes infinite, as in Prometheus."""
    if nearest == 0 or not math.isfinite(nearest):
        return math.nan
    if not math.isfinite(value):
        return value
    inverse = 1.0 / nearest
    scaled = value * inverse + 0.5
    return (math.floor(scaled) if math.isfinite(scaled) else scaled) / inverse


# ---- with arguments ----------------------------------------------------------------------------------------------------


def clamp(evaluator: Evaluator, arguments: Sequence[Expr]) -> Vector:
    """Values moved into [low, high]; none at instants at which low is above high."""
    low, high = evaluator.scalar(arguments[1]).values, evaluator.scalar(arguments[2]).values
    vector = evaluator.vector(arguments[0])
    for step, (a, b) in enumerate(zip(low, high, strict=True)):
        if a > b:  # nothing lies between: no result at this instant
            for series in vector.series:
                series.values[step] = None
    return _with_numbers(vector, _clamped, low, high)


def clamp_min(evaluator: Evaluator, arguments: Sequence[Expr]) -> Vector:
    low = evaluator.scalar(arguments[1]).values
    return _with_numbers(evaluator.vector(arguments[0]), lambda value, least: _clamped(value, least, math.inf), low)


def clamp_max(evaluator: Evaluator, arguments: Sequence[Expr]) -> Vector:
    high = evaluator.scalar(arguments[1]).values
    return _with_numbers(evaluator.vector(arguments[0]), lambda value, most: _clamped(value, -math.inf, most), high)


def round_(evaluator: Evaluator, arguments: Sequence[Expr]) -> Vector:
    """Values rounded to multiples of the second argument (1 by default); halves upwards, as in Prometheus."""
    nearest = evaluator.scalar(arguments[1]) if len(arguments) > 1 else evaluator.constant(1.0)
    return _with_numbers(evaluator.vector(arguments[0]), _rounded, nearest.values)
