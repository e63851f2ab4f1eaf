"""Compute a series' roll-ups anew from the readings there are: after its settings changed, or when somebody asks for it.

The work of the aggregator, as ``compute`` is. Oldest first, so that what is done may be used at once; what differs from the
stored is yielded, nothing else.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterator

from sensorlogd.notation.microseconds import BEGINNING_US, DAY_US, END_US, MINUTE_US
from sensorlogd.storage.rollups import outdated, resolutions
from sensorlogd.storage.rollups.resolutions import DAY, FIXED, MINUTE
from sensorlogd.storage.rollups.series_rollups import STORED, SeriesRollups
from sensorlogd.storage.rollups.snapshot import Key, Minutes, Row, Snapshot, append_minutes, fresh_minutes, settled_minutes

DAYS_AT_ONCE = 64


def compute_outdated(
    conn: sqlite3.Connection, edge_us: int, zone: str, enough: Callable[[], bool] = lambda: False
) -> Iterator[tuple[list[Row], list[Key], list[outdated.Advance]]]:
    """Compute outdated roll-ups anew, the oldest of each series first, until none is left or ``enough()`` returns True.

    Yields (rows that differ from the stored ones, keys to delete, what is right again thereby). Rows and deletions may be
    stored piece by piece, but before the advances.
    """
    snapshot = Snapshot.of(conn, zone)
    fresh: defaultdict[int, Minutes] | None = None
    in_bulk = outdated.in_bulk(conn)
    wanted = {series for series, resolution, *_ in in_bulk if resolution != DAY}
    for series, resolution, from_us, generation in in_bulk:
        if enough():
            return
        if resolution == DAY:
            if (series, MINUTE) in snapshot.outdated_us:
                continue  # its hours are made anew just now, which this snapshot does not show
            work = _rebuild_days(snapshot, series, from_us, edge_us)
        else:
            if fresh is None:
                fresh = fresh_minutes(snapshot, BEGINNING_US, edge_us, wanted)
            work = _rebuild_all(snapshot, series, from_us, edge_us, fresh[series])
        for rows, deletes, until_us in work:
            yield rows, deletes, [(series, resolution, generation, until_us)]
            if until_us is None or enough():
                break


Rebuilt = Iterator[tuple[list[Row], list[Key], int | None]]


def _rebuild_all(snapshot: Snapshot, series: int, from_us: int, edge_us: int, fresh: Minutes) -> Rebuilt:
    """Every bucket of a series that ends after ``from_us``, a day at a time."""
    rollups = SeriesRollups(snapshot, series)
    kept_from = snapshot.kept_from(series, 0)
    at_us = from_us if kept_from is None else max(from_us, kept_from)
    at_us -= at_us % MINUTE_US
    while at_us < edge_us:
        first = min(_first_times(snapshot, series, at_us, fresh), default=edge_us)
        begin = min(max(at_us, first - first % MINUTE_US), edge_us)
        end = min(resolutions.bucket(begin, DAY, snapshot.zone)[1], edge_us)
        end = max(end - end % MINUTE_US, min(begin + MINUTE_US, edge_us))  # days of old zones may end inside a minute
        minutes = settled_minutes(snapshot, series, begin, end)
        append_minutes(minutes, ((start, fresh[start]) for start in sorted(fresh) if begin <= start < end), rollups.rules)
        # Nothing of the stored minutes counts: those without readings are gone.
        rollups.replace_minutes(dict.fromkeys(range(begin, end, MINUTE_US)) | minutes)
        rollups.close(minutes, at_us, end)
        rows, deletes = rollups.changes(at_us, end)
        yield rows, [key for key in deletes if key[2] >= from_us or key[1] != DAY], end
        at_us = end
        rollups.forget(at_us - 2 * DAY_US)
    yield [], _days_ahead(snapshot, series, from_us, edge_us), None


def _days_ahead(snapshot: Snapshot, series: int, from_us: int, edge_us: int) -> list[Key]:
    """Stored days that are not closed yet: they were before the clock was set back, perhaps in another zone."""
    since = max(from_us, resolutions.bucket(edge_us, DAY, snapshot.zone)[0])
    return [(series, DAY, row[0]) for row in snapshot.conn.execute(STORED, (series, DAY, since, END_US))]


def _rebuild_days(snapshot: Snapshot, series: int, from_us: int, edge_us: int) -> Rebuilt:
    """The days of a series in the zone there is now; those of another zone go, where the new ones can be made."""
    rollups = SeriesRollups(snapshot, series)
    # Behind an edge that was set back lie days that no run closes again, because their readings have expired.
    edge_us = snapshot.closed_until(series, DAY, edge_us)
    at_us = from_us
    while True:
        first = min(_first_times(snapshot, series, at_us, None), default=edge_us)
        at_us = max(at_us, first)
        begin, end = resolutions.bucket(at_us, DAY, snapshot.zone)
        if end > edge_us:
            yield [], _days_ahead(snapshot, series, from_us, edge_us), None
            return
        rows: list[Row] = []
        deletes: list[Key] = []
        for _ in range(DAYS_AT_ONCE):
            changed, gone = rollups.changes_of_day(begin, end, from_us)
            rows += changed
            deletes += gone
            at_us = end
            begin, end = resolutions.bucket(end, DAY, snapshot.zone)
            if end > edge_us:
                break
        yield rows, deletes, at_us
        rollups.forget_days()


def _first_times(snapshot: Snapshot, series: int, from_us: int, fresh: Minutes | None) -> Iterator[int]:
    """When the first reading and the first stored buckets from an instant on are."""
    first_us = snapshot.readings.first_settled(series, from_us)
    if first_us is not None:
        yield first_us
    if fresh is not None:
        yield from (start for start in fresh if start + MINUTE_US > from_us)
    for resolution in (*FIXED, DAY):
        first_us = snapshot.conn.execute(
            "SELECT min(start) FROM rollup WHERE series_id = ? AND resolution = ? AND start >= ?", (series, resolution, from_us)
        ).fetchone()[0]
        if first_us is not None:
            yield first_us
