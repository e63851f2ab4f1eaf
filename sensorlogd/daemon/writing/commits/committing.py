"""Carries out a commit, and notes everywhere what it has stored."""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Callable

from sensorlogd.daemon.writing.bookkeeping import Bookkeeping
from sensorlogd.daemon.writing.commits.commit import Commit, CommitResult
from sensorlogd.daemon.writing.commits.watcher import Watcher
from sensorlogd.daemon.writing.intake.unstored import Unstored
from sensorlogd.storage.open_database import OpenDatabase

logger = logging.getLogger(__name__)


class Committing:
    """Carries out commits, one transaction each. Owned by the writer thread."""

    def __init__(self, unstored: Unstored, books: Bookkeeping, watcher: Watcher, now_us: Callable[[], int]) -> None:
        self._unstored = unstored
        self._totals, self._times = books.totals, books.times
        self._watcher = watcher
        self._now_us = now_us

    def store(self, db: OpenDatabase, commit: Commit, *, watched: bool = True) -> CommitResult:
        """Store the commit, all or nothing; ``note`` must follow. ``watched``: the watcher may put something into it.

        Raises sqlite3.Error, or what a fault of ours raises; then all of it still waits, and the transaction is to be
        rolled back. If it was COMMIT that failed, it may be stored all the same, and what waits is marked so."""
        began_s = time.monotonic()
        result = commit.write(db, self._totals, self._now_us, self._watcher if watched else None)
        try:
            db.conn.execute("COMMIT")
        except BaseException:
            self._unstored.mark_uncertain()
            raise
        return dataclasses.replace(result, began_s=began_s, took_s=time.monotonic() - began_s)

    def note(self, db: OpenDatabase, commit: Commit, result: CommitResult) -> None:
        """Forget what the commit held, and note everywhere what was stored, or left out. Once for each commit: whatever is raised
        here, it is stored."""
        # First: whatever fails below, this must not be stored again.
        self._unstored.stored(len(commit.blocks), len(commit.events), dropped=bool(commit.dropped))
        db.replace_newest(result.newest)
        db.upkeep.stored(result.appended.stored)
        self._times.committed(commit, result)
        self._totals.committed(result.appended, result.took_s, self._now_us())
        self._watcher.recorded(commit.blocks, kept=result.watched)
        if result.appended.poison_example:
            logger.warning("writer: a reading could not be stored: %s", result.appended.poison_example)
