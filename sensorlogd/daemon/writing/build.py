"""Makes the parts of the writer, and connects them. Nothing is started or opened here."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sensorlogd.daemon.computing.computing import Computing, Formulas
from sensorlogd.daemon.timekeeping.judged_clock import JudgedClock
from sensorlogd.daemon.writing.between_commits.jobs import JobRunner, Jobs
from sensorlogd.daemon.writing.between_commits.kept_work import KeptWork
from sensorlogd.daemon.writing.between_commits.upkeep_task import UpkeepTask
from sensorlogd.daemon.writing.bookkeeping import Bookkeeping
from sensorlogd.daemon.writing.commits.batch import BatchTask
from sensorlogd.daemon.writing.commits.commit import Report
from sensorlogd.daemon.writing.commits.committing import Committing
from sensorlogd.daemon.writing.commits.due import Due
from sensorlogd.daemon.writing.commits.new_sensors import NewSensorsTask
from sensorlogd.daemon.writing.commits.pieces import PiecesTask
from sensorlogd.daemon.writing.commits.preconditions import Preconditions
from sensorlogd.daemon.writing.commits.storing import Storing
from sensorlogd.daemon.writing.commits.timetable import Timetable
from sensorlogd.daemon.writing.commits.watcher import NullWatcher, Watcher
from sensorlogd.daemon.writing.disk.space import Space
from sensorlogd.daemon.writing.disk.wal_growth import WalGrowth
from sensorlogd.daemon.writing.ending import Ending, LastSpill
from sensorlogd.daemon.writing.intake.dropped import Dropped
from sensorlogd.daemon.writing.intake.inbox import Inbox
from sensorlogd.daemon.writing.intake.notices import Notices
from sensorlogd.daemon.writing.intake.pending import Pending
from sensorlogd.daemon.writing.intake.unstored import Unstored
from sensorlogd.daemon.writing.recovery.open_log import OpenLog
from sensorlogd.daemon.writing.recovery.opening import Opening
from sensorlogd.daemon.writing.recovery.remedies import Remedies
from sensorlogd.daemon.writing.recovery.standing import Standing
from sensorlogd.daemon.writing.recovery.trouble import Trouble
from sensorlogd.daemon.writing.totals import Totals
from sensorlogd.storage.worker import AnyWorker


@dataclass(frozen=True, slots=True)
class WriterSettings:
    """``commit_rows``: a commit is due after this many readings even before ``commit_interval_s`` has passed.
    ``status_interval_s``, ``latest_interval_s``: how often the status and the table ``latest`` are written.
    ``min_free_bytes``: nothing is committed while the disk has less left. ``sets_aside``: a damaged database is moved
    aside and a fresh one begun; else it is left where it is, and nothing written."""

    path: Path
    commit_interval_s: float = 1.0
    commit_rows: int = 50_000
    status_interval_s: float = 10.0
    latest_interval_s: float = 5.0
    min_free_bytes: int = 0
    sets_aside: bool = True

    def latest_back_us(self) -> int:
        """How far back the newest values are written again: a commit may come that much later than what it stores."""
        return int(max(2 * self.commit_interval_s, 5.0) * 1e6)


class WriterParts:
    """The parts of one writer, made for a database that is not open yet.

    ``opening``: how the database is opened. ``report``: what the status tables are to say; called on the writer thread.
    ``workers``: who does which kind of kept work. ``rolls_up``: called when roll-ups are due. ``note_lost``: called
    with the number of readings that could be stored nowhere. ``watcher``: sees all that is committed. ``computing``:
    computes readings from those that come."""

    def __init__(
        self,
        settings: WriterSettings,
        inbox: Inbox,
        opening: Opening,
        clock: JudgedClock,
        *,
        report: Callable[[], Report] = lambda: Report((), {}),
        workers: Sequence[AnyWorker] = (),
        rolls_up: Callable[[], None] = lambda: None,
        note_lost: Callable[[int], None] = lambda readings: None,
        watcher: Watcher | None = None,
        computing: Computing | None = None,
    ) -> None:
        self.inbox = inbox
        self.opening = opening
        self.clock = clock
        self.stopping = threading.Event()
        self.watcher: Watcher = watcher or NullWatcher()
        self.notices = Notices(clock.now_us, self.watcher.note)
        self.totals = Totals()
        self.times = Timetable(settings.status_interval_s, settings.latest_interval_s, settings.latest_back_us())
        self.computing = computing or Computing(Formulas(), self.notices.emit)
        self.pending = Pending(inbox, settings.commit_rows, settings.commit_interval_s, self.computing.follow)
        self.dropped = Dropped(inbox, self.totals, self.notices)
        self.unstored = Unstored(self.pending, self.dropped, self.notices, clock)
        self.space = Space(settings.path, settings.min_free_bytes)
        self.work = KeptWork(workers, self.space)
        self.log = OpenLog(self.work)
        self._books = Bookkeeping(self.totals, self.notices, self.times)
        self._report = _with_time_believed(report, clock)
        self.trouble = self._make_trouble(settings.sets_aside)
        self.due = Due(self.unstored, self._books, self.watcher, self._report)
        self.storing = self._make_storing()
        self.jobs = Jobs()
        self.job_runner = JobRunner(self.jobs, self.log, self.trouble, self.totals)
        self.growth = WalGrowth(self.notices.emit)
        self.upkeep = UpkeepTask(
            self.log, self.work, self.growth, self.notices, clock=clock, rolls_up=rolls_up, note_time=opening.note_time
        )
        self.ending = self._make_ending(settings.path, note_lost)

    def _make_trouble(self, sets_aside: bool) -> Trouble:
        standing = Standing(self.totals, self.notices, self.clock.now_us)
        remedies = Remedies(self.log, self.opening, self.inbox, self._books, self.stopping)
        return Trouble(self.log, standing, remedies, sets_aside=sets_aside)

    def _make_storing(self) -> Storing:
        committing = Committing(self.unstored, self._books, self.watcher, self.clock.now_us)
        preconditions = Preconditions(self.opening.locks, self.space, self.notices)
        return Storing(
            self.trouble,
            BatchTask(self.log, preconditions, self.due, committing),
            PiecesTask(self.log, self.unstored, self._books, committing),
            NewSensorsTask(self.log, self.pending, self.notices, self.opening, self.computing),
        )

    def _make_ending(self, path: Path, note_lost: Callable[[int], None]) -> Ending:
        last_spill = LastSpill(path, self.clock.now_us, note_lost)
        return Ending(self.log, self.trouble, self.unstored, last_spill, self._report, self.clock.now_us)


def _with_time_believed(report: Callable[[], Report], clock: JudgedClock) -> Callable[[], Report]:
    """``report``, with the time believed among the marks, so that the next start knows it."""

    def report_with_time() -> Report:
        return report()._replace(marks=clock.stored())

    return report_with_time
