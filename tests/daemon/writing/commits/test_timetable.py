"""When the slower tables are due."""

from __future__ import annotations

from sensorlogd.daemon.writing.commits.commit import Commit, CommitResult
from sensorlogd.daemon.writing.commits.timetable import Timetable
from sensorlogd.storage.ingest.append import Appended


def test_newest_values_become_due_although_every_large_commit_writes_them() -> None:
    """With them places of decimals are learned, which would never be done again otherwise."""
    times = Timetable(status_every_s=10.0, latest_every_s=5.0)
    due = []
    for tenth in range(200):
        now = 100.0 + tenth / 10
        is_due = times.latest_is_due(now)
        due.append(is_due)
        times.note_commit(Commit(latest_is_due=is_due), CommitResult(Appended(), {}, wrote_latest=True, began_s=now))
    assert [tenth for tenth, is_due in enumerate(due) if is_due] == [0, 50, 100, 150]
