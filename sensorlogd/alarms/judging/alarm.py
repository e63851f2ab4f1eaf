"""One alarm of one series (or, of events, of one sensor), and what is told of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from sensorlogd.alarms.judging.states import ACTIVE, State
from sensorlogd.alarms.plan import Definition, Series


@dataclass(slots=True, eq=False)
class Alarm:
    """``..._at``: time watched, in µs; ``..._us``: wall clock. Owned by whoever owns the ``Judge``.

    ``held_at``: since when the condition holds without interruption, while nobody has been told of it. ``raised_at``: when it
    became unacknowledged last. ``told_at``: when people were told last, for ``repeat``. ``last_at``: of the last event.
    """

    definition: Definition
    subject: str
    series: Series | None = None
    state: State = State.NORMAL
    since_us: int = 0
    held_at: int | None = None
    raised_at: int = 0
    raised_us: int = 0
    told_at: int = 0
    last_at: int = 0
    escalated: bool = False
    value: float | None = None
    detail: str = ""
    raises: int = 0
    note: str = ""
    shelved_until_at: int = 0
    fault: str = ""
    touched: bool = False  # judged by this process: what the database remembers is older

    @property
    def name(self) -> str:
        return self.definition.name

    @property
    def is_shelved(self) -> bool:
        return self.shelved_until_at > 0

    @property
    def is_active(self) -> bool:
        return self.state in ACTIVE

    def shown_of_it(self) -> tuple[str, ...]:
        """What people see of its definition."""
        options = self.definition.options
        return options.severity, options.text or "", self.definition.words, "" if self.series is None else self.series.unit

    def shown(self) -> State:
        """The state for people."""
        return State.SHELVED if self.is_shelved else self.state


class Change(NamedTuple):
    """From one state to another; ``after`` may be one that is only shown. ``kind``: of the event, after ``alarm_``."""

    alarm: Alarm
    kind: str
    before: State
    after: State
    ts_us: int
    value: float | None
    detail: str


class Announcement(NamedTuple):
    """People are to be told: ``kind`` raised, repeated, escalated, resolved. The rest as it was at that moment."""

    alarm: Alarm
    kind: str
    targets: tuple[str, ...]
    ts_us: int
    raised_us: int
    state: State
    value: float | None
    detail: str
