"""What is due to be committed, and when."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from sensorlogd.daemon.writing.bookkeeping import Bookkeeping
from sensorlogd.daemon.writing.commits.commit import Commit, Report
from sensorlogd.daemon.writing.commits.watcher import Watcher
from sensorlogd.daemon.writing.intake.unstored import Unstored

logger = logging.getLogger(__name__)


class Due:
    """Says when a commit is due, and what goes into it. Owned by the writer thread. ``report``: what the status tables are to
    say."""

    def __init__(self, unstored: Unstored, books: Bookkeeping, watcher: Watcher, report: Callable[[], Report]) -> None:
        self._unstored = unstored
        self._notices, self._times = books.notices, books.times
        self._watcher = watcher
        self._report = report

    def is_due(self) -> bool:
        """Whether readings, events or the status are to be committed now."""
        now = time.monotonic()
        pending = self._unstored.pending
        return (
            pending.is_due(now)
            or self._times.status_is_due(now)
            or (len(self._notices.events) > 0 and not pending.rows)
            or self._watcher.urgent
        )

    def make_commit(self) -> Commit:
        """All that is due by now. Readings that come after new sensors wait for those."""
        now = time.monotonic()
        with_status = self._notices.take_status() or self._times.status_is_due(now)
        self._unstored.dropped.report()
        report = self._make_report() if with_status else None
        pending = self._unstored.pending
        return Commit(
            pending.first(),
            self._unstored.events(),
            pending.retrying,
            report=report,
            dropped=self._unstored.dropped.readings,
            latest_is_due=self._times.latest_is_due(now),
            latest_back_us=self._times.latest_back_us,
        )

    def note_failure(self, commit: Commit) -> None:
        """The commit was not stored: its status is still wanted."""
        if commit.report is not None:
            self._notices.status_changed()

    def _make_report(self) -> Report | None:
        """What the status tables are to say. A fault in it costs the status, never the readings."""
        try:
            return self._report()
        except Exception:
            logger.exception("writer: the status could not be put together")
            self._times.postpone_status()
            return None
