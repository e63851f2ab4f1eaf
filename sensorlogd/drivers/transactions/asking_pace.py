"""Who does not answer is asked less often, and as often as ever once it has answered."""

from __future__ import annotations

PATIENT = 2  # it may miss this many answers in a row before it is asked less often
MAX_SHARED_WAIT_S = 60.0  # a silent unit costs the others on its line time: at most its drain once in this time
MAX_OWN_WAIT_S = 10.0  # a unit that has its line for itself costs nobody anything, and is to come back soon


class AskingPace:
    """How often one unit, or one block of its registers, may be asked. ``misses``: how often in a row it has not answered. Times
    are of a monotonic clock, in seconds."""

    def __init__(self, interval_s: float, cap_s: float) -> None:
        self.interval_s = interval_s
        self.cap_s = max(cap_s, interval_s)
        self.misses = 0
        self._not_before = 0.0

    def answered(self) -> None:
        """Note an answer: it is asked as often as ever."""
        self.misses, self._not_before = 0, 0.0

    def missed(self, now: float) -> None:
        """Note that no answer came: the wait doubles with every miss beyond PATIENT."""
        self.misses += 1
        self._not_before = now + self.wait_s()

    def wait_s(self) -> float:
        """How long it is left alone after its last miss."""
        if self.misses <= PATIENT:
            return 0.0
        return float(min(self.interval_s * 2.0 ** min(self.misses - PATIENT, 30), self.cap_s))

    def due(self, now: float) -> bool:
        """Whether it may be asked. Half an interval early is due: the round it would wait for is a whole one later."""
        return now >= self._not_before - self.interval_s / 2 if self.wait_s() else True
