"""The state of one alarm of one series (or, for alarms of events, of one sensor), and what people are notified of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from sensorlogd.alarms.judging.states import ACTIVE, AlarmState
from sensorlogd.alarms.plan import AlarmedSeries, Definition


@dataclass(slots=True, eq=False)
class Alarm:
    """An alarm of one series, or of the events of one sensor. ``..._watched_us``: time watched; ``..._us``: wall clock. Owned by
    whoever owns the ``Judge``.

    ``held_watched_us``: since when the condition holds without interruption, while nobody has been notified of it.
    ``raised_watched_us``: when it became unacknowledged last. ``told_watched_us``: when people were notified last, for ``repeat``.
    ``last_watched_us``: of the last event.
    """

    definition: Definition
    subject: str
    series: AlarmedSeries | None = None
    state: AlarmState = AlarmState.NORMAL
    since_us: int = 0
    held_watched_us: int | None = None
    raised_watched_us: int = 0
    raised_us: int = 0
    told_watched_us: int = 0
    last_watched_us: int = 0
    escalated: bool = False
    value: float | None = None
    detail: str = ""
    raises: int = 0
    note: str = ""
    shelved_until_watched_us: int = 0
    fault: str = ""
    touched: bool = False  # this process has judged it already: what the database remembers is older

    @property
    def name(self) -> str:
        return self.definition.name

    @property
    def is_shelved(self) -> bool:
        """Whether somebody has muted it and the time for that is not over."""
        return self.shelved_until_watched_us > 0

    @property
    def is_active(self) -> bool:
        return self.state in ACTIVE

    def shown_of_it(self) -> tuple[str, ...]:
        """The parts of the definition that people see."""
        options = self.definition.options
        return options.severity, options.text or "", self.definition.words, "" if self.series is None else self.series.unit

    def shown(self) -> AlarmState:
        """The state for people."""
        return AlarmState.SHELVED if self.is_shelved else self.state


class StateChange(NamedTuple):
    """A change from one state to another; ``after`` may be a state that is only shown. ``kind``: the kind of the event, without
    ``alarm_``."""

    alarm: Alarm
    kind: str
    before: AlarmState
    after: AlarmState
    ts_us: int
    value: float | None
    detail: str


class Announcement(NamedTuple):
    """Something that people are to be notified of. ``kind``: raised, repeated, escalated or resolved; the other fields are as they were
    at that moment."""

    alarm: Alarm
    kind: str
    targets: tuple[str, ...]
    ts_us: int
    raised_us: int
    state: AlarmState
    value: float | None
    detail: str
