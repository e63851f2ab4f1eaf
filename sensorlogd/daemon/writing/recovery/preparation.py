"""What is done to a database that was just opened, before anything else is stored in it; see ``opening`` for the order."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from sensorlogd.daemon.timekeeping.judged_clock import JudgedClock
from sensorlogd.daemon.writing.intake.events import Event
from sensorlogd.daemon.writing.recovery.notes import Notes
from sensorlogd.daemon.writing.recovery.remembered import Remembered
from sensorlogd.daemon.writing.recovery.spills import SpillsOfFormerRuns
from sensorlogd.event_kinds import EventKind
from sensorlogd.notation.plurals import plural
from sensorlogd.notation.times import format_time
from sensorlogd.storage import meta
from sensorlogd.storage.ingest import status
from sensorlogd.storage.maintenance import incidents
from sensorlogd.storage.open_database import OpenDatabase
from sensorlogd.storage.salvage import salvage_order as salvaging
from sensorlogd.storage.series import catalog

logger = logging.getLogger(__name__)


def learn_specs(db: OpenDatabase, specs: Sequence[catalog.SensorSpec], now_us: int) -> list[Event]:
    """Make the database know the configured sensors. Returns what to report of it. Raises sqlite3.Error."""
    events = [Event(now_us, *reported) for reported in db.use_specs(specs, now_us)]
    for event in events:
        logger.info("%s: %s: %s", event.sensor, event.kind, event.detail)
    return events


class Preparation:
    """The steps, each of which may raise sqlite3.Error. Made for one opening; ``notes`` get what happened."""

    def __init__(self, db: OpenDatabase, remembered: Remembered, clock: JudgedClock, notes: Notes) -> None:
        self._db = db
        self._remembered = remembered
        self._clock = clock
        self._now_us = clock.now_us
        self._notes = notes

    def take_up_backup(self) -> None:
        """Say of a backup that it is one. What a daemon wrote last into the original is no end of a run on this file."""
        made_us = status.backup_made_us(self._db.conn)
        if made_us is not None:
            with self._db.transaction() as conn:
                status.forget_backup(conn)
            logger.info("database: this is the backup made at %s; it is continued", format_time(made_us))

    def report_unclean_end(self) -> bool:
        """A power cut or a kill leaves a mark: the owner finds out when, without comparing readings. Returns whether there is
        one."""
        end = status.unclean_end(self._db.conn)
        if end is None:
            return False
        pid, heartbeat_us = end
        detail = f"the run before (pid {pid}) ended without a clean stop after {format_time(heartbeat_us)}"
        self._notes.put_before(self._event_now(EventKind.UNCLEAN_END, detail + "; what it committed is here"))
        logger.warning("database: %s", detail)
        return True

    def report_begun(self, first: bool) -> None:
        """A database that was begun is an event; ``first``: of this process, so that one that was here before must be gone."""
        if self._db.is_new:
            gone = "; the one that was here is gone" if first and self._remembered.was_opened else ""
            self._notes.put(self._event_now(EventKind.DATABASE_CREATED, f"{self._db.path} was begun{gone}"))

    def take_up_sensors(self, specs: Sequence[catalog.SensorSpec] | None) -> None:
        """Take up the spills of former runs, under the names of those runs, and make the catalog know ``specs``."""
        spills = SpillsOfFormerRuns(self._db, self._now_us, self._notes)
        spills.take_up_known()
        if specs is not None:
            self._notes.put(*learn_specs(self._db, specs, self._now_us()))
        spills.take_up_rest()

    def order_salvage(self) -> None:
        """Order the salvage of what was set aside and is not back, whatever became of the database that had it ordered before."""
        db = self._db
        if not incidents.unfinished_salvage(db.path):
            return
        with db.transaction() as conn:
            ordered = salvaging.order(conn, db.path, self._now_us())
        if ordered is not None:
            db.upkeep.expect_the_past(db.conn, db.frontier, self._clock.safe_us())

    def take_over_lost(self) -> None:
        """Add the readings that earlier runs could store nowhere to those given up for good.

        Their number stands in the lock file, which no transaction can set to 0. So the transaction also notes how many of them
        are added, which is forgotten once the lock file is at 0: a kill at any moment, or a COMMIT that took effect and raised an
        error, adds none of them twice."""
        db, lost = self._db, self._remembered.lost
        given_up, taken = meta.get_int(db.conn, meta.GIVEN_UP), meta.get_int(db.conn, meta.LOST_TAKEN)
        if lost:
            given_up += max(lost - taken, 0)
            with db.transaction() as conn:
                meta.put(conn, meta.GIVEN_UP, str(given_up))
                meta.put(conn, meta.LOST_TAKEN, str(lost))
            self._remembered.forget_lost()
            self._notes.put(
                self._event_now(
                    EventKind.DROPPED,
                    f"{lost} {plural(lost, 'reading')} of the run before could be stored nowhere: the disk took none at its end",
                )
            )
        if lost or taken:
            with db.transaction() as conn:
                meta.remove(conn, [meta.LOST_TAKEN])
        self._notes.set_given_up(given_up)

    def _event_now(self, kind: EventKind, detail: str) -> Event:
        return Event(self._now_us(), kind, None, detail)
