"""Bring back what can be read of an incident: work of kind ``salvage``, kept in the live log and resumed after any end.

``fetch`` reads a piece of the damaged file, ``store`` puts it into the live log together with the pointer behind it. Both
go on from the pointer alone; what is read or stored twice is there once.

``progress``   pointer: see ``pieces``; counts: what is back; holes: former series (0: all) -> until when readings are missing;
               torn: series whose roll-ups have gaps, too; skipped, stretches: how much is damaged, and the first of it;
               apart, cut_short: sentences for people; other_days: its days are those of another zone
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sensorlogd.event_kinds import EventKind
from sensorlogd.notation.microseconds import MINUTE_US, SECOND_US
from sensorlogd.storage import meta, watermarks
from sensorlogd.storage.file.errors import DatabaseError
from sensorlogd.storage.maintenance import incidents
from sensorlogd.storage.maintenance.incidents import Incident
from sensorlogd.storage.pace import Pace
from sensorlogd.storage.rollups import outdated, resolutions
from sensorlogd.storage.salvage import former, messages, names, ordering, rebuilding, restoring
from sensorlogd.storage.salvage.opening import IncidentOpening
from sensorlogd.storage.salvage.ordering import SalvageRequest
from sensorlogd.storage.salvage.pieces import FetchedPiece, Pieces, PieceSource, Pointer, Stage, pointer_of
from sensorlogd.storage.salvage.reading import FAR, DamagedLog, NotNow, Row, Unreadable
from sensorlogd.storage.schema_check import ensure_schema
from sensorlogd.storage.watermarks import Frontier
from sensorlogd.storage.work import NOT_YET, SALVAGE, NotYet, Slice, Work

SLICE_S = 0.025
PAUSE_S = 2.0
PATIENCE_S = 600.0
MOST_EXAMPLES = 20
_NAMES_AT_ONCE = 100
_MOST_ROWS = 5_000.0


@dataclass(frozen=True, slots=True)
class SalvageFailure:
    """The salvage cannot be done; the text says why."""

    reason: str


@dataclass(frozen=True, slots=True)
class Over:
    """All of it is back, and the incident's note says so."""

    incident: Incident


@dataclass(frozen=True, slots=True)
class FoundPiece:
    """A piece, and what the file is about."""

    incident: Incident
    former: former.Former
    piece: FetchedPiece


