"""Aggregate a range into buckets: from stored roll-ups where they are exact, from readings everywhere else.

Behind the edge a bucket is merged from the coarsest tier that fills it; dirty buckets, the borders of the range and all
that is newer than the edge are computed from readings. So the answer is the same as from readings alone.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sensorlogd.storage import rollup, tiers
from sensorlogd.storage.compute import _STORED, Snapshot
from sensorlogd.storage.rollup import RollUp
from sensorlogd.storage.tiers import DAY, SECOND_US

MAX_BUCKETS = 1_000_000


@dataclass(frozen=True, slots=True)
class Bucket:
    """[start, end) and what its readings say. ``source``: the tier used in seconds, 0 = readings, None = both."""

    start_us: int
    end_us: int
    rollup: RollUp
    covered_us: int
    integral: float

    def value(self, aggregate: str) -> float | None:
        return AGGREGATES[aggregate](self)


def _or_none(use: Callable[[Bucket], float | None]) -> Callable[[Bucket], float | None]:
    def checked(bucket: Bucket) -> float | None:
        if not bucket.rollup.n:
            return None
        value = use(bucket)
        return value if value is None or math.isfinite(value) else None

    return checked


def _stddev(bucket: Bucket) -> float | None:
    """Sample standard deviation; None for fewer than two readings."""
    r = bucket.rollup
    return math.sqrt(r.m2 / (r.n - 1)) if r.n > 1 and r.m2 is not None else None


def _direction(bucket: Bucket) -> float | None:
    """Circular mean in degrees, 0 to 360; None where there is no direction."""
    s, c = bucket.rollup.sin_sum, bucket.rollup.cos_sum
    if s is None or c is None or (abs(s) < 1e-12 and abs(c) < 1e-12):
        return None
    return math.degrees(math.atan2(s, c)) % 360.0


AGGREGATES: dict[str, Callable[[Bucket], float | None]] = {
    "mean": _or_none(lambda b: _direction(b) if b.rollup.sin_sum is not None else b.rollup.mean),
    "min": _or_none(lambda b: b.rollup.min),
    "max": _or_none(lambda b: b.rollup.max),
    "first": _or_none(lambda b: b.rollup.first),
    "last": _or_none(lambda b: b.rollup.last),
    "count": lambda b: b.rollup.n,
    "sum": _or_none(lambda b: b.rollup.mean * b.rollup.n if b.rollup.mean is not None else None),
    "stddev": _or_none(_stddev),
    "range": _or_none(lambda b: b.rollup.max - b.rollup.min if b.rollup.max is not None and b.rollup.min is not None else None),
    "delta": _or_none(
        lambda b: b.rollup.last - b.rollup.first if b.rollup.last is not None and b.rollup.first is not None else None
    ),
    "twmean": _or_none(lambda b: b.integral * 1e6 / b.covered_us if b.covered_us else b.rollup.mean),
    "increase": _or_none(lambda b: b.rollup.increase),
    "coverage": lambda b: b.covered_us / (b.end_us - b.start_us),
}


def bucket_edges(since_us: int, until_us: int, every_us: int, zone: str) -> list[tuple[int, int]]:
    """[start, end) of the buckets that touch [since, until), aligned to the clock; days are calendar days in ``zone``.

    Raises ValueError for more than a million of them.
    """
    days = every_us // (DAY * SECOND_US) if every_us % (DAY * SECOND_US) == 0 else 0
    if (until_us - since_us) / every_us > MAX_BUCKETS:
        raise ValueError(f"that is more than {MAX_BUCKETS:,} buckets; take a longer --every or a shorter range")
    edges = []
    if not days:
        start = since_us - since_us % every_us
        while start < until_us:
            edges.append((start, start + every_us))
            start += every_us
        return edges
    start, end = tiers.bucket(since_us, DAY, zone)
    while start < until_us:
        for _ in range(days - 1):
            _, end = tiers.bucket(end, DAY, zone)
        edges.append((start, end))
        start, end = tiers.bucket(end, DAY, zone)
    return edges


def buckets(snapshot: Snapshot, series: int, since_us: int, until_us: int, edges: list[tuple[int, int]]) -> Iterator[Bucket]:
    """The buckets of one series that hold readings in [since, until), in order."""
    parts = _Parts(snapshot, series)
    heartbeat = snapshot.heartbeats_us.get(series, 60_000_000)
    found: list[tuple[int, int, RollUp]] = []
    for start, end in edges:
        pieces = parts.pieces(max(start, since_us), min(end, until_us))
        if pieces:
            found.append((start, end, rollup.merge_all(pieces, heartbeat)))
    for index, (start, end, whole) in enumerate(found):
        covered, integral = whole.covered_us or 0, whole.integral or 0.0
        # The step to the next bucket's first reading, and the one from the previous bucket's last, cut at the edge.
        if whole.n and index + 1 < len(found) and found[index + 1][2].n:
            first_ts = found[index + 1][2].first_ts
            step = min(first_ts - whole.last_ts, heartbeat, end - whole.last_ts)  # type: ignore[operator]
            covered, integral = covered + step, integral + whole.last * step / 1e6  # type: ignore[operator]
        if whole.n and index and found[index - 1][2].n:
            before = found[index - 1][2]
            step = min(before.last_ts + heartbeat, whole.first_ts) - start  # type: ignore[operator,type-var]
            if step > 0:
                covered, integral = covered + step, integral + before.last * step / 1e6  # type: ignore[operator]
        yield Bucket(start, end, whole, covered, integral)


class _Parts:
    """Cuts a span into pieces that are each one stored roll-up or one computed from readings."""

    def __init__(self, snapshot: Snapshot, series: int) -> None:
        self.snapshot = snapshot
        self.series = series
        row = snapshot.conn.execute("SELECT value FROM meta WHERE key = 'edge_us'").fetchone()
        self.edge_us = int(row[0]) if row else 0
        row = snapshot.conn.execute("SELECT value FROM meta WHERE key = 'day_zone'").fetchone()
        self.day_zone = row[0] if row else None
        self.dirty = [
            start for (start,) in snapshot.conn.execute("SELECT start FROM dirty WHERE series_id = ? ORDER BY start", (series,))
        ]

    def pieces(self, start_us: int, end_us: int) -> list[RollUp]:
        """In order of time."""
        if start_us >= end_us:
            return []
        for tier in (DAY, tiers.HOUR, tiers.QUARTER, tiers.MINUTE):
            if tier == DAY and self.day_zone != self.snapshot.zone:
                continue
            inner = self._whole_buckets(start_us, end_us, tier)
            if inner is None or not self.snapshot.is_kept(self.series, tier, inner[0]):
                continue
            first, last = inner
            found = self.pieces(start_us, first)
            at = first
            for row in self.snapshot.conn.execute(_STORED, (self.series, tier, first, last)):
                bucket_end = tiers.bucket(row[0], tier, self.snapshot.zone)[1]
                if self._is_dirty(row[0], bucket_end):
                    continue
                found += self._from_dirty(at, row[0], tier)
                found.append(RollUp(*row[1:]))
                at = bucket_end
            found += self._from_dirty(at, last, tier)
            return found + self.pieces(last, end_us)
        readings = self.snapshot.readings(self.series, start_us, end_us)
        return [self.snapshot.roll_up(self.series, readings)] if readings else []

    def _whole_buckets(self, start_us: int, end_us: int, tier: int) -> tuple[int, int] | None:
        """The span of whole buckets of ``tier`` inside [start, end) behind the edge."""
        zone = self.snapshot.zone
        first, first_end = tiers.bucket(start_us, tier, zone)
        if first < start_us:
            first = first_end
        last, _ = tiers.bucket(min(end_us, self.edge_us), tier, zone)
        return (first, last) if first < last else None

    def _is_dirty(self, start_us: int, end_us: int) -> bool:
        at = bisect_left(self.dirty, start_us)
        return at < len(self.dirty) and self.dirty[at] < end_us

    def _from_dirty(self, start_us: int, end_us: int, tier: int) -> list[RollUp]:
        """Where no clean bucket of the tier is stored there are no readings, unless a mark says that some came late."""
        if start_us >= end_us or not self._is_dirty(start_us, end_us):
            return []
        found = []
        at = start_us
        while at < end_us:
            begin, end = tiers.bucket(at, tier, self.snapshot.zone)
            if self._is_dirty(begin, end):
                readings = self.snapshot.readings(self.series, begin, end)
                if readings:
                    found.append(self.snapshot.roll_up(self.series, readings))
                at = end
            else:
                index = bisect_left(self.dirty, end)
                if index >= len(self.dirty):
                    break
                at = max(end, tiers.bucket(self.dirty[index], tier, self.snapshot.zone)[0])
        return found
