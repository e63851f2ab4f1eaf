"""The spans of wall clock in which no daemon watched, over all runs that are remembered.

What is known of silence and windows at a start is computed from the stamps of readings. What lies between two runs is no time
watched, also when a further run has ended since: so each start remembers the span that it ended.
"""

from __future__ import annotations

from collections.abc import Iterable

MAX_SPANS = 50  # the oldest give way: what came before is then taken for watched


class Unwatched:
    """Spans of wall clock in µs, (from, until), in order and apart from each other."""

    def __init__(self, spans: Iterable[tuple[int, int]] = ()) -> None:
        self._spans: list[tuple[int, int]] = []
        for from_us, until_us in spans:
            self.add(from_us, until_us)

    @staticmethod
    def read(stored: str | None) -> Unwatched:
        """The spans of ``text``; none of what is not understood."""
        try:
            spans = [tuple(map(int, span.split("-"))) for span in (stored or "").split()]
            return Unwatched((from_us, until_us) for from_us, until_us in spans)
        except ValueError:
            return Unwatched()

    def text(self) -> str:
        """To be stored for the next runs."""
        return " ".join(f"{from_us}-{until_us}" for from_us, until_us in self._spans)

    def add(self, from_us: int, until_us: int) -> None:
        """Nobody watched from then until then. Spans that begin later are forgotten: the clock was set back since, so that they
        are of other times."""
        if not 0 <= from_us < until_us:
            return
        self._spans = [span for span in self._spans if span[0] < from_us]
        if self._spans and self._spans[-1][1] >= from_us:
            from_us = self._spans.pop()[0]
        self._spans = [*self._spans, (from_us, until_us)][-MAX_SPANS:]

    def watched_us(self, from_us: int, until_us: int) -> int:
        """How much of the time from then until then was watched; 0 if the first is later."""
        missed = sum(max(min(end, until_us) - max(begin, from_us), 0) for begin, end in self._spans)
        return max(until_us - from_us - missed, 0)

    def back(self, until_us: int, watched_us: int) -> int:
        """The time from which on this much was watched until ``until_us``."""
        from_us = until_us - watched_us
        for begin, end in reversed(self._spans):
            if begin < until_us and end > from_us:
                from_us -= min(end, until_us) - begin
        return from_us
