"""Segments to buckets: which segments lie in which bucket, and what the steps between neighbours add to each.

A reading holds until the next usable one, at most for the heartbeat. A step between two segments that lie in different
buckets is split at their edges, so that covered time and integral of a bucket are exactly those of the instants in it.
What a counter rose by, or that a state changed, between two readings belongs to the bucket of the later one.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import repeat
from operator import add, itemgetter, mul, sub
from typing import Any

from sensorlogd.counters import rise
from sensorlogd.storage.query.aggregates import QUALITIES, Span
from sensorlogd.storage.query.segments import Segment, Segments
from sensorlogd.storage.rollups import rollup

Known = tuple[int, float | None]  # time and value of a reading


class Reduction:
    """Makes spans of the segments of one series, chunk by chunk in time order: it remembers the last reading of the chunk
    before."""

    def __init__(self, segments: Segments, *, needs_before: bool) -> None:
        """``needs_before``: the reading before the range matters however long ago it was."""
        self.segments = segments
        self.rules = segments.snapshot.rules_of(segments.series)
        self.heartbeat_us = self.rules.heartbeat_us
        self.needs_before = needs_before
        self.is_state = self.rules.kind == "state"
        self._before: Known | None = None
        self._earlier: list[float] = []  # counters: the values of the last two readings before the chunk, or of one
        self._begun = False

    def spans(self, segments: Sequence[Segment], edges: Sequence[tuple[int, int]], begin_us: int, end_us: int) -> Iterator[Span]:
        """One span per edge. ``segments``: the segments of [begin, end)."""
        self._look_before(begin_us)
        following = self.segments.after(end_us, self.heartbeat_us)
        chunk = self._chunk(segments, following, end_us)
        starts, lasts, holds, values = chunk.starts, chunk.lasts, chunk.holds, chunk.values
        flags = _Flags(self.segments.fields, segments)
        counts = bool(flags.indexes)
        before = self._before
        before_holds = None
        if before is not None:
            before_holds = self._holds_until(before[0], chunk.firsts[0] if chunk.firsts else following)
        i = 0
        for start, end in edges:
            begin, until = max(start, begin_us), min(end, end_us)
            j = bisect_left(starts, until, i)
            span = Span(chunk.columns, i, j, begin, until)
            covered = 0
            if before_holds is not None and before_holds > begin:
                covered = min(before_holds, until) - begin
            if j > i:
                chunk.describe(span, covered, self.is_state)
                if before is not None and self.needs_before:
                    self._note_first_step(span, before)
            else:
                span.covered_us = covered
                if self.is_state:
                    span.held = []
            if covered and before is not None and before[1] is not None:
                _add_held(span, before[1], covered)
            if counts:
                span.counted = flags.between(begin, until)
            yield span
            if j > i:
                before = (lasts[j - 1], None if values is None else values[j - 1])
                before_holds = holds[j - 1]
            i = j
        self._before = before

    def _chunk(self, segments: Sequence[Segment], following: int | None, end_us: int) -> _Chunk:
        """The segments with what the steps between them add. ``following``: when the next reading after them is."""
        columns = self._columns(segments)
        steps = self._steps(columns["first_ts"], columns["last_ts"], following)
        if "states" in columns:
            columns["_steps"] = steps
        self._add_steps(columns)
        if "increase" in columns and columns["start"]:
            self._correct_glitches(columns, end_us)
        return _Chunk(columns, steps)

    def _look_before(self, begin_us: int) -> None:
        """Read what was before the range, at the first chunk."""
        if self._begun:
            return
        self._begun = True
        self._before = self.segments.before(begin_us, None if self.needs_before else self.heartbeat_us)
        if "increase" in self.segments.fields and self._before is not None:
            self._earlier = self.segments.last_two(begin_us)

    def _columns(self, segments: Sequence[Segment]) -> dict[str, Sequence[Any]]:
        """The segments that have usable readings, by column; with a mean also ``_sums``, n * mean of each segment."""
        fields = self.segments.fields
        n_at = fields.index("n")
        if not all(map(itemgetter(n_at), segments)):
            segments = [segment for segment in segments if segment[n_at]]
        columns: dict[str, Sequence[Any]] = (
            dict(zip(fields, zip(*segments, strict=True), strict=True)) if segments else dict.fromkeys(fields, ())
        )
        if "mean" in columns:
            counted, means = columns["n"], columns["mean"]
            columns["_sums"] = list(map(mul, counted, means)) if None not in means else list(map(_sum_of, counted, means))
        return columns

    def _steps(self, firsts: Sequence[int], lasts: Sequence[int], following: int | None) -> list[int]:
        """Microseconds from each segment's last reading to the next segment's first, at most the heartbeat."""
        steps = list(map(min, map(sub, firsts[1:], lasts), repeat(self.heartbeat_us)))
        if lasts:
            steps.append(self._holds_until(lasts[-1], following) - lasts[-1])
        return steps

    def _holds_until(self, ts_us: int, next_us: int | None) -> int:
        """The time until which a reading holds. The newest one holds for no time, because it is not known until when it is
        valid."""
        return ts_us if next_us is None else min(next_us, ts_us + self.heartbeat_us)

    def _add_steps(self, columns: dict[str, Sequence[Any]]) -> None:
        """Add columns about the steps between neighbouring segments; index k is the step from segment k-1 to segment k."""
        if "increase" in columns:
            changes = [self._rise(a, b) for a, b in zip(columns["last"], columns["first"][1:], strict=False)]
            columns["_rises"] = [0.0, *(change[0] for change in changes)]
            columns["_resets"] = [0, *(change[1] for change in changes)]
        if "transitions" in columns:
            columns["_moved"] = [0, *(a != b for a, b in zip(columns["last"], columns["first"][1:], strict=False))]

    def _correct_glitches(self, columns: dict[str, Sequence[Any]], end_us: int) -> None:
        """Glitches of a counter at the seams between segments; the step to one, and the step back, belong to the later
        reading."""
        ends = list(zip(*(columns[name] for name in ("n", "first", "second", "last_but_one", "last")), strict=True))
        before: list[rollup.Ends] = []
        if self._earlier:
            before = [(len(self._earlier), self._earlier[0], self._earlier[-1], self._earlier[0], self._earlier[-1])]
        following = self.segments.next_value(end_us)
        after: list[rollup.Ends] = [] if following is None else [(1, following, None, None, following)]
        self._earlier = [
            value
            for segment in [*before, *ends][-2:]
            for value in ([segment[4]] if segment[0] == 1 or segment[3] is None else [segment[3], segment[4]])
        ][-2:]
        increases, resets = list(columns["increase"]), list(columns["resets"])
        for pair in rollup.glitches([*before, *ends, *after], self.rules):
            for index, more, began in pair:
                index -= len(before)
                if 0 <= index < len(increases) and increases[index] is not None and resets[index] is not None:
                    increases[index] += more
                    resets[index] += began
        columns["increase"], columns["resets"] = increases, resets

    def _note_first_step(self, span: Span, before: Known) -> None:
        """Note in a span what happened between the reading before it and its first: the rise of a counter, a change of state."""
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
        return rise(before, after, self.rules)


class _Chunk:
    """The segments of a chunk that have usable readings, by column. ``steps``: microseconds for which the last reading of each
    holds; ``holds``: until when that is."""

    __slots__ = ("columns", "covered", "firsts", "holds", "integrals", "lasts", "ns", "starts", "steps", "values")

    def __init__(self, columns: dict[str, Sequence[Any]], steps: list[int]) -> None:
        self.columns = columns
        self.steps = steps
        self.starts, self.ns, self.covered = columns["start"], columns["n"], columns["covered_us"]
        self.firsts, self.lasts = columns["first_ts"], columns["last_ts"]
        self.values, self.integrals = columns.get("last"), columns.get("integral")
        self.holds = list(map(add, self.lasts, steps))

    def describe(self, span: Span, covered_us: int, is_state: bool) -> None:
        """Fill in what the readings of a span say, of which there is at least one. ``covered_us``: this much of it is covered by
        the reading before it."""
        i, j, steps, values = span.i, span.j, self.steps, self.values
        span.n = sum(self.ns[i:j])
        over = min(self.holds[j - 1], span.end_us) - self.lasts[j - 1]
        span.covered_us = covered_us + sum(self.covered[i:j]) + sum(steps[i : j - 1]) + over
        if values is None:
            return
        if self.integrals is not None:
            between = map(_value_seconds, values[i : j - 1], steps[i : j - 1])
            span.integral = rollup.total((*self.integrals[i:j], *between, _value_seconds(values[j - 1], over)))
        if is_state:
            span.held = [(values[j - 1], over)]


class _Flags:
    """Counts the readings of segments by flag, those without a usable reading too. ``indexes``: where the counts stand in a
    segment; empty: nobody wants to know."""

    __slots__ = ("fields", "found", "indexes", "starts")

    def __init__(self, fields: Sequence[str], segments: Sequence[Segment]) -> None:
        self.fields, self.found = fields, segments
        self.indexes = [fields.index(name) for name in QUALITIES if name in fields]
        self.starts = [segment[0] for segment in segments] if self.indexes else []

    def between(self, begin_us: int, until_us: int) -> dict[str, int] | None:
        """The counts of the segments that begin in [begin, until); None: there are none."""
        a, b = bisect_left(self.starts, begin_us), bisect_left(self.starts, until_us)
        if b == a:
            return None
        return {self.fields[index]: sum(segment[index] for segment in self.found[a:b]) for index in self.indexes}


def _sum_of(n: int, mean: float | None) -> float | None:
    """The sum of ``n`` values with this mean; None: it is not known."""
    return None if mean is None else n * mean


def _add_held(span: Span, value: float, covered_us: int) -> None:
    """Add to a span the time for which the reading before it holds into it."""
    if span.integral is not None:
        span.integral += _value_seconds(value, covered_us)
    if span.held is not None:
        span.held.append((value, covered_us))


def _value_seconds(value: float, us: int) -> float:
    return value * us / 1e6
