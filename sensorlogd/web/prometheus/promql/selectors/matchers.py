"""Label matchers: which series a selector matches."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from promql_parser import Expr, Matcher, MatchOp, MatrixSelector, ParenExpr, VectorSelector

from sensorlogd.web.prometheus.promql import patterns
from sensorlogd.web.prometheus.promql.values import NAME, Labels

Test = Callable[[Labels], bool]


def matcher(selector: VectorSelector) -> Test:
    """A function that tells whether a set of labels matches. Raises PromError for a bad pattern."""
    if selector.matchers.or_matchers:
        groups = [_tests(group) for group in selector.matchers.or_matchers]
    else:
        groups = [_tests(selector.matchers.matchers)]
    name = selector.name
    return lambda labels: (
        (name is None or labels.get(NAME) == name) and any(all(test(labels) for test in group) for group in groups)
    )


def _tests(matchers: Sequence[Matcher]) -> list[Test]:
    return [_test(test.name, test.op, test.value) for test in matchers]


def _test(name: str, op: MatchOp, value: str) -> Test:
    """A label that a series does not have counts as the empty string."""
    if op == MatchOp.Equal:
        return lambda labels: labels.get(name, "") == value
    if op == MatchOp.NotEqual:
        return lambda labels: labels.get(name, "") != value
    pattern = patterns.compiled(value)
    if op == MatchOp.Re:
        return lambda labels: pattern.fullmatch(labels.get(name, "")) is not None
    return lambda labels: pattern.fullmatch(labels.get(name, "")) is None


def exact_labels(node: Expr) -> Labels:
    """The labels that a selector gives exactly one value; ``absent`` has them in its result. Empty for other expressions."""
    while isinstance(node, ParenExpr | MatrixSelector):
        node = node.vector_selector if isinstance(node, MatrixSelector) else node.expr
    if not isinstance(node, VectorSelector):
        return {}
    matchers = node.matchers.matchers
    names = [test.name for test in matchers]
    return {
        matcher.name: matcher.value
        for matcher in matchers
        if matcher.op == MatchOp.Equal and names.count(matcher.name) == 1 and matcher.value
    }
