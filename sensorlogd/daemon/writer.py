"""The only code that writes to the database.

Owns: the writer thread and its one connection, both opened and closed in ``_run``.
From any thread: ``emit``, ``submit``, ``stop``, ``stats``; readings come through the ``Inbox``.
Promise: a reading that the inbox accepted is committed, or counted as lost with a reason. The batch is kept until
COMMIT has returned; whatever goes wrong before that, the same batch is tried again.

One turn of the loop: take what the inbox has, commit when it is time, run submitted jobs, do one slice of upkeep. Each
of these is a transaction of its own and short, so nothing keeps readings waiting for long.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, Generic, TypeVar

from sensorlogd.batch import Block
from sensorlogd.daemon.inbox import Inbox
from sensorlogd.daemon.upkeep import Upkeep
from sensorlogd.storage import catalog, database, events, latest, status
from sensorlogd.storage.append import Appended, Frontier, append
from sensorlogd.storage.database import Failure
from sensorlogd.times import format_time

log = logging.getLogger(__name__)

T = TypeVar("T")


class WriterState(Enum):
    """What the writer is doing; shown in ``status``."""

    OPENING = "opening"  # the database is not open yet; readings wait in the inbox
    WRITING = "writing"
    BLOCKED = "blocked"  # the database refuses writes; readings are held and tried again
    STOPPED = "stopped"
    REFUSED = "refused"  # not our database, or a newer one: never touched


@dataclass(frozen=True, slots=True)
class WriterSettings:
    """commit_rows: a commit is due after so many readings even before commit_interval_s has passed.

    sets_aside: a damaged database is moved aside and a fresh one begun; else it is left where it is, and nothing written.
    """

    path: Path
    commit_interval_s: float = 1.0
    commit_rows: int = 50_000
    status_interval_s: float = 10.0
    latest_interval_s: float = 5.0
    min_free_bytes: int = 0
    sets_aside: bool = True


@dataclass(slots=True)
class WriterStats:
    """Totals since start; a copy is handed out."""

    state: WriterState = WriterState.OPENING
    state_reason: str = ""
    committed: int = 0
    commits: int = 0
    last_commit_us: int = 0
    last_commit_ms: float = 0.0
    commit_s: float = 0.0  # all commits together
    pending: int = 0
    repeated: int = 0
    shifted: int = 0
    late: int = 0
    beat_monotonic_s: float = 0.0
    # per sensor: {"readings": n, "conflicts": n, "too_old": n, "poisoned": n, "unknown_channel": n, "dropped": n}
    per_sensor: dict[str, dict[str, int]] = field(default_factory=dict)


@dataclass(slots=True)
class _Job(Generic[T]):
    name: str
    run: Callable[[sqlite3.Connection], T]
    transaction: bool
    future: Future[T]


@dataclass(slots=True)
class _Flush(Block):
    """Not a reading: whoever waits for ``done`` learns that all before it is committed."""

    done: Future[None] = field(init=False)


class Writer:
    """See the module. ``specs`` are the configured sensors the catalog must know before their readings arrive; None: no
    readings will, the catalog stays as it is."""

    def __init__(
        self,
        settings: WriterSettings,
        inbox: Inbox,
        specs: Sequence[catalog.SensorSpec] | None,
        *,
        upkeep: Upkeep,
        now_us: Callable[[], int],
    ) -> None:
        self.settings = settings
        self.inbox = inbox
        self.frontier = Frontier()
        self.upkeep = upkeep
        self.now_us = now_us
        # Set by the supervisor before start(): current rows for the status tables.
        self.sensor_rows: Callable[[], Sequence[status.SensorRow]] = lambda: ()
        self.daemon_facts: Callable[[], dict[str, Any]] = dict
        self.ready = threading.Event()  # the database is open (or refused)
        self._specs = None if specs is None else list(specs)
        self._new_specs: list[catalog.SensorSpec] | None = None
        self._catalog = catalog.Catalog()
        self._conn: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None
        self._pending: list[Block] = []
        self._pending_rows = 0
        self._commit_at = 0.0  # monotonic; when the oldest pending reading must be committed
        self._retrying = False
        self._jobs: deque[_Job[Any]] = deque()
        self._events: deque[tuple[int, str, str | None, str]] = deque(maxlen=10_000)
        self._stats = WriterStats()
        self._lock = threading.Lock()  # guards _stats only
        self.set_aside: deque[Path] = deque()  # damaged databases, for the supervisor to salvage
        self._newest: dict[int, tuple[int, float | None, int]] = {}
        self._latest_due = 0.0
        self._status_due = 0.0
        self._status_now = threading.Event()  # a state changed: write the status tables with the next commit
        self._space_due = 0.0
        self._failures = 0
        self._failing_since = 0.0
        self._retry_at = 0.0
        self._stopping = threading.Event()
        self._flushes: list[_Flush] = []
        self._draining_since: float | None = None
        self.drain_s = 60.0
        self.clean_start = True  # the run before closed the database, or there was none
        self._refusal: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="writer")

    # ---- from any thread -------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the thread; ``ready`` is set once the database is open or refused."""
        self._thread.start()

    def emit(self, kind: str, sensor: str | None, detail: str) -> None:
        """Record an event with the next commit. Never blocks."""
        self._events.append((self.now_us(), kind, sensor, detail))
        self._status_now.set()

    def status_changed(self) -> None:
        """Ask for the status tables to be written with the next commit."""
        self._status_now.set()

    def submit(self, name: str, run: Callable[[sqlite3.Connection], T], *, transaction: bool = True) -> Future[T]:
        """Run ``run(conn)`` on the writer thread between two commits, in a transaction of its own.

        It may be run again if the database refuses it (locked, full), so it must be safe to repeat. With
        ``transaction=False`` it runs outside a transaction: after everything committed so far, before anything later.
        """
        future: Future[T] = Future()
        if self._stats.state in (WriterState.STOPPED, WriterState.REFUSED):
            future.set_exception(RuntimeError(f"the writer is {self._stats.state.value}"))
            return future
        self._jobs.append(_Job(name, run, transaction, future))
        self.inbox.wake()
        return future

    def flush(self) -> Future[None]:
        """Commit soon; done once everything the inbox held at this moment is committed.

        The request travels through the inbox like a reading, so all that came before it is stored with or before it.
        """
        flush = _Flush("", [])
        flush.done = Future()
        if not self.inbox.put(flush, 0.0):
            flush.done.set_exception(RuntimeError("the inbox is closed or full"))
        return flush.done

    def stats(self) -> WriterStats:
        """A copy of the totals."""
        with self._lock:
            copy = WriterStats(**{name: getattr(self._stats, name) for name in WriterStats.__slots__})
            copy.per_sensor = {sensor: dict(counts) for sensor, counts in self._stats.per_sensor.items()}
        copy.pending = self._pending_rows
        return copy

    def refusal(self) -> Exception | None:
        """Why the database must not be touched, if so."""
        return self._refusal

    def stop(self, drain_s: float = 60.0) -> None:
        """Commit everything the (closed) inbox still holds, run the queued jobs, close. Idempotent."""
        self.drain_s = drain_s
        self._stopping.set()
        self.inbox.wake()

    def join(self, timeout_s: float | None = None) -> bool:
        """True once the thread has ended."""
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def replace_specs(self, specs: Sequence[catalog.SensorSpec]) -> None:
        """The configured sensors changed (a reload). The next commit makes the catalog know them before it stores
        anything, so their readings may be put at once."""
        self._new_specs = list(specs)
        self.inbox.wake()

    # ---- the writer thread -----------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self._loop()
        except Exception:
            log.exception("writer: stopped by an error of its own")
            raise
        finally:
            self._close()

    def _loop(self) -> None:
        while True:
            self._beat()
            if self._conn is None:
                self._try_open()
                if self._refusal is not None:
                    return
            self._take()
            now = time.monotonic()
            if self._conn is not None and now >= self._retry_at:
                if self._commit_is_due(now):
                    self._commit()
                if self._conn is not None and not self._failures:
                    self._run_jobs()
                    if self._conn is not None and not self._failures and not self._stopping.is_set():
                        self._guard(self._one_slice)
            if self._stopping.is_set() and self._drained():
                return

    def _beat(self) -> None:
        self._stats.beat_monotonic_s = time.monotonic()

    def _take(self) -> None:
        """Move blocks from the inbox to the pending batch, waiting until there is something to do."""
        room = self.settings.commit_rows - self._pending_rows
        now = time.monotonic()
        blocked = self._conn is None or self._failures > 0
        if blocked:
            # Hold the one batch; the inbox holds the rest and, when full, drops its oldest and counts.
            self.inbox.wait(min(max(self._retry_at - now, 0.0), 1.0) if not self._stopping.is_set() else 0.05)
            return
        if self._jobs or self.upkeep.busy or self._stopping.is_set():
            timeout = 0.0
        else:
            due = min(self._status_due, self.upkeep.due)
            if self._pending_rows:
                due = min(due, self._commit_at)
            timeout = min(max(due - now, 0.0), 1.0)
        if room > 0:
            blocks = self.inbox.get_all(room, timeout, min_rows=room if self._pending_rows else 1)
            if blocks:
                if not self._pending:
                    self._commit_at = time.monotonic() + self.settings.commit_interval_s
                self._pending.extend(blocks)
                self._flushes += [block for block in blocks if isinstance(block, _Flush)]
                self._pending_rows = sum(block.rows for block in self._pending)

    def _commit_is_due(self, now: float) -> bool:
        if self._failures or self._stopping.is_set() or self._flushes or self._new_specs is not None:
            return True
        if self._pending_rows >= self.settings.commit_rows:
            return True
        if self._pending_rows and now >= self._commit_at:
            return True
        return now >= self._status_due or (bool(self._events) and not self._pending_rows)

    def _drained(self) -> bool:
        if self._draining_since is None:
            self._draining_since = time.monotonic()
        if not self._pending_rows and not self.inbox.depth and not self._jobs and not self._events:
            return True
        if time.monotonic() - self._draining_since > self.drain_s:
            left = self._pending_rows + self.inbox.depth
            log.error("writer: gave up after %.0f s of trying to store the last %d readings", self.drain_s, left)
            return True
        return False

    def _commit(self) -> None:
        """One transaction: the pending readings, the events, and what is due of the status tables."""
        conn = self._conn
        assert conn is not None
        started = time.monotonic()
        if self._file_was_replaced() or not self._space_allows(started):
            return
        with_status = started >= self._status_due or self._status_now.is_set()
        events_now = list(self._events)
        dropped = self.inbox.drain_dropped()
        self._count_dropped(dropped, events_now)
        self._status_now.clear()
        with_latest = False
        in_commit = False
        specs = self._new_specs
        try:
            conn.execute("BEGIN IMMEDIATE")
            synced = None if specs is None else catalog.sync(conn, specs, self.now_us())
            ids = (synced or self._catalog).ids
            result = append(conn, self._pending, ids, self.frontier, retrying=self._retrying)
            for ts, kind, sensor, detail in events_now:
                events.record(conn, ts, kind, sensor, detail)
            self._account(conn, result)
            newest = self._newest | result.newest
            with_latest = bool(newest) and (started >= self._latest_due or result.stored > 50 * len(newest))
            if with_latest:
                back_us = int(max(2 * self.settings.commit_interval_s, 5.0) * 1e6)
                latest.save(conn, newest, self.now_us(), back_us)
            if with_status:
                status.save_sensors(conn, self.sensor_rows(), self._catalog.sensor_ids, self.now_us())
                status.save_daemon(conn, self.daemon_facts())
            in_commit = True
            conn.execute("COMMIT")
        except sqlite3.Error as error:
            self._retrying = self._retrying or in_commit
            self._status_now.set()
            self._database_failed(error)
            return
        except Exception:  # a fault of ours: never let one block hold all others back
            log.exception("writer: a batch of %d readings could not be stored; trying block by block", self._pending_rows)
            self._rollback()
            self._status_now.set()
            self._isolate()
            return
        if specs is not None and synced is not None:
            self._specs = specs
            self._use_catalog(synced)
            if self._new_specs is specs:
                self._new_specs = None
        self._newest = {} if with_latest else newest
        if with_latest:
            self._latest_due = started + self.settings.latest_interval_s
        if with_status:
            self._status_due = started + self.settings.status_interval_s
        self._committed(result, len(events_now), started)
        if result.poison_example:
            log.warning("writer: a reading could not be stored: %s", result.poison_example)

    def _committed(self, result: Appended, events_written: int, started: float) -> None:
        for _ in range(events_written):
            self._events.popleft()
        self.upkeep.stored(result.stored)
        self._pending, self._pending_rows, self._retrying = [], 0, False
        for flush in self._flushes:
            flush.done.set_result(None)
        self._flushes = []
        with self._lock:
            stats = self._stats
            stats.committed += result.stored
            stats.commits += 1
            stats.last_commit_us = self.now_us()
            took_s = time.monotonic() - started
            stats.last_commit_ms = took_s * 1e3
            stats.commit_s += took_s
            stats.repeated += result.repeated
            stats.shifted += result.shifted
            stats.late += result.late
            for name, counts in (
                ("readings", result.by_sensor),
                ("conflicts", result.conflicts),
                ("too_old", result.too_old),
                ("poisoned", result.poisoned),
                ("unknown_channel", result.unknown),
            ):
                for sensor, n in counts.items():
                    mine = stats.per_sensor.setdefault(sensor, {})
                    mine[name] = mine.get(name, 0) + n
        self._recovered()

    def _account(self, conn: sqlite3.Connection, result: Appended) -> None:
        """Losses are events, written with the very commit they belong to; the first of each kind and sensor only."""
        now = self.now_us()
        for kind, counts in (
            ("conflict", result.conflicts),
            ("too_old", result.too_old),
            ("poisoned", result.poisoned),
            ("unknown_channel", result.unknown),
        ):
            for sensor, n in counts.items():
                name = {"conflict": "conflicts"}.get(kind, kind)
                if not self._stats.per_sensor.get(sensor, {}).get(name):
                    detail = f"{n} readings; further ones are counted in status"
                    if kind == "poisoned":
                        detail += f"; {result.poison_example}"
                    events.record(conn, now, kind, sensor, detail)

    def _count_dropped(self, dropped: dict[str, int], events_now: list[tuple[int, str, str | None, str]]) -> None:
        for sensor, n in dropped.items():
            entry = (self.now_us(), "dropped", sensor, f"{n} readings: the inbox was full")
            events_now.append(entry)
            self._events.append(entry)
            log.error("%s: %d readings dropped: the inbox was full", sensor, n)
            with self._lock:
                mine = self._stats.per_sensor.setdefault(sensor, {})
                mine["dropped"] = mine.get("dropped", 0) + n

    def _isolate(self) -> None:
        """Store the pending blocks one by one; one that raises again is counted as poisoned."""
        conn = self._conn
        assert conn is not None
        while self._pending:
            block = self._pending[0]
            started = time.monotonic()
            try:
                conn.execute("BEGIN IMMEDIATE")
                result = append(conn, [block], self._catalog.ids, self.frontier, retrying=True)
                conn.execute("COMMIT")
            except sqlite3.Error as error:
                self._database_failed(error)
                return
            except Exception as error:
                self._rollback()
                log.exception("writer: a hand-over of %d readings of %s is set aside", block.rows, block.sensor)
                self.emit("poisoned", block.sensor, f"{block.rows} readings: {error!r}")
                result = Appended(rows=block.rows, poisoned={block.sensor: block.rows})
            rest = self._pending[1:]
            self._committed(result, 0, started)
            self._pending, self._pending_rows = rest, sum(other.rows for other in rest)

    def was_mended(self, conn: sqlite3.Connection, series: int) -> None:
        """Stored readings of a series changed (within a job): so does the newest one that ``latest`` does not have yet."""
        newest = self._newest.get(series)
        if newest is not None:
            row = conn.execute("SELECT value, quality FROM recent WHERE ts = ? AND series_id = ?", (newest[0], series)).fetchone()
            if row is not None:
                self._newest[series] = (newest[0], *row)

    # ---- jobs and upkeep -------------------------------------------------------------------------------------------

    def _run_jobs(self) -> None:
        """Every job that is queued now, each in its own transaction; new readings go first again after 50 ms."""
        deadline = time.monotonic() + 0.05
        while self._jobs and self._conn is not None and time.monotonic() < deadline:
            job = self._jobs[0]
            self._beat()
            try:
                if job.transaction:
                    self._conn.execute("BEGIN IMMEDIATE")
                value = job.run(self._conn)
                if job.transaction:
                    self._conn.execute("COMMIT")
            except sqlite3.Error as error:
                failure = database.classify(error)
                if failure in (Failure.CONSTRAINT, Failure.OTHER):
                    self._rollback()
                    self._jobs.popleft()
                    job.future.set_exception(error)
                else:
                    self._database_failed(error)  # the job stays first in the queue
                    return
            except Exception as error:  # handed to whoever submitted it
                self._rollback()
                self._jobs.popleft()
                job.future.set_exception(error)
            else:
                self._jobs.popleft()
                job.future.set_result(value)

    def _one_slice(self) -> None:
        assert self._conn is not None
        self.upkeep.slice(self._conn, self.frontier, self.now_us())

    def _guard(self, action: Callable[[], None]) -> None:
        try:
            action()
        except sqlite3.Error as error:
            self._database_failed(error)
        except Exception:
            log.exception("writer: upkeep failed; it is tried again later")
            self._rollback()
            self.upkeep.postpone()

    # ---- opening, failing, recovering ------------------------------------------------------------------------------

    def _try_open(self) -> None:
        if time.monotonic() < self._retry_at:
            return
        try:
            database.ensure_schema(self.settings.path)
            conn = database.connect_writer(self.settings.path)
        except (database.ForeignDatabase, database.NewerSchema) as error:
            if self.ready.is_set():  # it became so while running: hold on, the owner may put ours back
                self._open_failed(error)
                return
            self._refusal = error
            self._set_state(WriterState.REFUSED, str(error))
            self.ready.set()
            return
        except database.DatabaseCorrupt as error:
            self._quarantine(str(error))
            return
        except (database.DatabaseUnavailable, sqlite3.Error, OSError) as error:
            self._open_failed(error)
            return
        try:
            self._conn = conn
            self._identity = database.file_identity(self.settings.path)
            self.upkeep.recover(conn, self.frontier, self.now_us())
            if not self.ready.is_set():
                self._tell_of_unclean_end(conn)
            if self._specs is not None:
                conn.execute("BEGIN IMMEDIATE")
                synced = catalog.sync(conn, self._specs, self.now_us())
                conn.execute("COMMIT")
                self._use_catalog(synced)
        except sqlite3.Error as error:
            self._database_failed(error)
            self._forget_connection()
            return
        self._recovered()
        self._set_state(WriterState.WRITING, "")
        self._status_due = 0.0
        self.ready.set()

    def _tell_of_unclean_end(self, conn: sqlite3.Connection) -> None:
        """A power cut or a kill leaves a mark: the owner finds out when, without comparing readings."""
        end = status.unclean_end(conn)
        if end is not None:
            self.clean_start = False
            pid, heartbeat_us = end
            detail = f"the run before (pid {pid}) ended without a clean stop after {format_time(heartbeat_us)}"
            self._events.appendleft((self.now_us(), "unclean_end", None, detail + "; what it committed is here"))
            log.warning("database: %s", detail)

    def _use_catalog(self, synced: catalog.Catalog) -> None:
        self._catalog = synced
        self.upkeep.use_catalog(synced)
        for kind, sensor, detail in synced.notes:
            self.emit(kind, sensor, detail)
            log.info("%s: %s: %s", sensor, kind, detail)

    def _open_failed(self, error: Exception) -> None:
        self._failures += 1
        delay = min(0.2 * 2 ** min(self._failures, 8), 10.0)
        self._retry_at = time.monotonic() + delay
        if self._failures == 1:
            self._failing_since = time.monotonic()
            log.error("database: %s; readings are held in memory and it is tried again", error)
            self.emit("database_unavailable", None, str(error))
        self._set_state(WriterState.BLOCKED, str(error))

    def _database_failed(self, error: sqlite3.Error) -> None:
        """Roll back and decide by the error's code what to do; the pending batch stays."""
        self._rollback()
        failure = database.classify(error)
        self._failures += 1
        now = time.monotonic()
        if self._failures == 1:
            self._failing_since = now
        if failure in (Failure.CORRUPT, Failure.NOTADB) or (failure is Failure.OTHER and self._failures >= 5):
            self._quarantine(str(error))
            return
        delay = min(0.05 * 2 ** min(self._failures, 8), 5.0)
        self._retry_at = now + delay
        if failure is Failure.BUSY and now - self._failing_since < 5.0:
            return  # somebody writes for a moment: no alarm for that
        reason = f"{failure.name.lower()}: {error}"
        if self._stats.state is not WriterState.BLOCKED:
            log.error("database: %s; readings are held in memory and it is tried again", reason)
            self.emit("database_blocked", None, reason)
            self._set_state(WriterState.BLOCKED, reason)
        if failure in (Failure.IOERR, Failure.READONLY, Failure.OTHER) and self._failures % 4 == 0:
            self._forget_connection()  # the file may have come back under us: open it anew

    def _recovered(self) -> None:
        if self._failures:
            lasted = time.monotonic() - self._failing_since
            if self._stats.state is WriterState.BLOCKED:
                log.warning("database: accepts writes again after %.1f s", lasted)
                self.emit("recovered", None, f"the database accepts writes again after {lasted:.1f} s")
            self._failures = 0
            self._retry_at = 0.0
        if self._conn is not None:
            self._set_state(WriterState.WRITING, "")

    def _quarantine(self, reason: str) -> None:
        from sensorlogd.storage import recovery  # only ever needed here

        self._forget_connection()
        if not self.settings.sets_aside:
            self._open_failed(
                database.DatabaseCorrupt(
                    f"{self.settings.path} is damaged ({reason}); start the daemon: it sets the file aside and salvages it"
                )
            )
            return
        try:
            aside = recovery.quarantine(self.settings.path, self.now_us())
        except OSError as error:
            self._open_failed(error)
            return
        log.critical("database: %s: moved aside to %s; a fresh one is started", reason, aside)
        self.emit("corrupt", None, f"{reason}; moved aside to {aside}; a fresh database was started")
        self.frontier.__init__()  # type: ignore[misc]  # the fresh database has none of the old one's progress
        self.upkeep.database_replaced()
        self._newest = {}
        self._retry_at = 0.0
        self.set_aside.append(aside)
        self._try_open()

    def _file_was_replaced(self) -> bool:
        try:
            same = database.file_identity(self.settings.path) == self._identity
        except FileNotFoundError:
            same = False
        except OSError:
            return False
        if same:
            return False
        log.error("database: %s was removed or replaced while running; it is opened anew", self.settings.path)
        self.emit("database_replaced", None, f"{self.settings.path} was removed or replaced; opened anew")
        self._forget_connection()
        self.frontier.__init__()  # type: ignore[misc]  # another file, other progress
        self.upkeep.database_replaced()
        self._newest = {}
        return True

    def _space_allows(self, now: float) -> bool:
        """False while the disk has less than min_free left; checked every few seconds."""
        if not self.settings.min_free_bytes or now < self._space_due:
            return True
        self._space_due = now + 5.0
        try:
            stat = os.statvfs(self.settings.path.parent)
        except OSError:
            return True
        free = stat.f_bavail * stat.f_frsize
        if free >= self.settings.min_free_bytes or self.upkeep.make_room(self._conn, self.frontier):
            return True
        self._space_due = 0.0  # blocked: look again at every try
        self._failures += 1
        if self._failures == 1:
            self._failing_since = now
        self._retry_at = now + 1.0
        if self._stats.state is not WriterState.BLOCKED:
            reason = f"only {free} bytes are free, min_free is {self.settings.min_free_bytes}"
            log.error("database: %s; readings are held in memory until there is room", reason)
            self.emit("disk_low", None, reason)
            self._set_state(WriterState.BLOCKED, reason)
        return False

    def _set_state(self, state: WriterState, reason: str) -> None:
        if self._stats.state is not state:
            log.info("writer: %s -> %s %s", self._stats.state.value, state.value, reason)
            self._status_now.set()
        with self._lock:
            self._stats.state, self._stats.state_reason = state, reason

    def _rollback(self) -> None:
        if self._conn is not None and self._conn.in_transaction:
            try:
                self._conn.execute("ROLLBACK")
            except sqlite3.Error as error:
                log.warning("database: rollback failed: %s", error)

    def _forget_connection(self) -> None:
        if self._conn is not None:
            self._rollback()
            self._conn.close()
            self._conn = None

    def _close(self) -> None:
        """Last words: the clean-shutdown mark and, if nobody reads, a single file without a WAL."""
        if self._conn is not None:
            try:
                self._conn.execute("BEGIN IMMEDIATE")
                if self._newest:
                    latest.save(self._conn, self._newest, self.now_us(), 0)
                status.save_sensors(self._conn, self.sensor_rows(), self._catalog.sensor_ids, self.now_us())
                clean = not self._pending_rows and not self.inbox.depth
                status.save_daemon(self._conn, self.daemon_facts() | {"clean_shutdown": clean})
                self._conn.execute("COMMIT")
                database.close_cleanly(self._conn)
            except sqlite3.Error as error:
                log.warning("database: could not be closed cleanly: %s", error)
                self._rollback()
                self._conn.close()
            self._conn = None
        if self._refusal is None:
            self._set_state(WriterState.STOPPED, "")
        while self._jobs:
            self._jobs.popleft().future.set_exception(RuntimeError("the writer stopped"))
        self.ready.set()
