"""The aggregates of a bucket: for each, its function, the columns of the stored roll-ups that it needs, and how its unit
converts.

A bucket is a run [i:j) of segments in time order (stored roll-ups, or roll-ups computed from readings), given by column.
Formulas are those of ``rollup``; the variance of a merged bucket is the sum of the segments' M2 and of n times the squared
distance of their means from the whole mean, which is what repeated merging by Chan's formula gives.

Angles (degrees) have aggregates of their own: a mean direction, not the mean of numbers. Aggregates that have no meaning for
directions are None for them (the median of 350 and 10 is not south).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from sensorlogd.storage.query.sorted_runs import SortedRuns
from sensorlogd.storage.rollups.rollup import OTHER, state_key, total

LIMIT_PERCENTILE = 5_000_000  # readings that a percentile may need to hold at once: 40 MB
QUALITIES = ("n_good", "n_not_evaluated", "n_suspect", "n_fail", "n_missing")
_OF_COUNTERS = ("increase", "resets", "first", "second", "last_but_one", "last")
BASE = ("start", "n", "first_ts", "last_ts", "covered_us")


@dataclass(slots=True)
class Span:
    """One bucket: segments [i:j) of ``columns``, and what only its surroundings tell.

    start_us, end_us    the part of the bucket that was asked for
    n                   usable readings in it
    covered_us          how much of it is covered by readings, each holding until the next, at most for the heartbeat
    integral            unit x seconds over what is covered; None beyond what a double holds
    rise, resets        counters: what happened between the reading before the bucket and its first one
    moved               state: whether the first reading differs from the one before
    held                states held over the bucket's edges: (value, microseconds); None: not a state
    """

    columns: dict[str, Sequence[Any]]
    i: int
    j: int
    start_us: int
    end_us: int
    n: int = 0
    covered_us: int = 0
    integral: float | None = 0.0
    rise: float = 0.0
    resets: int = 0
    moved: bool = False
    held: list[tuple[float, int]] | None = None
    sorted_values: SortedRuns | None = None  # all usable readings, where an aggregate is ranked
    counted: dict[str, int] | None = None  # readings by flag, those flagged fail or missing too

    def part(self, name: str) -> Sequence[Any]:
        return self.columns[name][self.i : self.j]


# reading: it is one of the readings as they came. value: as many decimals as they have. finer: two more, as a mean has.
# all: those that the arithmetic gives, without its noise. fixed: rounded already.
Digits = Literal["reading", "value", "finer", "all", "fixed"]


@dataclass(frozen=True, slots=True)
class Aggregate:
    """How one aggregate is computed and shown. ``needs``: columns beside BASE. ``unit``: how a converted unit applies (value:
    scale and offset; difference: scale; none: not at all; never: cannot be converted). ``of_empty``: it says something of a
    bucket without readings, too. ``digits``: with how many people see it, see ``Digits``. ``ranked``: it needs the readings
    themselves, by rank, as ``Span.sorted_values``; roll-ups alone never answer it."""

    compute: Callable[[Span], Any]
    needs: tuple[str, ...] = ()
    unit: str = "value"
    of_empty: bool = False
    digits: Digits = "all"
    ranked: bool = False


def _mean(span: Span) -> float | None:
    if span.j == span.i + 1:
        mean: float | None = span.columns["mean"][span.i]
        return mean
    return total(span.part("_sums"), 1 / span.n)


def _stddev(span: Span) -> float | None:
    """Sample standard deviation; None for fewer than two readings."""
    counts, means, m2s, n = span.part("n"), span.part("mean"), span.part("m2"), span.n
    if n < 2:
        return None
    mean = total(span.part("_sums"), 1 / n)
    if mean is None or None in m2s:
        return None
    m2 = total((*m2s, *(count * (each_mean - mean) * (each_mean - mean) for count, each_mean in zip(counts, means, strict=True))))
    return None if m2 is None else math.sqrt(max(m2, 0.0) / (n - 1))


def _rms(span: Span) -> float | None:
    """Root mean square, from the sums of squares about zero: n mean^2 + M2 of each segment, none of which is negative."""
    counts, means, m2s = span.part("n"), span.part("mean"), span.part("m2")
    if None in means or None in m2s:
        return None
    squares = total((*m2s, *(count * mean * mean for count, mean in zip(counts, means, strict=True))), 1 / span.n)
    return None if squares is None else math.sqrt(squares)


def _twmean(span: Span) -> float | None:
    """Each reading weighted by how long it held; a bucket with a single instant of data has only that."""
    if span.covered_us:
        return None if span.integral is None else span.integral * 1e6 / span.covered_us
    return span.columns["last"][span.j - 1] if span.j > span.i else None


def _increase(span: Span) -> float | None:
    """What the counter rose by from the last reading before the bucket to its last; not extrapolated."""
    return total((*span.part("increase"), *span.part("_rises")[1:], span.rise))


def _rate(span: Span) -> float | None:
    """Increase a second over the bucket's length."""
    increase = _increase(span)
    return None if increase is None else increase * 1e6 / (span.end_us - span.start_us)


