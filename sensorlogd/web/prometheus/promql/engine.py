"""From the text of a query to its value. promql-parser makes the syntax tree; each node is evaluated for all instants at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import promql_parser as promql

from sensorlogd.web.prometheus.promql.evaluator import Evaluator
from sensorlogd.web.prometheus.promql.functions.calls import call
from sensorlogd.web.prometheus.promql.functions.elementwise import of_values
from sensorlogd.web.prometheus.promql.grid import Grid
from sensorlogd.web.prometheus.promql.operators.aggregation import aggregate
from sensorlogd.web.prometheus.promql.operators.binary import binary
from sensorlogd.web.prometheus.promql.queryable import Samples, Source
from sensorlogd.web.prometheus.promql.selectors.instant import instant_vector
from sensorlogd.web.prometheus.promql.selectors.matchers import matcher
from sensorlogd.web.prometheus.promql.selectors.ranges import range_vector
from sensorlogd.web.prometheus.promql.values import Labels, PromError, Scalar, Text, Value, Vector, unsupported

__all__ = ["LOOKBACK_US", "Grid", "evaluate", "is_range", "matcher", "parse", "range_of"]

LOOKBACK_US = 300_000_000
MAX_QUERY_CHARACTERS, MAX_PARENTHESES, MAX_OPERATORS = 20_000, 300, 2_000
_QUOTED = re.compile(r"""#[^\n]*|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`[^`]*`""")  # comments and strings
_OPERATOR = re.compile(r"[-+*/%^=<>!]|\b(?:and|or|unless|atan2)\b", re.IGNORECASE)


def parse(text: str) -> promql.Expr:
    """The syntax tree of an expression. Raises PromError (bad_data)."""
    if len(text) > MAX_QUERY_CHARACTERS or text.count("(") > MAX_PARENTHESES:  # the parser takes long for what is nested deeply
        raise PromError(f"a query has at most {MAX_QUERY_CHARACTERS:,} characters and {MAX_PARENTHESES} parentheses", "bad_data")
    # Operators in a row nest, too: the parser's stack ends the process at some 5,000. Python's depth ends far earlier.
    if len(_OPERATOR.findall(_QUOTED.sub('""', text))) > MAX_OPERATORS:
        raise PromError(f"a query has at most {MAX_OPERATORS:,} operators", "bad_data")
    try:
        return promql.parse(text)
    except ValueError as error:
        raise PromError(f"invalid query: {error}", "bad_data") from None


def evaluate(expression: promql.Expr, grid: Grid, source: Source, lookback_us: int = LOOKBACK_US) -> Value:
    """The value of an expression at all instants of the grid. Raises PromError."""
    with _bounded_depth():
        return _Engine(grid, source, lookback_us).value(expression)


def is_range(expression: promql.Expr) -> bool:
    """Whether the expression is a range vector. Only an instant query may have one as its result."""
    return isinstance(expression, promql.MatrixSelector | promql.SubqueryExpr)


def range_of(expression: promql.Expr, at_us: int, source: Source) -> list[tuple[Labels, Samples]]:
    """The readings of a range selector or subquery at one instant (``foo[5m]`` as an instant query). Raises PromError."""
    with _bounded_depth():
        found = range_vector(_Engine(Grid(at_us, 0, 1, at_us, at_us), source, LOOKBACK_US), expression)
    end = found.ends[0]
    return [(stored.labels, stored.window(end - found.length_us, end)) for stored in found.series]


@contextmanager
def _bounded_depth() -> Iterator[None]:
    """Operators in a row are nested without any parenthesis. An expression too deep for Python's stack is refused as an error of
    the expression."""
    try:
        yield
    except RecursionError:
        raise PromError("the expression is nested too deeply", "bad_data") from None


class _Engine(Evaluator):
    """The evaluator that knows a function for each type of node."""

    def value(self, node: promql.Expr) -> Value:
        """The value of an expression at all instants of the grid. Raises PromError."""
        handler = _NODES.get(type(node))
        if handler is None:
            raise unsupported(type(node).__name__)
        value = handler(self, node)
        if isinstance(value, Vector):
            self.check(len(value.series))
        return value


def _number(evaluator: Evaluator, node: promql.NumberLiteral) -> Scalar:
    return evaluator.constant(node.val)


def _string(_: Evaluator, node: promql.StringLiteral) -> Text:
    return Text(node.val)


def _parenthesis(evaluator: Evaluator, node: promql.ParenExpr) -> Value:
    return evaluator.value(node.expr)


def _negation(evaluator: Evaluator, node: promql.UnaryExpr) -> Value:
    value = evaluator.value(node.expr)
    if isinstance(value, Scalar):
        return Scalar([-number for number in value.values])
    if not isinstance(value, Vector):
        raise PromError("a string cannot be negated", "bad_data")
    return of_values(value, lambda number: -number)


_NODES: dict[type[promql.Expr], Callable[[Evaluator, Any], Value]] = {
    promql.NumberLiteral: _number,
    promql.StringLiteral: _string,
    promql.ParenExpr: _parenthesis,
    promql.VectorSelector: instant_vector,
    promql.UnaryExpr: _negation,
    promql.BinaryExpr: binary,
    promql.AggregateExpr: aggregate,
    promql.Call: call,
}
