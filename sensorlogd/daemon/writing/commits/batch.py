"""The commit of all that is due, in one transaction."""

from __future__ import annotations

import logging

from sensorlogd.daemon.writing.commits.committing import Committing
from sensorlogd.daemon.writing.commits.due import Due
from sensorlogd.daemon.writing.commits.preconditions import Preconditions
from sensorlogd.daemon.writing.recovery.open_log import OpenLog
from sensorlogd.daemon.writing.recovery.trouble import Task

logger = logging.getLogger(__name__)


class BatchTask(Task):
    """Commits all that is due at once. A fault of ours in it is for ``PiecesTask`` to find."""

    def __init__(self, log: OpenLog, preconditions: Preconditions, due: Due, committing: Committing) -> None:
        super().__init__("a commit", self._commit)
        self._log = log
        self._preconditions = preconditions
        self._due = due
        self._committing = committing

    def _commit(self) -> None:
        """Raises what ``Preconditions.check``, ``Committing.settle`` and ``store`` raise."""
        db = self._log.opened()
        self._preconditions.check(db)
        self._committing.settle(db)
        commit = self._due.make_commit()
        try:
            result = self._committing.store(db, commit)
        except Exception:
            self._due.note_failure(commit)
            raise
        self._committing.note(db, commit, result)

    def after_fault(self, error: Exception) -> bool:
        logger.exception("writer: a batch could not be stored; it is tried block by block")
        return False
