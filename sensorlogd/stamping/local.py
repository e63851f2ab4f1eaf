"""Turns local times into UTC: copes with the hour that comes twice in autumn, and with the one that is missing in spring."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from sensorlogd.notation.instants import us_of
from sensorlogd.notation.microseconds import MINUTE_US

FIRST, SECOND, BY_ORDER = "first", "second", "by_order"
FOLDS = (FIRST, SECOND, BY_ORDER)
JITTER_US = MINUTE_US  # lines whose times go back by less than this are out of order; no clock was changed


class NoSuchTime(ValueError):
    """A local time that clocks were set forward over: whoever wrote it has another zone, or is wrong."""


class LocalTimes:
    """Turns the times of one source into UTC, in the order in which they come.

    ``fold``: ``first`` and ``second`` always take that one of two times that are written alike. ``by_order`` goes by the times
    before: time goes on, so the first one is meant until it falls back by a minute or more; at the very beginning, and if the same
    time comes again, the time of arrival decides, if it is known. If it is not, the same time again is the second one where the
    time before it came an hour earlier, and more readings than this never shared one time: so does an hourly logger write.
    """

    def __init__(self, zone: str, fold: str = BY_ORDER) -> None:
        self.name = zone
        self.zone = ZoneInfo(zone)
        self.fold = fold
        self._last_us: int | None = None
        self._arrived_us: int | None = None
        self._step_us = 0  # from the time before the last one to the last one
        self._alike = 0  # how many in a row had the last time
        self._most_alike = 1  # and any time before it

    def utc_us(self, at: datetime, arrived_us: int | None = None) -> int:
        """``at`` in microseconds since 1970; an offset that ``at`` has itself is used. Raises NoSuchTime, OverflowError."""
        found = us_of(at) if at.tzinfo is not None else self._zoned_us(at, arrived_us)
        self._note(found, arrived_us)
        return found

    def _note(self, found: int, arrived_us: int | None) -> None:
        """Remember a time, for those that come after it."""
        if found == self._last_us:
            self._alike += 1
        else:
            self._step_us = 0 if self._last_us is None else found - self._last_us
            self._most_alike, self._alike = max(self._most_alike, self._alike), 1
        self._last_us, self._arrived_us = found, arrived_us

    def _zoned_us(self, at: datetime, arrived_us: int | None) -> int:
        """A time without offset in microseconds since 1970. Raises NoSuchTime, OverflowError."""
        early = at.replace(tzinfo=self.zone, fold=0)
        late = early.replace(fold=1)
        if early.utcoffset() == late.utcoffset():
            return us_of(early)
        if early.astimezone(UTC).astimezone(self.zone).replace(tzinfo=None) != at:
            raise NoSuchTime(f"there is no {at} in {self.name}: clocks were set forward; is it another zone?")
        first, second = us_of(early), us_of(late)
        if self.fold != BY_ORDER:
            return first if self.fold == FIRST else second
        return self._choose_by_order(first, second, arrived_us)

    def _choose_by_order(self, first: int, second: int, arrived_us: int | None) -> int:
        """Which of the two times that are written alike is meant; see the class."""
        last, width = self._last_us, second - first
        if last is None:
            is_second = arrived_us is not None and abs(arrived_us - second) < min(abs(arrived_us - first), width)
        elif last > second:
            is_second = last - second < width  # shortly after the second one; otherwise begin anew
        elif last - first < JITTER_US:
            if arrived_us is None or self._arrived_us is None:
                is_second = last == first and abs(self._step_us - width) < JITTER_US and self._alike >= self._most_alike
            else:
                is_second = last >= first and arrived_us - self._arrived_us >= width // 2
        else:
            is_second = True
        return second if is_second else first
