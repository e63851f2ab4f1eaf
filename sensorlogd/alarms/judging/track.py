"""What alarms need to know of one series: its newest reading, since when it is silent or unchanged, and the terms of their
conditions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sensorlogd.alarms.judging import terms
from sensorlogd.config import conditions
from sensorlogd.quality import FLAG_MASK, Flag

if TYPE_CHECKING:
    from sensorlogd.alarms.judging.alarm import Alarm
    from sensorlogd.alarms.plan import AlarmedSeries

_USABLE = frozenset((Flag.GOOD, Flag.NOT_EVALUATED, Flag.SUSPECT))
_BADNESS = {Flag.GOOD: 0, Flag.NOT_EVALUATED: 0, Flag.SUSPECT: 1, Flag.FAIL: 2, Flag.MISSING: 3}

TermKey = tuple[str, int]


class Track:
    """What is known of one series. ``seen_at``: when anything came last, late or not. ``at``: of the last judged reading.
    ``usable``: it has a value, and one that is not known to be wrong (flag fail); comparisons go by usable ones only."""

    def __init__(self, series: AlarmedSeries, watched_us: int) -> None:
        self.series = series
        self.seen_at = watched_us
        self.at = 0
        self.newest_us: int | None = None
        self.shown: float | None = None
        self.flag = int(Flag.GOOD)
        self.usable = False
        self.same: float | None = None  # the last usable value, since ``same_at``
        self.same_at = 0
        self.repeats = False  # the last usable value was the same as the one before
        self.terms: dict[TermKey, terms.Term] = {}
        self._former: dict[TermKey, terms.Term] = {}
        self._faults: dict[TermKey, Exception] = {}  # why a term of ``terms`` has no value any more
        self.alarms: list[Alarm] = []  # judged at readings
        self.missing: list[Alarm] = []  # judged by time

    def watch(self, alarm: Alarm) -> None:
        """Compute the terms of this alarm, too, from now on."""
        when, ending = alarm.definition.when, alarm.definition.ending
        assert when is not None
        if when.kind == conditions.MISSING:
            self.missing.append(alarm)
            return
        self.alarms.append(alarm)
        for condition in (when, ending):
            if condition is not None and condition.op and condition.term not in self.terms:
                former = self._former.get(condition.term)
                self.terms[condition.term] = former or terms.make(*condition.term, self.series.counter)

    def take_over(self, former: Track) -> None:
        """After a reload: keep what is known of the series; a new term begins with the next reading."""
        for name in ("seen_at", "at", "newest_us", "shown", "flag", "usable", "same", "same_at", "repeats"):
            setattr(self, name, getattr(former, name))
        if self.series.counter == former.series.counter:
            self._former = {key: term for key, term in former.terms.items() if key not in former._faults}

    def add(self, watched_us: int, value: float | None, quality: int) -> None:
        """The next reading in order."""
        self.at, self.shown, self.flag = watched_us, value, quality & FLAG_MASK
        self.usable = value is not None and value == value and self.flag in _USABLE
        if value is None or not self.usable:
            return
        self.repeats = value == self.same
        if not self.repeats:
            self.same, self.same_at = value, watched_us
        for key, term in self.terms.items():
            try:
                term.add(watched_us, value)
            except Exception as error:  # a fault of the code: it belongs to the alarms that ask for this term
                self._faults.setdefault(key, error)

    def value(self, term: TermKey, watched_us: int) -> float | None:
        """The value of a term. Raises what a fault of the code raised when a reading was added to it."""
        if term in self._faults:
            raise self._faults[term]
        return self.terms[term].value(watched_us)

    def is_as_bad_as(self, flag: int) -> bool:
        """Whether the flag of the newest reading is ``flag`` or a worse one. A flag of a newer release counts as suspect."""
        badness = _BADNESS[Flag(self.flag)] if self.flag in _KNOWN else 1
        return badness >= _BADNESS[Flag(flag)]

    def is_stuck(self, over_us: int) -> bool:
        """Whether the value has been the same for ``over_us``; for 0: whether the newest reading repeats the one before."""
        return self.at - self.same_at >= over_us if over_us else self.repeats


_KNOWN = frozenset(int(flag) for flag in Flag)
