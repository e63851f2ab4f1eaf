"""The daemon's writer and aggregator without sensors: for a verb that changes something while no daemon runs.

It holds the database's lock, so that no daemon starts meanwhile, and does what the daemon would do, by the same code.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from sensorlogd.daemon.control.handlers.alarms import OfflineAlarmHandlers
from sensorlogd.daemon.control.handlers.database import DatabaseHandlers
from sensorlogd.daemon.control.handlers.dispatch import Dispatch
from sensorlogd.daemon.control.requests.request import Request
from sensorlogd.daemon.main.process.lock import DatabaseLock
from sensorlogd.daemon.rollups.coordinator import Coordinator, CoordinatorState
from sensorlogd.daemon.timekeeping.judged_clock import JudgedClock
from sensorlogd.daemon.writing.between_commits import work_kinds
from sensorlogd.daemon.writing.build import WriterParts, WriterSettings
from sensorlogd.daemon.writing.intake.inbox import Inbox
from sensorlogd.daemon.writing.recovery.opening import Opening
from sensorlogd.daemon.writing.totals import WriterState
from sensorlogd.daemon.writing.writer import Writer
from sensorlogd.processes.waiting import wait_readable
from sensorlogd.storage.file.errors import Failure, classify, explain
from sensorlogd.storage.maintenance.mover import Mover
from sensorlogd.storage.maintenance.retention import Retention, RetentionPlan
from sensorlogd.storage.maintenance.upkeep import Upkeep
from sensorlogd.storage.open_database import zone_if_alone
from sensorlogd.storage.series.catalog import SensorSpec

A = TypeVar("A")
OPEN_WITHIN_S = 60.0  # a large file may have a long log to take in, or be upgraded
BUSY_FOR_S = 8.0


class OfflineError(Exception):
    """The verb cannot do the daemon's work now; the text says why and what to do."""


class Offline:
    """A context manager; for the main thread. Raises LockHeld, OSError if the lock file cannot be made, OfflineError if the
    database cannot be opened."""

    def __init__(
        self,
        path: Path,
        zone: str = "UTC",
        specs: Sequence[SensorSpec] | None = None,
        plan: RetentionPlan | None = None,
    ) -> None:
        """``zone``: of the days of a database that is new; an older one keeps its own. ``specs``: the configured
        sensors, which the database then knows as if the daemon had been started; None: what it knows stays as it is.
        ``plan``: what is older than it keeps is refused; nothing expires by it. None: for ever."""
        self.path = path
        self._specs = specs
        self._plan = plan or RetentionPlan()
        self._lock = DatabaseLock(path, None)
        self._zone = zone

    def __enter__(self) -> Offline:
        self._lock.acquire()
        try:
            if self.path.exists():
                self._refuse_if_open_elsewhere()
            self._start_parts()
        except BaseException:
            self._lock.release()
            raise
        operations = DatabaseHandlers(self.writer, self.coordinator)
        self._dispatch = Dispatch(operations.handlers(), OfflineAlarmHandlers(self.writer).handlers())
        return self

    def _start_parts(self) -> None:
        """Start a writer and an aggregator, and wait until the database is open. Raises OfflineError; nothing runs then."""
        clock = JudgedClock()
        opening = Opening(
            self.path,
            self._specs,
            self._make_upkeep,
            clock,
            remembered=self._lock,
        )
        parts = WriterParts(
            WriterSettings(self.path, sets_aside=False),
            Inbox(1_000),
            opening,
            clock,
            workers=work_kinds.workers(self.path),
            rolls_up=lambda: self.coordinator.request(),
            note_lost=self._lock.note_lost,
        )
        self.writer = Writer(parts)
        self.coordinator = Coordinator(self.writer, self.path, 3600.0, self._zone, clock.safe_us, slice_factor=10.0)
        self.writer.start()
        try:
            self._wait_until_open()
        except BaseException:
            self.writer.stop(0.0)
            self.writer.join(BUSY_FOR_S)
            raise

    def _make_upkeep(self) -> Upkeep:
        """For each opening; on the writer thread."""
        retention = Retention(self._zone, makes_cuts=False)
        retention.use_plan(self._plan)
        return Upkeep(Mover(), retention)

    def _wait_until_open(self) -> None:
        """Raises OfflineError as soon as it is clear that it will not open."""
        until = time.monotonic() + OPEN_WITHIN_S
        while not self.writer.ready.wait(0.02):
            stats = self.writer.stats()
            if stats.state is WriterState.BLOCKED:
                raise OfflineError(stats.state_reason)
            if time.monotonic() > until:
                raise OfflineError(
                    f"{self.path}: it could not be opened within {OPEN_WITHIN_S:.0f} s; see whether another program holds it"
                    " or the disk is slow, and try again"
                )
        refusal = self.writer.refusal()
        if refusal is not None:
            raise OfflineError(str(refusal))

    def _refuse_if_open_elsewhere(self) -> None:
        """Raises OfflineError if a program that does not know the lock (an older release, say) has the file open."""
        try:
            self._zone = zone_if_alone(self.path) or self._zone
        except sqlite3.Error as error:
            if classify(error) is Failure.BUSY:
                raise OfflineError(
                    f"{self.path}: another program has it open; end it, or let the daemon do this (-c FILE)"
                ) from None
            if classify(error) is not Failure.OTHER:  # opening reports the rest
                raise OfflineError(explain(self.path, error)) from None

    def do(self, request: Request[A]) -> A:
        """What the daemon would do. Raises OperationError, and whatever the work raises."""
        return self._dispatch.do(request)

    def roll_up(self, progress: Callable[[], None] = lambda: None) -> None:
        """Run until no roll-up is missing or out of date. ``progress`` is called now and then. Kept work is not waited
        for: whoever ordered some waits for it before. Raises OfflineError if it does not go on."""
        self.coordinator.request()
        while True:
            wait_readable(self.coordinator.waitables(), 0.01)
            self.coordinator.on_readable()
            self.coordinator.tick()
            progress()
            self._raise_if_stuck()
            if self.coordinator.state is CoordinatorState.IDLE and not self.coordinator.wanted:
                return

    def _raise_if_stuck(self) -> None:
        """Raises OfflineError if the writer or the roll-ups do not go on."""
        stats = self.writer.stats()
        if stats.state is WriterState.BLOCKED:
            raise OfflineError(f"roll-ups: {stats.state_reason}; the daemon makes them when it can write")
        if self.coordinator.last_error:
            raise OfflineError(f"roll-ups: {self.coordinator.last_error}; the daemon makes them when it runs")

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            self.writer.inbox.close()
            self.coordinator.stop()
            blocked = self.writer.stats().state is WriterState.BLOCKED
            self.writer.stop(1.0 if blocked else 60.0)  # blocked: waiting longer would not help
            self.writer.join()
        finally:
            self._lock.release()
