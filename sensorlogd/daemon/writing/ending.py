"""The last steps of the writer: spill what was not stored, write a truthful last status, leave a single file."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sensorlogd.batch import Block
from sensorlogd.daemon.timekeeping.judged_clock import JudgedClock
from sensorlogd.daemon.writing.between_commits.jobs import Jobs
from sensorlogd.daemon.writing.commits.commit import Report
from sensorlogd.daemon.writing.commits.storing import Storing
from sensorlogd.daemon.writing.disk import spill
from sensorlogd.daemon.writing.intake.events import Event, EventQueue
from sensorlogd.daemon.writing.intake.pending import Pending
from sensorlogd.daemon.writing.recovery import failures
from sensorlogd.daemon.writing.recovery.failures import Failing
from sensorlogd.daemon.writing.recovery.open_log import OpenLog
from sensorlogd.daemon.writing.recovery.trouble import Trouble
from sensorlogd.daemon.writing.totals import WriterState
from sensorlogd.event_kinds import EventKind
from sensorlogd.notation.plurals import plural
from sensorlogd.storage import meta
from sensorlogd.storage.file.file_watch import FileGone
from sensorlogd.storage.ingest import decimals, latest, status
from sensorlogd.storage.open_database import OpenDatabase

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LeftAtEnd:
    """What is left at the end. ``events``: those that no commit has stored. ``dropped``: readings that the full inbox has dropped
    and the database does not count yet."""

    blocks: Sequence[Block]
    events: Sequence[Event]
    dropped: int = 0


class Ending:
    """How the writer ends: nothing that waits is left without an outcome. ``path``: of the database. ``report``: what the last status
    is to say. ``note_lost``: called with the number of readings that could be stored nowhere; ``lost``: all of these."""

    def __init__(
        self,
        log: OpenLog,
        trouble: Trouble,
        pending: Pending,
        storing: Storing,
        events: EventQueue,
        jobs: Jobs,
        clock: JudgedClock,
        *,
        path: Path,
        report: Callable[[], Report],
        note_lost: Callable[[int], None],
    ) -> None:
        self.lost = 0
        self._log = log
        self._trouble = trouble
        self._pending = pending
        self._storing = storing
        self._events = events
        self._jobs = jobs
        self._clock = clock
        self._path = path
        self._report = report
        self._note_lost = note_lost

    def close(self, fault: Exception | None = None) -> None:
        """On the writer thread, the last of it: what could not be stored is spilled, all that waits is refused, and the database
        is closed: the clean-shutdown mark, one file without a WAL if nobody reads. ``fault``: what has ended the thread, if it did
        not end by itself; then there is no such mark. Raises nothing of the database's."""
        try:
            self._say_last_words(fault)
        finally:
            if self._trouble.refusal is None:
                self._trouble.move(WriterState.STOPPED, "")
            self._trouble.ready.set()

    def abandon(self) -> None:
        """On another thread, once the writer does not come back from the disk: spill what it holds. The process must end after
        this."""
        self._jobs.close("the writer hangs")
        self._spill_the_rest()
        self._pending.give_up("the writer hangs")

    def _say_last_words(self, fault: Exception | None) -> None:
        self._jobs.close("the writer stopped")
        complete = True
        if self._trouble.refusal is None:
            complete = self._spill_the_rest()
        else:
            self._refuse_the_rest()
        self._pending.give_up("the writer stopped")
        if self._log.db is not None:
            try:
                self._log.db.check_file()
                report = self._report()
                report = Report(report.sensors, report.daemon and report.daemon | _last_facts(report.daemon, complete, fault))
                last_words(self._log.db, report, now_us=self._clock.now_us(), marks=self._clock.stored())
            except FileGone as error:
                self._trouble.rescue(failures.decide(error, Failing()))
            except Exception as error:  # whatever it is: what was committed is safe, and the process ends now
                logger.warning("database: could not be closed cleanly: %s", error)
                self._log.let_go()
            self._log.db = None

    def _spill_the_rest(self) -> bool:
        """Spill what is left. True if nothing was."""
        self._take_the_rest()
        now_us = self._clock.now_us()
        waiting = self._events.waiting(now_us, self._clock.correction_us)
        left = LeftAtEnd(self._pending.blocks, waiting, sum(self._storing.dropped.values()))
        return give_up(left, self._path, now_us, self._count_lost)

    def _refuse_the_rest(self) -> None:
        """The database is not ours to touch, so nothing is written beside it either."""
        self._take_the_rest()
        readings = sum(block.rows for block in self._pending.blocks) + sum(self._storing.dropped.values())
        if readings:
            self.lost += readings
            logger.critical(
                "writer: %d %s lost, because the database is refused: %s",
                readings, plural(readings, "reading is", "readings are"), self._trouble.refusal,
            )  # fmt: skip

    def _take_the_rest(self) -> None:
        """What the inbox still holds, requests to flush among it (they learn of the end here), and what it has dropped."""
        if self._clock.anchored:
            self._pending.inbox.correct_early()
        self._pending.blocks += self._pending.inbox.get_all(1 << 62, 0.0)
        self._storing.count_dropped()
        self._storing.report_dropped()

    def _count_lost(self, readings: int) -> None:
        self.lost += readings
        self._note_lost(readings)


