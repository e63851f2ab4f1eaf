"""Turns readings, events and time into changes of alarms and announcements. It has no database, clock or thread: everything is
passed in.

``watched_us``: time watched. It never steps, and stands still while the daemon does not watch. Whatever is missing, pending or to be
repeated is measured by it, so setting the clock neither raises nor clears an alarm.
"""

from __future__ import annotations

from sensorlogd.alarms.judging.due import DueChanges
from sensorlogd.alarms.judging.events import EventJudge
from sensorlogd.alarms.judging.findings import Findings
from sensorlogd.alarms.judging.operator_actions import OperatorActions
from sensorlogd.alarms.judging.readings import ReadingJudge
from sensorlogd.alarms.judging.roster import Roster
from sensorlogd.alarms.judging.transitions import Transitions
from sensorlogd.alarms.plan import Plan
from sensorlogd.batch import Block


class Judge:
    """The judge of all alarms, for one thread: ``roster`` says which there are, ``actions`` are what people do with them. Its
    owner takes what it has found by ``take_findings``."""

    def __init__(self) -> None:
        self._transitions = Transitions()
        self.roster = Roster(self._transitions)
        self.actions = OperatorActions(self._transitions)
        self._readings = ReadingJudge(self.roster, self._transitions)
        self._events = EventJudge(self.roster, self._transitions)
        self._due = DueChanges(self.roster, self._transitions, self.actions)

    @property
    def found(self) -> Findings:
        """What it has found since that was last taken; whoever restores alarms may add to it."""
        return self._transitions.found

    def take_findings(self) -> Findings:
        """What it has found since they were last taken."""
        return self._transitions.take_findings()

    def use(self, plan: Plan, watched_us: int, now_us: int) -> None:
        """Use another plan: see ``Roster.use``."""
        self.roster.use(plan, watched_us, now_us)
        self._events.use(plan)

    def judge_readings(self, block: Block, watched_us: int, now_us: int) -> None:
        """Judge one block of a sensor's readings, which has arrived now."""
        self._readings.judge(block, watched_us, now_us)

    def judge_event(self, kind: str, sensor: str | None, detail: str, ts_us: int, watched_us: int, now_us: int) -> None:
        """Judge an event, which happened at ``ts_us``. ``sensor``: None for one of the daemon."""
        self._events.judge(kind, sensor, detail, ts_us, watched_us, now_us)

    def tick(self, watched_us: int, now_us: int) -> None:
        """Make the changes that are due by time alone. Cheap while nothing is due."""
        self._due.tick(watched_us, now_us)

    def next_due(self) -> int:
        """When ``tick`` has something to do, at the earliest (a reading may move it)."""
        return self._transitions.due_at
