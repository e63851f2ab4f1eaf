"""How the log is opened, set aside, and rescued: every outcome of what may lie at its path, none of the policy.

What happens at an opening, in this order, and what would break if it were another:
0. The lock is taken anew if its file went with the folder: two daemons would else write one database.
1. An incident that was cut off half way is completed: its files would else meet those of a fresh database.
2. The bytes are looked at before SQLite sees them: it deletes a WAL beside an empty file, applies a foreign one, and takes a
   short text for an empty database.
3. The file is opened, upgraded, given its epoch; the frontier is read.
4. What a former run could not store is taken up under the names of that run; only then the catalog learns new names.
5. Salvage is ordered for every incident that was never salvaged, also by a database that has been lost since.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from sensorlogd.daemon.timekeeping.judged_clock import JudgedClock
from sensorlogd.daemon.writing.disk import spill
from sensorlogd.daemon.writing.intake.events import Event
from sensorlogd.daemon.writing.recovery.failures import DamageFound
from sensorlogd.daemon.writing.recovery.notes import Notes
from sensorlogd.daemon.writing.recovery.spills import SpillsOfFormerRuns
from sensorlogd.event_kinds import EventKind
from sensorlogd.notation.plurals import plural
from sensorlogd.notation.times import format_time
from sensorlogd.storage import catalog, meta
from sensorlogd.storage.file import epoch
from sensorlogd.storage.file.content import never_a_database
from sensorlogd.storage.file.epoch import FoundFile
from sensorlogd.storage.file.errors import ForeignDatabase
from sensorlogd.storage.file.holder import LockHeld
from sensorlogd.storage.ingest import status
from sensorlogd.storage.maintenance import incidents
from sensorlogd.storage.maintenance.retention import RetentionPlan
from sensorlogd.storage.maintenance.upkeep import Upkeep
from sensorlogd.storage.open_database import OpenDatabase, open_file
from sensorlogd.storage.salvage import rescue as rescuing
from sensorlogd.storage.salvage import salvage_order as salvaging

logger = logging.getLogger(__name__)


class Held(Protocol):
    """A lock on a file that somebody may remove (``daemon.main.process.lock``)."""

    def hold(self) -> bool: ...  # the lock is on the file that has the name now; True: on another than before. LockHeld, OSError


class Remembered(Held, Protocol):
    """What outlives the process beside the database, in its lock file (``daemon.main.process.lock.DatabaseLock``)."""

    lost: int  # readings that a run without any room could store nowhere
    was_opened: bool  # a database was open here once
    believed: dict[str, str]  # the time believed last, as ``believed_time.to_store`` gave it

    def forget_lost(self) -> None: ...
    def note_opened(self) -> None: ...
    def note_time(self, believed: dict[str, str]) -> None: ...


class Opening:
    """Opens the log at ``path``. ``specs``: the configured sensors; None: no readings will come, the catalog stays as it is.

    ``make_upkeep``: a fresh one for each opening. ``remembered``: the lock of the database, and what its file says. ``folder``: the
    lock of the data directory, if this process has one. ``clock``: the first opening gives it the time that was believed last."""

    def __init__(
        self,
        path: Path,
        specs: Sequence[catalog.SensorSpec] | None,
        make_upkeep: Callable[[], Upkeep],
        clock: JudgedClock,
        *,
        remembered: Remembered,
        folder: Held | None = None,
        min_free: int = 0,
    ) -> None:
        self.path = path
        self.specs = specs
        self._plan: RetentionPlan | None = None  # of a reload: the one that goes with ``specs``
        self._notes = Notes()  # what an opening has done before it failed is reported by the next one
        self.clean_start = True  # the run before closed the database, or there was none
        self._make_upkeep = make_upkeep
        self._clock = clock
        self._now_us = clock.now_us
        self._remembered = remembered
        self._folder = folder
        self._folder_trouble = ""
        self._min_free = min_free

    def use_specs(self, specs: Sequence[catalog.SensorSpec], plan: RetentionPlan) -> None:
        """Use these from the next opening on. Both together: a plan names sensors, and must not meet those of another
        configuration."""
        self.specs, self._plan = specs, plan

    def hold_locks(self) -> list[str]:
        """While the database is open: take the locks anew whose files were removed. What to report of it.

        Raises LockHeld if another process has the lock of the database by now: then only that may write. One that has the data
        directory, for another database, is reported once and hinders nothing. A file that cannot be made is tried again.
        """
        found = []
        with contextlib.suppress(OSError):
            if self._remembered.hold():
                found.append(f"the lock file of {self.path} was removed; it is locked anew")
        try:
            with contextlib.suppress(OSError):
                if self._folder is not None and self._folder.hold():
                    found.append("the lock file of the data directory was removed; it is locked anew")
            self._folder_trouble = ""
        except LockHeld as error:
            if str(error) != self._folder_trouble:
                found.append(f"the lock file of the data directory was removed: {error}")
            self._folder_trouble = str(error)
        return found

    def open(self, *, first: bool, beat: Callable[[], None] = lambda: None) -> tuple[OpenDatabase, Notes]:
        """``first``: of this process. ``beat``: called again and again while it takes long, as an upgrade does. Raises LockHeld;
        DamageFound, ForeignDatabase, NewerSchema (what lies there is not to be used); DatabaseUnavailable, sqlite3.Error, OSError.
        Nothing is left open then."""
        self._remembered.hold()
        incidents.finish_unfinished(self.path)
        self._refuse_unsound()
        db = open_file(self.path, self._make_upkeep, self._anchored_us, beat)
        try:
            self._bring_up_to_date(db, first, self._notes)
            self.note_time()
            notes, self._notes = self._notes, Notes()
            return db, notes
        except BaseException:
            db.let_go()
            raise

    def _refuse_unsound(self) -> None:
        found = epoch.examine(self.path)
        if found is FoundFile.EMPTIED:
            raise DamageFound(f"{self.path} is empty, but beside it lies a write-ahead log with data")
        if found is FoundFile.EMPTY and self._remembered.was_opened:
            raise DamageFound(f"{self.path} is empty, and it was not: what was in it is gone")
        if found is FoundFile.FOREIGN_WAL:
            raise DamageFound(f"the write-ahead log beside {self.path} belongs to another file", only_side_files=True)
        if not self._has_history() and (kind := never_a_database(self.path)) is not None:
            raise ForeignDatabase(
                f"{self.path} is {kind}, and nothing shows that it was ever a database; it is left as it is; name another file"
                " under storage.url, or move this one away"
            )

    def _has_history(self) -> bool:
        """Whether a daemon has had a database at this path: then whatever lies there now is what is left of it, or in its way."""
        return self._remembered.was_opened or bool(incidents.all_incidents(self.path)) or bool(spill.found(self.path))

    def _anchored_us(self, conn: sqlite3.Connection) -> int:
        """The clock learns what the last run believed of the time; in a log of an older release, when it last wrote its status.
        One that is begun anew knows nothing: then what the lock file remembers."""
        believed, boot = meta.get_int(conn, meta.BELIEVED_US), meta.get(conn, meta.BELIEVED_BOOT) or ""
        if not believed and self._remembered.believed:
            believed, boot = int(self._remembered.believed[meta.BELIEVED_US]), self._remembered.believed[meta.BELIEVED_BOOT]
        self._clock.anchor(believed or status.last_heartbeat_us(conn) or None, boot)
        return self._clock.safe_us()

    def note_time(self) -> None:
        """The time believed now, where it outlives the database."""
        self._remembered.note_time(self._clock.stored())

    def _bring_up_to_date(self, db: OpenDatabase, first: bool, notes: Notes) -> None:
        """Make a database that was just opened know the sensors, the spills, the salvage to be done and what was lost;
        ``notes`` get what happened. Raises sqlite3.Error."""
        if self._plan is not None:
            db.upkeep.retention.use_plan(self._plan)
        if first and self.clean_start:
            self._report_unclean_end(db, notes)
        if db.is_new:
            gone = "; the one that was here is gone" if first and self._remembered.was_opened else ""
            notes.after.append(self._event_now(EventKind.DATABASE_CREATED, f"{self.path} was begun{gone}"))
        self._remembered.note_opened()
        spills = SpillsOfFormerRuns(db, self._now_us, notes)
        spills.take_up_known()
        if self.specs is not None:
            for kind, sensor, detail in db.use_specs(self.specs, self._now_us()):
                notes.after.append(Event(self._now_us(), kind, sensor, detail))
                logger.info("%s: %s: %s", sensor, kind, detail)
        spills.take_up_rest()
        self._order_salvage(db)
        self._take_over_lost(db, notes)

    def _event_now(self, kind: EventKind, detail: str) -> Event:
        return Event(self._now_us(), kind, None, detail)

    def _report_unclean_end(self, db: OpenDatabase, notes: Notes) -> None:
        """A power cut or a kill leaves a mark: the owner finds out when, without comparing readings."""
        end = status.unclean_end(db.conn)
        if end is None:
            return
        self.clean_start = False
        pid, heartbeat_us = end
        detail = f"the run before (pid {pid}) ended without a clean stop after {format_time(heartbeat_us)}"
        notes.before.append(self._event_now(EventKind.UNCLEAN_END, detail + "; what it committed is here"))
        logger.warning("database: %s", detail)

    def _order_salvage(self, db: OpenDatabase) -> None:
        """Order the salvage of what was set aside and is not back, whatever became of the database that had it ordered before."""
        if not incidents.unfinished_salvage(self.path):
            return
        with db.transaction() as conn:
            ordered = salvaging.order(conn, self.path, self._now_us())
        if ordered is not None:
            db.upkeep.expect_the_past(db.conn, db.frontier, self._clock.safe_us())

    def _take_over_lost(self, db: OpenDatabase, notes: Notes) -> None:
        """Add the readings that earlier runs could store nowhere to those given up for good."""
        lost = self._remembered.lost
        notes.given_up = meta.get_int(db.conn, meta.GIVEN_UP)
        if lost:
            notes.given_up += lost
            with db.transaction() as conn:
                meta.put(conn, meta.GIVEN_UP, str(notes.given_up))
            self._remembered.forget_lost()
            notes.after.append(
                self._event_now(
                    EventKind.DROPPED,
                    f"{lost} {plural(lost, 'reading')} of the run before could be stored nowhere: the disk took none at its end",
                )
            )

    # ---- what is not sound -----------------------------------------------------------------------------------------

    def set_aside(self, db: OpenDatabase | None, reason: str, only_side_files: bool) -> Path:
        """Move what lies at the path into an incident; its folder. ``db`` is let go of afterwards by the caller. Raises
        OSError."""
        incident = incidents.set_aside(self.path, self._now_us(), reason, only_side_files=only_side_files)
        if db is not None:
            db.let_go()
        return incident.folder

    def rescue(self, db: OpenDatabase, *, removed: bool, last_try: bool, beat: Callable[[], None] = lambda: None) -> str:
        """Another file stands at the path of the open one, or none: copy what is open into an incident, and take its WAL away
        from the newcomer. What came of it, in words. A folder that went with it is waited for, and made anew at the last try.
        ``beat``: called again and again while it copies. Raises NoRescue (but not at the last try), OSError."""
        if last_try and removed:
            with contextlib.suppress(OSError):
                db.path.parent.mkdir()
                logger.error("database: %s was removed, too, and is made anew; restart the daemon when you can", db.path.parent)
        try:
            return rescuing.rescue(db, self._now_us(), removed=removed, min_free=self._min_free, beat=beat)
        except rescuing.NoRescue as error:
            if not last_try:
                raise
            return rescuing.give_up(db, self._now_us(), error, removed=removed)
