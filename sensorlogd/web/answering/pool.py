"""Small questions to the database, asked on a few threads, each with its own read-only connection and a time limit.

``await pool.run(question)`` calls ``question(log)`` on one of the threads and returns what it returns. Only questions whose
work is bounded by the number of series belong here; what may take long or much is asked in ``workers``.
"""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from sensorlogd.storage.query.log import Log
from sensorlogd.web.workers.current_log import CurrentLog
from sensorlogd.web.workers.damage_reports import DamageReports
from sensorlogd.web.workers.failures import is_damage, is_interrupt, too_long, unreadable
from sensorlogd.web.workers.refusal import ApiError

T = TypeVar("T")

WAITING_PER_THREAD = 16
WAITING_S = 15.0  # whoever asked longer ago has given up
STEPS_BETWEEN_CHECKS = 20_000  # of SQLite's virtual machine: some tenths of a millisecond


class Pool:
    """Asks questions of the log on threads. ``timeout_s``: the longest a question may take once it has begun. At most ``threads``
    are asked at a time."""

    def __init__(
        self, database: Path, *, threads: int = 3, timeout_s: float = 10.0, report_damage: DamageReports | None = None
    ) -> None:
        self.database = database
        self.timeout_s = timeout_s
        self.refused = 0
        self.timeouts = 0
        self._limit = threads * (1 + WAITING_PER_THREAD)
        self._pending = 0
        self._local = threading.local()
        self._logs: list[CurrentLog] = []
        self._lock = threading.Lock()  # guards _logs
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="query")
        self._closed = threading.Event()
        self._report_damage = report_damage or DamageReports(database)

    async def run(self, question: Callable[[Log], T], timeout_s: float | None = None, *, patient: bool = False) -> T:
        """Call a function with a log on one of the threads. ``patient``: wait for a free thread without a limit (for the next
        page of a stream).

        Raises ApiError: 503 busy or no database, 422 when it takes too long.
        """
        if self._closed.is_set() or (self._pending >= self._limit and not patient):
            raise self._busy_error()
        self._pending += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self._executor,
                self._ask_on_thread,
                question,
                timeout_s or self.timeout_s,
                math.inf if patient else time.monotonic() + WAITING_S,
            )
        finally:
            self._pending -= 1

    def end(self) -> None:
        """End running questions, and refuse new ones."""
        self._closed.set()

    def close(self) -> None:
        """End running questions, and close the connections."""
        self.end()
        self._executor.shutdown(wait=True, cancel_futures=True)
        with self._lock:
            for current in self._logs:
                current.close()
            self._logs.clear()

    # ---- on a query thread -----------------------------------------------------------------------------------------

    def _ask_on_thread(self, question: Callable[[Log], T], timeout_s: float, begin_by: float) -> T:
        """Call the question with the log of this thread, and end it when its time is over. Raises ApiError, also if it could not
        begin before ``begin_by`` (monotonic clock)."""
        if time.monotonic() > begin_by:
            raise self._busy_error()
        current = self._log_of_thread()
        log = current.get()
        until = time.monotonic() + timeout_s

        def is_over() -> int:
            return time.monotonic() > until or self._closed.is_set()

        log.conn.set_progress_handler(is_over, STEPS_BETWEEN_CHECKS)
        try:
            return question(log)
        except ApiError:
            raise
        except Exception as error:
            if is_interrupt(error):
                self.timeouts += 1
                raise too_long(timeout_s) from None
            if not is_damage(error, self.database):
                raise
            current.close()
            found = unreadable(error)
            self._report_damage(str(found))
            raise found from error
        finally:
            if current.holds(log):  # else it was let go of, and is closed
                log.conn.set_progress_handler(None, 0)
                if log.conn.in_transaction:  # a stream that was not read to its end
                    log.conn.execute("ROLLBACK")

    def _busy_error(self) -> ApiError:
        """Count a refused question, and return the error for it."""
        self.refused += 1
        return ApiError(
            503, "busy", "too many questions are waiting for an answer", hint="try again", headers={"Retry-After": "1"}
        )

    def _log_of_thread(self) -> CurrentLog:
        """The connection of the calling thread; opened at its first question."""
        current: CurrentLog | None = getattr(self._local, "current", None)
        if current is None:
            current = self._local.current = CurrentLog(self.database)
            with self._lock:
                self._logs.append(current)
        return current
