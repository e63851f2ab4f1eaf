"""The one place where the writer's open database is kept."""

from __future__ import annotations

from sensorlogd.daemon.writing.between_commits.kept_work import KeptWork
from sensorlogd.storage.open_database import OpenDatabase


class OpenLog:
    """What the writer holds open. Owned by the writer thread. ``work``: has files of its own open, for that database."""

    def __init__(self, work: KeptWork) -> None:
        self._db: OpenDatabase | None = None
        self._work = work

    @property
    def db(self) -> OpenDatabase | None:
        """The open database; None while nothing is open. Any thread may look."""
        return self._db

    def opened(self) -> OpenDatabase:
        """The open database, for what is done only while there is one."""
        assert self._db is not None
        return self._db

    def use(self, db: OpenDatabase) -> None:
        """``db`` is open from now on, and may have kept work."""
        self._db = db
        self._work.look_for_work()

    def look_for_work(self) -> None:
        """Kept work may have been ordered."""
        self._work.look_for_work()

    def let_go(self) -> None:
        """Close the database without writing to the file, unless it is closed already. Idempotent."""
        if self._db is not None:
            self._db.let_go()
            self._db = None
        self._work.close()
