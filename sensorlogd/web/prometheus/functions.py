"""Functions of single values, of labels and of the time of evaluation."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from sensorlogd.web.prometheus import patterns
from sensorlogd.web.prometheus.values import NAME, PromError, Series, Values, Vector, merged, without_name

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _guarded(function: Callable[[float], float]) -> Callable[[float], float]:
    """NaN where the mathematics of floats has no number, infinities where it has."""

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
    """Each value by itself; the name goes."""
    found = (
        Series(without_name(series.labels), [None if value is None else function(value) for value in series.values])
        for series in vector.series
    )
    return Vector(merged(found))


def with_numbers(vector: Vector, function: Callable[..., float], *numbers: Sequence[float]) -> Vector:
    """Each value with the numbers of its instant (``clamp``, ``round``)."""
    found = (
        Series(
            without_name(series.labels),
            [None if value is None else function(value, *at) for value, *at in zip(series.values, *numbers, strict=True)],
        )
        for series in vector.series
    )
    return Vector(merged(found))


def clamp(value: float, low: float, high: float) -> float:
    if math.isnan(value) or math.isnan(low) or math.isnan(high):
        return math.nan
    return max(low, min(high, value))


def round_to(value: float, nearest: float) -> float:
    """Halves go up."""
    if nearest == 0 or not math.isfinite(value):
        return math.nan if nearest == 0 else value
    inverse = 1.0 / nearest
    return math.floor(value * inverse + 0.5) / inverse


# ---- the calendar ------------------------------------------------------------------------------------------------------


def _in_month(at: datetime) -> int:
    following = at.replace(day=28) + timedelta(days=4)
    return (following - timedelta(days=following.day)).day


CALENDAR: dict[str, Callable[[datetime], int]] = {
    "minute": lambda at: at.minute, "hour": lambda at: at.hour, "day_of_month": lambda at: at.day,
    "day_of_week": lambda at: (at.weekday() + 1) % 7, "day_of_year": lambda at: at.timetuple().tm_yday,
    "days_in_month": _in_month, "month": lambda at: at.month, "year": lambda at: at.year,
}  # fmt: skip


def on_calendar(name: str) -> Callable[[float], float]:
    """Of seconds since 1970, in UTC."""
    function = CALENDAR[name]

    def apply(seconds: float) -> float:
        try:
            return float(function(_EPOCH + timedelta(seconds=int(seconds))))
        except (OverflowError, ValueError):
            return math.nan

    return apply


# ---- labels ------------------------------------------------------------------------------------------------------------


def label_replace(vector: Vector, target: str, replacement: str, source: str, pattern: str) -> Vector:
    """Raises PromError for a pattern or a label that is none."""
    matcher = patterns.compiled(pattern)
    _check_label(target, "label_replace")
    found = []
    for series in vector.series:
        labels = dict(series.labels)
        match = matcher.fullmatch(labels.get(source, ""))
        if match is not None:
            value = patterns.expanded(match, replacement)
            labels.pop(target, None)
            if value:
                labels[target] = value
        found.append(Series(labels, series.values))
    return Vector(merged(found))


def label_join(vector: Vector, target: str, separator: str, sources: Sequence[str]) -> Vector:
    """Raises PromError for a label that is none."""
    _check_label(target, "label_join")
    for source in sources:
        _check_label(source, "label_join", "source")
    found = []
    for series in vector.series:
        labels = dict(series.labels)
        value = separator.join(labels.get(source, "") for source in sources)
        labels.pop(target, None)
        if value:
            labels[target] = value
        found.append(Series(labels, series.values))
    return Vector(merged(found))


def _check_label(name: str, function: str, which: str = "destination") -> None:
    if not name:
        raise PromError(f"invalid {which} label name in {function}(): {name}")


# ---- absence, order ----------------------------------------------------------------------------------------------------


def absent(vector: Vector, labels: dict[str, str], steps: int) -> Vector:
    """1 where there is nothing, with the labels that the selector names exactly."""
    values: Values = [None if any(series.values[at] is not None for series in vector.series) else 1.0 for at in range(steps)]
    return Vector([Series({name: value for name, value in labels.items() if name != NAME}, values)])


def in_order(vector: Vector, *, descending: bool) -> Vector:
    """By the value of the (only) instant; NaN last."""
    there = [series for series in vector.series if series.values[0] is not None]

    def place(series: Series) -> tuple[bool, float]:
        value = series.values[0]
        assert value is not None
        return (True, 0.0) if math.isnan(value) else (False, -value if descending else value)

    return Vector(sorted(there, key=place), ordered=True)
