"""Follows series as readings of them are committed, for ``tail``.

By time: of each series what is newer than the newest that was shown. The first query reads all that is there. Each later one reads
only series of which something has arrived since: first, one after another, what is older than a minute (of those that were silent
for longer, or whose readings come late), then what all have of the last minute, in order of time. So a query takes no longer because
some series is silent.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from sensorlogd.notation.microseconds import MINUTE_US
from sensorlogd.storage.query.log_reader import LogReader, SeriesReading
from sensorlogd.storage.series.stored import Series

AHEAD_US = MINUTE_US  # what is dated later is shown when its time has come
NEAR_US = MINUTE_US
AT_ONCE = 5_000  # readings of a later query; no transaction stays open while they are shown


class Followed:
    """The readings of some series from ``start_us`` on. A reading that is older than the newest of its series is not shown."""

    def __init__(self, log: LogReader, series: Sequence[Series], start_us: int) -> None:
        self._log = log
        self._series = list(series)
        self._newest = {each.id: start_us - 1 for each in series}  # of what was shown
        self._arrived: dict[int, int] = {}  # the reading of each series that had arrived last at the last query
        self._start_us: int | None = start_us  # until the first query
        self._version: int | None = None

    def new_readings(self, now_us: int) -> Iterator[SeriesReading]:
        """What is new. Raises sqlite3.Error."""
        until_us, version = now_us + AHEAD_US, self._log.version()
        if version == self._version:
            return
        series = self._with_arrivals(now_us, until_us)
        if self._start_us is not None:
            yield from self._newer(self._log.readings(self._series, self._start_us, until_us))
            self._start_us = None
        else:
            yield from self._look_at(series, now_us - NEAR_US, until_us)
        self._version = version

    def _with_arrivals(self, now_us: int, until_us: int) -> list[Series]:
        """The series of which a reading has arrived since the last query; one that is dated later has not arrived yet."""
        newest = self._log.latest(self._series, now_us)
        arrived = {each.series.id: each.ts_us for each in newest if each is not None and each.ts_us < until_us}
        known, self._arrived = self._arrived, self._arrived | arrived
        return [each for each in self._series if self._arrived.get(each.id) != known.get(each.id)]

    def _look_at(self, series: Sequence[Series], near_us: int, until_us: int) -> Iterator[SeriesReading]:
        for each in series:
            if self._newest[each.id] + 1 < near_us:
                yield from self._newer(self._pages([each], self._newest[each.id] + 1, near_us))
        near_us = max(near_us, min((self._newest[each.id] + 1 for each in series), default=until_us))
        yield from self._newer(self._pages(series, near_us, until_us))

    def _pages(self, series: Sequence[Series], since_us: int, until_us: int) -> Iterator[SeriesReading]:
        after = None
        while found := self._log.page(series, since_us, until_us, after, AT_ONCE):
            after = found[-1].ts_us, found[-1].series.id
            yield from found

    def _newer(self, readings: Iterable[SeriesReading]) -> Iterator[SeriesReading]:
        """Those that are newer than the newest of their series."""
        for reading in readings:
            if reading.ts_us > self._newest[reading.series.id]:
                self._newest[reading.series.id] = reading.ts_us
                yield reading
