"""One series' readings over a range as segments in time order: stored roll-ups where they are exact, else made from readings.

Before the edge the coarsest resolution whose buckets lie in the answer's buckets as a whole is taken; dirty buckets, the ends
of the range and all that is newer than the edge come from finer resolutions and in the end from readings. So an answer is the
same as from readings alone, however seldom roll-ups are written. Where readings have expired, the resolutions that were kept
answer for them.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from typing import Any

from sensorlogd.notation.microseconds import BEGINNING_US, END_US
from sensorlogd.quality import FLAG_MASK, UNUSABLE
from sensorlogd.storage import watermarks
from sensorlogd.storage.query.aggregates import BASE, LIMIT_PERCENTILE, QUALITIES
from sensorlogd.storage.query.sorted_runs import SortedRuns
from sensorlogd.storage.rollups import outdated, resolutions, rollup
from sensorlogd.storage.rollups.resolutions import DAY, HOUR, MINUTE, QUARTER
from sensorlogd.storage.rollups.rollup import RollUp
from sensorlogd.storage.rollups.snapshot import Snapshot

CHUNK_ROWS = 20_000
COARSE_TO_FINE = (DAY, HOUR, QUARTER, MINUTE)
Segment = tuple[Any, ...]
Edges = Sequence[tuple[int, int]]


class Segments:
    """The segments of one series, from roll-ups and readings. ``fields``: the columns of a segment, BASE first. ``used``:
    resolutions (0 = readings) that have answered so far."""

    def __init__(self, snapshot: Snapshot, series: int, fields: Sequence[str]) -> None:
        assert tuple(fields[: len(BASE)]) == BASE
        self.snapshot = snapshot
        self.series = series
        self.fields = fields
        self.used: set[int] = set()
        self._indexes = [RollUp._fields.index(name) for name in fields[1:]]
        columns = ", ".join(fields)
        # Buckets in which everything failed matter to those only who count failures.
        some = "" if set(fields) & set(QUALITIES) else " AND n > 0"
        self._stored = f"SELECT {columns} FROM rollup WHERE series_id = ? AND resolution = ? AND start >= ? AND start < ?{some} ORDER BY start"
        reached = watermarks.stored(snapshot.conn)
        self.edge_us = reached.edge_us
        self.day_zone = reached.day_zone
        self.dirty = array("q", outdated.minutes_of(snapshot.conn, series))

    def cut_us(self, resolution: int) -> int | None:
        """The time before which everything of ``resolution`` (0: readings) has expired."""
        return self.snapshot.kept_from(self.series, resolution)

    # ---- segments -----------------------------------------------------------------------------------------------------

    def collect(self, start_us: int, end_us: int, usable: Sequence[int], edges: Edges) -> list[Segment]:
        """Segments of [start, end) in order, none over an edge. ``usable``: resolutions that nest in ``edges``, coarse first."""
        if start_us >= end_us:
            return []
        for index, resolution in enumerate(usable):
            inner = self.whole_buckets(start_us, end_us, resolution)
            if inner is None:
                continue
            first, last = inner
            finer = usable[index + 1 :]
            return [
                *self.collect(start_us, first, finer, edges),
                *self._collect_stored(first, last, resolution, finer, edges),
                *self.collect(last, end_us, finer, edges),
            ]
        return self._roll_up_readings(start_us, end_us, edges)

    def whole_buckets(self, start_us: int, end_us: int, resolution: int) -> tuple[int, int] | None:
        """The span of whole buckets of ``resolution`` inside [start, end) that are closed and kept."""
        zone = self.day_zone or "UTC"
        cut = self.cut_us(resolution)
        start_us = start_us if cut is None else max(start_us, cut)
        first, first_end = resolutions.bucket(start_us, resolution, zone)
        if first < start_us:
            first = first_end
        closed_until = self.snapshot.closed_until(self.series, resolution, self.edge_us)
        valid_until = self.snapshot.valid_until(self.series, resolution)
        valid_until = closed_until if valid_until is None else min(valid_until, closed_until)
        last, _ = resolutions.bucket(min(end_us, valid_until), resolution, zone)
        return (first, last) if first < last else None

    def _collect_stored(self, first: int, last: int, resolution: int, finer: Sequence[int], edges: Edges) -> list[Segment]:
        """Stored buckets of [first, last), with dirty runs taken from what is finer."""
        found: list[Segment] = []
        done_us = first
        for begin, end in self._dirty_runs(first, last, resolution):
            found += self._read_stored(done_us, begin, resolution)
            found += self.collect(begin, end, finer, edges)
            done_us = end
        return found + self._read_stored(done_us, last, resolution)

    def _read_stored(self, start_us: int, end_us: int, resolution: int) -> list[Segment]:
        if start_us >= end_us:
            return []
        self.used.add(resolution)
        return self.snapshot.conn.execute(self._stored, (self.series, resolution, start_us, end_us)).fetchall()

    def is_dirty(self, start_us: int, end_us: int) -> bool:
        """Whether any minute of [start, end) is to be computed again."""
        index = bisect_left(self.dirty, start_us)
        return index < len(self.dirty) and self.dirty[index] < end_us

    def _dirty_runs(self, first: int, last: int, resolution: int) -> list[tuple[int, int]]:
        """Dirty buckets of ``resolution`` in [first, last); neighbours joined."""
        zone = self.day_zone or "UTC"
        runs: list[tuple[int, int]] = []
        index = bisect_left(self.dirty, first)
        while index < len(self.dirty) and self.dirty[index] < last:
            begin, end = resolutions.bucket(self.dirty[index], resolution, zone)
            if runs and runs[-1][1] >= begin:
                runs[-1] = (runs[-1][0], end)
            else:
                runs.append((begin, end))
            index = bisect_left(self.dirty, end, index)
        return runs

    def _roll_up_readings(self, start_us: int, end_us: int, edges: Edges) -> list[Segment]:
        """Segments of [start, end) computed from readings: one for each bucket of ``edges`` that holds any."""
        starts = [start for start, _ in edges]
        computed: list[tuple[int, RollUp]] = []
        rules = self.snapshot.rules_of(self.series)
        for rows in self.chunks(start_us, end_us):
            times = [row[0] for row in rows]
            position = 0
            bucket = bisect_right(starts, times[0]) - 1
            while position < len(rows):
                following = starts[bucket + 1] if bucket + 1 < len(starts) else end_us
                end = bisect_left(times, following, position)
                if end > position:
                    whole = self.snapshot.roll_up(self.series, rows[position:end])
                    begin = max(starts[bucket], start_us)
                    if computed and computed[-1][0] == begin:
                        computed[-1] = (begin, rollup.merge(computed[-1][1], whole, rules))
                    else:
                        computed.append((begin, whole))
                    position = end
                    bucket += 1
                else:
                    bucket = bisect_right(starts, times[position]) - 1
        return [(start, *(whole[index] for index in self._indexes)) for start, whole in computed]

    # ---- readings --------------------------------------------------------------------------------------------------

    def chunks(self, start_us: int, end_us: int) -> Iterator[list[tuple[int, float | None, int]]]:
        """(ts, value, quality) in [start, end) in time order, some thousands at a time."""
        held = self.snapshot.held
        at_hand = None if held is None else held.between(self.series, start_us, end_us)
        if at_hand is not None:
            if at_hand:
                self.used.add(0)
                yield at_hand
            return
        for rows in self.snapshot.readings.chunks(self.series, start_us, end_us, CHUNK_ROWS):
            self.used.add(0)
            yield rows

    def sorted_values(self, start_us: int, end_us: int) -> SortedRuns:
        """The usable values of a bucket, by rank. Raises ValueError for more than fit."""
        values = SortedRuns()
        for rows in self.chunks(start_us, end_us):
            values.add([value for _, value, quality in rows if value is not None and quality & FLAG_MASK not in UNUSABLE])
            if len(values) > LIMIT_PERCENTILE:
                raise ValueError(f"a percentile over more than {LIMIT_PERCENTILE:,} readings in one bucket; take a shorter step")
        return values

    def before(self, ts_us: int, reach_us: int | None = None) -> tuple[int, float] | None:
        """The last usable reading before an instant (within ``reach_us`` of it, if given)."""
        oldest = BEGINNING_US if reach_us is None else ts_us - reach_us
        found = self.snapshot.readings.last_usable(self.series, oldest, ts_us)
        cut = self.cut_us(0)
        if found is None and cut is not None and oldest < cut:  # readings have expired: what the roll-ups remember
            for resolution in reversed(COARSE_TO_FINE):
                found = self._fetch_row(
                    "SELECT last_ts, last FROM rollup WHERE series_id = ? AND resolution = ? AND start < ? AND last_ts < ?"
                    " AND last_ts >= ? ORDER BY start DESC LIMIT 1",
                    self.series, resolution, ts_us, ts_us, oldest,
                )  # fmt: skip
                if found is not None:
                    return found
        return found

    def last_two(self, ts_us: int) -> list[float]:
        """The values of the last two usable readings before an instant, in order; of one, or none, if there are no more."""
        last = self.before(ts_us)
        if last is None:
            return []
        cut = self.cut_us(0)
        if cut is not None and last[0] < cut:  # the readings have expired, but the roll-up keeps both values
            for resolution in reversed(COARSE_TO_FINE):
                row = self._fetch_row(
                    "SELECT n, last_but_one FROM rollup WHERE series_id = ? AND resolution = ? AND last_ts = ?"
                    " ORDER BY start DESC LIMIT 1",
                    self.series, resolution, last[0],
                )  # fmt: skip
                if row is not None and row[0] > 1:
                    return [last[1]] if row[1] is None else [row[1], last[1]]
        before = self.before(last[0])
        return [last[1]] if before is None else [before[1], last[1]]

    def next_value(self, ts_us: int) -> float | None:
        """The value of the first usable reading from an instant on."""
        found = self._first_reading(ts_us, END_US)
        return None if found is None else found[1]

    def after(self, ts_us: int, reach_us: int) -> int | None:
        """When the first usable reading from an instant on is; ``ts_us + reach_us`` for any that is later; None: there is
        none."""
        found = self._first_time(ts_us, ts_us + reach_us)
        if found is None and self._first_time(ts_us + reach_us, END_US) is not None:
            return ts_us + reach_us
        return found

    def first(self) -> int | None:
        """When the first usable reading was that is known of, if only by a roll-up."""
        return self._first_time(BEGINNING_US, END_US)

    def _first_time(self, ts_us: int, end: int) -> int | None:
        found = self._first_reading(ts_us, end)
        return None if found is None else found[0]

    def _first_reading(self, ts_us: int, end: int) -> tuple[int, float] | None:
        """(time, value) of the first usable reading in [ts, end). Where it has expired, as the roll-ups remember it."""
        found = self.snapshot.readings.first_usable(self.series, ts_us, end)
        cut = self.cut_us(0)
        if cut is None or ts_us >= cut:
            return found
        # What has expired lies before every reading that is still there: the roll-ups remember it.
        remembered = [
            self._fetch_row(
                "SELECT first_ts, first FROM rollup WHERE series_id = ? AND resolution = ? AND start >= ? AND first_ts < ?"
                " AND n > 0 ORDER BY start LIMIT 1",
                self.series, resolution, ts_us, end,
            )
            for resolution in COARSE_TO_FINE
        ]  # fmt: skip
        return min((ts for ts in (*remembered, found) if ts is not None), default=None)

    def _fetch_row(self, sql: str, *parameters: int) -> tuple[int, float] | None:
        row: tuple[int, float] | None = self.snapshot.conn.execute(sql, parameters).fetchone()
        return row
