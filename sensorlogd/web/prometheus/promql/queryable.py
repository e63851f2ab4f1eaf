"""What a source of series offers, and how much of it is read at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from sensorlogd.web.prometheus.promql.values import Labels, Values

BATCH_READINGS = 100_000  # of one series at a time


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

    def rolled(self, function: str, ends: Sequence[int], length_us: int) -> Values | None:
        """A function of the windows that end there, from what was added up before; None: readings are to be looked at."""
        ...

    def is_dense(self, ends: Sequence[int]) -> bool:
        """Whether so much lies between the instants that looking each of them up beats reading all of it."""
        ...


class Bounds(Protocol):
    """How much there may be, see ``limits``."""

    def check_between(self, series: int, steps: int, step_us: int) -> None:
        """Raises PromError."""
        ...


class Source(Protocol):
    """Where selectors find their series."""

    @property
    def limits(self) -> Bounds: ...

    def select(self, matches: Callable[[Labels], bool]) -> list[Stored]: ...


def batches(stored: Stored, ends: Sequence[int], length_us: int) -> Iterator[tuple[Samples, Sequence[int]]]:
    """The readings that the windows ending at ``ends`` need, so many windows at a time that memory stays bounded."""
    at, many = 0, min(len(ends), 64)
    while at < len(ends):
        some = ends[at : at + many]
        samples = stored.window(some[0] - length_us, some[-1])
        yield samples, some
        at += len(some)
        if len(samples.times) < BATCH_READINGS // 2:
            many = min(many * 4, 10_000)
        elif len(samples.times) > BATCH_READINGS:
            many = max(many // 4, 1)