def give_up(left: LeftAtEnd, database: Path, now_us: int, note_lost: Callable[[int], None]) -> bool:
    """Write what could not be committed beside the database. True if nothing was left. Raises nothing.

    Where even that fails the number of readings goes to ``note_lost``, which needs no room, and to stderr.
    """
    readings = sum(block.rows for block in left.blocks)
    if not readings and not left.events and not left.dropped:
        return True
    try:
        event = Event(
            now_us, EventKind.SPILLED, None, f"{readings} {plural(readings, 'reading')} could not be stored before the end"
        )
        path = spill.write(database, left.blocks, [*left.events, event], now_us, given_up=left.dropped)
    except Exception as error:  # no room on the disk, no memory, a fault of ours: what matters now is the number
        note_lost(readings + left.dropped)
        why = str(error) or type(error).__name__
        logger.critical(
            "writer: %d readings are lost: the database takes none, and neither does %s: %s", readings, database.parent, why
        )
        print(
            f"sensorlogd: {readings}"
            f" {plural(readings, 'reading is lost: it', 'readings are lost: they')} could be stored nowhere ({why})",
            file=sys.stderr,
            flush=True,
        )
        return False
    if readings:
        logger.error("writer: %d readings could not be stored; they are in %s, the next start takes them up", readings, path)
    return False


def last_words(db: OpenDatabase, report: Report, *, now_us: int, marks: Mapping[str, str]) -> None:
    """The newest values, the state of all as ``report`` has it, and a single file if nobody reads. Raises sqlite3.Error."""
    with db.transaction() as conn:
        if db.newest:
            latest.save(conn, db.newest, now_us, 0)
            decimals.learn(conn, decimals.of_newest(db.newest))
        status.save_sensors(conn, report.sensors, db.catalog.sensor_ids, now_us)
        if report.daemon:  # a verb that works without the daemon says nothing of it
            status.save_daemon(conn, report.daemon)
        for key, value in marks.items():
            meta.put(conn, key, value)
    db.close_cleanly()


def _last_facts(facts: Mapping[str, Any], complete: bool, fault: Exception | None) -> dict[str, Any]:
    """The facts that differ in the last status. If the database took no more writes, or a fault has ended the writer, they say so."""
    if fault is not None or not complete:
        reason = str(facts.get("state_reason") or "the database took no more readings")
        if fault is not None:
            reason = f"ended by a fault: {type(fault).__name__}: {fault}"
        rest = "" if complete else "; what could not be stored waits beside it"
        return {"clean_shutdown": False, "state": "stopped", "state_reason": reason + rest}
    if facts.get("state") == "blocked":
        return {"clean_shutdown": True}
    return {"clean_shutdown": True, "state": "stopped", "state_reason": ""}
