"""``label_replace`` and ``label_join``: functions that change labels."""

from __future__ import annotations

from collections.abc import Sequence

from promql_parser import Expr

from sensorlogd.web.prometheus.promql import patterns
from sensorlogd.web.prometheus.promql.evaluator import Evaluator
from sensorlogd.web.prometheus.promql.values import PromError, Series, Vector, merged


def label_replace(evaluator: Evaluator, arguments: Sequence[Expr]) -> Vector:
    """Raises PromError for a bad pattern or label name."""
    target, replacement, source, pattern = (evaluator.text(argument) for argument in arguments[1:])
    return _replace_label(evaluator.vector(arguments[0]), target, replacement, source, pattern)


def label_join(evaluator: Evaluator, arguments: Sequence[Expr]) -> Vector:
    """Raises PromError for a bad label name."""
    target, separator, *sources = (evaluator.text(argument) for argument in arguments[1:])
    return _join_labels(evaluator.vector(arguments[0]), target, separator, sources)


def _replace_label(vector: Vector, target: str, replacement: str, source: str, pattern: str) -> Vector:
    """Set the label ``target`` of each series whose label ``source`` matches the pattern. Raises PromError."""
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


def _join_labels(vector: Vector, target: str, separator: str, sources: Sequence[str]) -> Vector:
    """Set the label ``target`` of each series to its ``sources``, joined. Raises PromError."""
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
