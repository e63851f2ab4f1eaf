"""Millions of values as if they were sorted, at eight bytes each: sorted runs, and the value of any rank.

A sorted list of Python floats takes four times that, which a Pi does not have for a month at 1 Hz.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence

RUN = 65_536


class SortedRuns:
    """Many values by rank: ``add`` values in any order, then index it by rank."""

    def __init__(self) -> None:
        self._runs: list[array[float]] = []
        self._open: array[float] = array("d")
        self._length = 0

    def add(self, values: Sequence[float]) -> None:
        self._open.extend(values)
        self._length += len(values)
        while len(self._open) >= RUN:
            self._runs.append(array("d", sorted(self._open[:RUN])))
            del self._open[:RUN]

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, rank: int) -> float:
        """The value at that place of the sorted whole. A window of each run is narrowed around it, by a pivot from the
        middle of the widest window, until only equal values are left."""
        if self._open:
            self._runs.append(array("d", sorted(self._open)))
            self._open = array("d")
        windows = [(0, len(run)) for run in self._runs]
        while True:
            widest = max(range(len(windows)), key=lambda index: windows[index][1] - windows[index][0])
            low, high = windows[widest]
            pivot = self._runs[widest][(low + high) // 2]
            below = [bisect_left(run, pivot, a, b) for run, (a, b) in zip(self._runs, windows, strict=True)]
            upto = [bisect_right(run, pivot, a, b) for run, (a, b) in zip(self._runs, windows, strict=True)]
            if sum(below) > rank:
                windows = [(a, end) for (a, _), end in zip(windows, below, strict=True)]
            elif sum(upto) <= rank:
                windows = [(start, b) for (_, b), start in zip(windows, upto, strict=True)]
            else:
                return pivot
