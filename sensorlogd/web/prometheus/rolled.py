"""Functions of a range computed from roll-ups. SQLite adds up many buckets, tile by tile.

Before the edge stored buckets answer; what is outdated or newer comes from finer resolutions and readings, as everywhere. ``rate`` and
``increase`` go by the law of counters (``sensorlogd.counters``), as those that are computed from readings do.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from sensorlogd.counters import rise
from sensorlogd.notation.microseconds import BEGINNING_US, HOUR_US
from sensorlogd.storage.query.aggregates import BASE
from sensorlogd.storage.query.segments import COARSE_TO_FINE, Segment, Segments
from sensorlogd.storage.rollups.by_tile import Buckets, Hours, StoredTiles
from sensorlogd.storage.rollups.resolutions import HOUR
from sensorlogd.storage.rollups.rollup import glitches
from sensorlogd.storage.rollups.snapshot import Snapshot
from sensorlogd.web.prometheus.promql.functions import windows
from sensorlogd.web.prometheus.promql.statistics import total
from sensorlogd.web.prometheus.promql.values import Values
from sensorlogd.web.prometheus.tiles import COARSEST_FIRST, Tiles

SUMS = ("avg_over_time", "sum_over_time", "count_over_time", "min_over_time", "max_over_time", "present_over_time")
ENDS = ("last_over_time", "delta", "rate", "increase")
SPREADS = ("stddev_over_time", "stdvar_over_time")
FUNCTIONS = (*SUMS, *ENDS, *SPREADS)
OF_COUNTERS = ("increase", "second", "last_but_one")
Spend = Callable[[int], None]


class NotInRollUps(Exception):
    """Roll-ups do not hold what the function needs; it has to be computed from readings."""


@dataclass(slots=True)
class _Tile:
    """The sums of one tile; at first those of no reading."""

    n: int = 0
    sum: float = 0.0
    least: float = math.inf
    most: float = -math.inf
    first_ts: int = 0
    first: float = 0.0
    last_ts: int = BEGINNING_US
    last: float = 0.0
    segments: list[Segment] = field(default_factory=list)  # of SPREADS and of counters that fell


@dataclass(slots=True)
class Rolled:
    """The windows of one series, computed from roll-ups. ``spend``: called with the number of rows that were read."""

    snapshot: Snapshot
    series: int
    tiles: Tiles
    spend: Spend
    _tiles: dict[int, _Tile] = field(default_factory=dict)

    def values(self, function: str) -> Values:
        """The value of a function for each window. Raises NotInRollUps, PromError."""
        kind = self.snapshot.rules_of(self.series).kind
        if function in ("rate", "increase") and kind != "counter":
            raise NotInRollUps
        since, until = self.tiles.bounds(0)[0], self.tiles.bounds(len(self.tiles.ends) - 1)[1]
        if function in SPREADS or (function in ("rate", "increase") and not self._only_rises(since, until)):
            self._add_buckets(since, until, ("mean", "m2", "first", "last", *(OF_COUNTERS if kind == "counter" else ())))
        elif function in SUMS:
            self._add_span(since, until, self._add_sums)
        else:
            self._add_span(since, until, self._add_ends)
        compute = getattr(self, f"_{function}", None)
        found: Values = []
        for window in range(len(self.tiles.ends)):
            first, end = self.tiles.run(window)
            run = [tile for number in range(first, end) if (tile := self._tiles.get(number)) is not None and tile.n]
            found.append(None if not run else compute(run, window) if compute else self._value_of_sums(function, run))
        return found

    # ---- taking ----------------------------------------------------------------------------------------------------

    def _add_span(self, since_us: int, until_us: int, stored: Callable[[int, int], None]) -> None:
        """Add a span to the tiles: whole buckets by ``stored``, and the rest from finer resolutions and readings."""
        segments = Segments(self.snapshot, self.series, (*BASE, "mean", "min", "max", "first", "last"))
        start = since_us
        whole = segments.whole_buckets(since_us, until_us, self.tiles.resolution)
        for begin, end in self._clean_spans(segments, *whole) if whole is not None else ():
            self._add_segments(segments, start, begin)
            stored(begin, end)
            start = end
        self._add_segments(segments, start, until_us)

    def _clean_spans(self, segments: Segments, first: int, last: int) -> Iterator[tuple[int, int]]:
        """The spans within [first, last) in which no bucket is outdated."""
        width, outdated = self.tiles.width_us, segments.dirty
        start, index = first, bisect_left(segments.dirty, first)
        while index < len(outdated) and outdated[index] < last:
            begin = outdated[index] - outdated[index] % width
            if begin > start:
                yield start, begin
            start = begin + width
            index = bisect_left(outdated, start, index)
        if start < last:
            yield start, last

    def _add_segments(self, segments: Segments, since_us: int, until_us: int) -> None:
        """Add a span to the tiles from finer resolutions and readings. Raises NotInRollUps."""
        if since_us >= until_us:
            return
        edges = self.tiles.edges(since_us, until_us)
        finer = [resolution for resolution in COARSEST_FIRST if resolution <= self.tiles.resolution]
        found = segments.collect(since_us, until_us, finer, edges)
        self.spend(sum(segment[1] for segment in found) if 0 in segments.used else len(found))
        for _, n, first_ts, last_ts, _, mean, least, most, first, last in found:
            if mean is None:
                raise NotInRollUps
            tile = self._tile_of(first_ts)
            tile.n += n
            tile.sum += n * mean
            tile.least, tile.most = min(tile.least, least), max(tile.most, most)
            self._widen(tile, first_ts, first, last_ts, last)

    def _tile_of(self, ts_us: int) -> _Tile:
        """The tile that a reading lies in."""
        start = ts_us - ts_us % self.tiles.width_us
        return self._tiles.setdefault(self.tiles.numbers.of(start), _Tile())

    def _widen(self, tile: _Tile, first_ts: int, first: float, last_ts: int, last: float) -> None:
        """Note the first and last reading of a segment if they lie further out than those of the tile."""
        if tile.last_ts < 0 or first_ts < tile.first_ts:
            tile.first_ts, tile.first = first_ts, first
        if last_ts > tile.last_ts:
            tile.last_ts, tile.last = last_ts, last

    def _stored(self, since_us: int, until_us: int) -> StoredTiles:
        """The stored buckets of a span."""
        hours = None
        if self.tiles.resolution < HOUR and min(self.tiles.step_us, self.tiles.length_us) >= 2 * HOUR_US:
            hours = self._whole_hours(since_us, until_us)
        buckets = Buckets(self.series, self.tiles.resolution, since_us, until_us)
        return StoredTiles(self.snapshot.conn, buckets, self.tiles.numbers, hours)

    def _whole_hours(self, since_us: int, until_us: int) -> Hours | None:
        """The hours within a span, and those of them (or beside them) for which finer buckets are needed."""
        whole = Segments(self.snapshot, self.series, BASE).whole_buckets(since_us, until_us, HOUR)
        if whole is None:
            return None
        first, last = whole
        cut = self.tiles.cut(since_us, until_us, HOUR_US)
        for begin, end in ((since_us, first), (last, until_us)):
            cut.update(range(begin - begin % HOUR_US, end, HOUR_US))
        return Hours(first, last, sorted(cut))

    def _add_sums(self, since_us: int, until_us: int) -> None:
        """Add whole buckets to the tiles: number, sum, least and most. Raises NotInRollUps."""
        found = self._stored(since_us, until_us).sums()
        self.spend(sum(each.rows for each in found))
        for each in found:
            if each.with_mean < each.rows or each.sum is None or not math.isfinite(each.sum):
                raise NotInRollUps  # a sum that no double holds
            tile = self._tiles.setdefault(each.tile, _Tile())
            tile.n += each.n
            tile.sum += each.sum
            tile.least, tile.most = min(tile.least, each.least), max(tile.most, each.most)

    def _add_ends(self, since_us: int, until_us: int) -> None:
        """Add whole buckets to the tiles: number, first and last reading."""
        stored = self._stored(since_us, until_us)
        found = stored.firsts()
        self.spend(sum(each.rows for each in found))
        for each in found:
            tile = self._tiles.setdefault(each.tile, _Tile())
            tile.n += each.n
            if tile.last_ts < 0 or each.ts < tile.first_ts:
                tile.first_ts, tile.first = each.ts, each.value
        found = stored.lasts()
        self.spend(sum(each.rows for each in found))
        for each in found:
            tile = self._tiles[each.tile]
            if each.ts > tile.last_ts:
                tile.last_ts, tile.last = each.ts, each.value

    def _add_buckets(self, since_us: int, until_us: int, columns: Sequence[str]) -> None:
        """Add the buckets of a span one by one, for functions that need more than sums."""
        segments = Segments(self.snapshot, self.series, (*BASE, *columns))
        finer = [resolution for resolution in COARSEST_FIRST if resolution <= self.tiles.resolution]
        found = segments.collect(since_us, until_us, finer, self.tiles.edges(since_us, until_us))
        self.spend(len(found))
        for segment in found:
            if segment[5] is None or segment[6] is None:
                raise NotInRollUps
            tile = self._tile_of(segment[2])
            tile.n += segment[1]
            self._widen(tile, segment[2], segment[7], segment[3], segment[8])
            tile.segments.append(segment)

    def _only_rises(self, since_us: int, until_us: int) -> bool:
        """Whether the counter never falls within the span, which a few large buckets tell. Then an increase is a difference of
        two readings."""
        segments = Segments(self.snapshot, self.series, (*BASE, "min", "max", "first", "last", "increase", "resets"))
        resolutions = COARSE_TO_FINE if until_us - since_us > 100 * HOUR_US else COARSEST_FIRST
        found = segments.collect(since_us, until_us, resolutions, [(since_us, until_us)])
        self.spend(len(found))
        before = None
        for *_, least, most, first, last, increase, resets in found:
            if least < first or most > last:
                return False  # it fell and rose again: a glitch counts nothing, but a window may end on it
            if resets or increase is None or not math.isclose(increase, last - first, rel_tol=1e-9, abs_tol=1e-12 * abs(last)):
                return False
            if before is not None and first < before:
                return False
            before = last
        return True

    # ---- windows ---------------------------------------------------------------------------------------------------

    def _value_of_sums(self, function: str, run: Sequence[_Tile]) -> float:
        """The value of a function of SUMS over the tiles of a window."""
        if function == "min_over_time":
            return min([tile.least for tile in run])
        if function == "max_over_time":
            return max([tile.most for tile in run])
        if function == "present_over_time":
            return 1.0
        n = sum([tile.n for tile in run])
        if function == "count_over_time":
            return float(n)
        whole = run[0].sum if len(run) == 1 else total([tile.sum for tile in run])
        return whole if function == "sum_over_time" else whole / n

    def _last_over_time(self, run: Sequence[_Tile], _: int) -> float:
        return run[-1].last

    def _delta(self, run: Sequence[_Tile], window: int) -> float | None:
        return self._extrapolated(run, window, run[-1].last - run[0].first, counter=False)

    def _increase(self, run: Sequence[_Tile], window: int) -> float | None:
        return self._extrapolated(run, window, self._rise_of_run(run), counter=True)

    def _rate(self, run: Sequence[_Tile], window: int) -> float | None:
        change = self._increase(run, window)
        return None if change is None else change * 1e6 / self.tiles.length_us

    def _rise_of_run(self, run: Sequence[_Tile]) -> float:
        """What a counter rose by from the first to the last reading of the tiles."""
        segments = [segment for tile in run for segment in tile.segments]
        if not segments:
            return run[-1].last - run[0].first
        rules = self.snapshot.rules_of(self.series)
        ends = [(n, first, second, last_but_one, last) for _, n, *_, first, last, _, second, last_but_one in segments]
        seams = [rise(before[-1], after[1], rules)[0] for before, after in pairwise(ends)]
        corrections = [change for pair in glitches(ends, rules) for _, change, _ in pair]
        return total([*(segment[9] for segment in segments), *seams, *corrections])

    def _extrapolated(self, run: Sequence[_Tile], window: int, change: float, *, counter: bool) -> float | None:
        """Extrapolate to the length of the window that was asked for; the window on the grid of tiles may be longer or shorter."""
        start, end = self.tiles.bounds(window)
        n = sum([tile.n for tile in run])
        first = run[0].first - self.snapshot.rules_of(self.series).zero if counter else run[0].first
        found = windows.extrapolated(n, run[0].first_ts, first, run[-1].last_ts, change, start, end, counter=counter)
        return None if found is None else found * self.tiles.length_us / (end - start)

    def _stdvar_over_time(self, run: Sequence[_Tile], _: int) -> float:
        """The variance of a population: the M2 of the buckets, and the squared distances of their means from the whole mean."""
        segments = [segment for tile in run for segment in tile.segments]
        n = sum([segment[1] for segment in segments])
        mean = total([segment[1] * segment[5] for segment in segments]) / n
        variance: float = total([segment[6] + segment[1] * (segment[5] - mean) * (segment[5] - mean) for segment in segments]) / n
        return variance

    def _stddev_over_time(self, run: Sequence[_Tile], window: int) -> float:
        return math.sqrt(max(self._stdvar_over_time(run, window), 0.0))
