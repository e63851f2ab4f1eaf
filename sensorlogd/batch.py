"""The types of readings on their way: batches that a driver hands over, and blocks that the writer appends.

Both are columns, not rows: a list of times and a list of values per channel. Per-sample work can then be done by
built-ins that loop in C (min, max, map, slice assignment), which is what lets a pure-Python pipeline keep up.
All times are integer microseconds since 1970-01-01T00:00Z.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import compress
from typing import NamedTuple

EXACT = 2**53  # a double holds whole numbers up to this exactly


class Rounded(float):
    """A whole number that no double holds exactly, rounded: its reading is flagged."""


def whole(number: int) -> float:
    """``number`` as a double, or ``Rounded`` if no double equals it. Raises OverflowError."""
    found = float(number)
    return found if -EXACT <= number <= EXACT or int(found) == number else Rounded(found)


class Stamp(IntEnum):
    """Where the time of one sample comes from."""

    ARRIVAL = 0
    DEVICE = 1
    IMPOSSIBLE = 2  # the device's time cannot be right: it was replaced by the time of arrival, and is flagged


class Sample(NamedTuple):
    """One line, frame or poll: a time and the channels it carried.

    ``time_us`` None means "stamp it now". NaN is a value the device reported as missing.
    """

    time_us: int | None
    values: Mapping[str, float]


@dataclass(slots=True)
class Batch:
    """Many samples of one sensor, by column.

    ``times_us``: N times. ``values``: channel -> N values; None = this sample did not carry the channel (no reading),
    NaN = the device said "missing" (a reading with flag 9). ``device_time``: the times come from the device's clock.
    ``stamps``: a ``Stamp`` for each sample, where they differ; ``parts`` then gives batches of one kind each.
    ``bad_time``: the device's times could not be believed, these are those of arrival.
    """

    times_us: list[int]
    values: dict[str, list[float | None]]
    device_time: bool = False
    stamps: bytes | None = None
    bad_time: bool = False

    def parts(self) -> list[Batch]:
        """Split into batches whose times all come from the same clock, in the order of their first samples."""
        if self.stamps is None:
            return [self]
        return [
            self.only(
                [stamp == kind for stamp in self.stamps], device_time=kind == Stamp.DEVICE, bad_time=kind == Stamp.IMPOSSIBLE
            )
            for kind in dict.fromkeys(self.stamps)
        ]

    def only(self, chosen: Sequence[bool], *, device_time: bool, bad_time: bool = False) -> Batch:
        """A batch of the samples whose entry in ``chosen`` (one for each sample) is true."""
        values = {name: list(compress(column, chosen)) for name, column in self.values.items()}
        kept = {name: column for name, column in values.items() if any(value is not None for value in column)}
        return Batch(list(compress(self.times_us, chosen)), kept, device_time, None, bad_time)

    @classmethod
    def of(cls, samples: Sequence[Sample], now_us: int, *, device_time: bool = False) -> Batch:
        """The batch that holds ``samples`` in order; a sample without a time gets ``now_us``."""
        channels: dict[str, list[float | None]] = {}
        for sample in samples:
            for channel in sample.values:
                if channel not in channels:
                    channels[channel] = []
        for channel, column in channels.items():
            column.extend(sample.values.get(channel) for sample in samples)
        return cls([now_us if s.time_us is None else s.time_us for s in samples], channels, device_time)


@dataclass(slots=True)
class Column:
    """Readings of one series, ready to be stored: ``times_us[i]``, ``values[i]`` and a quality.

    ``quality`` is one integer for all, or a list of N. A None value is stored as NULL and has flag 9.
    Columns of one block that were sampled together share the *same* list object ``times_us``.
    """

    channel: str
    times_us: list[int]
    values: list[float | None]
    quality: int | list[int]


@dataclass(slots=True)
class Block:
    """The readings that a sensor hands over to the writer at once."""

    sensor: str
    columns: list[Column]
    device_time: bool = False
    rows: int = field(init=False)

    def __post_init__(self) -> None:
        self.rows = sum(len(column.times_us) for column in self.columns)
