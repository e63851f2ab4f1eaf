"""What can be asked of a bucket: each aggregate, what it needs of the stored roll-ups, and how its unit converts.

A bucket is a run [i:j) of parts in time order (stored roll-ups, or roll-ups computed from readings), given by column.
Formulas are those of ``rollup``; the variance of a merged bucket is the sum of the parts' M2 and of n times the squared
distance of their means from the whole mean, which is what repeated merging by Chan's formula gives.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

LIMIT_PERCENTILE = 5_000_000  # readings that a percentile may need to hold at once: 40 MB
QUALITIES = ("n_good", "n_not_evaluated", "n_suspect", "n_fail", "n_missing")
ANGLES = ("sin_sum", "cos_sum")  # of angles only
BASE = ("start", "n", "first_ts", "last_ts", "covered_us")


@dataclass(slots=True)
class Span:
    """One bucket: parts [i:j) of ``columns``, and what only its surroundings tell.

    start_us, end_us    the part of the bucket that was asked for
    n                   usable readings in it
    covered_us          how much of it is covered by readings, each holding until the next, at most for the heartbeat
    integral            unit x seconds over what is covered
    rise, resets        counters: what happened between the reading before the bucket and its first one
    """

    columns: dict[str, Sequence[Any]]
    i: int
    j: int
    start_us: int
    end_us: int
    n: int = 0
    covered_us: int = 0
    integral: float = 0.0
    rise: float = 0.0
    resets: int = 0
    sorted_values: Sequence[float] = ()
    counted: dict[str, int] | None = None  # readings by flag, those flagged fail or missing too

    def part(self, name: str) -> Sequence[Any]:
        return self.columns[name][self.i : self.j]


@dataclass(frozen=True, slots=True)
class Aggregate:
    """``needs``: columns beside BASE. ``unit``: how a converted unit applies (value: scale and offset; difference: scale;
    none: not at all; never: cannot be converted). ``of_empty``: it says something of a bucket without readings, too."""

    compute: Callable[[Span], Any]
    needs: tuple[str, ...] = ()
    unit: str = "value"
    of_empty: bool = False


def _mean(span: Span) -> float | None:
    if "sin_sum" in span.columns:
        return _direction(span)
    if span.j == span.i + 1:
        return float(span.columns["mean"][span.i])
    return math.fsum(span.columns["_sums"][span.i : span.j]) / span.n


def _direction(span: Span) -> float | None:
    """Circular mean in degrees, 0 to 360; None where there is no direction."""
    s, c = math.fsum(span.part("sin_sum")), math.fsum(span.part("cos_sum"))
    if abs(s) < 1e-12 * span.n and abs(c) < 1e-12 * span.n:
        return None
    return math.degrees(math.atan2(s, c)) % 360.0


def _resultant(span: Span) -> float | None:
    """Mean resultant length, 0 (all directions) to 1 (one direction); Mardia and Jupp, Directional Statistics, 2.3."""
    if "sin_sum" not in span.columns:
        return None
    return math.hypot(math.fsum(span.part("sin_sum")), math.fsum(span.part("cos_sum"))) / span.n


def _stddev(span: Span) -> float | None:
    """Sample standard deviation; None for fewer than two readings."""
    counts, means, m2s, n = span.part("n"), span.part("mean"), span.part("m2"), span.n
    if n < 2:
        return None
    mean = math.fsum(span.part("_sums")) / n
    m2 = math.fsum(m2s) + math.fsum(count * (one - mean) ** 2 for count, one in zip(counts, means, strict=True))
    return math.sqrt(max(m2, 0.0) / (n - 1))


def _twmean(span: Span) -> float | None:
    """Each reading weighted by how long it held; a bucket with a single instant of data has only that."""
    if span.covered_us:
        return span.integral * 1e6 / span.covered_us
    return span.columns["last"][span.j - 1] if span.j > span.i else None


def _increase(span: Span) -> float | None:
    """From the last reading before the bucket to its last; not extrapolated."""
    if span.columns["increase"][span.i] is None:
        return None
    return math.fsum((*span.part("increase"), *span.part("_rises")[1:], span.rise))


def _rate(span: Span) -> float | None:
    """Increase a second over the bucket's length."""
    increase = _increase(span)
    return None if increase is None else increase * 1e6 / (span.end_us - span.start_us)


