"""What must hold before a commit: the file is the one that was opened, it is locked, and the disk has room."""

from __future__ import annotations

import logging

from sensorlogd.daemon.writing.disk.space import Space
from sensorlogd.daemon.writing.intake.notices import Notices
from sensorlogd.daemon.writing.recovery.failures import LowSpace
from sensorlogd.daemon.writing.recovery.locks import HeldLocks
from sensorlogd.event_kinds import EventKind
from sensorlogd.storage.open_database import OpenDatabase

logger = logging.getLogger(__name__)


class Preconditions:
    """Checks what must hold before a commit. Owned by the writer thread."""

    def __init__(self, locks: HeldLocks, space: Space, notices: Notices) -> None:
        self._locks = locks
        self._space = space
        self._notices = notices

    def check(self, db: OpenDatabase) -> None:
        """Raises LowSpace, LockHeld, and what ``OpenDatabase.check_file`` raises."""
        db.check_file()  # before the locks: those of a folder that is gone say nothing of what happens to the open file
        for detail in self._locks.hold():
            self._notices.emit(EventKind.LOCK_REMOVED, None, detail)
            logger.warning("database: %s", detail)
        self._check_space(db)

    def _check_space(self, db: OpenDatabase) -> None:
        """Raises LowSpace, unless old readings may give way and do."""
        try:
            self._space.check()
        except LowSpace:
            if not db.upkeep.make_room(db.conn, db.frontier):
                raise
            self._space.made_room()
