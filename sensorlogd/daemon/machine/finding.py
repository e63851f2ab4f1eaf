"""What every check of this machine gives back."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """Something of this machine that does not fit the configuration. ``path``: where in the configuration, e.g.
    ``sensors.scale.port``; ``problem``: what was found; ``cure``: what to do."""

    path: str
    problem: str
    cure: str

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}; {self.cure}"
