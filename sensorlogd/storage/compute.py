"""Compute roll-ups from a snapshot: what the aggregator process does.

Standard library only. The caller has begun a read transaction on ``conn``; everything here reads that one snapshot, and
what it yields goes to the writer, so rows computed earlier in a call are kept at hand (``fresh``): the snapshot does not
show them.
"""

from __future__ import annotations

import sqlite3
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sensorlogd.storage import rollup, tiers
from sensorlogd.storage.rollup import RollUp
from sensorlogd.storage.tiers import DAY, FIXED, MINUTE, SECOND_US

MINUTE_US = MINUTE * SECOND_US
_FIELDS = ", ".join(RollUp._fields)
_STORED = (
    f"SELECT start, {_FIELDS} FROM rollup WHERE series_id = ? AND resolution = ? AND start >= ? AND start < ? ORDER BY start"
)
_MARKS = "SELECT series_id, start, generation FROM dirty ORDER BY series_id, start LIMIT ?"
MARKS_PER_MESSAGE = 400

Row = tuple[Any, ...]  # (series_id, resolution, start, *RollUp)
Key = tuple[int, int, int]  # (series_id, resolution, start)
Mark = tuple[int, int, int]  # (series_id, start, generation)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One read transaction, and what holds throughout it."""

    conn: sqlite3.Connection
    moved_until_us: int
    zone: str
    kinds: dict[int, str]
    heartbeats_us: dict[int, int]
    cuts_us: dict[tuple[int, int], int]  # (series, tier) -> nothing older is kept

    @classmethod
    def of(cls, conn: sqlite3.Connection, zone: str) -> Snapshot:
        meta = dict(conn.execute("SELECT key, value FROM meta").fetchall())
        series = conn.execute("SELECT id, kind, heartbeat_us FROM series").fetchall()
        cuts = conn.execute("SELECT series_id, tier, cut_us FROM retention_cut").fetchall()
        return cls(
            conn,
            int(meta.get("moved_until_us") or 0),
            zone,
            {identity: kind for identity, kind, _ in series},
            {identity: heartbeat for identity, _, heartbeat in series},
            {(identity, tier): cut for identity, tier, cut in cuts},
        )

    def readings(self, series: int, start_us: int, end_us: int) -> list[tuple[int, float | None, int]]:
        """(ts, value, quality) of one series in [start, end), in time order, from both tables."""
        found: list[tuple[int, float | None, int]] = []
        if start_us < self.moved_until_us:
            found += self.conn.execute(
                "SELECT ts, value, quality FROM history WHERE series_id = ? AND ts >= ? AND ts < ? ORDER BY ts",
                (series, start_us, min(end_us, self.moved_until_us)),
            ).fetchall()
        if end_us > self.moved_until_us:
            found += self.conn.execute(
                "SELECT ts, value, quality FROM recent WHERE ts >= ? AND ts < ? AND series_id = ? ORDER BY ts",
                (max(start_us, self.moved_until_us), end_us, series),
            ).fetchall()
        return found

    def roll_up(self, series: int, readings: list[tuple[int, float | None, int]]) -> RollUp:
        times, values, qualities = zip(*readings, strict=True)
        return rollup.of(times, values, qualities, self.kinds.get(series, "gauge"), self.heartbeats_us.get(series, MINUTE_US))

    def is_kept(self, series: int, tier: int, start_us: int) -> bool:
        return start_us >= self.cuts_us.get((series, tier), start_us)


class _Fresh:
    """Roll-ups of one series: stored ones, overlaid with what this call has computed (None: gone)."""

    def __init__(self, snapshot: Snapshot, series: int) -> None:
        self.snapshot = snapshot
        self.series = series
        self.computed: dict[tuple[int, int], RollUp | None] = {}

    def between(self, tier: int, start_us: int, end_us: int) -> list[RollUp]:
        found: dict[int, RollUp | None] = {
            row[0]: RollUp(*row[1:]) for row in self.snapshot.conn.execute(_STORED, (self.series, tier, start_us, end_us))
        }
        if tier != DAY:
            width = tier * SECOND_US
            for start in range(start_us - start_us % width, end_us, width):
                if (tier, start) in self.computed:
                    found[start] = self.computed[tier, start]
        return [part for _, part in sorted(found.items()) if part is not None]

    def coarser(self, tier: int, start_us: int, end_us: int) -> RollUp | None:
        """The bucket [start, end) of ``tier`` from the coarsest complete children, else from readings."""
        child = tiers.children(start_us, end_us, tier)
        while child is not None and not self.snapshot.is_kept(self.series, child, start_us):
            child = max((finer for finer in FIXED if finer < child), default=None)
        if child is None:
            readings = self.snapshot.readings(self.series, start_us, end_us)
            return self.snapshot.roll_up(self.series, readings) if readings else None
        parts = self.between(child, start_us, end_us)
        return rollup.merge_all(parts, self.snapshot.heartbeats_us.get(self.series, MINUTE_US)) if parts else None


