"""Follow a log: gives each reading that is committed after the first check, once, whatever its time.

The database does not keep the order of arrival, so a reading is new if it was not seen before: the time and series of all
readings from ``floor_us`` on are remembered. ``floor_us`` lies a while before the edge of the roll-ups, as it was when the last
whole check began. A reading that arrives with a time before the edge marks its minute (table ``dirty``): where that is before the
floor nobody knows which reading of the minute is the new one, and ``late`` says where it lies.

For one thread. Most checks read only what is stamped in the last seconds; a whole check reads from the floor on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sensorlogd.notation.microseconds import END_US, MINUTE_US, SECOND_US
from sensorlogd.storage.query.log_reader import LogReader, SeriesReading
from sensorlogd.storage.series.stored import Series

NEWEST_US = 10 * SECOND_US  # what a quick check reads
MAX_LATE_US = 2 * MINUTE_US  # a reading may come this long after its time, and is followed
AT_ONCE = 5_000
KEPT_MOST = 500_000  # readings that are remembered; where nobody rolls up, the edge stays where it is


class Late(NamedTuple):
    """In [since, until) readings of a series were added or changed that were not followed: they came too late."""

    series: Series
    since_us: int
    until_us: int


class Following:
    """Gives each new reading of some series once. ``late``: what has been found since somebody emptied it. ``floor_us``: what is
    stamped earlier is not followed."""

    def __init__(self, series: Sequence[Series], since_us: int) -> None:
        self.series = list(series)
        self.floor_us = since_us
        self.late: list[Late] = []
        self._since_us = since_us
        self._seen: dict[int, set[int]] = {}
        self._kept = 0
        self._keep_from_us = since_us
        self._is_whole = False
        self._dirty: dict[tuple[int, int], int] | None = None
        self._from_us = since_us
        self._after: tuple[int, int] | None = None

    def use(self, series: Sequence[Series]) -> None:
        """The series that are followed from now on."""
        self.series = list(series)

    def begin(self, log: LogReader, now_us: int, *, whole: bool) -> None:
        """Begin a new check. Raises sqlite3.Error."""
        edge_us, dirty = log.dirty_minutes(self._since_us - MINUTE_US)
        self._note_late(dirty)
        self._from_us, self._after = (self.floor_us if whole else max(self.floor_us, now_us - NEWEST_US)), None
        self._is_whole = whole
        if whole:
            self._keep_from_us = max(self.floor_us, edge_us - MAX_LATE_US)

    def end(self) -> None:
        """End a check, of which all pages have been read."""
        if self._is_whole:
            self.floor_us = self._keep_from_us
            self._forget_seen()

    def page(self, log: LogReader) -> list[SeriesReading] | None:
        """The next readings that are new, by time and then series; None: this check is over. Raises sqlite3.Error."""
        found = log.page(self.series, self._from_us, END_US, self._after, AT_ONCE)
        if not found:
            return None
        self._after = (found[-1].ts_us, found[-1].series.id)
        return [reading for reading in found if self._is_new(reading)]

    def new_file(self) -> None:
        """The database is another file now, so that dirty minutes in it are no sign of late readings."""
        self._dirty = None

    def _is_new(self, reading: SeriesReading) -> bool:
        seen = self._seen.setdefault(reading.series.id, set())
        if reading.ts_us in seen:
            return False
        if reading.ts_us >= self._keep_from_us:
            seen.add(reading.ts_us)
            self._kept += 1
        return True

    def _note_late(self, dirty: dict[tuple[int, int], int]) -> None:
        """Note the minutes before the floor that were marked since the last check: readings came late there."""
        known, self._dirty = self._dirty, dirty
        if known is None:
            return
        names = {each.id: each for each in self.series}
        new = sorted(
            (series, start)
            for (series, start), generation in dirty.items()
            if series in names and start < self.floor_us and generation > known.get((series, start), -1)
        )
        for series, start in new:
            self._add_late(names[series], start)

    def _add_late(self, series: Series, start_us: int) -> None:
        """A minute beside or in what was noted last makes that longer: hours of late readings are one entry."""
        last = self.late[-1] if self.late else None
        if last is not None and last.series.id == series.id and last.since_us <= start_us <= last.until_us:
            self.late[-1] = last._replace(until_us=max(last.until_us, start_us + MINUTE_US))
        else:
            self.late.append(Late(series, start_us, start_us + MINUTE_US))

    def _forget_seen(self) -> None:
        """Forget the readings before the floor; and if that is not enough, raise the floor and forget the older half."""
        if self._kept > KEPT_MOST:
            times = sorted(ts for seen in self._seen.values() for ts in seen)
            self.floor_us = self._keep_from_us = max(self.floor_us, times[len(times) // 2])
        floor = self.floor_us
        self._seen = {series: {ts for ts in seen if ts >= floor} for series, seen in self._seen.items()}
        self._kept = sum(map(len, self._seen.values()))
