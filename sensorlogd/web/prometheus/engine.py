"""Expressions over a grid of instants. Parsed by promql-parser; every node is evaluated for all instants at once.

A selector takes at each instant t the last reading in (t - lookback, t], a range the readings in (t - range, t].
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import promql_parser as promql

from sensorlogd.web.prometheus import aggregation, functions, operators, patterns, windows
from sensorlogd.web.prometheus.values import (
    NAME,
    Labels,
    PromError,
    Samples,
    Scalar,
    Series,
    Source,
    Stored,
    Text,
    Value,
    Values,
    Vector,
    merged,
    quantile,
    unsupported,
    without_name,
)

LOOKBACK_US = 300_000_000
SUBQUERY_STEP_US = 60_000_000
MOST_INNER_STEPS = 200_000
LONGEST_QUERY, MOST_PARENTHESES = 20_000, 300
BATCH_READINGS = 100_000  # of one series at a time
_US = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Grid:
    """``steps`` instants from ``start_us``, ``step_us`` apart. ``first_us``, ``last_us``: of the whole query (for ``@``)."""

    start_us: int
    step_us: int
    steps: int
    first_us: int
    last_us: int

    @classmethod
    def of(cls, start_us: int, end_us: int, step_us: int) -> Grid:
        steps = (end_us - start_us) // step_us + 1 if step_us else 1
        return cls(start_us, step_us, steps, start_us, end_us)

    def at(self, step: int) -> int:
        return self.start_us + step * self.step_us


def parse(text: str) -> Any:
    """The syntax tree. Raises PromError (bad_data)."""
    if len(text) > LONGEST_QUERY or text.count("(") > MOST_PARENTHESES:  # the parser takes long for what is nested deeply
        raise PromError(f"a query has at most {LONGEST_QUERY:,} characters and {MOST_PARENTHESES} parentheses", "bad_data")
    try:
        return promql.parse(text)
    except ValueError as error:
        raise PromError(f"invalid query: {error}", "bad_data") from None


def evaluate(expression: Any, grid: Grid, source: Source, lookback_us: int = LOOKBACK_US) -> Value:
    """Raises PromError."""
    try:
        return Engine(grid, source, lookback_us).value(expression)
    except RecursionError:
        raise PromError("the expression is nested too deeply", "bad_data") from None


def range_of(expression: Any, at_us: int, source: Source) -> list[tuple[Labels, Samples]]:
    """The readings of a range selector or subquery at one instant (``foo[5m]`` as an instant query)."""
    engine = Engine(Grid(at_us, 0, 1, at_us, at_us), source, LOOKBACK_US)
    found = engine.ranges(expression)
    ends = found.ends
    return [(stored.labels, stored.window(ends[0] - found.length_us, ends[0])) for stored in found.series]


@dataclass(slots=True)
class _Ranges:
    """Series, and for each instant of the grid where its window of ``length_us`` ends."""

    series: Sequence[Stored]
    length_us: int
    ends: list[int]


class Engine:
    """See the module."""

    def __init__(self, grid: Grid, source: Source, lookback_us: int) -> None:
        self.grid = grid
        self.source = source
        self.lookback_us = lookback_us

    def value(self, node: Any) -> Value:
        handler = _NODES.get(type(node).__name__)
        if handler is None:
            raise unsupported(f"{type(node).__name__}")
        return handler(self, node)

    def vector(self, node: Any) -> Vector:
        value = self.value(node)
        if not isinstance(value, Vector):
            raise PromError("expected a vector", "bad_data")
        return value

    def scalar(self, node: Any) -> Scalar:
        value = self.value(node)
        if not isinstance(value, Scalar):
            raise PromError("expected a scalar", "bad_data")
        return value

    def text(self, node: Any) -> str:
        value = self.value(node)
        if not isinstance(value, Text):
            raise PromError("expected a string", "bad_data")
        return value.value

    def constant(self, number: float) -> Scalar:
        return Scalar([number] * self.grid.steps)

    # ---- selectors -------------------------------------------------------------------------------------------------

    def _number(self, node: Any) -> Value:
        return self.constant(node.val)

    def _string(self, node: Any) -> Value:
        return Text(node.val)

    def _paren(self, node: Any) -> Value:
        return self.value(node.expr)

    def _selector(self, node: Any) -> Value:
        found = []
        for stored, readings in self._last_readings(node):
            values: Values = [None if reading is None else reading[1] for reading in readings]
            if any(value is not None for value in values):
                found.append(Series(dict(stored.labels), values))
        return Vector(found)

    def _last_readings(self, node: Any) -> Iterator[tuple[Stored, list[tuple[int, float] | None]]]:
        ends = self._ends(node)
        for stored in self.source.select(matcher(node)):
            lookback = stored.lookback_us or self.lookback_us
            if len(set(ends)) == 1:
                yield stored, [stored.last(ends[0] - lookback, ends[0])] * len(ends)
            elif self.grid.step_us >= lookback:
                # Far apart: looking each of them up beats reading all that lies between.
                yield stored, [stored.last(end - lookback, end) for end in ends]
            else:
                readings: list[tuple[int, float] | None] = []
                for samples, some in _batches(stored, ends, lookback):
                    times, values = samples.times, samples.values
                    for end in some:
                        at = bisect_right(times, end) - 1
                        readings.append((times[at], values[at]) if at >= 0 and times[at] > end - lookback else None)
                yield stored, readings

    def _ends(self, node: Any) -> list[int]:
        """Where a selector looks at each instant: ``offset`` and ``@``."""
        grid = self.grid
        offset = node.offset // _US if node.offset is not None else 0
        if node.at is not None:
            kind = str(node.at.type).rpartition(".")[2]
            fixed = {"Start": grid.first_us, "End": grid.last_us}.get(kind)
            if fixed is None:
                fixed = (node.at.at - _EPOCH) // _US
            return [fixed - offset] * grid.steps
        return [grid.at(step) - offset for step in range(grid.steps)]

    def ranges(self, node: Any) -> _Ranges:
        kind = type(node).__name__
        if kind == "ParenExpr":
            return self.ranges(node.expr)
        if kind == "MatrixSelector":
            selector = node.vector_selector
            return _Ranges(self.source.select(matcher(selector)), node.range // _US, self._ends(selector))
        if kind == "SubqueryExpr":
            return self._subquery(node)
        raise PromError("expected a range of readings", "bad_data")

    def _subquery(self, node: Any) -> _Ranges:
        """The inner expression on a grid of its own, which lies on multiples of its step."""
        ends, length = self._ends(node), node.range // _US
        step = node.step // _US if node.step else SUBQUERY_STEP_US
        first = (min(ends) - length) // step * step + step
        steps = (max(ends) - first) // step + 1
        if steps > MOST_INNER_STEPS:
            raise PromError(f"the subquery has {steps:,} steps, at most {MOST_INNER_STEPS:,} are taken; say a longer step")
        if steps < 1:
            return _Ranges([], length, ends)
        inner = Engine(Grid(first, step, steps, self.grid.first_us, self.grid.last_us), self.source, self.lookback_us)
        value = inner.value(node.expr)
        if isinstance(value, Scalar):
            value = Vector([Series({}, list(value.values))])
        if not isinstance(value, Vector):
            raise PromError("expected a vector", "bad_data")
        return _Ranges([_Computed(one.labels, one.values, inner.grid) for one in value.series], length, ends)

    # ---- operators -------------------------------------------------------------------------------------------------

    def _unary(self, node: Any) -> Value:
        value = self.value(node.expr)
        if isinstance(value, Scalar):
            return Scalar([-number for number in value.values])
        if not isinstance(value, Vector):
            raise PromError("a string cannot be negated", "bad_data")
        return functions.of_values(value, lambda number: -number)

    def _binary(self, node: Any) -> Value:
        op, modifier = str(node.op), node.modifier
        left, right = self.value(node.lhs), self.value(node.rhs)
        if op not in operators.ARITHMETIC and op not in operators.COMPARISON and op not in operators.SETS:
            raise unsupported(f"the operator {op}")
        as_bool = bool(modifier is not None and modifier.return_bool)
        if modifier is not None and (modifier.fill_values.lhs is not None or modifier.fill_values.rhs is not None):
            raise unsupported("fill")
        if isinstance(left, Scalar) and isinstance(right, Scalar):
            return operators.scalars(op, left, right)
        if isinstance(left, Vector) and isinstance(right, Scalar):
            return operators.with_scalar(op, left, right, scalar_left=False, as_bool=as_bool)
        if isinstance(left, Scalar) and isinstance(right, Vector):
            return operators.with_scalar(op, right, left, scalar_left=True, as_bool=as_bool)
        if isinstance(left, Vector) and isinstance(right, Vector):
            return operators.vectors(op, left, right, _matching(modifier), as_bool=as_bool, steps=self.grid.steps)
        raise PromError(f"{op} does not take strings", "bad_data")

    def _aggregate(self, node: Any) -> Value:
        op = str(node.op)
        if op not in aggregation.REDUCTIONS and op not in ("topk", "bottomk", "quantile", "count_values"):
            raise unsupported(f"the aggregation {op}")
        param: Scalar | str | None = None
        if op == "count_values":
            param = self.text(node.param)
        elif node.param is not None:
            param = self.scalar(node.param)
        names, without = None, False
        if node.modifier is not None:
            names, without = list(node.modifier.labels), str(node.modifier.type).endswith("Without")
        return aggregation.aggregate(op, self.vector(node.expr), names, without, param, self.grid.steps)

    # ---- functions -------------------------------------------------------------------------------------------------

    def _call(self, node: Any) -> Value:
        name, arguments = node.func.name, node.args
        if name in windows.FUNCTIONS:
            return self._windowed(arguments[0], windows.FUNCTIONS[name], keep_name=name in windows.KEEP_NAME)
        if name in functions.VALUES:
            return functions.of_values(self.vector(arguments[0]), functions.VALUES[name])
        if name in functions.CALENDAR:
            vector = self.vector(arguments[0]) if arguments else Vector([Series({}, list[float | None](self._seconds()))])
            return functions.of_values(vector, functions.on_calendar(name))
        handler = _CALLS.get(name)
        if handler is None:
            raise unsupported(f"the function {name}")
        return handler(self, arguments)

    def _seconds(self) -> list[float]:
        return [self.grid.at(step) / 1e6 for step in range(self.grid.steps)]

    def _windowed(self, node: Any, function: windows.Function, *, keep_name: bool = False) -> Vector:
        return self._over(node, lambda step: function, keep_name=keep_name)

    def _over(self, node: Any, function_at: Callable[[int], windows.Function], *, keep_name: bool = False) -> Vector:
        """A function of each window; ``function_at``: for each instant."""
        ranges = self.ranges(node)
        length = ranges.length_us
        found = []
        for stored in ranges.series:
            values: Values = []
            if len(set(ranges.ends)) == 1:
                samples = stored.window(ranges.ends[0] - length, ranges.ends[0])
                for step in range(self.grid.steps):
                    some = len(samples.times) > 0
                    values.append(
                        function_at(step)(samples.times, samples.values, ranges.ends[0] - length, ranges.ends[0])
                        if some
                        else None
                    )
            else:
                for samples, ends in _batches(stored, ranges.ends, length):
                    times, numbers = samples.times, samples.values
                    for end in ends:
                        a, b = bisect_right(times, end - length), bisect_right(times, end)
                        values.append(function_at(len(values))(times[a:b], numbers[a:b], end - length, end) if b > a else None)
            if any(value is not None for value in values):
                labels = dict(stored.labels) if keep_name else without_name(stored.labels)
                found.append(Series(labels, values))
        return Vector(merged(found))

    def _quantile_over_time(self, arguments: Sequence[Any]) -> Value:
        fractions = self.scalar(arguments[0]).values
        return self._over(arguments[1], lambda step: lambda t, v, a, b: quantile(fractions[step], v))

    def _predict_linear(self, arguments: Sequence[Any]) -> Value:
        ahead = self.scalar(arguments[1]).values
        instants = [self.grid.at(step) for step in range(self.grid.steps)]

        def at(step: int) -> windows.Function:
            def predict(t: Sequence[int], v: Sequence[float], a: int, b: int) -> float | None:
                if len(v) < 2:
                    return None
                slope, intercept = windows.regression(t, v, instants[step])
                return slope * ahead[step] + intercept

            return predict

        return self._over(arguments[0], at)

    def _absent_over_time(self, arguments: Sequence[Any]) -> Value:
        present = self._windowed(arguments[0], windows.FUNCTIONS["present_over_time"])
        return functions.absent(present, _exact_labels(arguments[0]), self.grid.steps)

    def _absent(self, arguments: Sequence[Any]) -> Value:
        return functions.absent(self.vector(arguments[0]), _exact_labels(arguments[0]), self.grid.steps)

    def _time(self, _: Sequence[Any]) -> Value:
        return Scalar(self._seconds())

    def _pi(self, _: Sequence[Any]) -> Value:
        return self.constant(math.pi)

    def _of_scalar(self, arguments: Sequence[Any]) -> Value:
        return Vector([Series({}, list(self.scalar(arguments[0]).values))])

    def _to_scalar(self, arguments: Sequence[Any]) -> Value:
        values = []
        columns = [series.values for series in self.vector(arguments[0]).series]
        for step in range(self.grid.steps):
            there = [value for column in columns if (value := column[step]) is not None]
            values.append(there[0] if len(there) == 1 else math.nan)
        return Scalar(values)

    def _timestamp(self, arguments: Sequence[Any]) -> Value:
        node = arguments[0]
        while type(node).__name__ == "ParenExpr":
            node = node.expr
        if type(node).__name__ != "VectorSelector":
            seconds = self._seconds()
            vector = self.vector(node)
            return Vector(merged(
                Series(without_name(one.labels), [None if value is None else at for value, at in zip(one.values, seconds, strict=True)])
                for one in vector.series
            ))  # fmt: skip
        found = []
        for stored, readings in self._last_readings(node):
            values: Values = [None if reading is None else reading[0] / 1e6 for reading in readings]
            if any(value is not None for value in values):
                found.append(Series(without_name(stored.labels), values))
        return Vector(merged(found))

    def _clamp(self, arguments: Sequence[Any]) -> Value:
        low, high = self.scalar(arguments[1]).values, self.scalar(arguments[2]).values
        vector = self.vector(arguments[0])
        for step, (a, b) in enumerate(zip(low, high, strict=True)):
            if a > b:  # nothing lies between: no result at this instant
                for series in vector.series:
                    series.values[step] = None
        return functions.with_numbers(vector, functions.clamp, low, high)

    def _clamp_min(self, arguments: Sequence[Any]) -> Value:
        low = self.scalar(arguments[1]).values
        return functions.with_numbers(self.vector(arguments[0]), lambda v, a: functions.clamp(v, a, math.inf), low)

    def _clamp_max(self, arguments: Sequence[Any]) -> Value:
        high = self.scalar(arguments[1]).values
        return functions.with_numbers(self.vector(arguments[0]), lambda v, b: functions.clamp(v, -math.inf, b), high)

    def _round(self, arguments: Sequence[Any]) -> Value:
        nearest = self.scalar(arguments[1]) if len(arguments) > 1 else self.constant(1.0)
        return functions.with_numbers(self.vector(arguments[0]), functions.round_to, nearest.values)

    def _sort(self, arguments: Sequence[Any], *, descending: bool = False) -> Value:
        vector = self.vector(arguments[0])
        return functions.in_order(vector, descending=descending) if self.grid.steps == 1 else vector

    def _sort_desc(self, arguments: Sequence[Any]) -> Value:
        return self._sort(arguments, descending=True)

    def _label_replace(self, arguments: Sequence[Any]) -> Value:
        target, replacement, source, pattern = (self.text(one) for one in arguments[1:])
        return functions.label_replace(self.vector(arguments[0]), target, replacement, source, pattern)

    def _label_join(self, arguments: Sequence[Any]) -> Value:
        target, separator, *sources = (self.text(one) for one in arguments[1:])
        return functions.label_join(self.vector(arguments[0]), target, separator, sources)


_NODES: dict[str, Callable[[Engine, Any], Value]] = {
    "NumberLiteral": Engine._number, "StringLiteral": Engine._string, "ParenExpr": Engine._paren,
    "VectorSelector": Engine._selector, "UnaryExpr": Engine._unary, "BinaryExpr": Engine._binary,
    "AggregateExpr": Engine._aggregate, "Call": Engine._call,
}  # fmt: skip
_CALLS: dict[str, Callable[[Engine, Sequence[Any]], Value]] = {
    "quantile_over_time": Engine._quantile_over_time, "predict_linear": Engine._predict_linear,
    "absent": Engine._absent, "absent_over_time": Engine._absent_over_time, "time": Engine._time, "pi": Engine._pi,
    "vector": Engine._of_scalar, "scalar": Engine._to_scalar, "timestamp": Engine._timestamp, "clamp": Engine._clamp,
    "clamp_min": Engine._clamp_min, "clamp_max": Engine._clamp_max, "round": Engine._round, "sort": Engine._sort,
    "sort_desc": Engine._sort_desc, "label_replace": Engine._label_replace, "label_join": Engine._label_join,
}  # fmt: skip


@dataclass(slots=True)
class _Computed:
    """A series of a subquery, to be read like a stored one."""

    labels: Labels
    numbers: Values
    grid: Grid
    lookback_us: int | None = None

    def window(self, after_us: int, until_us: int) -> Samples:
        grid = self.grid
        first = max((after_us - grid.start_us) // grid.step_us + 1, 0)
        last = min((until_us - grid.start_us) // grid.step_us, grid.steps - 1)
        times, values = array("q"), array("d")
        for step in range(first, last + 1):
            value = self.numbers[step]
            if value is not None:
                times.append(grid.at(step))
                values.append(value)
        return Samples(times, values)

    def last(self, after_us: int, until_us: int) -> tuple[int, float] | None:
        samples = self.window(after_us, until_us)
        return (samples.times[-1], samples.values[-1]) if samples.times else None


def _batches(stored: Stored, ends: Sequence[int], length_us: int) -> Iterator[tuple[Samples, Sequence[int]]]:
    """The readings that the windows ending at ``ends`` need, so many windows at a time that memory stays bounded."""
    at, many = 0, min(len(ends), 64)
    while at < len(ends):
        some = ends[at : at + many]
        samples = stored.window(some[0] - length_us, some[-1])
        yield samples, some
        at += len(some)
        if len(samples.times) < BATCH_READINGS // 2:
            many = min(many * 4, 10_000)
        elif len(samples.times) > BATCH_READINGS:
            many = max(many // 4, 1)


def matcher(selector: Any) -> Callable[[Labels], bool]:
    """Whether a set of labels is meant. Raises PromError for a pattern that is none."""
    if selector.matchers.or_matchers:
        groups = [_tests(group) for group in selector.matchers.or_matchers]
    else:
        groups = [_tests(selector.matchers.matchers)]
    name = selector.name
    return lambda labels: (
        (name is None or labels.get(NAME) == name) and any(all(test(labels) for test in group) for group in groups)
    )


def _tests(matchers: Sequence[Any]) -> list[Callable[[Labels], bool]]:
    return [_test(one.name, str(one.op).rpartition(".")[2], one.value) for one in matchers]


def _test(name: str, op: str, value: str) -> Callable[[Labels], bool]:
    if op == "Equal":
        return lambda labels: labels.get(name, "") == value
    if op == "NotEqual":
        return lambda labels: labels.get(name, "") != value
    pattern = patterns.compiled(value)
    if op == "Re":
        return lambda labels: pattern.fullmatch(labels.get(name, "")) is not None
    return lambda labels: pattern.fullmatch(labels.get(name, "")) is None


def _exact_labels(node: Any) -> Labels:
    """The labels that a selector names once and exactly; of anything else there are none."""
    kind = type(node).__name__
    while kind in ("ParenExpr", "MatrixSelector"):
        node = node.vector_selector if kind == "MatrixSelector" else node.expr
        kind = type(node).__name__
    if kind != "VectorSelector":
        return {}
    matchers = node.matchers.matchers
    names = [one.name for one in matchers]
    return {
        one.name: one.value for one in matchers if str(one.op).endswith(".Equal") and names.count(one.name) == 1 and one.value
    }


def _matching(modifier: Any) -> operators.Matching:
    if modifier is None:
        return operators.Matching()
    card = {"OneToOne": "one-to-one", "ManyToOne": "many-to-one", "OneToMany": "one-to-many", "ManyToMany": "many-to-many"}
    on = False
    labels: tuple[str, ...] = ()
    if modifier.matching is not None:
        on = str(modifier.matching.type).endswith("Include")
        labels = tuple(modifier.matching.labels)
    return operators.Matching(on, labels, card[str(modifier.card).rpartition(".")[2]], tuple(modifier.group_labels or ()))
