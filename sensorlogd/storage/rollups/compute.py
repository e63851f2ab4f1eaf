"""Compute roll-ups from a snapshot: what the aggregator process does.

Standard library only. The caller has begun a read transaction on ``conn``; what is yielded goes to the writer, so rows
computed earlier in a call are kept at hand (``SeriesRollups``): the snapshot does not show them.

Three kinds of work: ``compute_block`` closes buckets that have ended, ``compute_dirty`` heals minutes that changed afterwards,
``rebuild.compute_outdated`` does a series' roll-ups anew. Readings are read once, in chunks, whatever the range, so memory is
bounded by the roll-ups of one series and one call."""

from __future__ import annotations

import sqlite3
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence

from sensorlogd.notation.microseconds import MINUTE_US
from sensorlogd.storage.rollups import outdated
from sensorlogd.storage.rollups.outdated import Mark
from sensorlogd.storage.rollups.resolutions import MINUTE
from sensorlogd.storage.rollups.series_rollups import SeriesRollups
from sensorlogd.storage.rollups.snapshot import Key, Minutes, Row, Snapshot, append_minutes, fresh_minutes, settled_minutes

MARKS_PER_GROUP = 400
SNAPSHOT_S = 5.0  # seconds: an older snapshot is renewed, because the WAL grows while one is held

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
        # An edge that was set back may lie before the cut, where retention has deleted readings, or will with its next slice.
        since_us = snapshot.closed_until(series, MINUTE, old_edge_us)
        rollups = SeriesRollups(snapshot, series, since_us)
        minutes = settled_minutes(snapshot, series, since_us, min(new_edge_us, moved))
        found = fresh.pop(series, {})
        append_minutes(minutes, ((start, found[start]) for start in found if start >= since_us), rollups.rules)
        rollups.replace_minutes(minutes)
        rollups.close(minutes, since_us, new_edge_us)
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
        rows, deletes = rollups.heal([start for _, start, _ in group if start + MINUTE_US <= edge_us], edge_us, fresh[series])
        yield rows, deletes, group
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
