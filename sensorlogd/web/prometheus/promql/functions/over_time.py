"""Functions of a range vector. Each gives one value for each window, that is for each instant of the grid."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence

from promql_parser import Expr

from sensorlogd.web.prometheus.promql.evaluator import Evaluator
from sensorlogd.web.prometheus.promql.functions import windows
from sensorlogd.web.prometheus.promql.queryable import Samples, Stored, batches
from sensorlogd.web.prometheus.promql.selectors.ranges import RangeVector, range_vector
from sensorlogd.web.prometheus.promql.statistics import quantile
from sensorlogd.web.prometheus.promql.values import Series, Values, Vector, merged, without_name

FunctionAt = Callable[[int], windows.Function]  # of a step: most are the same at all steps


def windowed(evaluator: Evaluator, node: Expr, name: str) -> Vector:
    """Call a function of ``windows``, or take its values from roll-ups where they hold them. Raises PromError."""
    return _apply_to_windows(evaluator, node, _at_all_steps(windows.FUNCTIONS[name]), name)


def _at_all_steps(function: windows.Function) -> FunctionAt:
    return lambda step: function


def quantile_over_time(evaluator: Evaluator, arguments: Sequence[Expr]) -> Vector:
    """The fraction comes first and may differ from instant to instant."""
    fractions = evaluator.scalar(arguments[0]).values
    return _apply_to_windows(evaluator, arguments[1], lambda step: lambda t, v, a, b: quantile(fractions[step], v))


def predict_linear(evaluator: Evaluator, arguments: Sequence[Expr]) -> Vector:
    """The prediction counts from the instant of evaluation, not from the end of the window (which ``offset`` moves)."""
    ahead = evaluator.scalar(arguments[1]).values
    grid = evaluator.grid

    def at(step: int) -> windows.Function:
        def predict(times: Sequence[int], values: Sequence[float], _: int, __: int) -> float | None:
            if len(values) < 2:
                return None
            slope, intercept = windows.regression(times, values, grid.at(step))
            return slope * ahead[step] + intercept

        return predict

    return _apply_to_windows(evaluator, arguments[0], at)


def _apply_to_windows(evaluator: Evaluator, node: Expr, function_at: FunctionAt, name: str = "") -> Vector:
    """Call a function for each window. ``function_at``: the function for each step. ``name``: of a function that roll-ups may
    answer.

    Raises PromError.
    """
    ranges = range_vector(evaluator, node)
    evaluator.check(len(ranges.series))
    found = []
    for stored in ranges.series:
        values = _from_rollups(stored, ranges, name) if name else None
        if values is None:
            by_law = windows.of_counter(name, stored.counter) if stored.counter is not None else None
            values = _from_readings(stored, ranges, function_at if by_law is None else _at_all_steps(by_law))
        if any(value is not None for value in values):
            labels = dict(stored.labels) if name in windows.KEEP_NAME else without_name(stored.labels)
            found.append(Series(labels, values))
    return Vector(merged(found))


def _from_rollups(stored: Stored, ranges: RangeVector, name: str) -> Values | None:
    """The values from roll-ups: one for each instant, or a single one if all instants have the same window."""
    values = stored.rolled(name, ranges.ends, ranges.length_us)
    if values is None or len(values) == len(ranges.ends):
        return values
    return values * len(ranges.ends)


def _from_readings(stored: Stored, ranges: RangeVector, function_at: FunctionAt) -> Values:
    """The value of the function for each window, computed from readings; None for a window without any."""
    ends, length = ranges.ends, ranges.length_us
    if len(set(ends)) == 1:
        return _from_one_window(stored.window(ends[0] - length, ends[0]), ranges, function_at)
    values: Values = []
    for samples, some in batches(stored, ends, length):
        times, numbers = samples.times, samples.values
        for end in some:
            a, b = bisect_right(times, end - length), bisect_right(times, end)
            values.append(function_at(len(values))(times[a:b], numbers[a:b], end - length, end) if b > a else None)
    return values


def _from_one_window(samples: Samples, ranges: RangeVector, function_at: FunctionAt) -> Values:
    """With ``@`` all instants have the same window. The function may differ between them (``quantile_over_time(time(), ...)``)."""
    if not len(samples.times):
        return [None] * len(ranges.ends)
    start, end = ranges.ends[0] - ranges.length_us, ranges.ends[0]
    return [function_at(step)(samples.times, samples.values, start, end) for step in range(len(ranges.ends))]
