"""Instant vector selectors: at each instant t the last reading in (t - lookback, t]."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence

from promql_parser import VectorSelector

from sensorlogd.web.prometheus.promql.evaluator import Evaluator
from sensorlogd.web.prometheus.promql.queryable import Stored, batches
from sensorlogd.web.prometheus.promql.selectors.matchers import matcher
from sensorlogd.web.prometheus.promql.selectors.times import ends as ends_of
from sensorlogd.web.prometheus.promql.values import Series, Values, Vector

LastReadings = list[tuple[int, float] | None]  # (time in microseconds, value) for each instant; None: nothing there


def instant_vector(evaluator: Evaluator, node: VectorSelector) -> Vector:
    """The value of an instant vector selector. Series without a reading at any instant are left out. Raises PromError."""
    found = []
    for stored, readings in last_readings(evaluator, node):
        values: Values = [None if reading is None else reading[1] for reading in readings]
        if any(value is not None for value in values):
            found.append(Series(dict(stored.labels), values))
    return Vector(found)


def last_readings(evaluator: Evaluator, node: VectorSelector) -> Iterator[tuple[Stored, LastReadings]]:
    """The last reading at each instant of each series that the selector matches. Raises PromError."""
    ends = ends_of(node, evaluator.grid)
    chosen = evaluator.source.select(matcher(node))
    evaluator.check(len(chosen))
    for stored in chosen:
        lookback = stored.lookback_us or evaluator.lookback_us
        if len(set(ends)) == 1:
            yield stored, [stored.last(ends[0] - lookback, ends[0])] * len(ends)
        elif evaluator.grid.step_us >= lookback or stored.is_to_look_up(ends, lookback):
            # Far apart: looking each of them up beats reading all that lies between.
            yield stored, [stored.last(end - lookback, end) for end in ends]
        else:
            yield stored, _among_all(stored, ends, lookback)


def _among_all(stored: Stored, ends: Sequence[int], lookback_us: int) -> LastReadings:
    """The last reading at each instant, found by reading everything between the first and the last instant."""
    readings: LastReadings = []
    for samples, some in batches(stored, ends, lookback_us):
        times, values = samples.times, samples.values
        for end in some:
            index = bisect_right(times, end) - 1
            readings.append((times[index], values[index]) if index >= 0 and times[index] > end - lookback_us else None)
    return readings
