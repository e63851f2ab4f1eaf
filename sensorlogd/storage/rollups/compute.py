"""Compute roll-ups from a snapshot: what the aggregator process does.

Standard library only. The caller has begun a read transaction on ``conn``; what is yielded goes to the writer, so rows
computed earlier in a call are kept at hand (``SeriesRollups``): the snapshot does not show them.

Three kinds of work: ``compute_block`` closes buckets that have ended, ``compute_dirty`` heals minutes that changed afterwards,
``rebuild.compute_outdated`` does a series' roll-ups anew. Readings are read once, in chunks, whatever the range, so memory is
bounded by the roll-ups of one series and one call."""

from __future__ import annotations

import sqlite3
import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from sensorlogd.notation.microseconds import MINUTE_US, SECOND_US
from sensorlogd.storage import cuts
from sensorlogd.storage.rollups import outdated, resolutions, rollup
from sensorlogd.storage.rollups.outdated import Mark
from sensorlogd.storage.rollups.resolutions import DAY, FIXED, HOUR, MINUTE, QUARTER
from sensorlogd.storage.rollups.rollup import RollUp, Rules
from sensorlogd.storage.stages.readings import Reading, Readings

COARSER = (QUARTER, HOUR, DAY)
CHUNK_ROWS = 6_000  # readings read at once: more would not fit into a processor's cache
FRESH_ROWS = 50_000
MARKS_PER_GROUP = 400
SNAPSHOT_S = 5.0  # seconds: an older snapshot is renewed, because the WAL grows while one is held

_FIELDS = ", ".join(RollUp._fields)
STORED = f"SELECT start, {_FIELDS} FROM rollup WHERE series_id = ? AND resolution = ? AND start >= ? AND start < ? ORDER BY start"

Row = tuple[Any, ...]  # (series_id, resolution, start, *RollUp)
Key = tuple[int, int, int]  # (series_id, resolution, start)
Minutes = dict[int, RollUp]


@dataclass(frozen=True, slots=True)
class ReadingsAtHand:
    """All readings of some series in [since, until), which are fresh there.

    Those lie in the order of time: each series that is read costs a pass over all of them.
    """

    since_us: int
    until_us: int
    rows: dict[int, list[Reading]]  # (ts, value, quality) in time order

    def between(self, series: int, start_us: int, end_us: int) -> list[Reading] | None:
        """None: it is not all here."""
        if start_us < self.since_us or end_us > self.until_us or series not in self.rows:
            return None
        rows = self.rows[series]
        return rows[bisect_left(rows, start_us, key=_ts) : bisect_left(rows, end_us, key=_ts)]


