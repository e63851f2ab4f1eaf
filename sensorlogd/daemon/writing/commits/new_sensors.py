"""The reload, as it reaches the writer: the configured sensors, and what is computed, are others from here on."""

from __future__ import annotations

from sensorlogd.daemon.computing.computing import Computing
from sensorlogd.daemon.writing.intake.notices import Notices
from sensorlogd.daemon.writing.intake.pending import Pending
from sensorlogd.daemon.writing.recovery.open_log import OpenLog
from sensorlogd.daemon.writing.recovery.opening import Opening
from sensorlogd.daemon.writing.recovery.trouble import Task
from sensorlogd.event_kinds import EventKind

TRIES = 3  # of a reload that a fault of ours keeps from being taken over


class NewSensorsTask(Task):
    """Takes over the new sensors that come next, once all before them is committed."""

    def __init__(self, log: OpenLog, pending: Pending, notices: Notices, opening: Opening, computing: Computing) -> None:
        super().__init__("new sensors", self._take_over, own_faults=True)
        self._log = log
        self._pending = pending
        self._notices = notices
        self._opening = opening
        self._computing = computing
        self._faults = 0

    def is_next(self) -> bool:
        """Whether new sensors come next."""
        return self._pending.next_specs() is not None

    def _take_over(self) -> None:
        """May be done again. Raises sqlite3.Error, OSError."""
        new = self._pending.next_specs()
        if new is None:
            return
        for event in self._opening.take_over(self._log.opened(), new.specs, new.plan):
            self._notices.put(event)
        made = [] if new.formulas is None else self._computing.use(new.formulas)
        self._pending.note_committed(1)
        self._pending.add(made)
        self._faults = 0
        self._log.look_for_work()

    def after_fault(self, error: Exception) -> bool:
        """Go on without the new sensors after some tries, because the readings after them must not wait for ever."""
        self._faults += 1
        if self._faults >= TRIES:
            self._faults = 0
            self._pending.note_committed(1)
            reason = f"the new sensors could not be taken over: {type(error).__name__}: {error}"
            self._notices.emit(
                EventKind.SENSORS_FAILED,
                None,
                f"{reason}; readings of those that are not known yet are counted as unknown_channel,"
                " and formulas stay as they were",
            )
        return super().after_fault(error)
