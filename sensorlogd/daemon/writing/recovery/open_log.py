"""The one place where the writer's open database is kept."""

from __future__ import annotations

from sensorlogd.daemon.writing.between_commits.kept_work import KeptWork
from sensorlogd.storage.open_database import OpenDatabase


class OpenLog:
    """What the writer holds open. Owned by the writer thread. ``db``: None while nothing is open. ``work``: has files of its own
    open, for that database."""

    def __init__(self, work: KeptWork) -> None:
        self.db: OpenDatabase | None = None
        self._work = work

    def opened(self) -> OpenDatabase:
        """The open database, for what is done only while there is one."""
        assert self.db is not None
        return self.db

    def let_go(self) -> None:
        """Close the database without writing to the file. Idempotent."""
        if self.db is not None:
            self.db.let_go()
            self.db = None
        self._work.close()
