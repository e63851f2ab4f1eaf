"""Bring back what can be read of an incident: work of kind ``salvage``, kept in the live log and resumed after any end.

``fetch`` reads a piece of the damaged file, ``store`` puts it into the live log together with the pointer after it. Both
go on from the pointer alone; what is read or stored twice is there once.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sensorlogd.event_kinds import EventKind
from sensorlogd.storage.file.errors import DatabaseError
from sensorlogd.storage.maintenance import incidents
from sensorlogd.storage.maintenance.incidents import Incident
from sensorlogd.storage.pace import Pace
from sensorlogd.storage.rollups import outdated
from sensorlogd.storage.salvage import former, messages, names, rebuilding, salvage_order
from sensorlogd.storage.salvage.opening import IncidentOpening
from sensorlogd.storage.salvage.pieces import FetchedPiece, Pieces, Pointer, Stage
from sensorlogd.storage.salvage.progress import Progress
from sensorlogd.storage.salvage.reading import DamagedLog, NotNow, Unreadable
from sensorlogd.storage.salvage.salvage_order import SalvageOrder
from sensorlogd.storage.salvage.storing_piece import FoundPiece, StoringPiece
from sensorlogd.storage.schema.check import ensure_schema
from sensorlogd.storage.watermarks import Frontier
from sensorlogd.storage.work import SALVAGE, Slice, Work
from sensorlogd.storage.worker import NOT_YET, NotYet, Worker

SLICE_S = 0.025
PAUSE_S = 2.0
PATIENCE_S = 600.0
_NAMES_AT_ONCE = 100
_MAX_ROWS_AT_ONCE = 5_000.0


@dataclass(frozen=True, slots=True)
class SalvageFailure:
    """The salvage cannot be done; the text says why."""

    reason: str


@dataclass(frozen=True, slots=True)
class Finished:
    """All of it is back, and the incident's note says so."""

    incident: Incident


class Salvage(Worker[FoundPiece | SalvageFailure | Finished]):
    """The worker that brings back what a damaged file holds. ``make_template``: makes an empty database of the current schema at
    a path. ``pause_s``: until the next try, where the file cannot be read at the moment; ``patience_s``: after this long it has
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
        self._pace = Pace(slice_s, 1_000, 100, _MAX_ROWS_AT_ONCE)
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

    def fetch(self, work: Work) -> FoundPiece | SalvageFailure | Finished | NotYet:
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

    def _fetch_next(self, work: Work) -> FoundPiece | SalvageFailure | Finished | None:
        """The next piece, or the end. None: the file is still being rebuilt. Raises Unreadable, NotNow,
        RebuildingStopped, DatabaseError, OSError."""
        incident = incidents.find(self.path, SalvageOrder.from_json(work.request).incident)
        if incident is None:
            return SalvageFailure("its folder is not there any more")
        progress = Progress.from_json(work.progress)
        pointer = progress.pointer
        if pointer.stage == Stage.OVER:
            self.close()
            incidents.mark_salvaged(incident)
            rebuilding.clear(incident)
            return Finished(incident)
        pieces = self._pieces or self._open_pieces(incident, work.made_us)
        if pieces is None:
            return None
        if pointer.stage == Stage.NAMES:
            return FoundPiece(incident, pieces.former, _next_names(pieces.former, pointer))
        piece = pieces.fetch(pointer, progress.holes, int(self._pace), self.slice_s)
        return FoundPiece(incident, pieces.former, piece)

    def _open_pieces(self, incident: Incident, made_us: int) -> Pieces | None:
        """The contents of the incident; None while its file is being rebuilt. Raises Unreadable, NotNow, OSError."""
        if self._damaged is None:
            if self._opening is None:
                self._opening = IncidentOpening(incident, self._make_template)
            self._damaged = self._opening.poll()
            if self._damaged is None:
                return None
        self._pieces = Pieces(self._damaged, former.read(self._damaged, made_us))
        return self._pieces

    # ---- storing ---------------------------------------------------------------------------------------------------

    def store(
        self,
        conn: sqlite3.Connection,
        frontier: Frontier,
        work: Work,
        fetched: FoundPiece | SalvageFailure | Finished,
        now_us: int,
    ) -> Slice:
        """Store what was fetched. With the end, or a failure, the work is over, and the next salvage is ordered. Raises
        sqlite3.Error."""
        if isinstance(fetched, FoundPiece):
            began = time.perf_counter()
            done = self._store_piece(conn, frontier, work, fetched, now_us)
            took = time.perf_counter() - began
            self.longest_slice_s = max(self.longest_slice_s, took)
            if took > self.slice_s or done.done:
                self._pace.note_duration(took)
            return done
        names.SalvageMemory(conn, work.id).forget()
        progress = Progress.from_json(work.progress)
        if progress.other_days:
            outdated.mark_days(conn, now_us)
        salvage_order.order(conn, self.path, now_us, ending=work.id)
        name = f"{incidents.FOLDER}/{SalvageOrder.from_json(work.request).incident}"
        outcome = messages.outcome(name, progress)
        if isinstance(fetched, SalvageFailure):
            outcome = f"{outcome}, then: {fetched.reason}"
            return Slice(
                work.progress, 0, False, outcome, failed=True, events=[(EventKind.SALVAGE_FAILED, None, outcome)], rolls_up=True
            )
        return Slice(work.progress, 0, False, outcome, events=[(EventKind.SALVAGED, None, outcome)], rolls_up=True)

    def _store_piece(self, conn: sqlite3.Connection, frontier: Frontier, work: Work, piece: FoundPiece, now_us: int) -> Slice:
        storing = StoringPiece(conn, frontier, work, piece, now_us)
        stored = storing.store_all()
        return Slice(stored.progress, stored.rows, True, touched=stored.touched)


def _next_names(known: former.Former, pointer: Pointer) -> FetchedPiece:
    """Some series, by id: they are in memory."""
    waiting = [series for series in sorted(known.series) if series > pointer.key]
    if len(waiting) <= _NAMES_AT_ONCE:
        return FetchedPiece(Pointer(Stage.HISTORY))
    return FetchedPiece(Pointer(Stage.NAMES, key=waiting[_NAMES_AT_ONCE - 1]))
