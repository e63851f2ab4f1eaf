"""What is stored at one instant, as far as roll-ups are computed from it: readings, settings, cuts, what is outdated."""

from __future__ import annotations

import sqlite3
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from sensorlogd.notation.microseconds import MINUTE_US
from sensorlogd.storage import cuts
from sensorlogd.storage.reading_tables.readings import Reading, Readings
from sensorlogd.storage.rollups import outdated, rollup
from sensorlogd.storage.rollups.resolutions import DAY, MINUTE
from sensorlogd.storage.rollups.rollup import RollUp, Rules

CHUNK_ROWS = 6_000  # readings read at once: more would not fit into a processor's cache
FRESH_ROWS = 50_000

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
    # (series, resolution) -> buckets of it and of coarser resolutions that end later do not count
    outdated_us: dict[tuple[int, int], int]
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

    def closed_until(self, series: int, resolution: int, edge_us: int) -> int:
        """Buckets of ``resolution`` that end here or earlier are closed. That is the edge, or the cut of the readings, if the clock
        was set back behind it: what was made of expired readings stays as it is. Of days it is the cut itself, because the day
        that ends on it has expired, though readings of its last hour may be there (see ``cuts``)."""
        cut = self.cuts_us.get((series, cuts.READINGS))
        if cut is None:
            return edge_us
        return max(edge_us, cut if resolution == DAY else cuts.kept_from(cut))

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


# ---- minutes ------------------------------------------------------------------------------------------------------------


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
