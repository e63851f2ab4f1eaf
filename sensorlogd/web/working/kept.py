"""A read-only log that stays open between questions, and error messages for what can go wrong with it."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from pathlib import Path

from sensorlogd.storage.database import file_identity
from sensorlogd.storage.file import opening
from sensorlogd.storage.query.log import Log, LogUnavailable
from sensorlogd.web.working.refusal import ApiError

logger = logging.getLogger(__name__)

SAME_MESSAGE_EVERY_S = 60.0


class KeptLog:
    """A log for one thread at a time. It is opened when it is first needed, and again when the file has been replaced."""

    def __init__(self, database: Path) -> None:
        self.database = database
        self._log: Log | None = None
        self._identity: tuple[int, int] | None = None

    def get(self) -> Log:
        """The open log. Raises ApiError 503."""
        try:
            identity = file_identity(self.database)
        except OSError:
            identity = None
        if self._log is not None and identity == self._identity:
            return self._log
        self.close()
        try:
            log = Log.open(self.database, any_thread=True)
        except LogUnavailable as error:
            raise ApiError(503, "log_unavailable", str(error), headers={"Retry-After": "5"}) from None
        self._log, self._identity = log, identity
        return log

    def holds(self, log: Log) -> bool:
        return self._log is log

    def close(self) -> None:
        log, self._log = self._log, None
        if log is not None:
            log.close()


class DamageReports:
    """Writes to the log what is wrong with the database; the same message at most once a minute, because open pages ask every few
    seconds."""

    def __init__(self, database: Path) -> None:
        self.database = database
        self._last_message, self._again_at = "", 0.0
        self._lock = threading.Lock()

    def __call__(self, message: str) -> None:
        now = time.monotonic()
        with self._lock:
            if message == self._last_message and now < self._again_at:
                return
            self._last_message, self._again_at = message, now + SAME_MESSAGE_EVERY_S
        logger.warning("%s: %s", self.database, message)


def too_long(seconds: float) -> ApiError:
    return ApiError(
        422,
        "takes_too_long",
        f"the answer was not found within {seconds:g} s",
        hint="ask for fewer series, a shorter range or longer steps",
        headers={"Retry-After": "60"},
    )


def is_interrupt(error: BaseException) -> bool:
    return isinstance(error, sqlite3.OperationalError) and error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT


def is_damage(error: Exception, database: Path) -> bool:
    """Whether the error may come from a damaged database, whose content can raise any error where it is read."""
    return isinstance(error, sqlite3.DatabaseError) or opening.found_damage(database) is not None


def unreadable(error: Exception) -> ApiError:
    return ApiError(
        503,
        "log_unavailable",
        f"the database cannot be read: {error}",
        hint="'sensorlogd db check' tells more",
        headers={"Retry-After": "5"},
    )
