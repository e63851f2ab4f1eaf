"""Range vectors: at each instant t the readings in (t - range, t], of a selector or of a subquery."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass

from promql_parser import Expr, MatrixSelector, ParenExpr, SubqueryExpr

from sensorlogd.counters import Law
from sensorlogd.notation.microseconds import MINUTE_US
from sensorlogd.web.prometheus.promql.evaluator import Evaluator
from sensorlogd.web.prometheus.promql.grid import Grid
from sensorlogd.web.prometheus.promql.queryable import Samples, Stored
from sensorlogd.web.prometheus.promql.selectors.matchers import matcher
from sensorlogd.web.prometheus.promql.selectors.times import US
from sensorlogd.web.prometheus.promql.selectors.times import ends as ends_of
from sensorlogd.web.prometheus.promql.values import (
    Labels,
    PromError,
    Scalar,
    Series,
    Values,
    Vector,
)

SUBQUERY_STEP_US = MINUTE_US  # where a subquery names none
MAX_INNER_STEPS = 200_000


@dataclass(slots=True)
class RangeVector:
    """Series, and for each instant of the grid the end of its window of ``length_us``."""

    series: Sequence[Stored]
    length_us: int
    ends: list[int]


def range_vector(evaluator: Evaluator, node: Expr) -> RangeVector:
    """The value of a range selector or subquery. Raises PromError for any other expression."""
    if isinstance(node, ParenExpr):
        return range_vector(evaluator, node.expr)
    if isinstance(node, MatrixSelector):
        selector = node.vector_selector
        series = evaluator.source.select(matcher(selector))
        return RangeVector(series, node.range // US, ends_of(selector, evaluator.grid))
    if isinstance(node, SubqueryExpr):
        return _subquery(evaluator, node)
    raise PromError("expected a range of readings", "bad_data")


# ---- subqueries --------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Computed:
    """A series that a subquery has computed; it is read like a stored one."""

    labels: Labels
    numbers: Values
    grid: Grid
    lookback_us: int | None = None
    counter: Law | None = None

    def window(self, after_us: int, until_us: int) -> Samples:
        grid = self.grid
        first = max((after_us - grid.start_us) // grid.step_us + 1, 0)
        last = min((until_us - grid.start_us) // grid.step_us, grid.steps - 1)
        times: list[int] = []  # no array: with offsets of thousands of years they need more than 64 bits
        values = array("d")
        for step in range(first, last + 1):
            value = self.numbers[step]
            if value is not None:
                times.append(grid.at(step))
                values.append(value)
        return Samples(times, values)

    def last(self, after_us: int, until_us: int) -> tuple[int, float] | None:
        samples = self.window(after_us, until_us)
        return (samples.times[-1], samples.values[-1]) if samples.times else None

    def rolled(self, function: str, ends: Sequence[int], length_us: int) -> Values | None:
        return None

    def is_to_look_up(self, ends: Sequence[int], lookback_us: int) -> bool:
        return False


def _subquery(evaluator: Evaluator, node: SubqueryExpr) -> RangeVector:
    """The inner expression on a grid of its own, whose instants are multiples of its step."""
    assert node.range is not None
    ends, length = ends_of(node, evaluator.grid), node.range // US
    step = node.step // US if node.step else SUBQUERY_STEP_US
    first = (min(ends) - length) // step * step + step
    steps = (max(ends) - first) // step + 1
    if steps > MAX_INNER_STEPS:
        raise PromError(f"the subquery has {steps:,} steps, at most {MAX_INNER_STEPS:,} are taken; say a longer step")
    if steps < 1:
        return RangeVector([], length, ends)
    grid = Grid(first, step, steps, evaluator.grid.first_us, evaluator.grid.last_us)
    value = evaluator.on(grid).value(node.expr)
    if isinstance(value, Scalar):
        value = Vector([Series({}, list(value.values))])
    if not isinstance(value, Vector):
        raise PromError("expected a vector", "bad_data")
    return RangeVector([_Computed(series.labels, series.values, grid) for series in value.series], length, ends)
