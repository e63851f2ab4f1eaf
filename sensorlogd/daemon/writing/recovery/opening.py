"""How the log is opened, set aside, and rescued: every outcome of what may lie at its path, none of the policy.

What happens at an opening, in this order, and what would break if it were another:
0. The lock is taken anew if its file went with the folder: two daemons would else write one database.
1. An incident that was cut off half way is completed: its files would else meet those of a new database.
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

from sensorlogd.daemon.timekeeping.judged_clock import JudgedClock
from sensorlogd.daemon.writing.disk import spill
from sensorlogd.daemon.writing.intake.events import Event
from sensorlogd.daemon.writing.recovery.failures import DamageFound
from sensorlogd.daemon.writing.recovery.locks import Held, HeldLocks
from sensorlogd.daemon.writing.recovery.notes import Notes
from sensorlogd.daemon.writing.recovery.preparation import Preparation, learn_specs
from sensorlogd.daemon.writing.recovery.remembered import Remembered
from sensorlogd.storage import meta
from sensorlogd.storage.file import epoch
from sensorlogd.storage.file.content import never_a_database
from sensorlogd.storage.file.epoch import FoundFile
from sensorlogd.storage.file.errors import ForeignDatabase
from sensorlogd.storage.ingest import status
from sensorlogd.storage.maintenance import incidents
from sensorlogd.storage.maintenance.retention import RetentionPlan
from sensorlogd.storage.maintenance.upkeep import Upkeep
from sensorlogd.storage.open_database import OpenDatabase, open_file
from sensorlogd.storage.salvage import rescue as rescuing
from sensorlogd.storage.series import catalog

logger = logging.getLogger(__name__)


class Opening:
    """Opens the log at ``path``, again and again if need be. ``specs``: the configured sensors; None: no readings will come, the
    catalog stays as it is.

    ``make_upkeep``: a fresh one for each opening. ``remembered``: the lock of the database, and what its file says.
    ``folder``: the lock of the data directory, if this process has one. ``clock``: the first opening gives it the time
    that was believed last.

    Each try works on an ``OpenDatabase`` and a ``Preparation`` of its own. Kept over tries are only the configuration
    of the last reload, and what is to be reported: a step that is done (a spill that is taken up) is not done again by
    the next try, so nobody else could report it."""

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
        self._notes = Notes()  # of tries that have failed; reported by the one that succeeds
        self.clean_start = True  # the run before closed the database, or there was none
        self._make_upkeep = make_upkeep
        self._clock = clock
        self._now_us = clock.now_us
        self._remembered = remembered
        self.locks = HeldLocks(path, remembered, folder)
        self._min_free = min_free

    def take_over(self, db: OpenDatabase, specs: Sequence[catalog.SensorSpec], plan: RetentionPlan) -> list[Event]:
        """Use these in the open database and at every later opening. Returns what to report of it. Both together: a plan names
        sensors, and must not meet those of another configuration. May be done again. Raises sqlite3.Error."""
        events = learn_specs(db, specs, self._now_us())
        db.upkeep.retention.use_plan(plan)
        self.specs, self._plan = specs, plan
        return events

    def open(self, *, first: bool, beat: Callable[[], None] = lambda: None) -> tuple[OpenDatabase, Notes]:
        """``first``: of this process. ``beat``: called again and again while it takes long, as an upgrade does. Raises
        LockHeld; DamageFound, ForeignDatabase, NewerSchema (what lies there is not to be used); DatabaseUnavailable,
        sqlite3.Error, OSError. Nothing is left open then."""
        self._remembered.hold()
        incidents.finish_unfinished(self.path)
        self._refuse_unsound()
        db = open_file(self.path, self._make_upkeep, self._anchored_us, beat)
        try:
            self._prepare(db, first)
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

    def _prepare(self, db: OpenDatabase, first: bool) -> None:
        """Make a database that was just opened know the sensors, the spills, the salvage to be done and what was lost. Raises
        sqlite3.Error."""
        if self._plan is not None:
            db.upkeep.retention.use_plan(self._plan)
        preparation = Preparation(db, self._remembered, self._clock, self._notes)
        preparation.take_up_backup()
        if first and self.clean_start:
            self.clean_start = not preparation.report_unclean_end()
        preparation.report_begun(first)
        self._remembered.note_opened()
        preparation.take_up_sensors(self.specs)
        preparation.order_salvage()
        preparation.take_over_lost()

    # ---- what is not sound -----------------------------------------------------------------------------------------

    def set_aside(self, db: OpenDatabase | None, reason: str, only_side_files: bool) -> Path:
        """Move what lies at the path into an incident, and close ``db``. Returns the incident's folder. Raises OSError;
        then ``db`` is open still."""
        incident = incidents.set_aside(self.path, self._now_us(), reason, only_side_files=only_side_files)
        if db is not None:
            db.let_go()
        return incident.folder

    def rescue(self, db: OpenDatabase, *, removed: bool, last_try: bool, beat: Callable[[], None] = lambda: None) -> str:
        """Another file stands at the path of the open one, or none: copy what is open into an incident, and take its WAL away
        from the newcomer. The outcome, in words. A folder that went with it is waited for, and made anew at the last try.
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
