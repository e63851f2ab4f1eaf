"""Questions about readings: of one series or of all, in a span, before or after an instant.

All spans are [since, until) in microseconds. Statements have the order of the table's key: what is settled costs the readings
of the series that is asked for, what is fresh a pass over those of all series in the span.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sensorlogd.quality import FLAG_MASK, UNUSABLE
from sensorlogd.storage import watermarks

Reading = tuple[int, float | None, int]  # (ts, value, quality)
Stamped = tuple[int, int, float | None, int]  # (ts, series id, value, quality); ``storing.SeriesFirst`` begins with the series
Span = tuple[int, int]

_SETTLED = "SELECT ts, value, quality FROM history WHERE series_id = ? AND ts >= ? AND ts < ? ORDER BY ts"
_FRESH = "SELECT ts, value, quality FROM recent WHERE ts >= ? AND ts < ? AND series_id = ? ORDER BY ts"
_SOME_SETTLED = f"{_SETTLED} LIMIT ?"
_SOME_FRESH = "SELECT ts, value, quality FROM recent WHERE series_id = ? AND ts >= ? AND ts < ? ORDER BY ts LIMIT ?"
_FRESH_OF_ALL = "SELECT ts, value, quality, series_id FROM recent WHERE ts >= ? AND ts < ? ORDER BY ts"
_STAMPED = "SELECT ts, series_id, value, quality FROM recent WHERE ts >= ? AND ts < ? ORDER BY ts, series_id"
_AFTER = "SELECT ts FROM recent WHERE ts >= ? AND ts < ? ORDER BY ts LIMIT 1 OFFSET ?"
# One probe a series: the newest in a span.
_LAST_SETTLED_OF_EACH = (
    "SELECT history.series_id, ts, value, quality FROM series CROSS JOIN history ON history.series_id = series.id AND ts ="
    " (SELECT max(ts) FROM history WHERE series_id = series.id AND ts >= ? AND ts < ?)"
)
_USABLE = f"value IS NOT NULL AND quality & {FLAG_MASK} NOT IN {UNUSABLE}"
_USABLE_SETTLED = f"SELECT ts, value FROM history WHERE series_id = ? AND ts >= ? AND ts < ? AND {_USABLE} ORDER BY ts"
_USABLE_FRESH = f"SELECT ts, value FROM recent WHERE ts >= ? AND ts < ? AND series_id = ? AND {_USABLE} ORDER BY ts"
_MAX_NAMED_SERIES = 1_000  # series that a statement names; of more it reads all


@dataclass(frozen=True, slots=True)
class Readings:
    """What one snapshot (or one transaction) holds. ``moved_until_us``: the border that was stored then."""

    conn: sqlite3.Connection
    moved_until_us: int

    @classmethod
    def of(cls, conn: sqlite3.Connection) -> Readings:
        """The readings as of now; the caller sees to it that they stay so while it asks."""
        return cls(conn, watermarks.stored(conn).moved_until_us)

    def spans(self, since_us: int, until_us: int) -> tuple[Span | None, Span | None]:
        """The part of a span in which readings are settled and the part in which they are fresh; None: there is no such part."""
        moved = self.moved_until_us
        settled = (since_us, min(until_us, moved)) if since_us < moved else None
        return settled, (max(since_us, moved), until_us) if until_us > moved else None

    # ---- one series ------------------------------------------------------------------------------------------------

    def chunks(self, series: int, since_us: int, until_us: int, rows: int) -> Iterator[list[Reading]]:
        """Readings in order of time, at most ``rows`` at once."""
        settled, fresh = self.spans(since_us, until_us)
        if settled is not None:
            yield from _chunks(self.conn.execute(_SETTLED, (series, *settled)), rows)
        if fresh is not None:
            yield from _chunks(self.conn.execute(_FRESH, (*fresh, series)), rows)

    def settled(self, series: int, since_us: int, until_us: int, rows: int) -> Iterator[list[Reading]]:
        """As ``chunks``, but only what is settled."""
        until_us = min(until_us, self.moved_until_us)
        if since_us < until_us:
            yield from _chunks(self.conn.execute(_SETTLED, (series, since_us, until_us)), rows)

    def some(self, series: int, since_us: int, until_us: int, limit: int, passed: int) -> tuple[list[Reading], int]:
        """(at most ``limit`` readings, where to go on). Passes over at most ``passed`` fresh readings of all series."""
        settled, _ = self.spans(since_us, until_us)
        if settled is not None:
            end = settled[1]
            rows = self.conn.execute(_SOME_SETTLED, (series, since_us, end, limit)).fetchall()
        else:
            row = self.conn.execute(_AFTER, (since_us, until_us, passed)).fetchone()
            end = until_us if row is None else row[0] + 1
            rows = self.conn.execute(_SOME_FRESH, (series, since_us, end, limit)).fetchall()
        return rows, rows[-1][0] + 1 if len(rows) == limit else end

    def last_usable(self, series: int, since_us: int, until_us: int) -> tuple[int, float] | None:
        """(ts, value) of the last one that has a value and is neither failed nor missing."""
        found: tuple[int, float] | None = None
        moved = self.moved_until_us
        if until_us > moved:
            found = self.conn.execute(f"{_USABLE_FRESH} DESC LIMIT 1", (max(since_us, moved), until_us, series)).fetchone()
        if found is None:
            found = self.conn.execute(f"{_USABLE_SETTLED} DESC LIMIT 1", (series, since_us, min(until_us, moved))).fetchone()
        return found

    def first_usable(self, series: int, since_us: int, until_us: int) -> tuple[int, float] | None:
        """(ts, value) of the first one that has a value and is neither failed nor missing."""
        found: tuple[int, float] | None = None
        settled, fresh = self.spans(since_us, until_us)
        if settled is not None:
            found = self.conn.execute(f"{_USABLE_SETTLED} LIMIT 1", (series, *settled)).fetchone()
        if found is None and fresh is not None:
            found = self.conn.execute(f"{_USABLE_FRESH} LIMIT 1", (*fresh, series)).fetchone()
        return found

    def first_settled(self, series: int, since_us: int) -> int | None:
        """When the first one from an instant on is, as far as it is settled."""
        sql = "SELECT min(ts) FROM history WHERE series_id = ? AND ts >= ? AND ts < ?"
        first: int | None = self.conn.execute(sql, (series, since_us, self.moved_until_us)).fetchone()[0]
        return first

    def extent(self, series: int) -> tuple[int, int] | None:
        """When the first and the last one is; None: there is none. Passes over all that is fresh."""
        key = (series, self.moved_until_us)
        ends = (
            self.conn.execute("SELECT min(ts), max(ts) FROM history WHERE series_id = ? AND ts < ?", key).fetchone(),
            self.conn.execute("SELECT min(ts), max(ts) FROM recent WHERE series_id = ? AND ts >= ?", key).fetchone(),
        )
        there = [end for end in ends if end[0] is not None]
        return (there[0][0], there[-1][1]) if there else None

    def last_settled(self, series: int, since_us: int, limit: int) -> list[Reading]:
        """The newest ``limit`` settled readings of a series from ``since_us`` on, in order of time."""
        rows = self.conn.execute(f"{_SETTLED} DESC LIMIT ?", (series, since_us, self.moved_until_us, limit)).fetchall()
        return rows[::-1]

    # ---- all series ------------------------------------------------------------------------------------------------

    def fresh(self, since_us: int, until_us: int, rows: int) -> Iterator[list[tuple[int, float | None, int, int]]]:
        """(ts, value, quality, series id) of what is fresh, in order of time, at most ``rows`` at once."""
        since_us = max(since_us, self.moved_until_us)
        if since_us < until_us:
            yield from _chunks(self.conn.execute(_FRESH_OF_ALL, (since_us, until_us)), rows)

    def fresh_stamped(self, since_us: int, until_us: int, rows: int) -> Iterator[list[Stamped]]:
        """What is fresh, in order of time and then of series, at most ``rows`` at once."""
        yield from _chunks(self.conn.execute(_STAMPED, (max(since_us, self.moved_until_us), until_us)), rows)

    def fresh_from(self, since_us: int) -> Iterator[tuple[int, int, float | None, int]]:
        """(series id, ts, value, quality) of what is fresh from an instant on, in order of time."""
        sql = "SELECT series_id, ts, value, quality FROM recent WHERE ts >= ? ORDER BY ts"
        yield from self.conn.execute(sql, (max(since_us, self.moved_until_us),))

    def last_settled_of_each(self, since_us: int) -> list[tuple[int, int, float | None, int]]:
        """(series id, ts, value, quality) of the newest settled reading of each series that has one from ``since_us`` on."""
        if since_us >= self.moved_until_us:
            return []
        return self.conn.execute(_LAST_SETTLED_OF_EACH, (since_us, self.moved_until_us)).fetchall()

    def stamped(self, since_us: int, until_us: int) -> list[Stamped]:
        """All of a short span, in order of time."""
        settled, fresh = self.spans(since_us, until_us)
        found: list[Stamped] = []
        if settled is not None:
            for (series,) in self.conn.execute("SELECT id FROM series").fetchall():
                found += self.conn.execute(
                    "SELECT ts, series_id, value, quality FROM history WHERE series_id = ? AND ts >= ? AND ts < ?",
                    (series, *settled),
                )
            found.sort(key=lambda row: row[:2])
        if fresh is not None:
            found += self.conn.execute(_STAMPED, fresh)
        return found

    def each_since(self, since_us: Mapping[int, int], until_us: int) -> Iterator[Stamped]:
        """What each of these series has from a time of its own on, in no order of series. One pass over what is fresh of all."""
        for series, since in since_us.items():
            settled, _ = self.spans(since, until_us)
            if settled is not None:
                for ts, value, quality in self.conn.execute(_SETTLED, (series, *settled)):
                    yield ts, series, value, quality
        some = f"AND series_id IN ({','.join('?' * len(since_us))})" if len(since_us) < _MAX_NAMED_SERIES else ""
        sql = f"SELECT ts, series_id, value, quality FROM recent WHERE ts >= ? AND ts < ? {some} ORDER BY ts, series_id"
        begin = max(min(since_us.values(), default=until_us), self.moved_until_us)
        for row in self.conn.execute(sql, (begin, until_us, *(since_us if some else ()))):
            if row[0] >= since_us.get(row[1], until_us):
                yield row

    def few_fresh(self, series: Sequence[int], since_us: int, until_us: int, limit: int) -> dict[int, list[Reading]] | None:
        """What is fresh of these series, each in order of time; None: it is more than ``limit`` readings."""
        some = f"AND series_id IN ({','.join('?' * len(series))})" if len(series) < _MAX_NAMED_SERIES else ""
        span = f"FROM recent WHERE ts >= ? AND ts < ? {some}"
        parameters = (max(since_us, self.moved_until_us), until_us, *(series if some else ()))
        few = f"SELECT count(*) FROM (SELECT 1 {span} LIMIT {limit + 1})"
        if self.conn.execute(few, parameters).fetchone()[0] > limit:
            return None
        rows: dict[int, list[Reading]] = {identity: [] for identity in series}
        for identity, *reading in self.conn.execute(f"SELECT series_id, ts, value, quality {span} ORDER BY ts", parameters):
            if identity in rows:
                rows[identity].append(tuple(reading))
        return rows


def _chunks(cursor: sqlite3.Cursor, rows: int) -> Iterator[list[Any]]:
    while some := cursor.fetchmany(rows):
        yield some
