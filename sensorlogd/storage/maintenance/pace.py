"""How many rows at once: measured, so that a slice takes about as long as it may on any machine."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Pace:
    """``rows`` grows and shrinks within ``least`` and ``most`` so that they take about ``slice_s`` seconds."""

    slice_s: float
    rows: float
    least: float
    most: float

    def measured(self, took_s: float) -> None:
        """So long did ``rows`` take."""
        change = min(max(self.slice_s / max(took_s, 1e-6), 0.3), 1.5)
        self.rows = min(max(self.rows * change, self.least), self.most)
