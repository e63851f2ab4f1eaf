"""Readings of several series as they are, merged into one stream in order of time."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple

from sensorlogd.storage.query.aggregates import BASE
from sensorlogd.storage.query.segments import Segments
from sensorlogd.storage.rollups.snapshot import Snapshot

FRESH_AT_ONCE = 5_000


class Point(NamedTuple):
    """A reading in a stream of several series; ordered by time, then series."""

    ts_us: int
    series: int
    value: float | None
    quality: int


def points(
    snapshot: Snapshot, series: Sequence[int], since_us: int, until_us: int, after: tuple[int, int] | None = None
) -> Iterator[Point]:
    """All readings in [since, until) in order of (time, series), in constant memory.

    ``after``: continue after this (time, series): the key of the last row of the page before. What arrives late, with
    a key up to that one, is not seen by later pages; every row that was there when paging began is given once.
    """
    if after is not None:
        since_us = max(since_us, after[0])
    merged: Iterable[Point] = ()
    if len(series) == 1:
        merged = _points_of(snapshot, series[0], since_us, until_us)
    else:
        settled, fresh = snapshot.readings.spans(since_us, until_us)
        if settled is not None:
            merged = heapq.merge(*(_points_of(snapshot, identity, *settled) for identity in sorted(series)))
        if fresh is not None:
            merged = chain(merged, _fresh_points(snapshot, series, *fresh))
    for point in merged:
        if after is None or (point.ts_us, point.series) > after:
            yield point


def _fresh_points(snapshot: Snapshot, series: Sequence[int], since_us: int, until_us: int) -> Iterator[Point]:
    """Fresh readings lie in the order of the answer, so one pass reads all series."""
    wanted = frozenset(series)
    for rows in snapshot.readings.fresh_stamped(since_us, until_us, FRESH_AT_ONCE):
        for row in rows:
            if row[1] in wanted:
                yield Point._make(row)


def _points_of(snapshot: Snapshot, series: int, since_us: int, until_us: int) -> Iterator[Point]:
    for rows in Segments(snapshot, series, BASE).chunks(since_us, until_us):
        for ts, value, quality in rows:
            yield Point(ts, series, value, quality)
