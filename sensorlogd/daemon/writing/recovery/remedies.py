"""What is done with the open file when it is damaged, removed or exchanged; ``trouble`` says when."""

from __future__ import annotations

import logging
import threading
import time

from sensorlogd.daemon.writing.bookkeeping import Bookkeeping
from sensorlogd.daemon.writing.intake.inbox import Inbox
from sensorlogd.daemon.writing.recovery.failures import Verdict
from sensorlogd.daemon.writing.recovery.open_log import OpenLog
from sensorlogd.daemon.writing.recovery.opening import Opening
from sensorlogd.event_kinds import EventKind
from sensorlogd.storage.file.file_watch import FileCut, FileGone, FileOverwritten
from sensorlogd.storage.salvage.rescue import NoRescue

logger = logging.getLogger(__name__)

RESCUE_FOR_S = 60.0  # what was open is kept open for this long while there is no room for a copy of it


class Remedies:
    """Rescues, sets aside, closes. Owned by the writer thread. ``inbox``: while it has room a rescue may wait.
    ``stopping``: set at the end, when nothing is left to wait for."""

    def __init__(self, log: OpenLog, opening: Opening, inbox: Inbox, books: Bookkeeping, stopping: threading.Event) -> None:
        self._log = log
        self._opening = opening
        self._inbox = inbox
        self._totals, self._notices, self._times = books.totals, books.notices, books.times
        self._stopping = stopping

    def rescue(self, verdict: Verdict, failing_for_s: float) -> str:
        """Copy what is open, and close it; empty. Otherwise why that cannot be done now: what is open lives as long as
        it is open, so while there is no room for a copy it is held on to for a while. At the last try it is closed
        whatever came of it."""
        removed = verdict.event is EventKind.DATABASE_REMOVED
        patient = failing_for_s < RESCUE_FOR_S and self._inbox.depth < self._inbox.limit // 2
        last_try = not patient or self._stopping.is_set()
        try:
            outcome = self._opening.rescue(
                self._log.opened(), removed=removed, last_try=last_try, beat=lambda: self._totals.beat(time.monotonic())
            )
        except (NoRescue, OSError) as error:
            if not self._stopping.is_set():
                return str(error) or type(error).__name__
            outcome = f"what was open is lost: {error}"
        logger.error("database: %s; %s", verdict.reason, outcome)
        self._notices.emit(verdict.event, None, f"{verdict.reason}; {outcome}")
        self._log.let_go()
        return ""

    def find_gone(self) -> FileGone | None:
        """Whether the file was taken away: then all that is left of it is what is open."""
        try:
            self._check_file()
        except FileGone as error:
            return error
        except Exception as error:
            logger.debug("database: opened anew, and: %s", error)
        return None

    def find_cause(self, error: Exception) -> Exception:
        """The error that explains the damage, if something was done to the file; else ``error``: the access that met the damage
        first may not know."""
        try:
            self._check_file()
        except (FileCut, FileOverwritten) as cause:
            return cause
        except Exception as other:
            logger.debug("database: damaged, and: %s", other)
        return error

    def close(self) -> None:
        """Close the database without writing to the file, to be opened anew. Idempotent."""
        self._log.let_go()

    def set_aside(self, error: Exception, reason: str) -> None:
        """Move what lies at the path into an incident, close it, and tell of it. Raises OSError."""
        only_side_files = bool(getattr(error, "only_side_files", False))
        folder = self._opening.set_aside(self._log.db, reason, only_side_files)
        self._log.let_go()
        if only_side_files:
            kind, what_follows = EventKind.FOREIGN_WAL, "the file goes on as it is"
            level = logging.ERROR
        else:
            kind, what_follows = EventKind.CORRUPT, "a fresh one is started"
            level = logging.CRITICAL
        logger.log(level, "database: %s: moved aside to %s; %s", reason, folder, what_follows)
        self._notices.emit(kind, None, f"{reason}; moved aside to {folder}; {what_follows}")
        self._times.all_due()

    def _check_file(self) -> None:
        if self._log.db is not None:
            self._log.db.check_file()
