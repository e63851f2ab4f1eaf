"""Carries out a commit, and notes everywhere what it has stored."""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Callable

from sensorlogd.daemon.writing.bookkeeping import Bookkeeping
from sensorlogd.daemon.writing.commits.commit import Commit, CommitResult
from sensorlogd.daemon.writing.commits.watcher import Watcher
from sensorlogd.daemon.writing.intake.unstored import UncertainCommit, Unstored
from sensorlogd.storage import meta
from sensorlogd.storage.open_database import OpenDatabase

logger = logging.getLogger(__name__)


class Committing:
    """Carries out commits, one transaction each. Owned by the writer thread."""

    def __init__(self, unstored: Unstored, books: Bookkeeping, watcher: Watcher, now_us: Callable[[], int]) -> None:
        self._unstored = unstored
        self._totals, self._times = books.totals, books.times
        self._watcher = watcher
        self._now_us = now_us
        self._tried: tuple[Commit, CommitResult] | None = None  # the last one whose COMMIT raised an error

    def store(self, db: OpenDatabase, commit: Commit, *, watched: bool = True) -> CommitResult:
        """Store the commit, all or nothing; ``note`` must follow. ``watched``: the watcher may put something into it.

        Raises sqlite3.Error, or what a fault of ours raises; then all of it still waits, and the transaction is to be
        rolled back. If it was COMMIT that failed, it may be stored all the same, and what waits is marked so; a commit that is
        found to be stored is not raised for."""
        began_s = time.monotonic()
        result = commit.write(db, self._totals, self._now_us, self._watcher if watched else None)
        uncertain = UncertainCommit(commit.key, len(commit.events), commit.dropped) if result.has_key else None
        self._unstored.begin_commit(uncertain)
        try:
            db.conn.execute("COMMIT")
        except BaseException as error:
            self._unstored.mark_uncertain()
            self._tried = dataclasses.replace(commit, blocks=list(commit.blocks)), result  # a copy: what waits may become more
            if not isinstance(error, Exception) or not self._is_found(db):
                raise
            logger.warning("writer: COMMIT raised an error, and has taken effect: %s", error)
        return dataclasses.replace(result, began_s=began_s, took_s=time.monotonic() - began_s)

    def settle(self, db: OpenDatabase) -> None:
        """Before the next commit: if the one before, whose COMMIT raised an error, turns out to be stored, forget what it held.
        Raises sqlite3.Error."""
        if self._tried is not None and self._has_taken_effect(db):
            commit, result = self._tried
            # The watcher has seen more since, and does not know which part of it is stored: it stores all of it again.
            self.note(db, commit, dataclasses.replace(result, watched=False))
            self._totals.set_given_up(meta.get_int(db.conn, meta.GIVEN_UP))  # which a new opening may have counted already

    def _is_found(self, db: OpenDatabase) -> bool:
        """``_has_taken_effect``, where it is too early to rely on the database. Raises nothing."""
        try:
            db.rollback()
            return self._has_taken_effect(db)
        except Exception as error:  # the next try settles it
            logger.debug("writer: whether the commit has taken effect is not known yet: %s", error)
            return False

    def _has_taken_effect(self, db: OpenDatabase) -> bool:
        """Whether the database holds the key of the commit that is uncertain."""
        uncertain = self._unstored.uncertain
        if uncertain is None or db.conn.in_transaction:  # in which it would find what it is about to roll back
            return False
        return meta.get(db.conn, meta.LAST_COMMIT) == uncertain.key

    def note(self, db: OpenDatabase, commit: Commit, result: CommitResult) -> None:
        """Forget what the commit held, and note everywhere what was stored, or left out. Once for each commit: whatever is raised
        here, it is stored."""
        self._tried = None
        # First: whatever fails below, this must not be stored again.
        self._unstored.note_stored(len(commit.blocks), len(commit.events), dropped=commit.dropped)
        db.replace_newest(result.newest)
        db.upkeep.note_stored(result.appended.stored)
        self._times.note_commit(commit, result)
        self._totals.note_commit(result.appended, result.took_s, self._now_us())
        self._watcher.note_recorded(commit.blocks, kept=result.watched)
        if result.appended.poison_example:
            logger.warning("writer: a reading could not be stored: %s", result.appended.poison_example)
