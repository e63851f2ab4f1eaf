"""What PromQL expressions evaluate to, over a grid of instants (an instant query has one)."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

Labels = dict[str, str]
Key = tuple[tuple[str, str], ...]
Values = list[float | None]  # one for each instant; None: nothing there

NAME = "__name__"


class PromError(Exception):
    """``kind`` as Prometheus names it: bad_data, execution; ``unsupported`` is ours and answered 422 as execution errors are."""

    def __init__(self, message: str, kind: str = "execution") -> None:
        super().__init__(message)
        self.kind = kind


def unsupported(what: str) -> PromError:
    return PromError(f"{what} is not supported here", "unsupported")


@dataclass(slots=True)
class Series:
    """A line of a vector."""

    labels: Labels
    values: Values


@dataclass(slots=True)
class Vector:
    """``ordered``: the order of the series means something (``sort``, ``topk``)."""

    series: list[Series]
    ordered: bool = False


@dataclass(slots=True)
class Scalar:
    values: list[float]


@dataclass(slots=True)
class Text:
    value: str


Value = Vector | Scalar | Text


@dataclass(slots=True)
class Samples:
    """Readings of one series, oldest first; times in microseconds."""

    times: Sequence[int]
    values: Sequence[float]


class Stored(Protocol):
    """A series that can be read. ``lookback_us``: how long a reading counts, if the series has an opinion."""

    labels: Labels
    lookback_us: int | None

    def window(self, after_us: int, until_us: int) -> Samples:
        """Readings in (after, until]."""
        ...

    def last(self, after_us: int, until_us: int) -> tuple[int, float] | None:
        """The last reading in (after, until]."""
        ...


class Source(Protocol):
    """Where selectors find their series."""

    def select(self, matches: Callable[[Labels], bool]) -> list[Stored]: ...


def key(labels: Labels) -> Key:
    return tuple(sorted(labels.items()))


def without_name(labels: Labels) -> Labels:
    return {name: value for name, value in labels.items() if name != NAME}


def merged(found: Iterable[Series]) -> list[Series]:
    """One series for each set of labels. Raises PromError where two have a value at the same instant."""
    by_key: dict[Key, Series] = {}
    for series in found:
        one = by_key.setdefault(key(series.labels), series)
        if one is not series:
            for at, value in enumerate(series.values):
                if value is None:
                    continue
                if one.values[at] is not None:
                    raise PromError("vector cannot contain metrics with the same labelset")
                one.values[at] = value
    return list(by_key.values())


def total(numbers: Sequence[float]) -> float:
    """The sum; infinities and NaN as floats add them."""
    try:
        return math.fsum(numbers)
    except (OverflowError, ValueError):
        return sum(numbers)


def mean(numbers: Sequence[float]) -> float:
    """Without an overflow on the way."""
    n = len(numbers)
    whole = total(numbers)
    if math.isfinite(whole) or not all(map(math.isfinite, numbers)):
        return whole / n
    return total([number / n for number in numbers])


def quantile(fraction: float, numbers: Sequence[float]) -> float:
    """Linear between the closest ranks; below 0 and above 1 infinite. NaN sorts first."""
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
    """Of the population."""
    if not all(map(math.isfinite, numbers)):
        return math.nan
    middle = mean(numbers)
    return mean([(number - middle) * (number - middle) for number in numbers])


EMPTY = Samples(array("q"), array("d"))
