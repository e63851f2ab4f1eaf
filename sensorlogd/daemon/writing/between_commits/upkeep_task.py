"""What the writer does for the database between commits: upkeep, kept work, the write-ahead log, a check for damage."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from sensorlogd.daemon.timekeeping.judged_clock import JudgedClock
from sensorlogd.daemon.writing.between_commits.kept_work import KeptWork
from sensorlogd.daemon.writing.disk.wal_growth import WalGrowth
from sensorlogd.daemon.writing.intake.notices import Notices
from sensorlogd.daemon.writing.recovery.failures import Verdict
from sensorlogd.daemon.writing.recovery.open_log import OpenLog
from sensorlogd.daemon.writing.recovery.trouble import Task
from sensorlogd.event_kinds import EventKind

logger = logging.getLogger(__name__)

DAMAGE_CHECK_EVERY_S = 10.0
DAMAGE_CHECK_S = 0.01  # at each check: a gigabyte is read once in some hours
NOTE_TIME_EVERY_S = 3600.0  # seconds; rarely is enough, because within one boot a single note gives the time
REPORTED_AFTER = 4  # failures in a row before an event reports them
LONGEST_PAUSE_S = 60.0


class UpkeepTask(Task):
    """The task of looking after the database between commits. Owned by the writer thread. ``rolls_up``: called when roll-ups are
    due. ``note_time``: puts down the time believed."""

    def __init__(
        self,
        log: OpenLog,
        work: KeptWork,
        growth: WalGrowth,
        notices: Notices,
        *,
        clock: JudgedClock,
        rolls_up: Callable[[], None],
        note_time: Callable[[], None],
    ) -> None:
        super().__init__("upkeep", self._do_slice, is_secondary=True, own_faults=True)
        self.paused_until = 0.0  # monotonic
        self.hindrance = ""  # why the database refuses it, again and again; any thread may look
        self._log = log
        self._work = work
        self._growth = growth
        self._clock = clock
        self._notices = notices
        self._rolls_up = rolls_up
        self._note_time = note_time
        self._damage_check_at = self._note_at = time.monotonic() + DAMAGE_CHECK_EVERY_S

    def due_at(self) -> float:
        """When the next slice is due (monotonic seconds); in the past if at once."""
        upkeep = self._log.opened().upkeep
        due = 0.0 if upkeep.busy or self._work.busy else min(upkeep.due, self._work.due)
        return max(due, self.paused_until)

    def _do_slice(self) -> None:
        """One slice of upkeep, and one of kept work if that has its turn; then what is due of these: a checkpoint, a check of
        the log, the note of the time, a check for damage. Raises sqlite3.Error."""
        db = self._log.opened()
        db.upkeep.slice(db.conn, db.frontier, self._clock.safe_us())
        if not db.upkeep.busy or self._work.busy:
            self._work.slice(db, self._clock.now_us())
            if self._work.take_rolls_up():
                self._rolls_up()
        db.checkpoint_if_due()
        self._growth.check(db)
        self.tries, self.hindrance = 0, ""
        if time.monotonic() >= self._note_at:
            self._note_at = time.monotonic() + NOTE_TIME_EVERY_S
            self._note_time()
        if time.monotonic() >= self._damage_check_at:
            self._damage_check_at = time.monotonic() + DAMAGE_CHECK_EVERY_S
            db.check_for_damage(DAMAGE_CHECK_S)

    def after_refusal(self, error: Exception, verdict: Verdict) -> None:
        """Upkeep was refused: wait before the next try, longer each time."""
        self._postpone(verdict.reason)

    def after_fault(self, error: Exception) -> bool:
        logger.exception("writer: upkeep failed; it is tried again later")
        self._postpone(f"{type(error).__name__}: {error}")
        return False

    def _postpone(self, reason: str) -> None:
        self.tries += 1
        self.paused_until = time.monotonic() + min(0.1 * 2 ** min(self.tries, 16), LONGEST_PAUSE_S)
        if self.tries >= REPORTED_AFTER:
            self.hindrance = reason
        if self.tries == REPORTED_AFTER:
            logger.error("database: upkeep fails: %s; readings are stored, and it is tried again", reason)
            self._notices.emit(EventKind.UPKEEP_FAILED, None, f"{reason}; readings are stored meanwhile, and it is tried again")