def compute_block(conn: sqlite3.Connection, old_edge_us: int, new_edge_us: int, zone: str) -> Iterator[list[Row]]:
    """Rows of all buckets, of every tier, that end in (old_edge, new_edge]; one list a series. Edges lie on minutes."""
    snapshot = Snapshot.of(conn, zone)
    for series, readings in _by_series(snapshot, old_edge_us, new_edge_us):
        fresh = _Fresh(snapshot, series)
        times = [reading[0] for reading in readings]
        at = 0
        while at < len(readings):
            start = times[at] - times[at] % MINUTE_US
            end = bisect_left(times, start + MINUTE_US, at)
            fresh.computed[MINUTE, start] = snapshot.roll_up(series, readings[at:end])
            at = end
        for tier in (tiers.QUARTER, tiers.HOUR, DAY):
            for start, end in _ending_between(old_edge_us, new_edge_us, tier, zone):
                whole = fresh.coarser(tier, start, end)
                if whole is not None:
                    fresh.computed[tier, start] = whole
        rows = [
            (series, tier, start, *whole)
            for (tier, start), whole in sorted(fresh.computed.items())
            if whole is not None and snapshot.is_kept(series, tier, start)
        ]
        if rows:
            yield rows


def _ending_between(old_edge_us: int, new_edge_us: int, tier: int, zone: str) -> Iterator[tuple[int, int]]:
    start, end = tiers.bucket(old_edge_us, tier, zone)
    while end <= new_edge_us:
        yield start, end
        start, end = tiers.bucket(end, tier, zone)


def _by_series(snapshot: Snapshot, start_us: int, end_us: int) -> Iterator[tuple[int, list[tuple[int, float | None, int]]]]:
    """Every series with its readings in [start, end). A series without any still closes its coarser buckets."""
    moved = snapshot.moved_until_us
    recent: dict[int, list[tuple[int, float | None, int]]] = {}
    if end_us > moved:
        for series, ts, value, quality in snapshot.conn.execute(
            "SELECT series_id, ts, value, quality FROM recent WHERE ts >= ? AND ts < ?", (max(start_us, moved), end_us)
        ):
            recent.setdefault(series, []).append((ts, value, quality))
    for series in sorted(snapshot.kinds):
        readings = snapshot.readings(series, start_us, min(end_us, moved)) if start_us < moved else []
        yield series, readings + recent.pop(series, [])


def compute_dirty(
    conn: sqlite3.Connection, edge_us: int, zone: str, limit: int = 20_000
) -> Iterator[tuple[list[Row], list[Key], list[Mark]]]:
    """Heal dirty minutes and every bucket around them that ends at or before the edge.

    Yields (rows to store, keys to delete because nothing is left in them, marks that are thereby done), at most ``limit``
    marks in all. The three of one yield belong into one transaction.
    """
    snapshot = Snapshot.of(conn, zone)
    marks: list[Mark] = conn.execute(_MARKS, (limit,)).fetchall()
    fresh: _Fresh | None = None
    at = 0
    while at < len(marks):
        series = marks[at][0]
        end = at
        while end < len(marks) and marks[end][0] == series and end - at < MARKS_PER_MESSAGE:
            end += 1
        if fresh is None or fresh.series != series:
            fresh = _Fresh(snapshot, series)
        group = marks[at:end]
        # A mark above the edge (the clock was set back) needs nothing: its minute is computed when the edge gets there.
        healed = _heal(fresh, [start for _, start, _ in group if start + MINUTE_US <= edge_us], edge_us)
        yield (
            [(*key, *whole) for key, whole in healed if whole is not None and snapshot.is_kept(*key)],
            [key for key, whole in healed if whole is None],
            group,
        )
        at = end


def _heal(fresh: _Fresh, minutes: list[int], edge_us: int) -> list[tuple[Key, RollUp | None]]:
    snapshot, series = fresh.snapshot, fresh.series
    touched: list[tuple[int, int]] = []
    for first, last in _runs(minutes):
        by_minute: dict[int, list[tuple[int, float | None, int]]] = {start: [] for start in range(first, last, MINUTE_US)}
        for reading in snapshot.readings(series, first, last):
            by_minute[reading[0] - reading[0] % MINUTE_US].append(reading)
        for start, readings in by_minute.items():
            fresh.computed[MINUTE, start] = snapshot.roll_up(series, readings) if readings else None
            touched.append((MINUTE, start))
    for tier in (tiers.QUARTER, tiers.HOUR, DAY):
        for start, end in sorted({tiers.bucket(minute, tier, snapshot.zone) for minute in minutes}):
            if end <= edge_us:
                fresh.computed[tier, start] = fresh.coarser(tier, start, end)
                touched.append((tier, start))
    return [((series, tier, start), fresh.computed[tier, start]) for tier, start in touched]


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
