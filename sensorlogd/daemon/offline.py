"""The daemon's writer and aggregator without sensors: for a verb that changes something while no daemon runs.

It holds the data directory's lock, so that no daemon starts meanwhile, and does what the daemon would do, by the same code.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from multiprocessing.connection import wait
from pathlib import Path
from types import TracebackType

from sensorlogd.daemon.acts import Acts
from sensorlogd.daemon.aggregation import Aggregation, AggregationState
from sensorlogd.daemon.inbox import Inbox
from sensorlogd.daemon.lock import DataDirLock
from sensorlogd.daemon.upkeep import Upkeep
from sensorlogd.daemon.writer import Writer, WriterSettings, WriterState
from sensorlogd.storage import database
from sensorlogd.storage.mover import Mover
from sensorlogd.storage.retention import Retention


class OfflineError(Exception):
    """It cannot be done now; the text says why and what to do."""


class Offline:
    """A context manager; for the main thread. Raises LockHeld, OfflineError, and what ``ensure_schema`` raises."""

    def __init__(self, data_dir: Path, path: Path, zone: str = "UTC") -> None:
        """``zone``: of the days of a database that is new; an older one keeps its own."""
        self.path = path
        self._lock = DataDirLock(data_dir)
        self._zone = zone

    def __enter__(self) -> Offline:
        self._lock.acquire()
        try:
            database.ensure_schema(self.path)
            self._alone()
            self.writer = Writer(
                WriterSettings(self.path, sets_aside=False),
                Inbox(1_000),
                None,
                upkeep=Upkeep(Mover(), Retention(self._zone)),
                now_us=lambda: time.time_ns() // 1000,
            )
            self.aggregation = Aggregation(self.writer, self.path, 3600.0, self._zone, self.writer.now_us)
            self.aggregation.patience = 10.0
            self.writer.start()
            self.writer.ready.wait()
            refusal = self.writer.refusal()
            if refusal is not None:
                self.writer.join()
                raise OfflineError(str(refusal))
        except BaseException:
            self._lock.release()
            raise
        self.acts = Acts(self.writer, self.aggregation).handlers()
        return self

    def _alone(self) -> None:
        """A daemon may have the file open from another data directory; the lock would not tell."""
        conn = sqlite3.connect(f"{self.path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None, timeout=0.5)
        try:
            conn.execute("PRAGMA locking_mode = EXCLUSIVE").fetchone()
            conn.execute("BEGIN EXCLUSIVE")
            row = conn.execute("SELECT value FROM meta WHERE key = 'day_zone'").fetchone()
            self._zone = row[0] if row is not None else self._zone
            conn.execute("ROLLBACK")
        except sqlite3.OperationalError as error:
            if database.classify(error) is database.Failure.BUSY:
                raise OfflineError(
                    f"{self.path}: another program has it open; end it, or let the daemon do this (-c FILE)"
                ) from None
            raise OfflineError(database.explain(self.path, error)) from None
        finally:
            conn.close()

    def roll_up(self, tell: Callable[[], None] = lambda: None) -> None:
        """Until no roll-up is missing or wrong. ``tell`` is called now and then."""
        self.aggregation.request()
        while True:
            wait(self.aggregation.waitables(), 0.01)
            self.aggregation.on_readable()
            self.aggregation.tick()
            tell()
            stats = self.writer.stats()
            if stats.state is WriterState.BLOCKED:
                raise OfflineError(f"roll-ups: {stats.state_reason}; the daemon makes them when it can write")
            if self.aggregation.last_error:
                raise OfflineError(f"roll-ups: {self.aggregation.last_error}; the daemon makes them when it runs")
            if self.aggregation.state is AggregationState.IDLE and not self.aggregation.wanted:
                return

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            self.writer.inbox.close()
            self.aggregation.stop()
            self.writer.stop(
                1.0 if self.writer.stats().state is WriterState.BLOCKED else 60.0
            )  # what waits in vain is told already
            self.writer.join()
        finally:
            self._lock.release()
