"""The query engine: readings aggregated into buckets. CLI, HTTP and Python all ask here; readings as they are come from ``stream``.

A range is [since, until); a bucket is stamped at its start. Every answer says where it came from: ``source`` (readings,
rollups or both) and ``resolution`` (the stored resolution that answered for most of it), and every bucket how much of it is
covered by readings. With an explicit step the ends of the range are exact (a bucket that is cut by the range holds
only what is inside it); with ``max_points`` the range grows to whole buckets, so that zooming and scrolling show the
same buckets.

The law, tested as a property: an answer equals what a plain computation from the readings gives.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, Literal, NamedTuple

from sensorlogd.notation.microseconds import HOUR_US, MINUTE_US, SECOND_US
from sensorlogd.notation.times import format_time
from sensorlogd.storage import watermarks
from sensorlogd.storage.query import aggregates as aggs
from sensorlogd.storage.query import grid
from sensorlogd.storage.query.aggregates import BASE, QUALITIES, Aggregate, compass, turn
from sensorlogd.storage.query.grid import Step
from sensorlogd.storage.query.reduce import Reduction
from sensorlogd.storage.query.segments import COARSE_TO_FINE, Segment, Segments
from sensorlogd.storage.query.units import Conversion
from sensorlogd.storage.rollups import resolutions
from sensorlogd.storage.rollups.snapshot import ReadingsAtHand, Snapshot

Fill = Literal["none", "null", "previous", "linear"]
FILLS: tuple[Fill, ...] = ("none", "null", "previous", "linear")
SEGMENTS_AT_ONCE = 20_000
HELD_AT_MOST = 200_000  # readings: some 25 MB
Source = Literal["readings", "rollups", "rollups+readings"]


class BucketRow(NamedTuple):
    """One bucket of an answer. ``values``: one per aggregate asked for. ``coverage``: 0 to 1. ``readings``: how many it holds; a
    filled bucket has 0."""

    start_us: int
    values: tuple[Any, ...]
    readings: int
    coverage: float


@dataclass(slots=True)
class Answer:
    """One series' buckets. ``rows`` is read once, in time order, within the snapshot's transaction."""

    step: Step
    since_us: int
    until_us: int
    source: Source
    resolution: str  # raw, 1min, 15min, 1h, 1d
    rows: Iterator[BucketRow]
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Query:
    """What is wanted of each series. Exactly one of ``step`` and ``max_points``."""

    since_us: int
    until_us: int
    step: Step | None = None
    max_points: int | None = None
    aggregates: tuple[str, ...] = aggs.DEFAULT
    zone: str = "UTC"
    fill: Fill = "none"

    def __post_init__(self) -> None:
        """Raises ValueError for whatever no database can answer."""
        if self.since_us >= self.until_us:
            since, until = format_time(self.since_us), format_time(self.until_us)
            raise ValueError(f"the range begins at {since}, which is not before its end, {until}; give an earlier begin")
        if not (self.since_us >= grid.FIRST_US and self.until_us <= grid.LAST_US):
            raise ValueError(grid.OUTSIDE)
        if (self.step is None) == (self.max_points is None):
            raise ValueError("give either a step or max_points")
        if self.fill not in FILLS:
            raise ValueError(f"unknown fill {self.fill!r}; known: {', '.join(FILLS)}")
        if not self.aggregates:
            raise ValueError(f"no aggregate is named; known: {', '.join(aggs.NAMES)}")
        for name in self.aggregates:
            aggs.aggregate(name)
        if self.step is not None:
            next(self.step.edges(self.since_us, self.until_us, self.zone), None)  # raises at once if there are too many buckets


def buckets(snapshot: Snapshot, series: int, query: Query, conversion: Conversion | None = None) -> Answer:
    """Ask one series. ``conversion``: one that all aggregates have. Raises ValueError (a percentile over too much)."""
    kind = snapshot.rules_of(series).kind
    chosen = [aggs.aggregate(name, kind) for name in query.aggregates]
    needs = dict.fromkeys(need for aggregate in chosen for need in aggregate.needs)
    counts = [name for name in QUALITIES if name in needs]
    segments = Segments(snapshot, series, (*BASE, *(name for name in needs if name not in BASE)))
    since, until, step = query.since_us, query.until_us, query.step
    notes: list[str] = []
    if step is None:
        assert query.max_points is not None
        step = _for_points(segments, since, until, query.max_points, query.zone)
        since = step.bucket(since, query.zone)[0]
        until = step.bucket(until - 1, query.zone)[1]
    source, resolution = _source_and_resolution(segments, step, since, until, query, [each.ranked for each in chosen])
    cut = segments.cut_us(0)
    if resolution == "raw" and cut is not None and since < cut:
        notes.append(
            f"readings before {format_time(cut, query.zone)} have expired; steps of whole minutes are answered from roll-ups"
        )
    if kind == "angle" and (blank := [name for name in query.aggregates if aggs.is_blank_for_angles(name)]):
        notes.append(f"{', '.join(blank)}: says nothing about directions, left empty; mean, stddev and resultant do")
    rows = _bucket_rows(segments, step, since, until, query, chosen, bool(counts))
    if query.fill in ("previous", "linear"):
        rows = _with_empty_filled(rows, query, chosen, segments, since, kind)
    if conversion is not None:
        rows = _converted(rows, query.aggregates, conversion)
    return Answer(step, since, until, source, resolution, rows, notes)


def hold_recent(snapshot: Snapshot, series: Sequence[int], query: Query) -> Snapshot:
    """The snapshot with the newest readings of all ``series`` at hand, if they are few enough: read in one pass."""
    step = query.step
    since, until = query.since_us, query.until_us
    if step is None:
        assert query.max_points is not None
        step = grid.for_points(since, until, query.max_points, query.zone)
        since, until = step.bucket(since, query.zone)[0], step.bucket(until - 1, query.zone)[1]
    if step.about_us >= MINUTE_US:  # roll-ups answer for what is before the edge
        since = max(since, watermarks.stored(snapshot.conn).edge_us or since)
    since = max(since, snapshot.readings.moved_until_us)
    if len(series) < 2 or since >= until:
        return snapshot
    rows = snapshot.readings.few_fresh(series, since, until, HELD_AT_MOST)
    return snapshot if rows is None else replace(snapshot, held=ReadingsAtHand(since, until, rows))


def _for_points(segments: Segments, since_us: int, until_us: int, max_points: int, zone: str) -> Step:
    """The step of the ladder for this many points; not finer than what is still kept of the range."""
    step = grid.for_points(since_us, until_us, max_points, zone)
    cut = segments.cut_us(0)
    if cut is None or since_us >= cut:
        return step
    for resolution in reversed(COARSE_TO_FINE):
        kept = segments.cut_us(resolution)
        if kept is None or since_us >= kept:
            width = resolution * SECOND_US
            return next((rung for rung in grid.LADDER if rung.about_us >= max(width, step.about_us)), step)
    return step


def _usable_resolutions(segments: Segments, step: Step, zone: str, edges: list[tuple[int, int]]) -> list[int]:
    if step.about_us < MINUTE_US:
        return []
    return [resolution for resolution in COARSE_TO_FINE if step.nests(resolution, zone, segments.day_zone, edges)]


def _source_and_resolution(
    segments: Segments, step: Step, since_us: int, until_us: int, query: Query, ranked: Sequence[bool]
) -> tuple[Source, str]:
    """(source, resolution) of the answer. Known before the first row, so that a stream can begin with them."""
    if all(ranked):
        return "readings", "raw"
    edges = list(islice(step.edges(since_us, until_us, query.zone), 100))
    for resolution in _usable_resolutions(segments, step, query.zone, edges):
        whole = segments.whole_buckets(since_us, until_us, resolution)
        if whole is not None:
            exact = whole == (since_us, until_us) and not segments.is_dirty(since_us, until_us)
            return "rollups" if exact and not any(ranked) else "rollups+readings", resolutions.NAMES[resolution]
    return "readings", "raw"


def _buckets_in_chunks(step: Step, since_us: int, until_us: int, zone: str) -> Iterator[list[tuple[int, int]]]:
    """The buckets as (start, end), so many at a time that the number of their segments stays bounded."""
    width = max(step.about_us // HOUR_US, 1)
    size = int(max(min(SEGMENTS_AT_ONCE // width, 2_000), 1))
    edges = step.edges(since_us, until_us, zone)
    while chunk := list(islice(edges, size)):
        yield chunk


def _bucket_rows(
    segments: Segments, step: Step, since_us: int, until_us: int, query: Query, chosen: Sequence[Aggregate], counts: bool
) -> Iterator[BucketRow]:
    """The rows of the answer, in order. Without ``fill`` empty buckets are left out, but for those with failed readings to
    count."""
    sorting = any(each.ranked for each in chosen)
    reduction = Reduction(segments, needs_before="increase" in segments.fields or "states" in segments.fields)
    for edges in _buckets_in_chunks(step, since_us, until_us, query.zone):
        begin, end = max(edges[0][0], since_us), min(edges[-1][1], until_us)
        usable = _usable_resolutions(segments, step, query.zone, edges)
        found: list[Segment] = segments.collect(begin, end, usable, edges)
        for (start, _), span in zip(edges, reduction.spans(found, edges, begin, end), strict=True):
            empty = span.i == span.j
            if empty and query.fill == "none" and not (counts and span.counted):
                continue
            if sorting and not empty:
                span.sorted_values = segments.sorted_values(span.start_us, span.end_us)
            values = tuple(each.compute(span) if not empty or each.of_empty else None for each in chosen)
            yield BucketRow(start, values, 0 if empty else span.n, round(span.covered_us / (span.end_us - span.start_us), 6))


def _with_empty_filled(
    rows: Iterable[BucketRow], query: Query, chosen: Sequence[Aggregate], segments: Segments, since_us: int, kind: str
) -> Iterator[BucketRow]:
    """Empty buckets get values; only those aggregates that are values of the series (not counts, sums or differences)."""
    fillable = [each.unit == "value" for each in chosen]
    before: BucketRow | None = None
    waiting: list[BucketRow] = []
    if query.fill == "previous":
        last = segments.before(since_us)
        if last is not None:
            before = BucketRow(since_us, (last[1],) * len(chosen), 0, 0.0)
    for row in rows:
        if row.readings:
            for index, empty in enumerate(waiting):
                yield _interpolated(before, empty, row, fillable, kind)
                waiting[index] = row  # free the rows that were sent
            waiting = []
            before = row
            yield row
        elif query.fill == "previous":
            yield row if before is None else _filled_from(row, before, fillable)
        else:
            waiting.append(row)
    yield from waiting  # after the last reading there is nothing to interpolate to


def _filled_from(row: BucketRow, before: BucketRow, fillable: Sequence[bool]) -> BucketRow:
    values = tuple(old if fill else own for own, old, fill in zip(row.values, before.values, fillable, strict=True))
    return row._replace(values=values)


def _interpolated(before: BucketRow | None, row: BucketRow, after: BucketRow, fillable: Sequence[bool], kind: str) -> BucketRow:
    if before is None:
        return row
    share = (row.start_us - before.start_us) / (after.start_us - before.start_us)
    values = tuple(
        (compass(a + turn(a, b) * share) if kind == "angle" else a + (b - a) * share)
        if fill and a is not None and b is not None
        else own
        for own, a, b, fill in zip(row.values, before.values, after.values, fillable, strict=True)
    )
    return row._replace(values=values)


def _converted(rows: Iterable[BucketRow], names: Sequence[str], conversion: Conversion) -> Iterator[BucketRow]:
    functions = [conversion.of(aggs.aggregate(name).unit) for name in names]
    for row in rows:
        yield row._replace(
            values=tuple(
                value if value is None or change is None else change(value)
                for value, change in zip(row.values, functions, strict=True)
            )
        )
