"""When the tables are due that are not written with every commit."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sensorlogd.daemon.writing.commits.commit import Commit, CommitResult


@dataclass(slots=True)
class Timetable:
    """When the slower tables are due (monotonic seconds). ``latest_back_us``: how far back the newest values are
    written again."""

    status_every_s: float
    latest_every_s: float
    latest_back_us: int = 5_000_000
    status_at: float = 0.0
    latest_at: float = 0.0

    def status_is_due(self, now: float) -> bool:
        return now >= self.status_at

    def latest_is_due(self, now: float) -> bool:
        return now >= self.latest_at

    def note_commit(self, commit: Commit, result: CommitResult) -> None:
        """What was written is due again later."""
        if result.wrote_latest and commit.latest_is_due:
            self.latest_at = result.began_s + self.latest_every_s
        if commit.report is not None:
            self.status_at = result.began_s + self.status_every_s

    def postpone_status(self) -> None:
        """The status could not be put together or stored: try it at its next regular time."""
        self.status_at = time.monotonic() + self.status_every_s

    def all_due(self) -> None:
        """Another file is open, which has none of the status yet: all of it is due."""
        self.status_at = self.latest_at = time.monotonic()
