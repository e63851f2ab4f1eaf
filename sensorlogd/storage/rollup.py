"""What a bucket of readings says in one row, and how two such rows become one.

The law: a roll-up describes its own readings only. ``integral``, ``covered_us`` and ``increase`` run from its first
reading to its last. ``merge`` adds the one step between the last reading of the earlier and the first of the later, so
that an hour merged from minutes equals the hour computed from its readings: counts and extremes exactly, sums and means
within 1e-9 relative. Because nothing outside a bucket is in its row, a changed reading changes its own bucket and the
buckets around it, and no neighbour.

A reading holds until the next one, but no longer than the heartbeat: each step counts min(next - this, heartbeat).
Readings flagged fail or missing are counted and otherwise left out.

Variance: M2 is the sum of squared deviations from the mean, merged by the formula of Chan, Golub and LeVeque (1979);
never from sums of squares, which cancel catastrophically.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import compress
from operator import ge, mul, sub
from typing import NamedTuple

FAIL, MISSING = 4, 9
_COUNTED = (1, 2, 3, 4, 9)


class RollUp(NamedTuple):
    """The columns of table ``rollup`` after its key, in their order."""

    n: int
    mean: float | None = None
    m2: float | None = None
    min: float | None = None
    max: float | None = None
    first_ts: int | None = None
    first: float | None = None
    last_ts: int | None = None
    last: float | None = None
    integral: float | None = None  # unit x seconds
    covered_us: int | None = None
    increase: float | None = None  # counters only
    resets: int | None = None
    sin_sum: float | None = None  # angles only, of degrees
    cos_sum: float | None = None
    n_good: int = 0
    n_not_evaluated: int = 0
    n_suspect: int = 0
    n_fail: int = 0
    n_missing: int = 0

    @property
    def readings(self) -> int:
        """All readings of the bucket, whatever their flag."""
        return self.n_good + self.n_not_evaluated + self.n_suspect + self.n_fail + self.n_missing


def of(times: Sequence[int], values: Sequence[float | None], qualities: Sequence[int], kind: str, heartbeat_us: int) -> RollUp:
    """The roll-up of readings in time order. ``qualities`` as stored (flag and test bits). At least one reading."""
    total = len(times)
    first_quality = qualities[0]
    if first_quality & 0xF not in (FAIL, MISSING) and qualities.count(first_quality) == total:
        flag = first_quality & 0xF
        counts = [total if flag == counted else 0 for counted in _COUNTED]
        used_times, used = times, values
    else:
        flags = [quality & 0xF for quality in qualities]
        counts = [flags.count(counted) for counted in _COUNTED]
        usable = [flag not in (FAIL, MISSING) for flag in flags]
        used_times, used = list(compress(times, usable)), list(compress(values, usable))
    if None in used:  # a NULL that carries another flag than missing (written by hand) is no value either
        present = [value is not None for value in used]
        used_times, used = list(compress(used_times, present)), list(compress(used, present))
    n = len(used)
    if n == 0:
        return RollUp(0, None, None, None, None, None, None, None, None, None, None, None, None, None, None, *counts)
    numbers: Sequence[float] = used  # type: ignore[assignment]  # None was taken out above
    mean, m2 = _mean_and_m2(numbers)
    steps = list(map(sub, used_times[1:], used_times))
    if n > 1 and max(steps) > heartbeat_us:
        steps = [min(step, heartbeat_us) for step in steps]
    increase, resets = _increase(numbers) if kind == "counter" else (None, None)
    sin_sum = cos_sum = None
    if kind == "angle":
        radians = [math.radians(value) for value in numbers]
        sin_sum, cos_sum = math.fsum(map(math.sin, radians)), math.fsum(map(math.cos, radians))
    return RollUp(
        n, mean, m2, min(numbers), max(numbers), used_times[0], numbers[0], used_times[-1], numbers[-1],
        _sum(map(mul, numbers, steps)) / 1e6, sum(steps), increase, resets, sin_sum, cos_sum, *counts,
    )  # fmt: skip


def _sum(numbers: map[float]) -> float:
    try:
        return math.fsum(numbers)
    except OverflowError:
        return math.nan  # beyond what a double holds: stored as NULL


def _mean_and_m2(numbers: Sequence[float]) -> tuple[float, float]:
    n = len(numbers)
    try:
        mean = math.fsum(numbers) / n
    except OverflowError:
        mean = math.fsum(value / n for value in numbers)
    deviations = [value - mean for value in numbers]
    return mean, _sum(map(mul, deviations, deviations))


def _increase(numbers: Sequence[float]) -> tuple[float, int]:
    """What a counter rose by, and how often it began again: after a drop the new value is what it rose by since."""
    following = numbers[1:]
    if all(map(ge, following, numbers)):
        return numbers[-1] - numbers[0], 0
    increase, resets = [], 0
    for before, after in zip(numbers, following, strict=False):
        if after >= before:
            increase.append(after - before)
        else:
            increase.append(after)
            resets += 1
    return math.fsum(increase), resets


def merge(a: RollUp, b: RollUp, heartbeat_us: int) -> RollUp:
    """The roll-up of the readings of both; all readings of ``a`` are before those of ``b``."""
    counts = [x + y for x, y in zip(a[15:], b[15:], strict=True)]
    if not a.n or not b.n:
        some = b if b.n else a
        return RollUp(*some[:15], *counts)
    assert a.mean is not None and b.mean is not None and a.m2 is not None and b.m2 is not None  # noqa: PT018
    assert a.min is not None and b.min is not None and a.max is not None and b.max is not None  # noqa: PT018
    assert a.last is not None and b.first is not None and a.last_ts is not None and b.first_ts is not None  # noqa: PT018
    n = a.n + b.n
    delta = b.mean - a.mean
    mean = a.mean + delta * (b.n / n)
    m2 = a.m2 + b.m2 + delta * delta * (a.n * (b.n / n))
    step = min(b.first_ts - a.last_ts, heartbeat_us)
    integral = (a.integral or 0.0) + (b.integral or 0.0) + a.last * step / 1e6
    increase = resets = None
    if a.increase is not None and b.increase is not None:
        dropped = b.first < a.last
        increase = a.increase + b.increase + (b.first if dropped else b.first - a.last)
        resets = (a.resets or 0) + (b.resets or 0) + dropped
    both = a.sin_sum is not None and b.sin_sum is not None and a.cos_sum is not None and b.cos_sum is not None
    return RollUp(
        n, mean, m2, min(a.min, b.min), max(a.max, b.max), a.first_ts, a.first, b.last_ts, b.last,
        integral, (a.covered_us or 0) + (b.covered_us or 0) + step, increase, resets,
        a.sin_sum + b.sin_sum if both else None,  # type: ignore[operator]
        a.cos_sum + b.cos_sum if both else None,  # type: ignore[operator]
        *counts,
    )  # fmt: skip


def merge_all(parts: Sequence[RollUp], heartbeat_us: int) -> RollUp:
    """``merge`` of at least one part, in time order."""
    whole = parts[0]
    for part in parts[1:]:
        whole = merge(whole, part, heartbeat_us)
    return whole