_ts = itemgetter(0)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One read transaction, and what holds throughout it."""

    conn: sqlite3.Connection
    readings: Readings
    zone: str
    rules: dict[int, Rules]  # of every series
    cuts_us: dict[tuple[int, int], int]  # (series, resolution) -> retention: older arrivals are refused
    outdated_us: dict[
        tuple[int, int], int
    ]  # (series, resolution) -> buckets of it and of coarser resolutions that end later do not count
    held: ReadingsAtHand | None = None  # readings at hand

    @classmethod
    def of(cls, conn: sqlite3.Connection, zone: str) -> Snapshot:
        series = conn.execute("SELECT id, kind, heartbeat_us, wrap, dip, zero FROM series").fetchall()
        return cls(
            conn,
            Readings.of(conn),
            zone,
            {identity: Rules(*settings) for identity, *settings in series},
            cuts.of_all(conn),
            {(identity, resolution): from_us for identity, resolution, from_us, _ in outdated.in_bulk(conn)},
        )

    def rules_of(self, series: int) -> Rules:
        return self.rules.get(series) or Rules()

    def valid_until(self, series: int, resolution: int) -> int | None:
        """Stored buckets of ``resolution`` that end later do not count; None: all do."""
        begins = [self.outdated_us.get((series, finer)) for finer in (MINUTE, DAY) if finer <= resolution]
        return min((from_us for from_us in begins if from_us is not None), default=None)

    def kept_from(self, series: int, resolution: int) -> int | None:
        """Nothing that begins earlier is there any more (resolution 0: readings), see ``cuts.kept_from``. A bucket of an hour
        or less is kept as a whole or not at all; a day may not be, if the zone was changed."""
        cut = self.cuts_us.get((series, resolution))
        return None if cut is None else cuts.kept_from(cut)

    def is_kept(self, series: int, resolution: int, start_us: int) -> bool:
        kept_from = self.kept_from(series, resolution)
        return kept_from is None or start_us >= kept_from

    def rolled_up(self, series: int, resolution: int, start_us: int, end_us: int) -> int:
        """How many readings the stored buckets that begin in [start, end) know of."""
        sql = "SELECT sum(n) FROM rollup WHERE series_id = ? AND resolution = ? AND start >= ? AND start < ?"
        (n,) = self.conn.execute(sql, (series, resolution, start_us, end_us)).fetchone()
        return n or 0

    def roll_up(self, series: int, readings: Sequence[tuple[int, float | None, int]]) -> RollUp:
        """The roll-up of readings (ts, value, quality) in time order."""
        times, values, qualities = zip(*readings, strict=True)
        return rollup.of(times, values, qualities, self.rules_of(series))

    def columns(self, series: int, start_us: int, end_us: int) -> Iterator[tuple[tuple[Any, ...], ...]]:
        """(times, values, qualities) of one series in [start, end), a chunk at a time."""
        for rows in self.readings.chunks(series, start_us, end_us, CHUNK_ROWS):
            yield tuple(zip(*rows, strict=True))


def append_minutes(minutes: Minutes, found: Iterable[tuple[int, RollUp]], rules: Rules) -> None:
    """Add roll-ups (start, roll-up); one of a minute that is there is merged with it, because chunks and the border of what is
    settled may cut a minute."""
    for start, part in found:
        before = minutes.get(start)
        minutes[start] = part if before is None else rollup.merge(before, part, rules)


def settled_minutes(snapshot: Snapshot, series: int, start_us: int, end_us: int) -> Minutes:
    """The minutes of one series, from its settled readings alone."""
    rules = snapshot.rules_of(series)
    minutes: Minutes = {}
    for rows in snapshot.readings.settled(series, start_us, end_us, CHUNK_ROWS):
        times, values, qualities = zip(*rows, strict=True)
        append_minutes(minutes, rollup.by_width(times, values, qualities, rules, MINUTE_US), rules)
    return minutes


def fresh_minutes(snapshot: Snapshot, start_us: int, end_us: int, wanted: set[int] | None = None) -> defaultdict[int, Minutes]:
    """The minutes of all series (or those ``wanted``), from fresh readings alone, which are read in one pass."""
    found: defaultdict[int, Minutes] = defaultdict(dict)
    for rows in snapshot.readings.fresh(start_us, end_us, FRESH_ROWS):
        by_series: defaultdict[int, list[Row]] = defaultdict(list)
        for row in rows:
            by_series[row[3]].append(row)
        for series, own in by_series.items():
            if wanted is None or series in wanted:
                times, values, qualities, _ = zip(*own, strict=True)
                rules = snapshot.rules_of(series)
                append_minutes(found[series], rollup.by_width(times, values, qualities, rules, MINUTE_US), rules)
    return found


class SeriesRollups:
    """Roll-ups of one series: the stored ones, overlaid with what this call has computed (None: nothing is left in it).

    ``all_from_us``: from here on whatever there is was computed by this call.
    """

    def __init__(self, snapshot: Snapshot, series: int, all_from_us: int | None = None) -> None:
        self.snapshot = snapshot
        self.series = series
        self.rules = snapshot.rules_of(series)
        self.all_from_us = all_from_us
        self.computed: dict[int, dict[int, RollUp | None]] = {resolution: {} for resolution in (*FIXED, DAY)}

    def use(self, minutes: Minutes) -> None:
        self.computed[MINUTE].update(minutes)

    def close(self, minutes: Iterable[int], old_edge_us: int, new_edge_us: int) -> None:
        """Compute the coarser buckets that end in (old_edge, new_edge] and hold one of ``minutes`` or touch the old edge."""
        begun = [old_edge_us - MINUTE_US, *minutes]
        for resolution in COARSER:
            for start, end in self._buckets(begun, resolution):
                if old_edge_us < end <= new_edge_us:
                    self.compute(resolution, start, end)

    def _buckets(self, minutes: Sequence[int], resolution: int) -> list[tuple[int, int]]:
        """Each bucket that holds one of ``minutes``, which are in order."""
        found: list[tuple[int, int]] = []
        end = None
        for minute in minutes:
            if end is None or minute >= end:
                bucket = resolutions.bucket(minute, resolution, self.snapshot.zone)
                end = bucket[1]
                found.append(bucket)
        return found

    def compute(self, resolution: int, start_us: int, end_us: int, *, partly: bool = False) -> bool:
        """False: it cannot be computed any more; what is stored stays. ``partly``: of a day, what is left of it will do."""
        source = self._choose_source(resolution, start_us, end_us, partly)
        if source is None:
            return False
        parts = self._stored_parts(source, start_us, end_us) if source else list(self._roll_up_readings(start_us, end_us))
        self.computed[resolution][start_us] = rollup.merge_all(parts, self.rules) if parts else None
        return True

    def _choose_source(self, resolution: int, start_us: int, end_us: int, partly: bool) -> int | None:
        """The coarsest finer resolution (0: readings) of which all that makes up this bucket is kept; ``partly``: else what
        reaches back furthest."""
        coarsest = resolutions.children(start_us, end_us, resolution)
        if self.all_from_us is not None and start_us >= self.all_from_us:
            return coarsest or 0
        choices = [finer for finer in reversed(FIXED) if coarsest is not None and finer <= coarsest] + [0]
        kept = {choice: self.snapshot.kept_from(self.series, choice) for choice in choices}
        for choice, kept_from in kept.items():
            if kept_from is None or kept_from <= start_us:
                return choice
        if not partly:
            return None
        best = min(choices, key=lambda choice: kept[choice] or 0)
        return best if (kept[best] or 0) < end_us else None

    def _stored_parts(self, resolution: int, start_us: int, end_us: int) -> list[RollUp]:
        """The roll-ups of ``resolution`` in a bucket: what this call has computed, else what is stored; from readings where a
        stored one cannot be used."""
        width = resolution * SECOND_US
        computed = self.computed[resolution]
        starts = range(start_us, end_us, width)
        whole = self.all_from_us is not None and start_us >= self.all_from_us
        if not whole and not all(start in computed for start in starts):
            found: dict[int, RollUp | None] = {
                row[0]: RollUp._make(row[1:])
                for row in self.snapshot.conn.execute(STORED, (self.series, resolution, start_us, end_us))
            }
            if any(part is not None and part.n and part.last_ts is None for part in found.values()):
                # Not a row that sensorlogd wrote: somebody edited the file. One such row must not end the aggregator.
                return list(self._roll_up_readings(start_us, end_us))
            computed = found | {start: computed[start] for start in starts if start in computed}
        return [part for part in map(computed.get, starts) if part is not None]

    def _roll_up_readings(self, start_us: int, end_us: int) -> Iterator[RollUp]:
        for times, values, qualities in self.snapshot.columns(self.series, start_us, end_us):
            yield rollup.of(times, values, qualities, self.rules)

    def rows(self) -> list[Row]:
        """What was computed and is kept."""
        return [
            (self.series, resolution, start, *whole)
            for resolution, computed in self.computed.items()
            for start, whole in computed.items()
            if whole is not None and self.snapshot.is_kept(self.series, resolution, start)
        ]

    def forget(self, before_us: int) -> None:
        """Forget roll-ups before ``before_us``, which no later bucket is merged from."""
        for computed in self.computed.values():
            for start in [start for start in computed if start < before_us]:
                del computed[start]


# ---- closing -----------------------------------------------------------------------------------------------------------


def compute_block(conn: sqlite3.Connection, old_edge_us: int, new_edge_us: int, zone: str) -> Iterator[list[Row]]:
    """Rows of all buckets, of every resolution, that end in (old_edge, new_edge]; one list a series. Edges lie on minutes."""
    snapshot = Snapshot.of(conn, zone)
    moved = snapshot.readings.moved_until_us
    fresh = fresh_minutes(snapshot, old_edge_us, new_edge_us)
    taken = time.monotonic()
    for series in sorted(snapshot.rules):
        if time.monotonic() - taken > SNAPSHOT_S:
            # What has been settled since was fresh at first: read only what was settled then. What has arrived since is
            # marked dirty, seen or not.
            snapshot = _begin_new_snapshot(snapshot)
            taken = time.monotonic()
        # Behind an edge that was set back, buckets begin before the cut: of their readings only the rest is there.
        rollups = SeriesRollups(snapshot, series, max(old_edge_us, snapshot.kept_from(series, 0) or old_edge_us))
        minutes = settled_minutes(snapshot, series, old_edge_us, min(new_edge_us, moved))
        append_minutes(minutes, fresh.pop(series, {}).items(), rollups.rules)
        rollups.use(minutes)
        rollups.close(minutes, old_edge_us, new_edge_us)
        rows = rollups.rows()
        if rows:
            yield rows


def _begin_new_snapshot(snapshot: Snapshot) -> Snapshot:
    snapshot.conn.execute("COMMIT")
    snapshot.conn.execute("BEGIN")
    return Snapshot.of(snapshot.conn, snapshot.zone)


# ---- healing -----------------------------------------------------------------------------------------------------------


def compute_dirty(
    conn: sqlite3.Connection, edge_us: int, zone: str, limit: int = 20_000
) -> Iterator[tuple[list[Row], list[Key], list[Mark]]]:
    """Heal dirty minutes and every bucket around them that ends at or before the edge.

    Yields (rows to store, keys to delete because nothing is left in them, marks that are thereby done), at most ``limit``
    marks in all. The marks may be cleared with the rows or after them, never before.
    """
    snapshot = Snapshot.of(conn, zone)
    # A mark above the edge (the clock was set back) needs nothing: its minute is computed when the edge gets there.
    marks = outdated.first_minutes(conn, limit)
    fresh = _fresh_dirty(snapshot, [(series, start) for series, start, _ in marks if start + MINUTE_US <= edge_us])
    rollups: SeriesRollups | None = None
    begin = 0
    while begin < len(marks):
        series, end = marks[begin][0], begin
        while end < len(marks) and marks[end][0] == series and end - begin < MARKS_PER_GROUP:
            end += 1
        if rollups is None or rollups.series != series:
            rollups = SeriesRollups(snapshot, series)
        group = marks[begin:end]
        healed = _heal(rollups, [start for _, start, _ in group if start + MINUTE_US <= edge_us], edge_us, fresh[series])
        yield (
            [(*key, *whole) for key, whole in healed if whole is not None and snapshot.is_kept(*key)],
            [key for key, whole in healed if whole is None],
            group,
        )
        begin = end


def _fresh_dirty(snapshot: Snapshot, marks: Sequence[tuple[int, int]]) -> defaultdict[int, Minutes]:
    """The marked minutes of what is fresh, all series together: each minute is read once."""
    found: defaultdict[int, Minutes] = defaultdict(dict)
    wanted: defaultdict[int, set[int]] = defaultdict(set)
    for series, start in marks:
        if start + MINUTE_US > snapshot.readings.moved_until_us:
            wanted[start].add(series)
    for start, of in sorted(wanted.items()):
        for series, minutes in fresh_minutes(snapshot, start, start + MINUTE_US, of).items():
            found[series].update(minutes)
    return found


def _heal(rollups: SeriesRollups, minutes: list[int], edge_us: int, fresh: Minutes) -> list[tuple[Key, RollUp | None]]:
    """Compute dirty ``minutes`` and the buckets around them that end at or before the edge. Returns (key, roll-up) of each;
    None: nothing is left in it."""
    snapshot, series = rollups.snapshot, rollups.series
    healed: list[tuple[Key, RollUp | None]] = []
    kept_from = snapshot.kept_from(series, 0)
    if kept_from is not None:  # where readings have expired the roll-ups stay
        minutes = [minute for minute in minutes if minute >= kept_from]
    for first, last in _runs(minutes):
        found: dict[int, RollUp | None] = dict.fromkeys(range(first, last, MINUTE_US))
        whole = settled_minutes(snapshot, series, first, last)
        append_minutes(whole, ((start, fresh[start]) for start in found if start in fresh), rollups.rules)
        found.update(whole)
        rollups.computed[MINUTE].update(found)
        healed += (((series, MINUTE, start), whole) for start, whole in found.items())
    for resolution in COARSER:
        for start, end in rollups._buckets(minutes, resolution):
            if end <= edge_us and rollups.compute(resolution, start, end):
                healed.append(((series, resolution, start), rollups.computed[resolution][start]))
    return healed


def _runs(minutes: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Consecutive minutes as [first, last) spans."""
    first = last = None
    for minute in minutes:
        if last is not None and first is not None and minute == last:
            last = minute + MINUTE_US
            continue
        if first is not None and last is not None:
            yield first, last
        first, last = minute, minute + MINUTE_US
    if first is not None and last is not None:
        yield first, last
