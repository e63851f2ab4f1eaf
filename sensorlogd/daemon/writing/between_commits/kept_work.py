"""Kept work, a slice at a time between commits: salvage, mends, undos, conversions, recomputing (see ``storage.work``).

Owned by the writer thread, but for ``snapshot`` and ``hindrance``, which any thread may read. Nothing is kept here that
the table does not hold: what is lost with the process is time."""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import time
from collections.abc import Sequence
from typing import Any

from sensorlogd.daemon.writing.disk.space import Space
from sensorlogd.event_kinds import EventKind
from sensorlogd.storage import work
from sensorlogd.storage.file.errors import Failure, classify
from sensorlogd.storage.ingest import latest
from sensorlogd.storage.open_database import OpenDatabase
from sensorlogd.storage.work import Slice, Work
from sensorlogd.storage.worker import AnyWorker, NotYet, StoreSlice

logger = logging.getLogger(__name__)

FAULTS_UNTIL_FAILED = 5  # faults of the code in a row; then the work is given up, for it would never end
FAULT_PAUSE_S = 1.0
WAIT_FOR_ROOM_S = 5.0
NOT_YET_S = 0.1  # until a piece of work that had nothing to store is tried again
_OF_THE_WORK = (Failure.CONSTRAINT, Failure.OTHER)  # refused rows and wrong statements: faults of the work, not of the file


class FetchFailed(Exception):
    """A file that the work reads cannot be read."""


