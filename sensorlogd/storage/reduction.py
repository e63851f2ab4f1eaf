"""Parts to buckets: which parts lie in which bucket, and what the steps between neighbours add to each.

A reading holds until the next usable one, at most for the heartbeat. A step between two parts that lie in different
buckets is split at their edges, so that covered time and integral of a bucket are exactly those of the instants in it.
What a counter rose by, or that a state changed, between two readings belongs to the bucket of the later one.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import repeat
from operator import sub
from typing import Any

from sensorlogd.storage import rollup
from sensorlogd.storage.aggregates import QUALITIES, Span
from sensorlogd.storage.parts import Part, Parts

Known = tuple[int, float | None]  # time and value of a reading


class Reduction:
    """For one series, chunk by chunk in time order: it remembers the last reading of the chunk before."""

    def __init__(self, parts: Parts, *, needs_before: bool) -> None:
        """``needs_before``: the reading before the range matters however long ago it was."""
        self.parts = parts
        self.heartbeat_us = parts.snapshot.heartbeats_us.get(parts.series, 60_000_000)
        self.needs_before = needs_before
        self.is_state = parts.snapshot.kinds.get(parts.series) == "state"
        self._before: Known | None = None
        self._begun = False

    def spans(self, found: Sequence[Part], edges: Sequence[tuple[int, int]], begin_us: int, end_us: int) -> Iterator[Span]:
        """One span per edge. ``found``: the parts of [begin, end)."""
        fields = self.parts.fields
        if not self._begun:
            self._begun = True
            self._before = self.parts.before(begin_us, None if self.needs_before else self.heartbeat_us)
        counts = [fields.index(name) for name in QUALITIES if name in fields]
        everything = found
        n_at = fields.index("n")
        if any(not part[n_at] for part in found):
            found = [part for part in found if part[n_at]]
        columns: dict[str, Sequence[Any]] = (
            dict(zip(fields, zip(*found, strict=True), strict=True)) if found else dict.fromkeys(fields, ())
        )
        starts, firsts, lasts = columns["start"], columns["first_ts"], columns["last_ts"]
        steps = list(map(min, map(sub, firsts[1:], lasts), repeat(self.heartbeat_us)))
        columns["_steps"] = [*steps, 0]
        self._pairs(columns)
        following = self.parts.after(end_us, self.heartbeat_us)
        all_starts = [part[0] for part in everything] if counts else []
        before = self._before
        i = 0
        for start, end in edges:
            begin, until = max(start, begin_us), min(end, end_us)
            j = bisect_left(starts, until, i)
            span = Span(columns, i, j, begin, until)
            self._cover(span, before, following, steps)
            if before is not None and j > i and self.needs_before:
                self._join(span, before)
            if counts:
                a, b = bisect_left(all_starts, begin), bisect_left(all_starts, until)
                span.counted = {fields[at]: sum(part[at] for part in everything[a:b]) for at in counts} if b > a else None
            yield span
            if j > i:
                before = (lasts[j - 1], columns["last"][j - 1] if "last" in columns else None)
            i = j
        self._before = before

    def _cover(self, span: Span, before: Known | None, following: int | None, steps: Sequence[int]) -> None:
        """Covered time, integral and states of a bucket: its parts' own, the steps between them, and what reaches over
        its edges."""
        columns, i, j = span.columns, span.i, span.j
        firsts, lasts, values = columns["first_ts"], columns["last_ts"], columns.get("last")
        integral = columns.get("integral")
        covered = 0
        total = 0.0
        held: list[tuple[float, int]] = []
        if j > i:
            inner = steps[i : j - 1]
            covered = sum(columns["covered_us"][i:j]) + sum(inner)
            if integral is not None and values is not None:
                total = sum(integral[i:j]) + sum(value * step for value, step in zip(values[i : j - 1], inner, strict=True)) / 1e6
        if before is not None:
            until = self._holds_until(before[0], firsts[i] if i < len(firsts) else None, following)
            reach = min(until, span.end_us) - span.start_us
            if reach > 0:
                covered += reach
                if before[1] is not None:
                    total += before[1] * reach / 1e6
                    held.append((before[1], reach))
        if j > i:
            until = self._holds_until(lasts[j - 1], firsts[j] if j < len(firsts) else None, following)
            reach = min(until, span.end_us) - lasts[j - 1]
            covered += reach
            if values is not None:
                total += values[j - 1] * reach / 1e6
                held.append((values[j - 1], reach))
        span.covered_us, span.integral = covered, total
        span.held = held if self.is_state else None

    def _holds_until(self, ts_us: int, next_us: int | None, following: int | None) -> int:
        """A reading after which none is known does not hold: nobody knows."""
        if next_us is None:
            if following is None:
                return ts_us
            next_us = following
        return int(min(next_us, ts_us + self.heartbeat_us))

    def _pairs(self, columns: dict[str, Sequence[Any]]) -> None:
        """What happened between neighbouring parts; index k is the step from part k-1 to part k."""
        if "increase" in columns:
            changes = [self._rise(a, b) for a, b in zip(columns["last"], columns["first"][1:], strict=False)]
            columns["_rises"] = [0.0, *(change[0] for change in changes)]
            columns["_resets"] = [0, *(change[1] for change in changes)]
        if "transitions" in columns:
            columns["_moved"] = [0, *(a != b for a, b in zip(columns["last"], columns["first"][1:], strict=False))]

    def _join(self, span: Span, before: Known) -> None:
        value, first = before[1], span.columns["first"][span.i]
        if value is None:
            return
        if "increase" in span.columns and span.columns["increase"][span.i] is not None:
            span.rise, span.resets = self._rise(value, first)
        span.moved = value != first

    def _rise(self, before: float | None, after: float | None) -> tuple[float, int]:
        """A counter's step between two readings."""
        if before is None or after is None:
            return 0.0, 0
        rises, resets = rollup._increase((before, after))
        return rises, resets
