"""How many rows a slice deals with: measured, so that a slice takes about its allowed time on any machine. Every sliced job uses
this."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Pace:
    """How much one slice of work takes on. ``rows`` (or pages, or microseconds of data) grows and shrinks within ``least`` and
    ``most`` so that they take about ``slice_s`` seconds. One measurement changes it by no more than ``slower`` and ``faster``:
    the next may say otherwise."""

    slice_s: float
    rows: float
    least: float
    most: float
    slower: float = 0.3
    faster: float = 1.5

    def __int__(self) -> int:
        return int(self.rows)

    def note_duration(self, took_s: float, slice_s: float | None = None) -> None:
        """Adjust ``rows``, of which the last slice took ``took_s``. ``slice_s``: the time it was allowed, where that varies from
        slice to slice."""
        change = (self.slice_s if slice_s is None else slice_s) / max(took_s, 1e-6)
        self.rows = min(max(self.rows * min(max(change, self.slower), self.faster), self.least), self.most)
