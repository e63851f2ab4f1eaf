"""Questions to the database, asked on a few threads, each with its own read-only connection and a time limit.

``await pool.run(question)`` calls ``question(log)`` on one of the threads and returns what it returns. A question should
finish what it streams (a snapshot that is kept open lets the WAL grow), so long answers are asked for page by page.
"""

from __future__ import annotations

import asyncio
import math
import os
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from sensorlogd.storage.query.log import Log, LogUnavailable
from sensorlogd.web.serving.errors import ApiError

T = TypeVar("T")

WAITING_PER_THREAD = 16
WAITING_S = 15.0  # whoever asked longer ago has given up
STEPS_BETWEEN_LOOKS = 20_000  # of SQLite's virtual machine: some tenths of a millisecond


class Pool:
    """``timeout_s``: the longest a question may take once it has begun. At most ``threads`` are asked at a time."""

    def __init__(self, database: Path, *, threads: int = 3, timeout_s: float = 10.0) -> None:
        self.database = database
        self.timeout_s = timeout_s
        self.refused = 0
        self.timeouts = 0
        self._limit = threads * (1 + WAITING_PER_THREAD)
        self._asked = 0
        self._local = threading.local()
        self._logs: list[Log] = []
        self._lock = threading.Lock()  # guards _logs
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="query")
        self._closed = threading.Event()

    async def run(self, question: Callable[[Log], T], timeout_s: float | None = None, *, patient: bool = False) -> T:
        """``patient``: waits its turn however long that takes (the next page of a stream that has begun).

        Raises ApiError: 503 busy or no database, 422 when it takes too long.
        """
        if self._asked >= self._limit and not patient:
            raise self._busy()
        self._asked += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self._executor,
                self._ask,
                question,
                timeout_s or self.timeout_s,
                math.inf if patient else time.monotonic() + WAITING_S,
            )
        finally:
            self._asked -= 1

    def close(self) -> None:
        """End running questions and let go of the file."""
        self._closed.set()
        self._executor.shutdown(wait=True, cancel_futures=True)
        with self._lock:
            for log in self._logs:
                log.close()
            self._logs.clear()

    # ---- on a query thread -----------------------------------------------------------------------------------------

    def _ask(self, question: Callable[[Log], T], timeout_s: float, begin_by: float) -> T:
        if time.monotonic() > begin_by:
            raise self._busy()
        log = self._log()
        until = time.monotonic() + timeout_s

        def is_over() -> int:
            return time.monotonic() > until or self._closed.is_set()

        log.conn.set_progress_handler(is_over, STEPS_BETWEEN_LOOKS)
        try:
            return question(log)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
                self.timeouts += 1
                raise ApiError(
                    422,
                    "takes_too_long",
                    f"the answer was not found within {timeout_s:g} s",
                    hint="ask for fewer series, a shorter range or longer steps",
                ) from None
            raise self._unavailable(error) from None
        except sqlite3.DatabaseError as error:
            raise self._unavailable(error) from None
        finally:
            log.conn.set_progress_handler(None, 0)
            if log.conn.in_transaction:  # a stream that was not read to its end
                log.conn.execute("ROLLBACK")

    def _busy(self) -> ApiError:
        self.refused += 1
        return ApiError(
            503, "busy", "too many questions are waiting for an answer", hint="try again", headers={"Retry-After": "1"}
        )

    def _log(self) -> Log:
        """This thread's connection; a new one if the file is another now."""
        try:
            identity = _identity(self.database)
        except OSError:
            identity = None
        log: Log | None = getattr(self._local, "log", None)
        if log is not None and identity == self._local.identity:
            return log
        self._forget(log)
        try:
            log = Log.open(self.database, any_thread=True)
        except LogUnavailable as error:
            raise ApiError(503, "log_unavailable", str(error), headers={"Retry-After": "5"}) from None
        self._local.log, self._local.identity = log, identity
        with self._lock:
            self._logs.append(log)
        return log

    def _forget(self, log: Log | None) -> None:
        if log is not None:
            self._local.log = None
            with self._lock:
                self._logs.remove(log)
            log.close()

    def _unavailable(self, error: sqlite3.Error) -> ApiError:
        self._forget(getattr(self._local, "log", None))
        return ApiError(503, "log_unavailable", f"the database cannot be read: {error}", headers={"Retry-After": "5"})


def _identity(path: Path) -> tuple[int, int]:
    found = os.stat(path)
    return found.st_dev, found.st_ino
