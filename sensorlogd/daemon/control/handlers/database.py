"""What verbs may have the one writer do: rebuild, give back space, mend, import.

Every operation is small: one transaction on the writer thread, some tens of milliseconds, so that readings are never kept
waiting; the verb asks again until nothing is left. A verb that is interrupted may be called again. The writer may run what it
is given again, after a COMMIT that raised an error and may have taken effect; so what would be made twice is made ``Once``.
The daemon answers them over its control socket; with the daemon down the verb holds its lock and runs the same code
(``daemon.control.offline``).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

from sensorlogd.calibration import curves
from sensorlogd.daemon.control.answers import Done, Freed, MendOrdered, SeriesKnown, Upserted, WorkOrdered, WorkProgress
from sensorlogd.daemon.control.handlers.dispatch import Handlers
from sensorlogd.daemon.control.requests.database import (
    CompactRequest,
    MendRequest,
    NoteRequest,
    RebuildRequest,
    RecomputeRequest,
    ResumeRequest,
    RollUpRequest,
    SeriesRequest,
    UndoRequest,
    UpsertRequest,
    WorkRequest,
)
from sensorlogd.daemon.control.waiting import OperationError, answer_of
from sensorlogd.daemon.rollups.coordinator import Coordinator
from sensorlogd.daemon.writing.between_commits.once import Once
from sensorlogd.daemon.writing.writer import Writer
from sensorlogd.event_kinds import kind_of
from sensorlogd.notation.microseconds import BEGINNING_US
from sensorlogd.storage import work
from sensorlogd.storage.corrections import mend_order, recomputing, upsert
from sensorlogd.storage.corrections.change import Change
from sensorlogd.storage.corrections.mend_order import OrderedMend
from sensorlogd.storage.corrections.replacing import Replace
from sensorlogd.storage.ingest import events, latest
from sensorlogd.storage.maintenance.compact import give_back
from sensorlogd.storage.open_database import OpenDatabase
from sensorlogd.storage.pace import Pace
from sensorlogd.storage.rollups import outdated
from sensorlogd.storage.series import unconfigured

T = TypeVar("T")
LATEST_US = 253_402_300_800_000_000  # the year 10000
SLICE_S = 0.03  # how long an operation occupies the writer


class DatabaseHandlers:
    """What the daemon does to the database on request. An answer's ``more`` says that the same request goes on."""

    def __init__(self, writer: Writer, coordinator: Coordinator) -> None:
        self._writer = writer
        self._coordinator = coordinator
        self._upsert_pace = Pace(SLICE_S, 500, least=50, most=20_000)
        self._page_pace = Pace(SLICE_S, 100, least=10, most=5_000)

    def handlers(self) -> Handlers:
        """What is done by the kind of request; each raises OperationError, and whatever the work raises."""
        return {
            RollUpRequest: self._roll_up,
            RebuildRequest: self._rebuild,
            CompactRequest: self._compact,
            MendRequest: self._mend,
            UndoRequest: self._undo,
            ResumeRequest: self._resume,
            RecomputeRequest: self._recompute,
            WorkRequest: self._work_progress,
            SeriesRequest: self._know_series,
            UpsertRequest: self._upsert,
            NoteRequest: self._note,
        }

    def _run_on_writer(
        self,
        name: str,
        run: Callable[[OpenDatabase], T],
        *,
        transaction: bool = True,
        once: bool = False,
        epoch: int | None = None,
    ) -> T:
        """Have the writer call ``run``. ``once``: it changes what must not be changed twice. ``epoch``: of the database whose
        numbers ``run`` uses; None: it uses none. Raises OperationError if another one is open, or if the writer does not come
        to it in time, and whatever ``run`` raises."""

        def checked(db: OpenDatabase) -> T:
            if epoch is not None and db.epoch != epoch:
                raise OperationError(
                    f"{db.path}: the database was replaced meanwhile, so the numbers of its series and mends are others;"
                    " nothing more was changed, call again"
                )
            return run(db)

        return answer_of(self._writer, self._writer.submit(name, Once(checked) if once else checked, transaction=transaction))

    # ---- roll-ups, space -------------------------------------------------------------------------------------------

    def _roll_up(self, _: RollUpRequest) -> Done:
        self._coordinator.request()
        return Done()

    def _rebuild(self, request: RebuildRequest) -> Done:
        since = BEGINNING_US if request.since_us is None else request.since_us
        now = self._writer.now_us()
        self._run_on_writer("rebuild", lambda db: outdated.mark(db.conn, list(request.series), now, since), epoch=request.epoch)
        self._coordinator.request()
        return Done()

    def _compact(self, _: CompactRequest) -> Freed:
        def run(db: OpenDatabase) -> Freed:
            began = time.perf_counter()
            free, left = give_back(db.conn, int(self._page_pace))
            self._page_pace.note_duration(time.perf_counter() - began)
            return Freed(freed_pages=free - left, left_pages=left, more=0 < left < free)

        return self._run_on_writer("compact", run)

    # ---- mending ---------------------------------------------------------------------------------------------------

    def _mend(self, request: MendRequest) -> MendOrdered:
        curve = None if request.curve is None else curves.parse(request.curve)
        change = Change(request.quality, request.scale, request.offset, curve)
        now = self._writer.now_us()
        return self._order_mend(
            lambda db: mend_order.order(
                db.conn, request.series, request.since_us, request.until_us, change, request.note, now, total=request.total
            ),
            request.epoch,
        )

    def _undo(self, request: UndoRequest) -> MendOrdered:
        now = self._writer.now_us()
        return self._order_mend(lambda db: mend_order.order_undo(db.conn, request.id, now), request.epoch)

    def _resume(self, request: ResumeRequest) -> MendOrdered:
        now = self._writer.now_us()
        return self._order_mend(lambda db: mend_order.order_resume(db.conn, request.id, now), request.epoch)

    def _recompute(self, request: RecomputeRequest) -> WorkOrdered:
        now = self._writer.now_us()
        return WorkOrdered(
            self._run_on_writer(
                "recompute",
                lambda db: recomputing.order(db.conn, request.sensor, request.since_us, request.formulas, now),
                once=True,
            )
        )

    def _order_mend(self, run: Callable[[OpenDatabase], OrderedMend], epoch: int | None) -> MendOrdered:
        return MendOrdered(*self._run_on_writer("mend", run, once=True, epoch=epoch))

    def _work_progress(self, request: WorkRequest) -> WorkProgress:
        piece = self._run_on_writer("work", lambda db: work.find(db.conn, request.id), transaction=False)
        if piece is None:
            known = self._run_on_writer("work", lambda db: work.everything(db.conn), transaction=False)
            there = f"its work is numbered up to {known[-1].id}" if known else "it has none"
            raise OperationError(f"the database has no work {request.id}; {there}")
        hindrance = self._writer.hindrance() if piece.state is work.State.WAITING else ""
        return WorkProgress(piece.state, piece.done, piece.total, piece.outcome, hindrance)

    # ---- importing -------------------------------------------------------------------------------------------------

    def _know_series(self, request: SeriesRequest) -> SeriesKnown:
        now = self._writer.now_us()

        def expect_the_past(db: OpenDatabase) -> None:  # it moves the border, so it goes by the mover's time
            db.upkeep.expect_the_past(db.conn, db.frontier, self._writer.safe_us())

        self._run_on_writer("import", expect_the_past, transaction=False)

        def run(db: OpenDatabase) -> SeriesKnown:
            return SeriesKnown(tuple(unconfigured.ensure(db.conn, wanted, now) for wanted in request.specs), db.epoch)

        return self._run_on_writer("series", run)

    def _upsert(self, request: UpsertRequest) -> Upserted:
        """Store readings in slices, until all are stored or earlier work on the same readings comes first."""
        replace = request.replace
        upserted, start, busy = upsert.UpsertCounts(), 0, ""
        while start < len(request.times):
            end = start + int(self._upsert_pace)
            columns = request.times[start:end], request.values[start:end], request.qualities[start:end]
            try:
                took, some = self._upsert_slice(request.series, columns, replace, request.epoch)
            except upsert.Busy as reason:
                busy = str(reason)
                break
            upserted.add(some)
            if replace is not None:
                replace = Replace(some.mend, replace.note)
            if end <= len(request.times):
                self._upsert_pace.note_duration(took)
            start = min(end, len(request.times))
        counts = {name: getattr(upserted, name) for name in upsert.COUNTS}
        hindrance = self._writer.hindrance() if busy else ""
        return Upserted(**counts, mend=None if replace is None else replace.mend, done=start, busy=busy, hindrance=hindrance)

    def _upsert_slice(
        self, series: int, columns: tuple[Any, Any, Any], replace: Replace | None, epoch: int | None
    ) -> tuple[float, upsert.UpsertCounts]:
        def store(db: OpenDatabase) -> upsert.UpsertCounts:
            kept_from_us = db.upkeep.retention.kept_from_us(db.conn, series, self._writer.safe_us())
            now = self._writer.now_us()
            return upsert.upsert(db.conn, db.frontier, series, *columns, now, replace=replace, kept_from_us=kept_from_us)

        once = Once(store)  # made again it would count all as known, and begin another mend for what it replaces next

        def run(db: OpenDatabase) -> tuple[float, upsert.UpsertCounts]:
            began = time.perf_counter()
            newest = dict(db.newest)  # a copy, which counts once what it tells of is committed
            with db.transaction() as conn:
                upserted = once(db)
                if upserted.replaced:
                    latest.renew(conn, newest, [series])
            db.replace_newest(newest)
            return time.perf_counter() - began, upserted

        return self._run_on_writer("import", run, transaction=False, epoch=epoch)

    def _note(self, request: NoteRequest) -> Done:
        kind, at_us = kind_of(request.kind), request.at_us
        if at_us is None:
            self._writer.emit(kind, request.sensor, request.detail)
        elif not 0 <= at_us < LATEST_US:
            raise OperationError(f"{at_us} is no time that an event can have")
        else:  # an event of the past is stored, but no alarm is judged by it
            self._run_on_writer("note", lambda db: events.record(db.conn, at_us, kind, request.sensor, request.detail), once=True)
        return Done()
