"""The last steps of the writer: spill what was not stored, write a truthful last status, leave a single file."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sensorlogd.daemon.writing.commits.commit import Report
from sensorlogd.daemon.writing.disk import spill
from sensorlogd.daemon.writing.intake.events import Event
from sensorlogd.daemon.writing.intake.unstored import LeftAtEnd, Unstored
from sensorlogd.daemon.writing.recovery import failures
from sensorlogd.daemon.writing.recovery.failures import Failing
from sensorlogd.daemon.writing.recovery.open_log import OpenLog
from sensorlogd.daemon.writing.recovery.trouble import Trouble
from sensorlogd.event_kinds import EventKind
from sensorlogd.notation.plurals import plural
from sensorlogd.storage import meta
from sensorlogd.storage.file.file_watch import FileGone
from sensorlogd.storage.ingest import decimals, latest, status
from sensorlogd.storage.open_database import OpenDatabase

logger = logging.getLogger(__name__)


class LastSpill:
    """Takes what is left at the end: into a file beside the database at ``path``, or where that fails too, into a number.
    ``note_lost``: called with the number of readings that could be stored nowhere; ``lost``: all of these."""

    def __init__(self, path: Path, now_us: Callable[[], int], note_lost: Callable[[int], None]) -> None:
        self.lost = 0
        self._path = path
        self._now_us = now_us
        self._note_lost = note_lost

    def spill(self, left: LeftAtEnd) -> bool:
        """Write what is left into a spill. True if nothing was left. Raises nothing."""
        return give_up(left, self._path, self._now_us(), self.count_lost)

    def refuse(self, left: LeftAtEnd, refusal: Exception | None) -> None:
        """The database is not ours to touch, so nothing is written beside it either."""
        readings = left.readings + left.dropped
        if readings:
            self.lost += readings
            logger.critical(
                "writer: %d %s lost, because the database is refused: %s",
                readings, plural(readings, "reading is", "readings are"), refusal,
            )  # fmt: skip

    def count_lost(self, readings: int) -> None:
        """Note that this many readings could be stored nowhere."""
        self.lost += readings
        self._note_lost(readings)


class Ending:
    """How the writer ends: nothing that waits is left without an outcome. ``report``: what the last status is to say."""

    def __init__(
        self,
        log: OpenLog,
        trouble: Trouble,
        unstored: Unstored,
        last_spill: LastSpill,
        report: Callable[[], Report],
        now_us: Callable[[], int],
    ) -> None:
        self._log = log
        self._trouble = trouble
        self._unstored = unstored
        self._last_spill = last_spill
        self._report = report
        self._now_us = now_us

    @property
    def lost(self) -> int:
        """Readings that could be stored nowhere."""
        return self._last_spill.lost

    def close(self, fault: Exception | None = None) -> None:
        """On the writer thread, the last of it: what could not be stored is spilled, all that waits is refused, and the
        database is closed: the clean-shutdown mark, one file without a WAL if nobody reads. ``fault``: what has ended
        the thread, if it did not end by itself; then there is no such mark. Raises nothing of the database's."""
        complete = False
        try:
            complete = self._give_up_the_rest()
        finally:
            try:
                self._unstored.pending.give_up("the writer stopped")
            finally:
                try:
                    self._close_database(complete, fault)
                finally:
                    self._trouble.note_end()

    def abandon(self) -> None:
        """On another thread, once the writer does not come back from the disk: spill what it holds. The process must end after
        this."""
        try:
            self._last_spill.spill(self._take_rest())
        finally:
            self._unstored.pending.give_up("the writer hangs")

    def _give_up_the_rest(self) -> bool:
        """Spill what is left, unless the database is refused. True if nothing was."""
        left = self._take_rest()
        if self._trouble.refusal is None:
            return self._last_spill.spill(left)
        self._last_spill.refuse(left, self._trouble.refusal)
        return True

    def _take_rest(self) -> LeftAtEnd:
        """All that is left. After a fault of ours in that: the readings that the writer has taken from the inbox, and an event that
        says how many more there were."""
        try:
            return self._unstored.take_rest()
        except Exception as error:
            pending = self._unstored.pending
            taken, lost = pending.rows, pending.inbox.depth
            logger.exception(
                "writer: what is left could not be gathered; %d readings that it had taken are spilled, %d in the inbox are lost",
                taken, lost,
            )  # fmt: skip
            self._last_spill.count_lost(lost)
            detail = f"{lost} {plural(lost, 'reading')} at the end: {type(error).__name__}: {error}"
            return LeftAtEnd(pending.blocks, [Event(self._now_us(), EventKind.DROPPED, None, detail)])

    def _close_database(self, complete: bool, fault: Exception | None) -> None:
        db = self._log.db
        if db is None:
            return
        try:
            db.check_file()
            report = self._report()
            facts = report.daemon and report.daemon | _last_facts(report.daemon, complete, fault)
            last_words(db, report._replace(daemon=facts), self._now_us())
        except FileGone as error:
            self._trouble.rescue(failures.decide(error, Failing()))
        except Exception as error:  # whatever it is: what was committed is safe, and the process ends now
            logger.warning("database: could not be closed cleanly: %s", error)
        self._log.let_go()


def give_up(left: LeftAtEnd, database: Path, now_us: int, note_lost: Callable[[int], None]) -> bool:
    """Write what could not be committed beside the database. True if nothing was left. Raises nothing.

    Where even that fails the number of readings goes to ``note_lost``, which needs no room, and to stderr.
    """
    readings = left.readings
    if not readings and not left.events and not left.dropped:
        return True
    try:
        event = Event(
            now_us, EventKind.SPILLED, None, f"{readings} {plural(readings, 'reading')} could not be stored before the end"
        )
        path = spill.write(database, left.blocks, [*left.events, event], now_us, given_up=left.dropped, uncertain=left.uncertain)
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


def last_words(db: OpenDatabase, report: Report, now_us: int) -> None:
    """The newest values, the state of all as ``report`` has it, and a single file if nobody reads. Raises sqlite3.Error."""
    with db.transaction() as conn:
        if db.newest:
            latest.save(conn, db.newest, now_us, 0)
            decimals.learn(conn, decimals.of_newest(db.newest))
        status.save_sensors(conn, report.sensors, db.catalog.sensor_ids, now_us)
        if report.daemon:  # a verb that works without the daemon says nothing of it
            status.save_daemon(conn, report.daemon)
        for key, value in report.marks.items():
            meta.put(conn, key, value)
    db.close_cleanly()


def _last_facts(facts: Mapping[str, Any], complete: bool, fault: Exception | None) -> dict[str, Any]:
    """The facts that differ in the last status. If the database took no more writes, or a fault has ended the writer,
    they say so."""
    if fault is not None or not complete:
        reason = str(facts.get("state_reason") or "the database took no more readings")
        if fault is not None:
            reason = f"ended by a fault: {type(fault).__name__}: {fault}"
        rest = "" if complete else "; what could not be stored waits beside it"
        return {"clean_shutdown": False, "state": "stopped", "state_reason": reason + rest}
    if facts.get("state") == "blocked":
        return {"clean_shutdown": True}
    return {"clean_shutdown": True, "state": "stopped", "state_reason": ""}
