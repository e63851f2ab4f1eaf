"""Functions of the readings in one window. Each gets times (µs), values, and the bounds of the window (µs). None: no result.

Formulas are those that Prometheus documents (Querying, Functions); the extrapolation of rate, increase and delta is that of
its engine: towards a bound of the window by what is missing, but by no more than half the usual spacing where the bound
is further away than 1.1 spacings, and of a counter not below zero.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

from sensorlogd.counters import Law, rise, steps
from sensorlogd.web.prometheus.promql.statistics import divided, mean, total, variance

Times = Sequence[int]
Values = Sequence[float]
Function = Callable[[Times, Values, int, int], float | None]


def _change_in_window(
    times: Times, values: Values, start_us: int, end_us: int, *, counter: bool, per_second: bool
) -> float | None:
    """The change in the window, extrapolated to its bounds (``rate``, ``increase``, ``delta``); of a counter falls are
    resets."""
    if len(values) < 2:
        return None
    change = values[-1] - values[0]
    if counter:
        before = values[0]
        for value in values:
            if value < before:
                change += before
            before = value
    found = extrapolated(len(values), times[0], values[0], times[-1], change, start_us, end_us, counter=counter)
    return found / ((end_us - start_us) / 1e6) if per_second and found is not None else found


def of_counter(name: str, law: Law) -> Function | None:
    """The function of that name for a counter whose law is known: ``rate``, ``increase``, ``irate`` or ``resets``. None: the law
    makes no difference."""

    def change(times: Times, values: Values, start_us: int, end_us: int) -> float | None:
        if len(values) < 2:
            return None
        risen = total([step for step, _ in steps(values, law)])
        return extrapolated(len(values), times[0], values[0] - law.zero, times[-1], risen, start_us, end_us, counter=True)

    def rate(times: Times, values: Values, start_us: int, end_us: int) -> float | None:
        found = change(times, values, start_us, end_us)
        return None if found is None else found / ((end_us - start_us) / 1e6)

    def last_rate(times: Times, values: Values, _: int, __: int) -> float | None:
        if len(values) < 2 or times[-1] == times[-2]:
            return None
        return rise(values[-2], values[-1], law)[0] / ((times[-1] - times[-2]) / 1e6)

    def resets(_: Times, values: Values, __: int, ___: int) -> float:
        return float(sum(began for _, began in steps(values, law)))

    functions: dict[str, Function] = {"increase": change, "rate": rate, "irate": last_rate, "resets": resets}
    return functions.get(name)


def extrapolated(
    n: int, first_ts: int, first: float, last_ts: int, change: float, start_us: int, end_us: int, *, counter: bool
) -> float | None:
    """``change`` between the first and the last of ``n`` readings, extrapolated to the bounds of the window."""
    if n < 2 or first_ts == last_ts:
        return None
    to_start = (first_ts - start_us) / 1e6
    to_end = (end_us - last_ts) / 1e6
    sampled = (last_ts - first_ts) / 1e6
    spacing = sampled / (n - 1)
    threshold = spacing * 1.1
    if to_start >= threshold:
        to_start = spacing / 2
    if counter and change > 0 and first >= 0:
        to_start = min(to_start, sampled * (first / change))
    if to_end >= threshold:
        to_end = spacing / 2
    return change * ((sampled + to_start + to_end) / sampled)


def _last_change(times: Times, values: Values, *, counter: bool, per_second: bool) -> float | None:
    """A function of the last two readings (``irate``, ``idelta``)."""
    if len(values) < 2 or times[-1] == times[-2]:
        return None
    before, after = values[-2], values[-1]
    change = after if counter and after < before else after - before
    return change / ((times[-1] - times[-2]) / 1e6) if per_second else change


def regression(times: Times, values: Values, origin_us: int) -> tuple[float, float]:
    """The least squares line: (slope a second, value at ``origin_us``)."""
    n = len(values)
    if all(value == values[0] for value in values):
        return (0.0, values[0]) if math.isfinite(values[0]) else (math.nan, math.nan)
    x = [(ts - origin_us) / 1e6 for ts in times]
    sum_x, sum_y = total(x), total(values)
    cov = total([a * b for a, b in zip(x, values, strict=True)]) - sum_x * sum_y / n
    var = total([a * a for a in x]) - sum_x * sum_x / n
    slope = divided(cov, var)  # seen from very far all readings lie at one place
    return slope, sum_y / n - slope * sum_x / n


def _deriv(times: Times, values: Values, _: int, __: int) -> float | None:
    return None if len(values) < 2 else regression(times, values, times[0])[0]


def _min(_: Times, values: Values, __: int, ___: int) -> float:
    numbers = [value for value in values if not math.isnan(value)]
    return min(numbers) if numbers else math.nan


def _max(_: Times, values: Values, __: int, ___: int) -> float:
    numbers = [value for value in values if not math.isnan(value)]
    return max(numbers) if numbers else math.nan


def _changes(_: Times, values: Values, __: int, ___: int) -> float:
    return float(sum(a != b and not (math.isnan(a) and math.isnan(b)) for a, b in pairwise(values)))


def _resets(_: Times, values: Values, __: int, ___: int) -> float:
    return float(sum(b < a for a, b in pairwise(values)))


FUNCTIONS: dict[str, Function] = {
    "rate": lambda t, v, a, b: _change_in_window(t, v, a, b, counter=True, per_second=True),
    "increase": lambda t, v, a, b: _change_in_window(t, v, a, b, counter=True, per_second=False),
    "delta": lambda t, v, a, b: _change_in_window(t, v, a, b, counter=False, per_second=False),
    "irate": lambda t, v, a, b: _last_change(t, v, counter=True, per_second=True),
    "idelta": lambda t, v, a, b: _last_change(t, v, counter=False, per_second=False),
    "deriv": _deriv,
    "changes": _changes,
    "resets": _resets,
    "avg_over_time": lambda t, v, a, b: mean(v),
    "sum_over_time": lambda t, v, a, b: total(v),
    "min_over_time": _min,
    "max_over_time": _max,
    "count_over_time": lambda t, v, a, b: float(len(v)),
    "stddev_over_time": lambda t, v, a, b: math.sqrt(variance(v)),
    "stdvar_over_time": lambda t, v, a, b: variance(v),
    "last_over_time": lambda t, v, a, b: v[-1],
    "present_over_time": lambda t, v, a, b: 1.0,
}
KEEP_NAME = ("last_over_time",)
