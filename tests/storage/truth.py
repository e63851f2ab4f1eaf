"""A plain recomputation of answers from readings: slow, short, and without any code of the package but the zone's days."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

Reading = tuple[int, float | None, int]


def usable(readings: Sequence[Reading]) -> list[tuple[int, float]]:
    """What counts: neither failed nor missing."""
    return [(ts, value) for ts, value, quality in readings if value is not None and quality & 15 not in (4, 9)]


def rise(before: float, after: float, wrap: float | None = None, dip: float = 0.1, zero: float = 0.0) -> tuple[float, int]:
    """What a counter rose by, and whether it began again; see docs/data-model.md."""
    fell = before - after
    if fell > 0:
        if wrap is not None and wrap / 2 < fell <= wrap:
            return after + wrap - before, 0
        if not wobbled(before, after, dip, zero):
            return (after - zero if after >= zero else after), 1
    return after - before, 0


def wobbled(before: float, after: float, dip: float, zero: float) -> bool:
    """Whether a fall is at most a part of what was counted, from the offset on; below that it is from before the offset."""
    counted = before - zero if after >= zero else before
    return before - after <= dip * abs(counted)


def rises(values: Sequence[float], wrap: float | None = None, dip: float = 0.1, zero: float = 0.0) -> list[tuple[float, int]]:
    """The same for each step of a counter, a fall that the next reading makes good left out; see docs/data-model.md."""
    steps = [rise(a, b, wrap, dip, zero) for a, b in pairwise(values)]
    for at in range(1, len(values) - 1):
        before, misread, after = values[at - 1 : at + 2]
        is_wobble = wobbled(before, misread, dip, zero) and rise(before, misread, wrap, dip, zero)[0] < 0
        falls = misread < before and not is_wobble
        if falls and after > misread and (after >= before or wobbled(before, after, dip, zero)):
            steps[at - 1] = (0.0, 0)
            steps[at] = rise(before, after, wrap, dip, zero)
    return steps


def bucket(
    readings: Sequence[Reading],
    start: int,
    end: int,
    heartbeat: int,
    wrap: float | None = None,
    dip: float = 0.1,
    zero: float = 0.0,
) -> dict[str, Any] | None:
    """Every aggregate of [start, end) of a series, its readings in time order; None where it holds no usable reading."""
    points = usable(readings)
    inside = [(ts, value) for ts, value in points if start <= ts < end]
    covered = 0
    integral = 0.0
    states: dict[float, int] = {}
    for (ts, value), (following, _) in pairwise(points):
        low, high = max(ts, start), min(following, ts + heartbeat, end)
        if high > low:
            covered += high - low
            integral += value * (high - low) / 1e6
            states[value] = states.get(value, 0) + high - low
    if not inside:
        return None
    values = [value for _, value in inside]
    earlier = [value for ts, value in points if ts < start]
    later = [value for ts, value in points if ts >= end]
    skipped = len(earlier[-2:])
    steps = rises([*earlier[-2:], *values, *later[:1]], wrap, dip, zero)[max(skipped - 1, 0) :][: len(values) - (not skipped)]
    chain = [*earlier[-1:], *values]
    resultant = math.hypot(sum(math.sin(math.radians(v)) for v in values), sum(math.cos(math.radians(v)) for v in values)) / len(
        values
    )
    x = [math.sin(math.radians(value)) for value in values]
    y = [math.cos(math.radians(value)) for value in values]
    ordered = sorted(values)

    def quantile(fraction: float) -> float:
        at = fraction * (len(ordered) - 1)
        low = int(at)
        high = min(low + 1, len(ordered) - 1)
        return ordered[low] + (ordered[high] - ordered[low]) * (at - low)

    return {
        "count": len(values),
        "mean": statistics.fmean(values),
        "min": min(values),
        "max": max(values),
        "first": values[0],
        "last": values[-1],
        "sum": math.fsum(values),
        "stddev": statistics.stdev(values) if len(values) > 1 else None,
        "rms": math.sqrt(math.fsum(value * value for value in values) / len(values)),
        "range": max(values) - min(values),
        "delta": values[-1] - values[0],
        "twmean": integral * 1e6 / covered if covered else values[-1],
        "coverage": covered / (end - start),
        "increase": math.fsum(step[0] for step in steps),
        "rate": math.fsum(step[0] for step in steps) * 1e6 / (end - start),
        "resets": sum(step[1] for step in steps),
        "transitions": sum(b != a for a, b in pairwise(chain)),
        "states": {str(int(value)): us / 1e6 for value, us in states.items()},
        "resultant": resultant,
        "spread": math.degrees(math.sqrt(max(0, -2 * math.log(resultant)))) if len(values) > 1 and resultant > 1e-9 else None,
        "turn": (values[-1] - values[0] + 180) % 360 - 180,
        "direction": math.degrees(math.atan2(sum(x), sum(y))) % 360,
        "median": quantile(0.5),
        "p95": quantile(0.95),
    }
