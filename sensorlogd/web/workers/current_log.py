"""A read-only log that stays open between questions, for as long as the file is the same."""

from __future__ import annotations

from pathlib import Path

from sensorlogd.storage.file.identity import file_identity
from sensorlogd.storage.query.log_reader import LogReader, LogUnavailable
from sensorlogd.web.refusal import ApiError

HOW = "on the machine that logs, 'sensorlogd status' says whether the daemon runs, which makes the database; then try again"


class CurrentLog:
    """A log for one thread at a time. It is opened when it is first needed, and again when the file has been replaced."""

    def __init__(self, database: Path) -> None:
        self.database = database
        self._log: LogReader | None = None
        self._identity: tuple[int, int] | None = None

    def get(self) -> LogReader:
        """The open log. Raises ApiError 503."""
        try:
            identity = file_identity(self.database)
        except OSError:
            identity = None
        if self._log is not None and identity == self._identity:
            return self._log
        self.close()
        try:
            log = LogReader.open(self.database, any_thread=True)
        except LogUnavailable as error:
            raise ApiError(503, "log_unavailable", str(error), hint=HOW, headers={"Retry-After": "5"}) from None
        self._log, self._identity = log, identity
        return log

    def holds(self, log: LogReader) -> bool:
        """Whether this log is the open one; otherwise it was closed, because the file was replaced."""
        return self._log is log

    def close(self) -> None:
        """Close the log; the next ``get`` opens it anew."""
        log, self._log = self._log, None
        if log is not None:
            log.close()
