"""The contents of a damaged file, piece by piece in a fixed order: reading from the same pointer again gives the same rows.

The order: names and cuts; settled readings, series by series; fresh readings; calibrations; mends and what was
mended; events; roll-ups. A pointer is (stage, series or mend, resolution, key); it says nothing about how much was read before.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

from sensorlogd.notation.microseconds import DAY_US
from sensorlogd.storage.reading_tables import damaged
from sensorlogd.storage.rollups import resolutions
from sensorlogd.storage.rollups.rollup import RollUp
from sensorlogd.storage.salvage.former import Former
from sensorlogd.storage.salvage.reading import FAR, NOWHERE, DamagedLog, Row

_MARGIN_US = 3 * DAY_US  # a cut of the live log may have gone on a little


class Stage(IntEnum):
    """The order of the stages. The numbers are stored in ``progress``: never renumber them."""

    NAMES = 0
    HISTORY = 1
    RECENT = 2
    CALIBRATION = 3
    MEND = 4
    MENDED = 5
    EVENT = 6
    ROLLUP = 7
    OVER = 8


# How much work a row is to store, in readings.
_WEIGHTS = {Stage.NAMES: 10, Stage.MEND: 5, Stage.MENDED: 200, Stage.EVENT: 3, Stage.ROLLUP: 6}

_TABLES = {
    Stage.CALIBRATION: ("calibration", ("series_id", "valid_from", "scale", '"offset"', "curve"), "series_id"),
    Stage.MEND: (
        "mend",
        (
            "id", "made_us", "series_id", "since_us", "until_us", "quality", "scale", '"offset"', "note", "at_us", "readings",
            "done_us", "undone_us", "kind", "curve",
        ),
        "id",
    ),
    Stage.EVENT: ("event", ("id", "ts", "kind", "sensor", "detail"), "id"),
}  # fmt: skip


class Pointer(NamedTuple):
    """How far a salvage has got: everything before it has been dealt with."""

    stage: int = 0
    of: int = 0
    resolution: int = 0
    key: int = NOWHERE


@dataclass(frozen=True, slots=True)
class PieceSource:
    """One query. ``of``: the series (or the mend) there; 0: of all."""

    stage: Stage
    of: int
    resolution: int
    query: str
    low: int
    high: int

    @property
    def rank(self) -> tuple[int, int, int]:
        return self.stage, self.of, self.resolution


@dataclass(frozen=True, slots=True)
class FoundRows:
    """Rows of one source."""

    source: PieceSource
    rows: list[Row]


@dataclass(frozen=True, slots=True)
class DamagedPiece:
    """Keys [since, until) of a source that cannot be read; ``until`` None: to its end."""

    source: PieceSource
    since: int
    until: int | None


@dataclass(slots=True)
class FetchedPiece:
    """What one fetch found, in order, and the damage met on the way. ``after``: the pointer when it is stored."""

    after: Pointer
    found: list[FoundRows] = field(default_factory=list)
    stretches: list[DamagedPiece] = field(default_factory=list)


class Pieces:
    """The contents of one damaged file. ``holes``: series -> until when readings are missing there, see ``progress``."""

    def __init__(self, damaged: DamagedLog, former: Former) -> None:
        self.damaged = damaged
        self.former = former
        self._columns: dict[str, set[str]] = {}
        self._sources: list[PieceSource] = []
        self._holes: Mapping[int, int] | None = None

    def fetch(self, pointer: Pointer, holes: Mapping[int, int], budget: int, for_s: float) -> FetchedPiece:
        """Rows from the pointer on, worth about ``budget`` readings, in about ``for_s`` seconds. Raises NotNow."""
        if holes != self._holes:
            self._sources = self._plan_sources(holes)
            self._holes = dict(holes)
        deadline = time.perf_counter() + for_s
        piece = FetchedPiece(pointer)
        first = bisect_left(self._sources, tuple(pointer[:3]), key=lambda source: source.rank)
        left = float(budget)
        for source in self._sources[first:]:
            if piece.found and source.stage != piece.found[0].source.stage:
                break  # a slice is of one stage
            low = pointer.key if source.rank == pointer[:3] else source.low
            weight = _WEIGHTS.get(source.stage, 1)
            limit = max(int(left / weight), 1)
            batch = self.damaged.batch(source.query, max(low, source.low), source.high, limit=limit, deadline=deadline)
            piece.found.append(FoundRows(source, batch.rows))
            piece.stretches += [DamagedPiece(source, stretch.since, stretch.until) for stretch in batch.stretches]
            if not batch.finished:
                piece.after = Pointer(*source.rank, batch.low)
                return piece
            piece.after = Pointer(*source.rank[:2], source.resolution + 1)
            left -= weight * len(batch.rows) + 5
            if left <= 0 or time.perf_counter() >= deadline:
                return piece
        if not piece.found:
            piece.after = Pointer(Stage.OVER)
        return piece

    # ---- the order -------------------------------------------------------------------------------------------------

    def _plan_sources(self, holes: Mapping[int, int]) -> list[PieceSource]:
        """All that is to be read, in order of rank. ``holes``: where readings are missing, roll-ups are wanted."""
        former = self.former
        sources = [_source_of_readings(series, former.moved_until_us) for series in former.ids]
        moved = former.moved_until_us
        sources.append(PieceSource(Stage.RECENT, 0, 0, damaged.FRESH, NOWHERE if moved is None else moved, FAR))
        for stage, (table, columns, key) in _TABLES.items():
            if self._has_table(table):
                query = f"SELECT {self._select_list(table, columns)} FROM {table} WHERE {key} >= ? AND {key} <= ? ORDER BY {key}"
                sources.append(PieceSource(stage, 0, 0, query, NOWHERE, FAR))
        for mend in former.mends if self._has_table("mended") else ():
            query = (
                f"SELECT first_ts, n, before FROM mended WHERE mend_id = {mend} AND first_ts >= ? AND first_ts <= ?"
                " ORDER BY first_ts"
            )
            sources.append(PieceSource(Stage.MENDED, mend, 0, query, NOWHERE, FAR))
        for series in former.ids:
            sources += self._sources_of_roll_ups(series, max(holes.get(series, NOWHERE), holes.get(0, NOWHERE)))
        return sorted(sources, key=lambda source: source.rank)

    def _sources_of_roll_ups(self, series: int, hole_until: int) -> list[PieceSource]:
        """Those that readings cannot give again: older than their cut, or up to the end of what is damaged."""
        kept_from = self.former.kept_from(series)
        until = max(NOWHERE if kept_from is None else kept_from + _MARGIN_US, hole_until)
        if self.former.has_lost_cut(series):
            until = max(until, self._first_reading_us(series))
        if until == NOWHERE or not self._has_table("rollup"):
            return []
        columns = self._select_list("rollup", RollUp._fields)
        froms = {resolution: self.former.kept_from(series, resolution) for resolution in resolutions.DEFAULT_RESOLUTIONS}
        return [
            PieceSource(
                Stage.ROLLUP,
                series,
                resolution,
                f"SELECT start, {columns} FROM rollup WHERE series_id = {series} AND resolution = {resolution}"
                " AND start >= ? AND start <= ? ORDER BY start",
                NOWHERE if resolution_from is None else resolution_from,
                until - 1,
            )
            for resolution, resolution_from in froms.items()
        ]

    def _first_reading_us(self, series: int) -> int:
        """When the first one that can be read is; FAR if there is none: then every roll-up is all that is left."""
        source = _source_of_readings(series, self.former.moved_until_us)
        batch = self.damaged.batch(source.query, source.low, source.high, limit=2)
        return batch.rows[0][0] if batch.rows else FAR

    def _has_table(self, table: str) -> bool:
        if table not in self._columns:
            self._columns[table] = set(self.damaged.columns(table))
        return bool(self._columns[table])

    def _select_list(self, table: str, columns: Sequence[str]) -> str:
        """The columns to select; NULL for one that an older schema has not."""
        self._has_table(table)
        return ", ".join(column if column.strip('"') in self._columns[table] else "NULL" for column in columns)


def _source_of_readings(series: int, moved_until_us: int | None) -> PieceSource:
    return PieceSource(
        Stage.HISTORY, series, 0, damaged.settled(series), NOWHERE, FAR if moved_until_us is None else moved_until_us - 1
    )
