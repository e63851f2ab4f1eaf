"""The windows of a query as runs of tiles. A tile is a span between neighbouring bounds of windows, on the grid of a resolution of
roll-ups.

A window (end - length, end] has two bounds; those of all windows cut time into tiles, one or two a step. Bounds that do not
lie on the resolution's grid are moved to the nearest place that does. A bucket belongs to the tile that holds its start, so a
reading that lies exactly on a bound counts to the window that begins there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sensorlogd.notation.microseconds import MINUTE_US, SECOND_US
from sensorlogd.storage.rollups.by_tile import TileNumbers
from sensorlogd.storage.rollups.resolutions import FIXED

COARSEST_FIRST = tuple(sorted(FIXED, reverse=True))
FINER = 30  # a bound is moved by at most half of this part of a window
MAX_BUCKETS = 50_000  # of a series: rather than look at more, bounds are moved


@dataclass(frozen=True, slots=True)
class Tiles:
    """Windows cut into tiles, each made of whole buckets. ``ends``: the ends of the windows, in order and evenly spaced.
    ``resolution``: the length of a bucket, in seconds."""

    ends: Sequence[int]
    length_us: int
    resolution: int

    @property
    def width_us(self) -> int:
        """The length of a bucket."""
        return self.resolution * SECOND_US

    @property
    def step_us(self) -> int:
        """From the end of one window to the end of the next; of a single window its length."""
        return self.ends[1] - self.ends[0] if len(self.ends) > 1 else self.length_us

    @property
    def numbers(self) -> TileNumbers:
        """How these tiles are numbered: from that which begins with the first window on."""
        return TileNumbers(self.ends[0] - self.length_us - self.width_us // 2 + 1, self.step_us, self.phase_us)

    @property
    def phase_us(self) -> int:
        """The offset within a step at which windows end. 0: windows end where others begin."""
        return self.length_us % self.step_us

    @property
    def count(self) -> int:
        """How many tiles all windows have together."""
        return self.run(len(self.ends) - 1)[1]

    def run(self, window: int) -> tuple[int, int]:
        """The tiles [first, end) of a window."""
        whole = self.length_us // self.step_us
        if not self.phase_us:
            return window, window + whole
        return 2 * window, 2 * (window + whole) + 1

    def cut(self, since_us: int, until_us: int, width_us: int) -> set[int]:
        """The starts of the spans of ``width_us`` that a bound within [since, until) cuts."""
        places = (start for start, _ in self.edges(since_us, until_us))
        return {place - place % width_us for place in places if place % width_us}

    def bound(self, us: int) -> int:
        """The place on the grid of the resolution to which a bound is moved."""
        return (us + self.width_us // 2) // self.width_us * self.width_us

    def bounds(self, window: int) -> tuple[int, int]:
        """Beginning and end of a window (by its index), each moved to the grid of the resolution; microseconds since 1970."""
        end = self.ends[window]
        return self.bound(end - self.length_us), self.bound(end)

    def is_exact(self) -> bool:
        """Whether all bounds lie on the grid already."""
        return _lies_on(self.width_us, self.ends[0], self.length_us, self.step_us)

    def edges(self, start_us: int, end_us: int) -> list[tuple[int, int]]:
        """The tiles in [start, end), cut at both ends. Overlapping windows have more tiles than bounds."""
        places = {start_us}
        begin = self.ends[0] - self.length_us
        for begin_us in {begin, begin + self.phase_us}:
            index = max((start_us - begin_us) // self.step_us - 1, 0)
            while (place := self.bound(begin_us + index * self.step_us)) < end_us:
                if place > start_us:
                    places.add(place)
                index += 1
        ordered = sorted(places)
        return list(zip(ordered, [*ordered[1:], end_us], strict=True))


def tiles_of(ends: Sequence[int], length_us: int) -> Tiles | None:
    """The tiles for these windows. None: the windows are too short for roll-ups."""
    if length_us < MINUTE_US or (len(ends) > 1 and ends[1] - ends[0] < MINUTE_US):
        return None
    step = ends[1] - ends[0] if len(ends) > 1 else length_us
    exact = next(
        (resolution for resolution in COARSEST_FIRST if _lies_on(resolution * SECOND_US, ends[0], length_us, step)), None
    )
    near = next((resolution for resolution in COARSEST_FIRST if resolution * SECOND_US * FINER <= length_us), None)
    if exact is not None and (ends[-1] - ends[0] + length_us) // (exact * SECOND_US) <= MAX_BUCKETS:
        return Tiles(ends, length_us, exact)
    resolution = near if exact is None or (near is not None and near > exact) else exact
    return None if resolution is None else Tiles(ends, length_us, resolution)


def _lies_on(width_us: int, *places: int) -> bool:
    return all(place % width_us == 0 for place in places)
