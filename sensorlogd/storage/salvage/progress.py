"""What a salvage remembers from slice to slice, as it lies in ``work.progress``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sensorlogd.storage.salvage.pieces import Pointer

MAX_EXAMPLES = 20  # sentences for people; more are only counted


@dataclass(slots=True)
class Progress:
    """``counts``: how much is back, by kind. ``holes``: former series (0: all) -> until when readings are missing. ``torn``: series
    whose roll-ups have gaps, too. ``skipped``: how many stretches are damaged; ``stretches``: the first of them, in words. ``apart``,
    ``cut_short``: sentences for people. ``other_days``: the days of the damaged file are those of another zone."""

    pointer: Pointer = field(default_factory=Pointer)
    counts: dict[str, int] = field(default_factory=dict)
    holes: dict[int, int] = field(default_factory=dict)
    torn: list[int] = field(default_factory=list)
    skipped: int = 0
    stretches: list[str] = field(default_factory=list)
    apart: list[str] = field(default_factory=list)
    cut_short: list[str] = field(default_factory=list)
    other_days: bool = False

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Progress:
        """From the beginning on where there is no pointer."""
        pointer = stored.get("pointer")
        return cls(
            Pointer(*pointer) if isinstance(pointer, list) and len(pointer) == len(Pointer._fields) else Pointer(),
            dict(stored.get("counts", {})),
            {int(series): until for series, until in stored.get("holes", {}).items()},
            list(stored.get("torn", [])),
            stored.get("skipped", 0),
            list(stored.get("stretches", [])),
            list(stored.get("apart", [])),
            list(stored.get("cut_short", [])),
            stored.get("other_days", False),
        )

    def to_json(self) -> dict[str, Any]:
        """What is empty is left out, but for the pointer and the counts."""
        named: dict[str, Any] = {
            "holes": {str(series): until for series, until in self.holes.items()},
            "torn": self.torn,
            "skipped": self.skipped,
            "stretches": self.stretches,
            "apart": self.apart[:MAX_EXAMPLES],
            "cut_short": self.cut_short[:MAX_EXAMPLES],
            "other_days": self.other_days,
        }
        return {"pointer": list(self.pointer), "counts": self.counts} | {name: value for name, value in named.items() if value}

    def add_count(self, name: str, n: int) -> None:
        if n:
            self.counts[name] = self.counts.get(name, 0) + n

    def add_stretch(self, sentence: str) -> None:
        """One more stretch that could not be read."""
        self.skipped += 1
        if len(self.stretches) < MAX_EXAMPLES:
            self.stretches.append(sentence)
