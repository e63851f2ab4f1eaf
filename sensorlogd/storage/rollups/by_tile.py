"""Stored roll-ups of one series added up by SQLite, tile by tile. A tile is a span of time on the grid of a resolution; a bucket
belongs to the tile that holds its start. Buckets without a usable reading are left out.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sensorlogd.notation.microseconds import HOUR_US, SECOND_US
from sensorlogd.storage.rollups.resolutions import HOUR

_COLUMNS = "start, n, mean, min, max, first_ts, first, last_ts, last"
_Selected = tuple[str, tuple[Any, ...]]  # a statement and its parameters


@dataclass(frozen=True, slots=True)
class TileNumbers:
    """How tiles are numbered. The tile of a bucket is ``(start - origin) // step``; with a phase, two tiles a step, it is twice that,
    and one more from ``phase_us`` within the step on."""

    origin_us: int
    step_us: int
    phase_us: int

    def of(self, start_us: int) -> int:
        """The number of the tile in which a bucket lies that begins at ``start_us``."""
        number, rest = divmod(start_us - self.origin_us, self.step_us)
        return number if not self.phase_us else 2 * number + (rest >= self.phase_us)

    def sql(self, later_us: int = 0) -> tuple[str, tuple[int, ...]]:
        """An SQL expression for the tile of ``start`` (shifted by ``later_us``), with its parameters."""
        origin, step = self.origin_us - later_us, self.step_us
        if not self.phase_us:
            return "(start - ?) / ?", (origin, step)
        return "((start - ?) / ? * 2 + ((start - ?) % ? >= ?))", (*(origin, step) * 2, self.phase_us)


@dataclass(frozen=True, slots=True)
class Buckets:
    """Stored buckets of [since, until). ``resolution``: in seconds."""

    series: int
    resolution: int
    since_us: int
    until_us: int


@dataclass(frozen=True, slots=True)
class Hours:
    """The hours of [first, last) may stand for the finer buckets in them, where they lie in one tile as a whole. ``cut``: the starts of
    the hours for which the finer ones are taken."""

    first_us: int
    last_us: int
    cut: Sequence[int]


class TileSums(NamedTuple):
    """One tile: ``rows`` buckets of ``n`` readings, the sum of their values, the least and the greatest. ``with_mean``: how many of the
    rows have a mean; ``sum`` None: none has."""

    tile: int
    rows: int
    n: int
    sum: float | None
    least: float
    most: float
    with_mean: int


class TileEnd(NamedTuple):
    """One tile of ``rows`` buckets and ``n`` readings: the time and value of its first reading, or of its last."""

    tile: int
    rows: int
    n: int
    ts: int
    value: float


@dataclass(frozen=True, slots=True)
class StoredTiles:
    """The stored buckets of one series and span, to be added up tile by tile. ``hours``: which may stand for finer buckets, if any.
    Everything raises sqlite3.Error."""

    conn: sqlite3.Connection
    buckets: Buckets
    numbers: TileNumbers
    hours: Hours | None = None

    def sums(self) -> list[TileSums]:
        """Those tiles that have buckets."""
        return [TileSums(*row) for row in self._added_up("sum(n), sum(n * mean), min(min), max(max), count(mean)")]

    def firsts(self) -> list[TileEnd]:
        """The first reading of each tile."""
        # With a single min() or max() SQLite takes the other columns from the row that has it.
        rows = self._added_up("sum(n), min(start), first_ts, first")
        return [TileEnd(tile, number, n, ts, value) for tile, number, n, _, ts, value in rows]

    def lasts(self) -> list[TileEnd]:
        """The last reading of each tile."""
        rows = self._added_up("sum(n), max(start), last_ts, last")
        return [TileEnd(tile, number, n, ts, value) for tile, number, n, _, ts, value in rows]

    def _added_up(self, columns: str) -> list[tuple[Any, ...]]:
        """(tile, number of rows, *columns), one for each tile."""
        if self.hours is None:
            some, parameters = _select(self.buckets, self.numbers)
        else:
            some, parameters = _select_hours_and_finer(self.buckets, self.numbers, self.hours)
        return self.conn.execute(f"SELECT tile, count(*), {columns} FROM ({some}) GROUP BY tile", parameters).fetchall()


def _select(buckets: Buckets, numbers: TileNumbers) -> _Selected:
    """The buckets that hold readings, each with the number of its tile."""
    expression, parameters = numbers.sql()
    where = "series_id = ? AND resolution = ? AND start >= ? AND start < ? AND n > 0"
    return f"SELECT {expression} AS tile, {_COLUMNS} FROM rollup WHERE {where}", (
        *parameters, buckets.series, buckets.resolution, buckets.since_us, buckets.until_us,
    )  # fmt: skip


def _select_hours_and_finer(buckets: Buckets, numbers: TileNumbers, hours: Hours) -> _Selected:
    """Hours that lie in one tile as a whole, and finer buckets elsewhere; this reads far fewer rows."""
    some, parameters = _select(Buckets(buckets.series, HOUR, hours.first_us, hours.last_us), numbers)
    width_us = buckets.resolution * SECOND_US
    (one, of_one), (other, of_other) = numbers.sql(), numbers.sql(HOUR_US - width_us)
    finer = (
        f"SELECT {one} AS tile, {_COLUMNS} FROM json_each(?) AS cut CROSS JOIN rollup WHERE series_id = ? AND resolution = ?"
        " AND start >= max(cut.value, ?) AND start < min(cut.value + ?, ?) AND n > 0"
    )
    return f"{some} AND {one} = {other} UNION ALL {finer}", (
        *parameters, *of_one, *of_other,
        *of_one, json.dumps(list(hours.cut)), buckets.series, buckets.resolution, buckets.since_us, HOUR_US, buckets.until_us,
    )  # fmt: skip