def _resets(span: Span) -> int | None:
    if span.columns["increase"][span.i] is None:
        return None
    return int(sum(span.part("resets")) + sum(span.part("_resets")[1:]) + span.resets)


AGGREGATES: dict[str, Aggregate] = {
    "mean": Aggregate(_mean, ("mean", "sin_sum", "cos_sum")),
    "twmean": Aggregate(_twmean, ("integral", "last"), "value", True),
    "min": Aggregate(lambda s: min(s.part("min")), ("min",)),
    "max": Aggregate(lambda s: max(s.part("max")), ("max",)),
    "first": Aggregate(lambda s: s.columns["first"][s.i], ("first",)),
    "last": Aggregate(lambda s: s.columns["last"][s.j - 1], ("last",)),
    "sum": Aggregate(lambda s: math.fsum(s.part("_sums")), ("mean",), "never"),
    "count": Aggregate(lambda s: s.n, (), "none", True),
    "stddev": Aggregate(_stddev, ("mean", "m2"), "difference"),
    "range": Aggregate(lambda s: max(s.part("max")) - min(s.part("min")), ("min", "max"), "difference"),
    "delta": Aggregate(lambda s: s.columns["last"][s.j - 1] - s.columns["first"][s.i], ("first", "last"), "difference"),
    "increase": Aggregate(_increase, ("increase", "resets", "first", "last"), "difference"),
    "rate": Aggregate(_rate, ("increase", "resets", "first", "last"), "difference"),
    "resets": Aggregate(_resets, ("increase", "resets", "first", "last"), "none"),
    "resultant": Aggregate(_resultant, ("sin_sum", "cos_sum"), "none"),
    "coverage": Aggregate(lambda s: round(s.covered_us / (s.end_us - s.start_us), 6), (), "none", True),
    "good": Aggregate(lambda s: (s.counted or {}).get("n_good", 0), ("n_good",), "none", True),
    "not_evaluated": Aggregate(lambda s: (s.counted or {}).get("n_not_evaluated", 0), ("n_not_evaluated",), "none", True),
    "suspect": Aggregate(lambda s: (s.counted or {}).get("n_suspect", 0), ("n_suspect",), "none", True),
    "fail": Aggregate(lambda s: (s.counted or {}).get("n_fail", 0), ("n_fail",), "none", True),
    "missing": Aggregate(lambda s: (s.counted or {}).get("n_missing", 0), ("n_missing",), "none", True),
}
_PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d{1,4})?|100)")
NAMES = (*AGGREGATES, "median", "p05", "p95")
DEFAULT = ("mean", "min", "max")


def aggregate(name: str) -> Aggregate:
    """The aggregate of that name; ``pNN`` is a percentile. Raises ValueError that names what there is."""
    found = AGGREGATES.get(name)
    if found is not None:
        return found
    fraction = percentile(name)
    if fraction is None:
        from difflib import get_close_matches

        near = get_close_matches(name, NAMES, 1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        raise ValueError(f"unknown aggregate {name!r}{hint}; known: {', '.join(AGGREGATES)}, median, p95 (any pNN)")
    return Aggregate(lambda span: _of_sorted(span.sorted_values, fraction))


def percentile(name: str) -> float | None:
    """The fraction that ``median`` or ``pNN`` asks for, else None."""
    if name == "median":
        return 0.5
    match = _PERCENTILE.fullmatch(name)
    return float(match[1]) / 100 if match else None


def _of_sorted(values: Sequence[float], fraction: float) -> float | None:
    """Linear interpolation between the closest ranks, as numpy and spreadsheets do (Hyndman and Fan, type 7)."""
    if not values:
        return None
    at = (len(values) - 1) * fraction
    low = math.floor(at)
    high = min(low + 1, len(values) - 1)
    return values[low] + (values[high] - values[low]) * (at - low)
