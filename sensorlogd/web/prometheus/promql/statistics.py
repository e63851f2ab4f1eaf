"""Sums, quotients, means, quantiles and variances, with the results of Prometheus for NaN and infinity."""

from __future__ import annotations

import math
from collections.abc import Sequence


def total(numbers: Sequence[float]) -> float:
    """The sum, with NaN and infinity as in floating point arithmetic."""
    try:
        return math.fsum(numbers)
    except (OverflowError, ValueError):
        return sum(numbers)


def divided(a: float, b: float) -> float:
    """The quotient; division by zero gives infinity or NaN, as in floating point arithmetic."""
    if b == 0:
        return math.nan if a == 0 or math.isnan(a) else math.copysign(math.inf, a) * math.copysign(1.0, b)
    return a / b


def mean(numbers: Sequence[float]) -> float:
    """The mean, computed without an overflow of the sum."""
    n = len(numbers)
    whole = total(numbers)
    if math.isfinite(whole) or not all(map(math.isfinite, numbers)):
        return whole / n
    return total([number / n for number in numbers])


def quantile(fraction: float, numbers: Sequence[float]) -> float:
    """Linear interpolation between the closest ranks; infinite for a fraction below 0 or above 1. NaN sorts first."""
    if not numbers or math.isnan(fraction):
        return math.nan
    if fraction < 0:
        return -math.inf
    if fraction > 1:
        return math.inf
    ordered = sorted(numbers, key=lambda number: (not math.isnan(number), number))
    rank = fraction * (len(ordered) - 1)
    low = math.floor(rank)
    high = min(low + 1, len(ordered) - 1)
    weight = rank - low
    return ordered[low] * (1 - weight) + ordered[high] * weight


def variance(numbers: Sequence[float]) -> float:
    """The variance of a population (divided by n)."""
    if not all(map(math.isfinite, numbers)):
        return math.nan
    middle = mean(numbers)
    return mean([(number - middle) * (number - middle) for number in numbers])