def _resets(span: Span) -> int | None:
    if None in span.part("resets"):
        return None
    return int(sum(span.part("resets")) + sum(span.part("_resets")[1:]) + span.resets)


def _transitions(span: Span) -> int | None:
    if None in span.part("transitions"):
        return None
    return int(sum(span.part("transitions")) + sum(span.part("_moved")[1:]) + span.moved)


def _states(span: Span) -> dict[str, float] | None:
    """Seconds in each state within the bucket."""
    if span.held is None or None in span.part("states"):
        return None
    found: dict[str, int] = {}
    for text in span.part("states"):
        for key, us in json.loads(text).items():
            found[key] = found.get(key, 0) + us
    for value, us in (*zip(span.part("last")[:-1], span.part("_steps")[:-1], strict=True), *span.held):
        key = state_key(value)
        found[key] = found.get(key, 0) + us
    return {key: us / 1e6 for key, us in sorted(found.items(), key=lambda item: _state_order(item[0])) if us}


def _state_order(key: str) -> float:
    return math.inf if key == OTHER else float(key)


# ---- angles ------------------------------------------------------------------------------------------------------------


def _vector(span: Span) -> tuple[float, float] | None:
    """(sum of sines, sum of cosines)."""
    sines, cosines = total(span.part("sin_sum")), total(span.part("cos_sum"))
    return None if sines is None or cosines is None else (sines, cosines)


def _direction(span: Span) -> float | None:
    """Circular mean in degrees, 0 to 360; None where there is no direction."""
    vector = _vector(span)
    if vector is None or all(abs(component) < 1e-12 * span.n for component in vector):
        return None
    return compass(math.degrees(math.atan2(*vector)))


def _resultant(span: Span) -> float | None:
    """Mean resultant length, 0 (all directions) to 1 (one direction); Mardia and Jupp, Directional Statistics, 2.3."""
    vector = _vector(span)
    return None if vector is None else math.hypot(*vector) / span.n


def _spread(span: Span) -> float | None:
    """Circular standard deviation in degrees, sqrt(-2 ln R) (Mardia and Jupp, 2.3); None for fewer than two readings."""
    resultant = _resultant(span)
    if resultant is None or span.n < 2 or resultant < 1e-12:
        return None
    return math.degrees(math.sqrt(max(-2.0 * math.log(resultant), 0.0)))


def compass(degrees: float) -> float:
    """A direction in [0, 360): a tiny negative number modulo 360 is 360."""
    degrees %= 360.0
    return 0.0 if degrees == 360.0 else degrees


def turn(before: float, after: float) -> float:
    """The shorter way from one direction to another, -180 to 180 degrees."""
    return (after - before + 180.0) % 360.0 - 180.0


def _nothing(_: Span) -> None:
    return None


