"""A batch with a fault in it, stored piece by piece, so that the fault costs as little as possible."""

from __future__ import annotations

import logging

from sensorlogd.daemon.writing.bookkeeping import Bookkeeping
from sensorlogd.daemon.writing.commits.commit import Commit, CommitResult
from sensorlogd.daemon.writing.commits.committing import Committing
from sensorlogd.daemon.writing.intake.unstored import Unstored
from sensorlogd.daemon.writing.recovery import failures
from sensorlogd.daemon.writing.recovery.failures import Failing, Remedy
from sensorlogd.daemon.writing.recovery.open_log import OpenLog
from sensorlogd.daemon.writing.recovery.trouble import Task
from sensorlogd.event_kinds import EventKind
from sensorlogd.notation.plurals import plural
from sensorlogd.storage.ingest.append import Appended
from sensorlogd.storage.open_database import OpenDatabase

logger = logging.getLogger(__name__)


class PiecesTask(Task):
    """Stores each block and then each event that waits in a transaction of its own. The readings of a block that raises again are
    counted as poisoned; of an event that does, another event says so. The status, which may be at fault, too, waits for its next
    time."""

    def __init__(self, log: OpenLog, unstored: Unstored, books: Bookkeeping, committing: Committing) -> None:
        super().__init__("block by block", self._store_pieces)
        self._log = log
        self._unstored = unstored
        self._totals, self._notices, self._times = books.totals, books.notices, books.times
        self._committing = committing
        self._waiting_at_begin = 0  # blocks

    def _store_pieces(self) -> None:
        """Raises what ``Committing.store`` raises, if the fault is not in the piece."""
        db = self._log.opened()
        pending = self._unstored.pending
        self._committing.settle(db)
        self._waiting_at_begin = len(pending.blocks)
        self._times.postpone_status()
        while blocks := pending.first():
            self._store(db, Commit(blocks[:1], (), retrying=True))
        for event in self._unstored.events():
            self._store(db, Commit((), [event], retrying=True))

    def _store(self, db: OpenDatabase, piece: Commit) -> None:
        """Commit a block, or an event. If the fault lies in it, it is left out."""
        try:
            result = self._committing.store(db, piece, watched=False)
        except Exception as error:
            db.rollback()
            if failures.decide(error, Failing()).remedy is not Remedy.HAND_BACK:
                raise
            sensors = [block.sensor for block in piece.blocks]
            logger.exception("writer: this cannot be stored and is left out: %s %s", sensors, piece.events)
            self._report_left_out(piece, error)
            poisoned = {block.sensor: block.rows for block in piece.blocks}
            result = CommitResult(Appended(rows=sum(poisoned.values()), poisoned=poisoned), db.newest)
        self._committing.note(db, piece, result)

    def _report_left_out(self, piece: Commit, error: Exception) -> None:
        for block in piece.blocks:
            self._notices.emit(EventKind.POISONED, block.sensor, f"{block.rows} {plural(block.rows, 'reading')}: {error!r}")
        for event in piece.events:
            if event.kind is not EventKind.EVENTS_DROPPED:  # else each one that fails would be followed by another
                detail = f"1 event, {event.kind}, could not be stored: {error!r}"
                self._notices.emit(EventKind.EVENTS_DROPPED, event.sensor, detail)

    def after_fault(self, error: Exception) -> bool:
        """If no block is stored by now, the first one is left out and its readings are counted as poisoned, to save the
        others."""
        blocks = self._unstored.pending.first()[:1]
        if blocks and len(self._unstored.pending.blocks) >= self._waiting_at_begin:
            self._unstored.note_stored(1, 0, dropped=0)
            for block in blocks:
                self._report_left_out(Commit([block]), error)
                self._totals.count("poisoned", {block.sensor: block.rows})
        return super().after_fault(error)
