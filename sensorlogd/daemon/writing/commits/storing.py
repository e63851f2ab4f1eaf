"""Readings, events and status into the database: what a commit is made of, and what becomes of a batch that has a fault."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence

from sensorlogd.batch import Block
from sensorlogd.daemon.computing.computing import Computing
from sensorlogd.daemon.timekeeping.judged_clock import JudgedClock
from sensorlogd.daemon.writing.bookkeeping import Bookkeeping
from sensorlogd.daemon.writing.commits.commit import Commit, Report
from sensorlogd.daemon.writing.commits.watcher import Watcher
from sensorlogd.daemon.writing.disk.space import Space
from sensorlogd.daemon.writing.intake.events import Event
from sensorlogd.daemon.writing.intake.pending import NewSpecs, Pending
from sensorlogd.daemon.writing.recovery import failures
from sensorlogd.daemon.writing.recovery.failures import Failing, LowSpace, Remedy
from sensorlogd.daemon.writing.recovery.open_log import OpenLog
from sensorlogd.daemon.writing.recovery.opening import Opening
from sensorlogd.daemon.writing.recovery.trouble import Task, Trouble
from sensorlogd.event_kinds import EventKind
from sensorlogd.notation.plurals import plural
from sensorlogd.storage.ingest.append import Appended
from sensorlogd.storage.open_database import OpenDatabase

logger = logging.getLogger(__name__)

SPECS_TRIES = 3


class Storing:
    """Commits what is pending. Owned by the writer thread, which calls ``is_due`` and ``store``; what else is public is called by
    the tasks below, in this order:

        commit            all that is due, in one transaction. On success ``use_new_sensors`` if they come next
                          (``new_sensors_failed`` if they cannot be taken over); a fault of ours leads to:
        isolate_batch     begins to store what is pending piece by piece:
        isolate           each block and each event in a transaction of its own. A fault in that leads to:
        isolate_failed    leaves out the first block if nothing could be stored, so that the rest gets its turn.

    ``computing``: takes over the formulas that come with new sensors. ``report``: what the status tables are to say. ``look_for_work``: called when new sensors may have ordered kept work.
    ``latest_back_us``: how far back the newest values are written again."""

    def __init__(
        self,
        log: OpenLog,
        books: Bookkeeping,
        trouble: Trouble,
        pending: Pending,
        *,
        space: Space,
        opening: Opening,
        clock: JudgedClock,
        watcher: Watcher,
        computing: Computing,
        report: Callable[[], Report],
        look_for_work: Callable[[], None],
        latest_back_us: int,
    ) -> None:
        self._report = report
        self._log = log
        self._totals, self._notices, self._times = books.totals, books.notices, books.times
        self._trouble = trouble
        self._pending = pending
        self._space = space
        self._opening = opening
        self._clock = clock
        self._watcher = watcher
        self._computing = computing
        self._look_for_work = look_for_work
        self._latest_back_us = latest_back_us
        self.dropped: dict[str, int] = {}  # by the inbox; counted, but not stored in the database yet
        self._unreported: dict[str, int] = {}  # of these, those that no event tells of yet
        self._specs_faults = 0

    def is_due(self) -> bool:
        """Whether readings, events or the status are to be committed now."""
        now = time.monotonic()
        events = len(self._notices.events)
        return (
            self._pending.is_due(now)
            or now >= self._times.status_at
            or (events > 0 and not self._pending.rows)
            or self._watcher.urgent
        )

    def store(self) -> None:
        """One commit of what is due; readings that come after new sensors wait for those."""
        self._trouble.attempt(_Store(self))

    def commit(self) -> None:
        """Raises what ``Commit.run`` raises, LowSpace, LockHeld, and what the check of the file raises."""
        db = self._log.opened()
        db.check_file()  # before the locks: those of a folder that is gone say nothing of what becomes of the open file
        for detail in self._opening.hold_locks():
            self._notices.emit(EventKind.LOCK_REMOVED, None, detail)
            logger.warning("database: %s", detail)
        self._check_space(db)
        began = time.monotonic()
        with_status = self._notices.take_status() or began >= self._times.status_at
        self.report_dropped()
        report = self._make_report(with_status)
        commit = Commit(
            self._pending.first(),
            self._waiting_events(),
            self._pending.retrying,
            report,
            self.dropped,
            marks=self._clock.stored(),
            latest_is_due=self._times.latest_is_due(began),
            latest_back_us=self._latest_back_us,
        )
        try:
            result = commit.run(db, self._totals, self._clock.now_us, self._watcher)
        except Exception:
            self._pending.retrying = self._pending.retrying or commit.committing
            if with_status:
                self._notices.status_changed()
            raise
        self._note_commit(db, commit, result, began)

    def isolate(self) -> None:
        """A batch raised a fault of ours: store its blocks one by one, then its events. The readings of a block that raises again
        are counted as poisoned; of an event that does, another event says so. The status, which may be at fault, too, waits for its next time."""
        db = self._log.opened()
        self._times.postpone_status()
        while (blocks := self._pending.first()) and self._log.db is db:
            self._store_alone(db, blocks[:1], ())
        for event in self._waiting_events():
            if self._log.db is db:
                self._store_alone(db, (), [event])

    def count_dropped(self) -> None:
        """Count what the full inbox has dropped, whatever state the database is in. The first drop of a sensor is an event at once;
        the next commit, or the end, tells of the others."""
        dropped = self._pending.inbox.drain_dropped()
        is_news = any(sensor not in self.dropped for sensor in dropped)
        for sensor, n in dropped.items():
            self.dropped[sensor] = self.dropped.get(sensor, 0) + n
            self._unreported[sensor] = self._unreported.get(sensor, 0) + n
        self._totals.count("dropped", dropped)
        if is_news:
            self.report_dropped()

    def report_dropped(self) -> None:
        """Record as events what was dropped and no event tells of yet."""
        unreported, self._unreported = self._unreported, {}
        for sensor, n in unreported.items():
            self._notices.emit(EventKind.DROPPED, sensor, f"{n} {plural(n, 'reading')}: the inbox was full")
            logger.error("%s: %d readings dropped: the inbox was full", sensor, n)

    def pending_blocks(self) -> int:
        """How many blocks are not stored yet."""
        return len(self._pending.blocks)

    def isolate_failed(self, error: Exception, before: int) -> None:
        """Storing block by block has failed, too. If none of the ``before`` blocks is stored by now, the first one is left out and
        its readings are counted as poisoned, to save the others."""
        blocks = self._pending.first()[:1]
        if self.pending_blocks() < before or not blocks:
            return
        self._pending.committed(1)
        for block in blocks:
            self._notices.emit(EventKind.POISONED, block.sensor, f"{block.rows} {plural(block.rows, 'reading')}: {error!r}")
            self._totals.count("poisoned", {block.sensor: block.rows})

    def isolate_batch(self) -> None:
        """Store what is pending block by block, because storing all of it together has raised a fault of ours."""
        logger.exception("writer: a batch of %d readings could not be stored; trying block by block", self._pending.rows)
        self._trouble.attempt(_Isolate(self))

    def new_sensors_failed(self, error: Exception) -> None:
        """Go on without the new sensors, because the readings behind them must not wait for ever."""
        self._specs_faults += 1
        if self._specs_faults >= SPECS_TRIES:
            self._specs_faults = 0
            self._pending.committed(1)
            reason = f"the new sensors could not be taken over: {type(error).__name__}: {error}"
            self._notices.emit(
                EventKind.SENSORS_FAILED,
                None,
                f"{reason}; readings of those that are not known yet are counted as unknown_channel, and formulas stay as they were",
            )

    def _waiting_events(self) -> list[Event]:
        return self._notices.events.waiting(self._clock.now_us(), self._clock.correction_us)

    def _note_commit(self, db: OpenDatabase, commit: Commit, result: Appended, began: float) -> None:
        """Note everywhere what a commit has stored. If new sensors come next, take them over; otherwise all is well again."""
        self._pending.committed(len(commit.blocks))  # first: whatever fails below, this is stored
        self._notices.events.stored(len(commit.events))
        db.replace_newest({} if commit.wrote_latest else commit.newest)
        db.upkeep.stored(result.stored)
        if commit.dropped:
            self._totals.set_given_up(self._totals.copy(0).given_up + sum(commit.dropped.values()))
            self.dropped = {}
        self._times.committed(commit, began)
        self._totals.committed(result, time.monotonic() - began, self._clock.now_us())
        self._watcher.recorded(commit.blocks, kept=commit.watched)
        if result.poison_example:
            logger.warning("writer: a reading could not be stored: %s", result.poison_example)
        new = self._pending.next_specs()
        if new is None:
            self._trouble.recovered()
        else:
            self._trouble.attempt(_NewSensors(self, db, new))

    def use_new_sensors(self, db: OpenDatabase, new: NewSpecs) -> None:
        """The configured sensors, and what is computed, are others from here on. May be called again. Raises sqlite3.Error, OSError."""
        for kind, sensor, detail in db.use_specs(new.specs, self._clock.now_us()):
            self._notices.emit(kind, sensor, detail)
            logger.info("%s: %s: %s", sensor, kind, detail)
        db.upkeep.retention.use_plan(new.plan)  # a plan names sensors, and must not meet those of another configuration
        self._opening.use_specs(new.specs, new.plan)
        made = [] if new.formulas is None else self._computing.use(new.formulas)
        self._pending.committed(1)
        self._pending.add(made)
        self._specs_faults = 0
        self._look_for_work()
        self._trouble.recovered()

    def _make_report(self, due: bool) -> Report | None:
        """What the status tables are to say. A fault in it costs the status, never the readings."""
        try:
            return self._report() if due else None
        except Exception:
            logger.exception("writer: the status could not be put together")
            self._times.postpone_status()
            return None

    def _check_space(self, db: OpenDatabase) -> None:
        """Raises LowSpace, unless old readings may give way and do."""
        try:
            self._space.check()
        except LowSpace:
            if not db.upkeep.make_room(db.conn, db.frontier):
                raise
            self._space.made_room()

    def _store_alone(self, db: OpenDatabase, blocks: Sequence[Block], events: Sequence[Event]) -> None:
        """Commit a block, or an event, by itself. If the fault lies in it, it is left out and its readings are counted as
        poisoned."""
        began = time.monotonic()
        commit = Commit(blocks, events, True, None, {})
        try:
            result = commit.run(db, self._totals, self._clock.now_us)
        except Exception as error:
            db.rollback()
            if failures.decide(error, Failing()).remedy is not Remedy.HAND_BACK:
                raise
            logger.exception("writer: this cannot be stored and is left out: %s %s", [block.sensor for block in blocks], events)
            for block in blocks:
                self._notices.emit(EventKind.POISONED, block.sensor, f"{block.rows} {plural(block.rows, 'reading')}: {error!r}")
            for event in events:
                if event.kind is not EventKind.EVENTS_DROPPED:  # else each one that fails would be followed by another
                    detail = f"1 event, {event.kind}, could not be stored: {error!r}"
                    self._notices.emit(EventKind.EVENTS_DROPPED, event.sensor, detail)
            rows = sum(block.rows for block in blocks)
            result = Appended(rows=rows, poisoned={block.sensor: block.rows for block in blocks})
            commit.wrote_latest, commit.newest = False, db.newest
        self._note_commit(db, commit, result, began)


class _Store(Task):
    def __init__(self, storing: Storing) -> None:
        super().__init__("a commit", storing.commit)
        self._storing = storing

    def failed(self, error: Exception) -> bool:
        self._storing.isolate_batch()
        return False


class _Isolate(Task):
    def __init__(self, storing: Storing) -> None:
        super().__init__("block by block", storing.isolate)
        self._storing = storing
        self._before = storing.pending_blocks()

    def failed(self, error: Exception) -> bool:
        self._storing.isolate_failed(error, self._before)
        return super().failed(error)


class _NewSensors(Task):
    def __init__(self, storing: Storing, db: OpenDatabase, new: NewSpecs) -> None:
        super().__init__("new sensors", lambda: storing.use_new_sensors(db, new), own_faults=True)
        self._storing = storing

    def failed(self, error: Exception) -> bool:
        self._storing.new_sensors_failed(error)
        return super().failed(error)