class Salvage:
    """The worker that brings back what a damaged file holds. ``make_template``: makes an empty database of the current schema at
    a path. ``pause_s``: until the next try, where the file cannot be read at the moment; ``patience_s``: after so long it has
    failed.

    ``fetch`` never raises: the errors of a damaged file are not those of the log.
    """

    kind = SALVAGE
    grows = True

    def __init__(
        self,
        path: Path,
        make_template: Callable[[Path], None] = ensure_schema,
        slice_s: float = SLICE_S,
        pause_s: float = PAUSE_S,
        patience_s: float = PATIENCE_S,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.path = path
        self.slice_s = slice_s
        self.longest_slice_s = 0.0
        self._make_template = make_template
        self._pace = Pace(slice_s, 1_000, 100, _MOST_ROWS)
        self._work: int | None = None
        self._opening: IncidentOpening | None = None
        self._damaged: DamagedLog | None = None
        self._pieces: Pieces | None = None
        self._pause_s, self._patience_s, self._monotonic = pause_s, patience_s, monotonic
        self._failing_since: float | None = None
        self._again_at = 0.0

    def close(self) -> None:
        if self._opening is not None:
            self._opening.close()
        if self._damaged is not None:
            self._damaged.close()
        self._opening = self._damaged = self._pieces = None
        self._work = None

    # ---- reading ---------------------------------------------------------------------------------------------------

    def fetch(self, work: Work) -> FoundPiece | SalvageFailure | Over | NotYet:
        """The next piece, the end, or why there is none. Where the file cannot be read now, NOT_YET until ``patience_s`` have
        passed."""
        if work.id != self._work:
            self.close()
            self._work, self._failing_since = work.id, None
        if self._failing_since is not None and self._monotonic() < self._again_at:
            return NOT_YET
        try:
            found = self._fetch_next(work)
        except Unreadable as error:
            return SalvageFailure(str(error))
        except (NotNow, OSError, rebuilding.RebuildingStopped, DatabaseError) as error:
            now = self._monotonic()
            self._failing_since = now if self._failing_since is None else self._failing_since
            self._again_at = now + self._pause_s
            return SalvageFailure(str(error)) if now - self._failing_since >= self._patience_s else NOT_YET
        if found is not None:
            self._failing_since = None
        return NOT_YET if found is None else found

    def _fetch_next(self, work: Work) -> FoundPiece | SalvageFailure | Over | None:
        """The next piece, or the end. None: the file is still being rebuilt. Raises Unreadable, NotNow,
        RebuildingStopped, DatabaseError, OSError."""
        incident = incidents.find(self.path, SalvageRequest.from_json(work.request).incident)
        if incident is None:
            return SalvageFailure("its folder is not there any more")
        pointer = pointer_of(work.progress)
        if pointer.stage == Stage.OVER:
            self.close()
            incidents.mark_salvaged(incident)
            rebuilding.clear(incident)
            return Over(incident)
        pieces = self._pieces or self._open_pieces(incident)
        if pieces is None:
            return None
        if pointer.stage == Stage.NAMES:
            return FoundPiece(incident, pieces.former, _next_names(pieces.former, pointer))
        piece = pieces.fetch(pointer, holes_of(work.progress), int(self._pace), self.slice_s)
        return FoundPiece(incident, pieces.former, piece)

    def _open_pieces(self, incident: Incident) -> Pieces | None:
        """The contents of the incident; None while its file is being rebuilt. Raises Unreadable, NotNow, OSError."""
        if self._damaged is None:
            if self._opening is None:
                self._opening = IncidentOpening(incident, self._make_template)
            self._damaged = self._opening.poll()
            if self._damaged is None:
                return None
        self._pieces = Pieces(self._damaged, former.read(self._damaged))
        return self._pieces

    # ---- storing ---------------------------------------------------------------------------------------------------

    def store(self, conn: sqlite3.Connection, frontier: Frontier, work: Work, fetched: Any, now_us: int) -> Slice:
        """Store what was fetched. With the end, or a failure, the work is over, and the next salvage is ordered. Raises
        sqlite3.Error."""
        if isinstance(fetched, FoundPiece):
            began = time.perf_counter()
            done = self._store_piece(conn, frontier, work, fetched, now_us)
            took = time.perf_counter() - began
            self.longest_slice_s = max(self.longest_slice_s, took)
            if took > self.slice_s or done.done:
                self._pace.measured(took)
            return done
        names.SalvageMemory(conn, work.id).forget()
        if work.progress.get("other_days"):
            outdated.mark_days(conn, now_us)
        ordering.order(conn, self.path, now_us, ending=work.id)
        name = f"{incidents.FOLDER}/{SalvageRequest.from_json(work.request).incident}"
        outcome = messages.outcome(name, work.progress)
        if isinstance(fetched, SalvageFailure):
            outcome = f"{outcome}, then: {fetched.reason}"
            return Slice(
                work.progress, 0, False, outcome, failed=True, events=[(EventKind.SALVAGE_FAILED, None, outcome)], rolls_up=True
            )
        return Slice(work.progress, 0, False, outcome, events=[(EventKind.SALVAGED, None, outcome)], rolls_up=True)

    def _store_piece(self, conn: sqlite3.Connection, frontier: Frontier, work: Work, found: FoundPiece, now_us: int) -> Slice:
        storing = _Storing(conn, frontier, work, found, now_us)
        for source, since, until in found.piece.stretches:
            storing.note_damage(source, since, until, _earliest_start(found.piece, source))
        if pointer_of(work.progress).stage == Stage.NAMES:
            storing.names_and_cuts()
        for source, rows in found.piece.found:
            storing.store(source, rows)
        done = sum(len(rows) for _, rows in found.piece.found)
        return Slice(storing.progress(found.piece.after), done, True, touched=sorted(storing.touched))


def holes_of(progress: Mapping[str, Any]) -> dict[int, int]:
    """Former series -> until when readings of it are missing; 0: of all."""
    return {int(series): until for series, until in progress.get("holes", {}).items()}


def _next_names(known: former.Former, pointer: Pointer) -> FetchedPiece:
    """Some series, by id: they are in memory."""
    waiting = [series for series in sorted(known.series) if series > pointer.key]
    if len(waiting) <= _NAMES_AT_ONCE:
        return FetchedPiece(Pointer(Stage.HISTORY))
    return FetchedPiece(Pointer(Stage.NAMES, key=waiting[_NAMES_AT_ONCE - 1]))


def _earliest_start(piece: FetchedPiece, source: PieceSource) -> int:
    """When the earliest roll-up of that series in this piece begins."""
    found = (rows[0][0] for other, rows in piece.found if rows and (other.stage, other.of) == (source.stage, source.of))
    return min((start for start in found if type(start) is int), default=FAR)


class _Storing:
    """What one slice of a salvage stores, and what the work has to remember of it."""

    def __init__(self, conn: sqlite3.Connection, frontier: Frontier, work: Work, found: FoundPiece, now_us: int) -> None:
        self.conn = conn
        self.frontier = frontier
        self.work = work
        self.found = found
        self.former = found.former
        self.now_us = now_us
        self.kept = names.SalvageMemory(conn, work.id)
        self.names = names.LiveIds(conn, found.former, self.kept, found.incident.name, now_us)
        stored = work.progress
        self.counts: dict[str, int] = dict(stored.get("counts", {}))
        self.holes = holes_of(stored)
        self.torn: list[int] = list(stored.get("torn", []))
        self.skipped: int = stored.get("skipped", 0)
        self.stretches: list[str] = list(stored.get("stretches", []))
        self.apart: list[str] = list(stored.get("apart", []))
        self.cut_short: list[str] = list(stored.get("cut_short", []))
        self.other_days: bool = stored.get("other_days", False)
        self.touched: set[int] = set()

    def progress(self, after: Pointer) -> dict[str, Any]:
        """What is to be kept of it all."""
        self.kept.save()
        self.apart += [text for text in self.names.apart if text not in self.apart]
        progress: dict[str, Any] = {"pointer": list(after), "counts": self.counts}
        named: dict[str, Any] = {
            "holes": {str(series): until for series, until in self.holes.items()},
            "torn": self.torn,
            "skipped": self.skipped,
            "stretches": self.stretches,
            "apart": self.apart[:MOST_EXAMPLES],
            "cut_short": self.cut_short[:MOST_EXAMPLES],
            "other_days": self.other_days,
        }
        return progress | {name: value for name, value in named.items() if value}

    def note_damage(self, source: PieceSource, since: int, until: int | None, first: int) -> None:
        """A stretch that could not be read, and what follows from it for roll-ups. ``first``: the earliest of the rows that were
        read with it and are not stored yet."""
        self.skipped += 1
        if len(self.stretches) < MOST_EXAMPLES:
            series = self.names.former_name(source.of) if source.stage in (Stage.HISTORY, Stage.ROLLUP) else None
            self.stretches.append(messages.stretch(source.stage, source.resolution, series, since, until))
        if source.stage in (Stage.HISTORY, Stage.RECENT):
            edge = self.former.edge_us
            end = min(value for value in (until, edge, 1 << 61) if value is not None)
            end += -end % MINUTE_US
            self.holes[source.of] = max(end, self.holes.get(source.of, end))
        elif source.stage == Stage.ROLLUP and source.of not in self.torn:
            # What cannot be read may be one that readings give: from here on all of them are made anew.
            self.torn.append(source.of)
            outdated.mark(self.conn, [self.names.of(source.of)], self.now_us, min(since, first))

    def names_and_cuts(self) -> None:
        """Some series and their cuts: before any reading, so that none below a cut comes back."""
        first, after = pointer_of(self.work.progress).key, self.found.piece.after
        last = after.key if after.stage == Stage.NAMES else max(self.former.series, default=0)
        cuts = [
            (self.names.of(series), resolution, cut)
            for (series, resolution), cut in self.former.cuts_us.items()
            if first < series <= last and series in self.former.series
        ]
        for series in sorted(self.former.series):
            if first < series <= last:
                self.names.of(series)
        restoring.raise_cuts(self.conn, self.frontier, cuts)

    def store(self, source: PieceSource, rows: list[Row]) -> None:
        """Rows of one source."""
        if not rows:
            return
        stage = source.stage
        if stage in (Stage.HISTORY, Stage.RECENT):
            self._store_readings(source, rows)
        elif stage == Stage.CALIBRATION:
            self._add_count("calibrations", restoring.calibrations(self.conn, self.names, rows, self.work.made_us))
        elif stage == Stage.MEND:
            stored, shortened = restoring.mends(self.conn, self.names, self.kept, rows)
            self._add_count("mends", stored)
            self.cut_short += shortened
        elif stage == Stage.MENDED:
            restoring.mended(self.conn, self.kept, source.of, rows)
        elif stage == Stage.EVENT:
            self._add_count("events", restoring.events(self.conn, self.kept, self.former, rows))
        elif stage == Stage.ROLLUP:
            self._store_roll_ups(source, rows)

    def _store_readings(self, source: PieceSource, rows: list[Row]) -> None:
        """Store readings under their live series, and count those that are there already, have expired, or make no sense."""
        if source.stage == Stage.HISTORY:
            found = [(source.of, *row) for row in rows]
        else:
            found = [(series, ts, value, quality) for ts, series, value, quality in rows]
        good = [row for row in found if restoring.is_reading(*row)]
        live = [(self.names.of(series), ts, value, quality) for series, ts, value, quality in good]
        self._cut_nameless({row[0] for row in good})
        stored, expired = restoring.readings(self.conn, self.frontier, live, self.work.made_us, self.now_us)
        self._add_count("readings", stored)
        self._add_count("expired", expired)
        self._add_count("there", len(live) - stored - expired)
        self._add_count("nonsense", len(rows) - len(good))
        if stored:
            self.touched |= {row[0] for row in live}

    def _cut_nameless(self, series: set[int]) -> None:
        """Those whose names are lost were not among those whose cuts came first."""
        nameless = series - set(self.former.series)
        if nameless:
            cuts = [
                (self.names.of(former_id), resolution, cut)
                for (former_id, resolution), cut in self.former.cuts_us.items()
                if former_id in nameless
            ]
            restoring.raise_cuts(self.conn, self.frontier, cuts)

    def _store_roll_ups(self, source: PieceSource, rows: list[Row]) -> None:
        """Store those roll-ups of one series and resolution that its readings cannot give again."""
        self._cut_nameless({source.of})
        series, live = source.of, self.names.of(source.of)
        if source.resolution == resolutions.DAY:
            zone = meta.get(self.conn, watermarks.DAY_ZONE)
            self.other_days |= zone is not None and zone != self.former.zone
        hole = max((until for until in (self.holes.get(series), self.holes.get(0)) if until is not None), default=None)
        if series in self.torn:
            hole = None
        if hole is not None:
            restoring.begin_rollups(self.conn, self.frontier, self.former, series, live, hole)
        lost_cuts = hole is None and not self.former.has_cuts
        if lost_cuts:
            # The table of cuts is damaged: what has roll-ups and no readings before the first reading had expired.
            end = rows[-1][0] + source.resolution * SECOND_US
            restoring.raise_cuts(self.conn, self.frontier, [(live, 0, end if source.high >= FAR - 1 else source.high + 1)])
        stored = restoring.rollups(self.conn, self.former, series, live, source.resolution, rows, FAR if lost_cuts else hole)
        self._add_count(f"rollups_{source.resolution}", stored)
        if stored:
            self.touched.add(live)

    def _add_count(self, name: str, n: int) -> None:
        if n:
            self.counts[name] = self.counts.get(name, 0) + n
