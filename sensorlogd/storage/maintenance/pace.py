"""How much at once: measured, so that a slice takes about as long as it may on any machine. The one place where that is done."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Pace:
    """``rows`` (or pages, or microseconds of data) grows and shrinks within ``least`` and ``most`` so that they take about
    ``slice_s`` seconds. One measurement changes it by no more than ``slower`` and ``faster``: the next may say otherwise."""

    slice_s: float
    rows: float
    least: float
    most: float
    slower: float = 0.3
    faster: float = 1.5

    def __int__(self) -> int:
        return int(self.rows)

    def measured(self, took_s: float, slice_s: float | None = None) -> None:
        """So long did ``rows`` take. ``slice_s``: what they might have taken this time, where that is not always the same."""
        change = (self.slice_s if slice_s is None else slice_s) / max(took_s, 1e-6)
        self.rows = min(max(self.rows * min(max(change, self.slower), self.faster), self.least), self.most)
