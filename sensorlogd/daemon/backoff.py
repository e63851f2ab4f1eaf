"""How long a part of the daemon waits before it tries again: doubling, capped, jittered. For sensors, the aggregator,
the web process."""

from __future__ import annotations

import random


class Backoff:
    """The first ``quick_for`` waits are ``quick_s`` at most, so that a replugged cable is noticed within a second for nearly two
    minutes; later ones grow to ``cap_s``."""

    def __init__(
        self,
        rng: random.Random | None = None,
        *,
        first_s: float = 0.1,
        quick_s: float = 1.0,
        quick_for: int = 120,
        cap_s: float = 30.0,
    ) -> None:
        self.rng = rng or random.Random()
        self.first_s, self.quick_s, self.quick_for, self.cap_s = first_s, quick_s, quick_for, cap_s
        self.attempts = 0

    def next_s(self) -> float:
        """Seconds to wait now; each call is one more failed attempt."""
        n = self.attempts
        self.attempts += 1
        if n < self.quick_for:
            delay = min(self.first_s * 2.0 ** min(n, 10), self.quick_s)
        else:
            delay = min(self.quick_s * 2.0 ** min(n - self.quick_for + 1, 10), self.cap_s)
        return float(delay * self.rng.uniform(0.75, 1.0))

    def reset(self) -> None:
        """An attempt has succeeded: begin with the shortest wait again."""
        self.attempts = 0
