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

from sensorlogd.storage.query.log_reader import LogReader
from sensorlogd.web.refusal import ApiError
from sensorlogd.web.workers.admission import MAX_WAIT_S, Admission, ending
from sensorlogd.web.workers.current_log import CurrentLog
from sensorlogd.web.workers.damage_reports import DamageReports
from sensorlogd.web.workers.failures import TOO_LONG, UNAVAILABLE, refusal_of

T = TypeVar("T")

STEPS_BETWEEN_CHECKS = 20_000  # of SQLite's virtual machine: some tenths of a millisecond


class Pool:
    """Asks questions of the log on threads. ``timeout_s``: the longest a question may take once it has begun. At most ``threads``
    are asked at a time."""

    def __init__(
        self, database: Path, *, threads: int = 3, timeout_s: float = 10.0, report_damage: DamageReports | None = None
    ) -> None:
        self.database = database
        self.timeout_s = timeout_s
        self.admission = Admission(threads, retry_after_s=1)
        self._local = threading.local()
        self._logs: list[CurrentLog] = []
        self._lock = threading.Lock()  # guards _logs
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="query")
        self._closed = threading.Event()
        self._report_damage = report_damage or DamageReports(database)

    async def run(self, question: Callable[[LogReader], T], timeout_s: float | None = None, *, patient: bool = False) -> T:
        """Call a function with a log on one of the threads. ``patient``: wait for a free thread without a limit (for the next
        page of a stream).

        Raises ApiError: 503 busy, ending or no database, 422 when it takes too long.
        """
        with self.admission.admitted(patient=patient, closed=self._closed.is_set()):
            return await asyncio.get_running_loop().run_in_executor(
                self._executor,
                self._ask_on_thread,
                question,
                timeout_s or self.timeout_s,
                math.inf if patient else time.monotonic() + MAX_WAIT_S,
            )

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

    def _ask_on_thread(self, question: Callable[[LogReader], T], timeout_s: float, begin_by: float) -> T:
        """Call the question with the log of this thread, and end it when its time is over. Raises ApiError, also if it could not
        begin before ``begin_by`` (monotonic clock)."""
        if time.monotonic() > begin_by:
            raise self.admission.busy()
        current = self._log_of_thread()
        log = current.get()
        until = time.monotonic() + timeout_s

        def is_over() -> bool:
            return time.monotonic() > until or self._closed.is_set()

        log.conn.set_progress_handler(is_over, STEPS_BETWEEN_CHECKS)
        try:
            return question(log)
        except ApiError:
            raise
        except Exception as error:
            if self._closed.is_set():
                raise ending() from error
            refusal = refusal_of(error, self.database, timeout_s)
            if refusal is None:
                raise
            code = refusal.body["code"]
            if code == TOO_LONG:
                self.admission.timeouts += 1
            else:
                current.close()
            if code == UNAVAILABLE:
                self._report_damage(str(refusal))
            raise refusal from error
        finally:
            if current.holds(log):  # else it was let go of, and is closed
                log.conn.set_progress_handler(None, 0)
                if log.conn.in_transaction:  # a stream that was not read to its end
                    log.conn.execute("ROLLBACK")

    def _log_of_thread(self) -> CurrentLog:
        """The connection of the calling thread; opened at its first question."""
        current: CurrentLog | None = getattr(self._local, "current", None)
        if current is None:
            current = self._local.current = CurrentLog(self.database)
            with self._lock:
                self._logs.append(current)
        return current