AGGREGATES: dict[str, Aggregate] = {
    "mean": Aggregate(_mean, ("mean",), digits="finer"),
    "twmean": Aggregate(_twmean, ("integral", "last"), "value", True, digits="finer"),
    "min": Aggregate(lambda s: min(s.part("min")), ("min",), digits="reading"),
    "max": Aggregate(lambda s: max(s.part("max")), ("max",), digits="reading"),
    "first": Aggregate(lambda s: s.columns["first"][s.i], ("first",), digits="reading"),
    "last": Aggregate(lambda s: s.columns["last"][s.j - 1], ("last",), digits="reading"),
    "sum": Aggregate(lambda s: total(s.part("_sums")), ("mean",), "never"),
    "count": Aggregate(lambda s: s.n, (), "none", True),
    "stddev": Aggregate(_stddev, ("mean", "m2"), "difference", digits="finer"),
    "rms": Aggregate(_rms, ("mean", "m2"), "never", digits="finer"),
    "range": Aggregate(lambda s: max(s.part("max")) - min(s.part("min")), ("min", "max"), "difference", digits="value"),
    "delta": Aggregate(
        lambda s: s.columns["last"][s.j - 1] - s.columns["first"][s.i], ("first", "last"), "difference", digits="value"
    ),
    "increase": Aggregate(_increase, _OF_COUNTERS, "difference", digits="value"),
    "rate": Aggregate(_rate, _OF_COUNTERS, "difference"),
    "resets": Aggregate(_resets, _OF_COUNTERS, "none"),
    "resultant": Aggregate(_nothing, (), "none"),  # of angles only
    "transitions": Aggregate(_transitions, ("transitions", "states", "first", "last"), "none"),
    "states": Aggregate(_states, ("transitions", "states", "first", "last"), "none", True),
    "coverage": Aggregate(lambda s: round(s.covered_us / (s.end_us - s.start_us), 6), (), "none", True, digits="fixed"),
    "good": Aggregate(lambda s: (s.counted or {}).get("n_good", 0), ("n_good",), "none", True),
    "not_evaluated": Aggregate(lambda s: (s.counted or {}).get("n_not_evaluated", 0), ("n_not_evaluated",), "none", True),
    "suspect": Aggregate(lambda s: (s.counted or {}).get("n_suspect", 0), ("n_suspect",), "none", True),
    "fail": Aggregate(lambda s: (s.counted or {}).get("n_fail", 0), ("n_fail",), "none", True),
    "missing": Aggregate(lambda s: (s.counted or {}).get("n_missing", 0), ("n_missing",), "none", True),
}
OF_ANGLES: dict[str, Aggregate] = {
    "mean": Aggregate(_direction, ("sin_sum", "cos_sum"), digits="finer"),
    "resultant": Aggregate(_resultant, ("sin_sum", "cos_sum"), "none"),
    "stddev": Aggregate(_spread, ("sin_sum", "cos_sum"), "difference", digits="finer"),
    "delta": Aggregate(
        lambda s: turn(s.columns["first"][s.i], s.columns["last"][s.j - 1]), ("first", "last"), "difference", digits="value"
    ),
}
# Of other kinds of series they are None: their columns need not be read.
_ONLY_OF = {"increase": "counter", "rate": "counter", "resets": "counter", "transitions": "state", "states": "state"}
NOT_OF_ANGLES = ("twmean", "sum", "rms", "range")  # nor what is ranked
_PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d{1,4})?|100)")
NAMES = (*AGGREGATES, "median", "p05", "p95")  # of all that can be asked for, pNN being one
DEFAULT = ("mean", "min", "max")


def aggregate(name: str, kind: str = "gauge") -> Aggregate:
    """The aggregate of that name for a series of that kind; ``pNN`` is a percentile. Raises ValueError that names what there
    is."""
    if kind == "angle":
        if is_blank_for_angles(name):
            return Aggregate(_nothing, (), "none")
        if name in OF_ANGLES:
            return OF_ANGLES[name]
    found = AGGREGATES.get(name)
    if found is not None:
        of = _ONLY_OF.get(name, kind)
        return found if of == kind else replace(found, compute=_nothing, needs=(), of_empty=False)
    fraction = percentile(name)
    if fraction is None:
        from difflib import get_close_matches

        near = get_close_matches(name, NAMES, 1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        raise ValueError(f"unknown aggregate {name!r}{hint}; known: {', '.join(AGGREGATES)}, median, p95 (any pNN)")
    return Aggregate(lambda span: _percentile(span.sorted_values, fraction), digits="value", ranked=True)


def is_blank_for_angles(name: str) -> bool:
    """Whether it says nothing about directions."""
    return name in NOT_OF_ANGLES or aggregate(name).ranked


def percentile(name: str) -> float | None:
    """The fraction that ``median`` or ``pNN`` asks for, else None."""
    if name == "median":
        return 0.5
    match = _PERCENTILE.fullmatch(name)
    return float(match[1]) / 100 if match else None


def _percentile(values: SortedRuns | None, fraction: float) -> float | None:
    """Linear interpolation between the closest ranks, as numpy and spreadsheets do (Hyndman and Fan, type 7)."""
    if not values:
        return None
    rank = (len(values) - 1) * fraction
    low = math.floor(rank)
    below, above = values[low], values[min(low + 1, len(values) - 1)]
    return below + (above - below) * (rank - low)
