"""Storing one piece of a damaged file, and what follows from it: cuts before readings, roll-ups that readings cannot give."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Any

from sensorlogd.notation.microseconds import END_US, MINUTE_US, SECOND_US
from sensorlogd.storage import cuts, meta, watermarks
from sensorlogd.storage.cuts import Cut
from sensorlogd.storage.maintenance.incidents import Incident
from sensorlogd.storage.rollups import outdated, resolutions
from sensorlogd.storage.salvage import messages, names, plausible, restoring
from sensorlogd.storage.salvage.former import Former
from sensorlogd.storage.salvage.pieces import DamagedPiece, FetchedPiece, PieceSource, Pointer, Stage
from sensorlogd.storage.salvage.progress import Progress
from sensorlogd.storage.salvage.reading import FAR, Row
from sensorlogd.storage.salvage.restoring import Restored
from sensorlogd.storage.watermarks import Frontier
from sensorlogd.storage.work import Work


@dataclass(frozen=True, slots=True)
class FoundPiece:
    """A piece, and what the file is about."""

    incident: Incident
    former: Former
    piece: FetchedPiece


@dataclass(frozen=True, slots=True)
class StoredPiece:
    """What the work has to remember, how many rows were dealt with, and the live series that have changed."""

    progress: dict[str, Any]
    rows: int
    touched: list[int]


def _earliest_start(piece: FetchedPiece, source: PieceSource) -> int:
    """When the earliest roll-up of that series in this piece begins."""
    found = [each.rows for each in piece.found if (each.source.stage, each.source.of) == (source.stage, source.of)]
    return min((row[0] for rows in found for row in rows if plausible.is_time(row[0])), default=FAR)


class StoringPiece:
    """What one slice of a salvage stores, and what the work has to remember of it."""

    def __init__(self, conn: sqlite3.Connection, frontier: Frontier, work: Work, piece: FoundPiece, now_us: int) -> None:
        self.conn = conn
        self.frontier = frontier
        self.made_us = work.made_us
        self.found = piece
        self.former = piece.former
        self.now_us = now_us
        self.kept = names.SalvageMemory(conn, work.id)
        self.names = names.LiveIds(conn, piece.former, self.kept, piece.incident.name, now_us)
        self.progress = Progress.from_json(work.progress)
        self.touched: set[int] = set()

    def store_all(self) -> StoredPiece:
        """Store the piece."""
        piece = self.found.piece
        for stretch in piece.stretches:
            self._note_damage(stretch, _earliest_start(piece, stretch.source))
        if self.progress.pointer == Pointer():
            self.progress.add_count("nonsense", self.former.nonsense)
        if self.progress.pointer.stage == Stage.NAMES:
            self._names_and_cuts()
        for found in piece.found:
            self._store(found.source, found.rows)
        self.kept.save()
        self.progress.apart += [text for text in self.names.apart if text not in self.progress.apart]
        self.progress.pointer = piece.after
        return StoredPiece(self.progress.to_json(), sum(len(found.rows) for found in piece.found), sorted(self.touched))

    def _note_damage(self, stretch: DamagedPiece, first: int) -> None:
        """What could not be read, and what follows from it for roll-ups. ``first``: the earliest of the rows that were read with it and
        are not stored yet."""
        source, since, until = stretch.source, stretch.since, stretch.until
        series = self.names.former_name(source.of) if source.stage in (Stage.HISTORY, Stage.ROLLUP) else None
        self.progress.add_stretch(messages.stretch(source.stage, source.resolution, series, since, until))
        if source.stage in (Stage.HISTORY, Stage.RECENT):
            edge = self.former.edge_us
            end = min(value for value in (until, edge, END_US) if value is not None)
            end += -end % MINUTE_US
            self.progress.holes[source.of] = max(end, self.progress.holes.get(source.of, end))
        elif source.stage == Stage.ROLLUP and source.of not in self.progress.torn:
            # What cannot be read may be one that readings give: from here on all of them are made anew.
            self.progress.torn.append(source.of)
            outdated.mark(self.conn, [self.names.of(source.of)], self.now_us, min(since, first))

    def _names_and_cuts(self) -> None:
        """Some series and their cuts: before any reading, so that none below a cut comes back."""
        first, after = self.progress.pointer.key, self.found.piece.after
        last = after.key if after.stage == Stage.NAMES else max(self.former.series, default=0)
        former_cuts = [
            (self.names.of(series), resolution, cut)
            for (series, resolution), cut in self.former.cuts_us.items()
            if first < series <= last and series in self.former.series
        ]
        for series in sorted(self.former.series):
            if first < series <= last:
                self.names.of(series)
        self._raise_cuts(former_cuts)

    def _raise_cuts(self, of_live: list[Cut]) -> None:
        self.progress.add_count("nonsense", restoring.raise_cuts(self.conn, self.frontier, of_live, self.now_us))

    def _store(self, source: PieceSource, rows: list[Row]) -> None:
        """Rows of one source."""
        if not rows:
            return
        stage = source.stage
        if stage in (Stage.HISTORY, Stage.RECENT):
            self._store_readings(source, rows)
        elif stage == Stage.CALIBRATION:
            self._count("calibrations", restoring.calibrations(self.conn, self.names, rows, self.made_us))
        elif stage == Stage.MEND:
            self._count("mends", restoring.mends(self.conn, self.names, self.kept, rows))
        elif stage == Stage.MENDED:
            self._count("originals", restoring.mended(self.conn, self.kept, source.of, rows))
        elif stage == Stage.EVENT:
            self._count("events", restoring.events(self.conn, self.kept, self.former, rows))
        elif stage == Stage.ROLLUP:
            self._store_roll_ups(source, rows)

    def _count(self, what: str, restored: Restored, expired: str = "expired") -> None:
        """Remember what happened to some rows. ``expired``: the name of the count of those that have."""
        self.progress.add_count(what, restored.stored)
        self.progress.add_count("nonsense", restored.nonsense)
        self.progress.add_count(expired, restored.expired)
        self.progress.add_count("without_mend", restored.without_mend)
        self.progress.cut_short += restored.shortened

    def _store_readings(self, source: PieceSource, rows: list[Row]) -> None:
        """Store readings under their live series, and count those that are there already, have expired, or make no sense."""
        if source.stage == Stage.HISTORY:
            found = [(source.of, *row) for row in rows]
        else:
            found = [(series, ts, value, quality) for ts, series, value, quality in rows]
        good = [row for row in found if plausible.is_reading(*row)]
        live = [(self.names.of(series), ts, value, quality) for series, ts, value, quality in good]
        self._cut_nameless({row[0] for row in good})
        restored = restoring.readings(self.conn, self.frontier, live, self.made_us, self.now_us)
        self._count("readings", restored)
        self.progress.add_count("there", len(live) - restored.stored - restored.expired)
        self.progress.add_count("nonsense", len(rows) - len(good))
        if restored.stored:
            self.touched |= {row[0] for row in live}

    def _cut_nameless(self, series: set[int]) -> None:
        """Those whose names are lost were not among those whose cuts came first."""
        nameless = series - set(self.former.series)
        if nameless:
            former_cuts = [
                (self.names.of(former_id), resolution, cut)
                for (former_id, resolution), cut in self.former.cuts_us.items()
                if former_id in nameless
            ]
            self._raise_cuts(former_cuts)

    def _store_roll_ups(self, source: PieceSource, rows: list[Row]) -> None:
        """Store those roll-ups of one series and resolution that its readings cannot give again."""
        self._cut_nameless({source.of})
        series, live = source.of, self.names.of(source.of)
        zone = meta.get(self.conn, watermarks.DAY_ZONE)
        if source.resolution == resolutions.DAY:
            self.progress.other_days |= zone is not None and zone != self.former.zone
            if self.former.zone is None:
                sentence = f"the time zone of its days cannot be read: they came back as days in {zone or 'UTC'}"
                self.progress.apart += [sentence] if sentence not in self.progress.apart else []
        hole = max(
            (until for until in (self.progress.holes.get(series), self.progress.holes.get(0)) if until is not None), default=None
        )
        if series in self.progress.torn:
            hole = None
        if hole is not None:
            restoring.begin_rollups(self.conn, self.frontier, self.former, series, live, hole)
        lost_cuts = hole is None and self.former.has_lost_cut(series)
        if lost_cuts:
            self._raise_lost_cut(source, live, rows)
        restored = restoring.rollups(
            self.conn,
            self.former,
            series,
            live,
            source.resolution,
            rows,
            FAR if lost_cuts else hole,
            self.former.zone or zone or "UTC",
        )
        self._count(f"rollups_{source.resolution}", restored, expired="expired_rollups")
        if restored.stored:
            self.touched.add(live)

    def _raise_lost_cut(self, source: PieceSource, live: int, rows: list[Row]) -> None:
        """The cut of a series cannot be read: what has roll-ups and no readings before the first reading had expired."""
        starts = [row[0] for row in rows if plausible.is_rollup(source.resolution, row) and row[0] < self.made_us]
        if starts:
            end = min(starts[-1] + source.resolution * SECOND_US, self.made_us)
            self._raise_cuts([(live, cuts.READINGS, end if source.high >= FAR - 1 else source.high + 1)])
