"""What a judge has found, from one time it is asked for it to the next."""

from __future__ import annotations

from dataclasses import dataclass, field

from sensorlogd.alarms.judging.alarm import Alarm, Announcement, StateChange
from sensorlogd.alarms.judging.states import AlarmState


@dataclass(slots=True)
class Findings:
    """``unsaved``: alarms that differ from what is stored of them. ``gone``: alarms that are not configured any more and are to
    be removed. ``faults``: each of one alarm, which is judged no more; ``troubles``: of no alarm that is there."""

    changes: list[StateChange] = field(default_factory=list)
    announced: list[Announcement] = field(default_factory=list)
    unsaved: dict[Alarm, None] = field(default_factory=dict)
    gone: list[Alarm] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)

    def is_to_be_stored(self) -> bool:
        """Whether there is more than faults and troubles."""
        return bool(self.unsaved or self.changes or self.announced or self.gone)

    def note_redefined(self, alarm: Alarm, before: AlarmState, now_us: int) -> None:
        """Note that the alarm is judged by other conditions from now on, so that what it was is over."""
        detail = "is defined otherwise now and begins anew"
        self.changes.append(StateChange(alarm, "redefined", before, AlarmState.NORMAL, now_us, None, detail))

    def note_removed(self, alarm: Alarm, now_us: int) -> None:
        """Note that the alarm is not configured any more; that is a change if it was not normal."""
        self.unsaved.pop(alarm, None)
        self.gone.append(alarm)
        if alarm.state is not AlarmState.NORMAL:
            detail = "is not configured any more"
            self.changes.append(StateChange(alarm, "removed", alarm.shown(), AlarmState.NORMAL, now_us, None, detail))
