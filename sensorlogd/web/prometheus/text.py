"""Results in the JSON of Prometheus' API."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from sensorlogd.web.prometheus.promql.queryable import Samples
from sensorlogd.web.prometheus.promql.values import Labels, Scalar, Series, Text, Value, Values, Vector, key, number


def seconds(us: int) -> float | int:
    """A time of the API: seconds since 1970, a whole number where it is one."""
    return us // 1_000_000 if us % 1_000_000 == 0 else us / 1e6


def matrix(series: Iterable[Series], times_us: Sequence[int]) -> str:
    """``data`` in the answer to a range query."""
    heads = [f'[{seconds(us)},"' for us in times_us]
    lines = []
    for line in series:
        pairs = _pairs(heads, line.values)
        if pairs:
            lines.append(f'{{"metric":{_labels_json(line.labels)},"values":[{pairs}]}}')
    return f'{{"resultType":"matrix","result":[{",".join(lines)}]}}'


def samples(series: Iterable[tuple[Labels, Samples]]) -> str:
    """``data`` with the readings of a range."""
    lines = []
    for labels, some in series:
        if some.times:
            pairs = _pairs([f'[{seconds(us)},"' for us in some.times], list(some.values))
            lines.append(f'{{"metric":{_labels_json(labels)},"values":[{pairs}]}}')
    return f'{{"resultType":"matrix","result":[{",".join(lines)}]}}'


def instant(value: Value, at_us: int) -> str:
    """``data`` in the answer to an instant query."""
    at = seconds(at_us)
    if isinstance(value, Scalar):
        return f'{{"resultType":"scalar","result":[{at},"{number(value.values[0])}"]}}'
    if isinstance(value, Text):
        return f'{{"resultType":"string","result":[{at},{json.dumps(value.value, ensure_ascii=False)}]}}'
    lines = [
        f'{{"metric":{_labels_json(series.labels)},"value":[{at},"{number(v)}"]}}'
        for series in ordered(value)
        if (v := series.values[0]) is not None
    ]
    return f'{{"resultType":"vector","result":[{",".join(lines)}]}}'


def ordered(vector: Vector) -> list[Series]:
    """The series in the order of the answer: by their labels, unless the query has sorted them."""
    return vector.series if vector.ordered else sorted(vector.series, key=lambda series: key(series.labels))


def _pairs(heads: Sequence[str], values: Values) -> str:
    return ",".join([f'{head}{number(value)}"]' for head, value in zip(heads, values, strict=True) if value is not None])


def _labels_json(labels: Labels) -> str:
    return json.dumps(labels, ensure_ascii=False, separators=(",", ":"))
