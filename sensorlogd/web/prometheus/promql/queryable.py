"""The interface of a source of series, and how its readings are read in batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from sensorlogd.counters import Law
from sensorlogd.web.prometheus.promql.values import Labels, Values

BATCH_READINGS = 100_000  # of one series at a time


@dataclass(slots=True)
class Samples:
    """Readings of one series, oldest first; times in microseconds."""

    times: Sequence[int]
    values: Sequence[float]


class Stored(Protocol):
    """A series that can be read. ``lookback_us``: how long a reading of it counts; None: as long as the query says. ``counter``:
    the law by which it rises and falls; None: each fall is a reset, as for Prometheus."""

    labels: Labels
    lookback_us: int | None

    @property
    def counter(self) -> Law | None: ...

    def window(self, after_us: int, until_us: int) -> Samples:
        """The readings in (after, until]."""
        ...

    def last(self, after_us: int, until_us: int) -> tuple[int, float] | None:
        """The last reading in (after, until]."""
        ...

    def rolled(self, function: str, ends: Sequence[int], length_us: int) -> Values | None:
        """The values of a function for the windows that end at ``ends``, computed from roll-ups. None: they have to be computed
        from readings."""
        ...

    def is_to_look_up(self, ends: Sequence[int], lookback_us: int) -> bool:
        """Whether ``last`` is to be asked at each instant, instead of reading everything: there are so many readings between the
        instants that this is faster, or the first of them have expired and only ``last`` knows what is left of them."""
        ...


class Bounds(Protocol):
    """The limits of intermediate results, see ``limits``."""

    def check_between(self, series: int, steps: int, step_us: int) -> None:
        """Raises PromError if there are too many values."""
        ...


class Source(Protocol):
    """Where selectors find their series."""

    @property
    def limits(self) -> Bounds: ...

    def select(self, matches: Callable[[Labels], bool]) -> list[Stored]:
        """The series whose labels match, retired ones too."""
        ...


def batches(stored: Stored, ends: Sequence[int], length_us: int) -> Iterator[tuple[Samples, Sequence[int]]]:
    """The readings that the windows ending at ``ends`` need, for a bounded number of windows at a time."""
    start, many = 0, min(len(ends), 64)
    while start < len(ends):
        some = ends[start : start + many]
        samples = stored.window(some[0] - length_us, some[-1])
        yield samples, some
        start += len(some)
        if len(samples.times) < BATCH_READINGS // 2:
            many = min(many * 4, 10_000)
        elif len(samples.times) > BATCH_READINGS:
            many = max(many // 4, 1)