class KeptWork:
    """The kept work of the open database, and whose turn it is. ``busy``: another slice may be done at once. ``due``: monotonic
    time of the next query of the table when not busy."""

    def __init__(self, workers: Sequence[AnyWorker], space: Space) -> None:
        self._workers = {worker.kind: worker for worker in workers}
        self._space = space
        self._waiting: list[Work] = []
        self._next = 0
        self._token = 0
        self._look = True
        self._faults: dict[int, int] = {}
        self._not_before: dict[int, float] = {}  # id of work -> monotonic time of its next try
        self.hindrance = ""  # why nothing of it goes on, though something waits; any thread may look
        self._rolls_up = False  # readings changed below the edge: roll-ups are due
        self.busy = False
        self.due = 0.0

    def look_for_work(self) -> None:
        """Look into the table at the next turn, because something may have been ordered."""
        self._look = True
        self.due = 0.0

    def take_rolls_up(self) -> bool:
        """Whether slices since the last call have changed readings so that roll-ups are due; False while another slice follows at
        once."""
        if self.busy:
            return False
        is_due, self._rolls_up = self._rolls_up, False
        return is_due

    def snapshot(self) -> list[dict[str, Any]]:
        """What is not over, for ``status``. Any thread: the list is replaced whole, never changed."""
        return [
            {"id": piece.id, "kind": piece.kind, "done": piece.done, "total": piece.total, "outcome": piece.outcome}
            for piece in self._waiting
        ]

    def slice(self, db: OpenDatabase, now_us: int) -> None:
        """Do at most one slice, in its own transaction. Raises sqlite3.Error; then nothing was changed, or it cannot be known."""
        now = time.monotonic()
        if not self.busy and now < self.due:
            return
        try:
            self._choose_and_do(db, now, now_us)
        except BaseException:
            self._look = True  # read again from the table how far the work has got, instead of relying on memory
            raise

    def _choose_and_do(self, db: OpenDatabase, now: float, now_us: int) -> None:
        if self._look or self._token != db.token:
            self._read_table(db)
        chosen = self._choose(work.runnable(self._waiting), now)
        self.busy = chosen is not None
        if chosen is None:
            next_tries = [at for at in self._not_before.values() if at > now]
            self.due = min([now + (WAIT_FOR_ROOM_S if self._waiting else 3600.0), *next_tries])
            return
        self._do_slice(db, chosen, now_us)

    def close(self) -> None:
        """Let go of files. Raises nothing."""
        for worker in self._workers.values():
            with contextlib.suppress(sqlite3.Error, OSError):
                worker.close()

    def _read_table(self, db: OpenDatabase) -> None:
        if self._token != db.token:
            self.close()
            self._faults.clear()
            self._not_before.clear()
        self._waiting = work.waiting(db.conn)
        self._token, self._look = db.token, False

    def _choose(self, runnable: Sequence[Work], now: float) -> Work | None:
        """The work to do next. The pieces take turns; work that makes the file larger waits while the disk has little room, and
        work that has failed, or had nothing to store, for its next try."""
        has_room = None
        hindrance = ""
        for offset in range(len(runnable)):
            piece = runnable[(self._next + offset) % len(runnable)]
            worker = self._workers.get(piece.kind)
            if worker is None:
                continue  # of a newer release
            if now < self._not_before.get(piece.id, 0.0):
                continue
            if worker.grows:
                has_room = self._space.allows_growth() if has_room is None else has_room
                if not has_room:
                    hindrance = self._space.too_little()
                    continue
            self._next = (self._next + offset + 1) % max(len(runnable), 1)
            self.hindrance = ""
            return piece
        self.hindrance = hindrance
        return None

    def _do_slice(self, db: OpenDatabase, chosen: Work, now_us: int) -> None:
        """Fetch and store one slice of the chosen work, in a transaction. A fault of its worker is counted. Raises
        sqlite3.Error."""
        worker = self._workers[chosen.kind]
        try:
            store = self._prepare(worker, chosen)
            if isinstance(store, NotYet):
                self._pause(chosen, NOT_YET_S)
                return
            with db.transaction() as conn:
                current = work.find(conn, chosen.id)
                if current is None or current.state is not work.State.WAITING:  # other work has ended it: an undo, a conversion
                    self._look = True
                    return
                done = store(conn, db.frontier, current, now_us)
                work.store_slice(conn, current, done, now_us)
                newest = dict(db.newest)
                latest.renew(conn, newest, done.touched)
        except Exception as error:  # a fault in a worker must neither stop the writer nor repeat for ever
            if isinstance(error, sqlite3.Error) and classify(error) not in _OF_THE_WORK:
                raise
            self._count_fault(db, chosen, error, now_us)
            return
        self._faults.pop(chosen.id, None)
        self._not_before.pop(chosen.id, None)
        db.replace_newest(newest)
        self._rolls_up = self._rolls_up or done.rolls_up
        if not done.more:
            logger.info("work %d (%s): %s", chosen.id, chosen.kind, done.outcome or "done")
        self._waiting = [found for piece in self._waiting if (found := self._as_it_stands(db, piece, chosen)) is not None]

    def _pause(self, piece: Work, for_s: float) -> None:
        """Do not try this work again before; whatever else waits may be done at once."""
        self._not_before[piece.id] = time.monotonic() + for_s
        self.busy, self.due = False, 0.0

    @staticmethod
    def _prepare(worker: AnyWorker, chosen: Work) -> StoreSlice | NotYet:
        """Trouble with another file is that work's own, never taken for trouble with the log."""
        try:
            return worker.prepare(chosen)
        except sqlite3.Error as error:
            raise FetchFailed(str(error)) from error

    def _as_it_stands(self, db: OpenDatabase, piece: Work, chosen: Work) -> Work | None:
        if piece.id != chosen.id:
            return piece
        found = work.find(db.conn, piece.id)
        return found if found is not None and found.state is work.State.WAITING else None

    def _count_fault(self, db: OpenDatabase, chosen: Work, error: Exception, now_us: int) -> None:
        """Wait before the next try. After FAULTS_UNTIL_FAILED faults in a row the work is given up, and an event says so."""
        self._look = True
        faults = self._faults[chosen.id] = self._faults.get(chosen.id, 0) + 1
        logger.exception("work %d (%s) failed (%d of %d tries)", chosen.id, chosen.kind, faults, FAULTS_UNTIL_FAILED)
        if faults < FAULTS_UNTIL_FAILED:
            self._pause(chosen, FAULT_PAUSE_S)
            return
        outcome = f"given up: {type(error).__name__}: {error}"
        event = (EventKind.WORK_FAILED, None, f"work {chosen.id} ({chosen.kind}): {outcome}")
        with db.transaction() as conn:
            work.store_slice(
                conn, chosen, Slice(chosen.progress, 0, more=False, outcome=outcome, failed=True, events=(event,)), now_us
            )
        self._waiting = [piece for piece in self._waiting if piece.id != chosen.id]
