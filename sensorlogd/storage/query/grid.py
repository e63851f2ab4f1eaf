"""Where the buckets of an answer begin and end: steps aligned to the clock, and the ladder that a picture takes.

A step of ``us`` to ``h`` lies on the UTC grid (as the stored resolutions do), but for those that the local clock shows otherwise.
2h, 3h, 4h, 6h, 8h, 12h and 24h are parts of the local day: 00:00, 06:00 ...; one in which clocks are set is longer or shorter.
Where clocks differ from UTC by a part of an hour (+05:30, +05:45, -03:30) others of half an hour to a day lie on the grid of the
local clock, too, so that an hour begins when it begins there; if such a clock is set, the bucket ends at that moment. A step of
``d``, ``w``, ``mo`` or ``y`` is made of calendar days of the zone: 23, 24 or 25 hours; weeks begin on Monday, several days count
from a Monday, months and years from January of year 0. Every instant is in one bucket only, and the same step has the same edges
whatever the range."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from sensorlogd.notation.durations import format_duration, parse_duration
from sensorlogd.notation.instants import local_of, us_of
from sensorlogd.notation.microseconds import DAY_US, HOUR_US, MINUTE_US, SECOND_US
from sensorlogd.notation.times import format_time
from sensorlogd.storage.rollups import resolutions

MAX_BUCKETS = 1_000_000
FIRST_US, LAST_US = -62_135_424_000_000_000, 253_402_128_000_000_000  # inside the years 1 to 9999 in every zone
OUTSIDE = f"the range is outside {format_time(FIRST_US)} to {format_time(LAST_US)}"
SHORTEST_US = 1_000
PART_US = 15 * MINUTE_US
HALF_HOUR_US = HOUR_US // 2
_CALENDAR = re.compile(r"\s*(\d{1,6})\s*(d|w|mo|y)\s*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Step:
    """The length of the buckets: ``count`` times ``unit``: ``us`` (fixed length), ``d`` or ``mo`` (calendar)."""

    count: int
    unit: str = "us"

    @classmethod
    def parse(cls, text: str) -> Step:
        """``15min``, ``1d``, ``2w``, ``1mo``. Raises ValueError; below one millisecond, too."""
        match = _CALENDAR.fullmatch(text.lower())
        if match is not None and int(match[1]):
            count = int(match[1])
            step = {"d": cls(count, "d"), "w": cls(7 * count, "d"), "mo": cls(count, "mo"), "y": cls(12 * count, "mo")}[match[2]]
            if step.about_us > 200 * 366 * DAY_US:
                raise ValueError(f"{text!r} is longer than 200 years")
            return step
        width = parse_duration(text)
        if width < SHORTEST_US:
            raise ValueError(f"{text!r} is too short for a step; the shortest is 1ms")
        return cls(width)

    def __str__(self) -> str:
        if self.unit == "us":
            return format_duration(self.count)
        if self.unit == "mo":
            return f"{self.count // 12}y" if self.count % 12 == 0 else f"{self.count}mo"
        return f"{self.count // 7}w" if self.count % 7 == 0 else f"{self.count}d"

    @property
    def about_us(self) -> int:
        """The length of the step in microseconds; of calendar steps roughly: a month counts as 30 days."""
        return self.count * {"us": 1, "d": DAY_US, "mo": 30 * DAY_US}[self.unit]

    def bucket(self, ts_us: int, zone: str) -> tuple[int, int]:
        """[start, end) of the bucket that holds ``ts_us``. Raises ValueError outside what the grid covers."""
        if not FIRST_US <= ts_us < LAST_US:
            raise ValueError(OUTSIDE)
        if self.unit == "us":
            if self._is_part_of_day(zone):
                return self._part_of_day(ts_us, zone)
            if self._is_local(zone):
                return self._local_bucket(ts_us, zone)
            start = ts_us - ts_us % self.count
            return start, start + self.count
        local = local_of(ts_us, ZoneInfo(zone)).date()
        first, following = self._step_days(local)
        start, end = resolutions.midnight(first, zone), resolutions.midnight(following, zone)
        if ts_us < start:  # the clock went back over midnight: this hour of the day before came twice
            first, following = self._step_days(date.fromordinal(first - 1))
            start, end = resolutions.midnight(first, zone), start
        return start, end

    def _is_local(self, zone: str) -> bool:
        """Whether its grid there may be another than that of UTC."""
        return self._is_part_of_day(zone) or (HALF_HOUR_US <= self.count <= DAY_US and _has_part_hours(zone))

    def _is_part_of_day(self, zone: str) -> bool:
        return zone != "UTC" and 2 * HOUR_US <= self.count <= DAY_US and DAY_US % self.count == 0

    def _part_of_day(self, ts_us: int, zone: str) -> tuple[int, int]:
        ordinal = local_of(ts_us, ZoneInfo(zone)).toordinal()
        if ts_us < resolutions.midnight(ordinal, zone):  # as in ``bucket``
            ordinal -= 1
        edges = _parts_of_day(ordinal, self.count, zone)
        following = bisect_right(edges, ts_us)
        return edges[following - 1], edges[following]

    def _local_bucket(self, ts_us: int, zone: str) -> tuple[int, int]:
        """On the grid of the offset that holds at ``ts_us``, and not beyond the time for which that grid holds."""
        phase = _grid_offset_us(ts_us, self.count, zone)
        start = ts_us - (ts_us + phase) % self.count
        end = start + self.count
        if _grid_offset_us(start, self.count, zone) != phase:
            start = _first_with_phase(phase, self.count, zone, start, ts_us)
        if _grid_offset_us(end - 1, self.count, zone) != phase:
            end = _first_with_phase(_grid_offset_us(end - 1, self.count, zone), self.count, zone, ts_us, end - 1)
        return start, end

    def _step_days(self, day: date) -> tuple[int, int]:
        """First day, and first day of the following step, as ordinals. 0001-01-01 is a Monday and has ordinal 1."""
        if self.unit == "d":
            first = (day.toordinal() - 1) // self.count * self.count + 1
            return first, first + self.count
        month = (day.year * 12 + day.month - 1) // self.count * self.count
        return _first_day_of_month(month), _first_day_of_month(month + self.count)

    def edges(self, since_us: int, until_us: int, zone: str) -> Iterator[tuple[int, int]]:
        """The buckets that touch [since, until), in order. Raises ValueError for more than a million of them."""
        if (until_us - since_us) // self.about_us > MAX_BUCKETS:
            raise ValueError(
                f"steps of {self} make {(until_us - since_us) // self.about_us:,} buckets;"
                f" at most {MAX_BUCKETS:,}: take a longer step or a shorter range"
            )
        start, end = self.bucket(since_us, zone)
        while start < until_us:
            yield start, end
            if self.unit == "us" and not self._is_local(zone):
                start, end = end, end + self.count
            elif end >= LAST_US:
                return
            else:
                start, end = self.bucket(end, zone)

    def nests(self, resolution: int, zone: str, day_zone: str | None, edges: list[tuple[int, int]]) -> bool:
        """Whether every bucket of the stored ``resolution`` (in seconds) lies in one of ``edges`` as a whole."""
        local = self.unit == "us" and self._is_local(zone)
        if resolution == resolutions.DAY:
            same = day_zone == (zone if local or self.unit != "us" else "UTC")
            return same and (self.unit != "us" or self.count % DAY_US == 0)
        width = resolution * SECOND_US
        if self.unit == "us" and not local:
            return self.count % width == 0
        return all(start % width == 0 for start, _ in edges) and edges[-1][1] % width == 0


@lru_cache(maxsize=64)
def _has_part_hours(zone: str) -> bool:
    """Whether its clock ever differed from UTC by quarters of an hour that make no whole one, since 1970."""
    if zone == "UTC":
        return False
    return any(
        _offset_us(us_of(datetime(year, month, 1, tzinfo=UTC)), zone) % HOUR_US for year in range(1970, 2038) for month in (1, 7)
    )


@lru_cache(maxsize=4096)
def _parts_of_day(ordinal: int, width_us: int, zone: str) -> tuple[int, ...]:
    """When the local clock first shows the multiples of ``width_us`` on that day, and when the day ends, in order."""
    first, end = resolutions.midnight(ordinal, zone), resolutions.midnight(ordinal + 1, zone)
    day = datetime.fromordinal(ordinal)
    inner = set()
    for part in range(1, DAY_US // width_us):
        inner.add(us_of((day + timedelta(microseconds=part * width_us)).replace(tzinfo=ZoneInfo(zone))))
    return (first, *sorted(instant for instant in inner if first < instant < end), end)


def _offset_us(ts_us: int, zone: str) -> int:
    """What the local clock is ahead of UTC, if that is in quarters of an hour, as it is everywhere since 1972; else 0."""
    ahead = local_of(ts_us, ZoneInfo(zone)).utcoffset() or timedelta()
    us = (ahead.days * 86_400 + ahead.seconds) * SECOND_US
    return us if us % PART_US == 0 else 0


def _grid_offset_us(ts_us: int, width_us: int, zone: str) -> int:
    """By how much the grid of the local clock is ahead of that of UTC; 0 where the clocks differ by whole hours."""
    offset = _offset_us(ts_us, zone)
    return offset % width_us if offset % HOUR_US else 0


def _first_with_phase(phase: int, width_us: int, zone: str, low: int, high: int) -> int:
    """The first instant in (low, high] that has the phase: the moment the clock was set. Clocks are set once in so short a
    time."""
    while high - low > 1:
        middle = (low + high) // 2
        if _grid_offset_us(middle, width_us, zone) == phase:
            high = middle
        else:
            low = middle
    return high


def _first_day_of_month(month: int) -> int:
    """The ordinal of its first day. ``month``: counted from the year 0; outside the years 1 to 9999 the nearest year."""
    year, index = divmod(month, 12)
    year = min(max(year, 1), 9999)
    return date(year, index + 1, 1).toordinal()


LADDER = tuple(
    Step.parse(text)
    for text in [
        "1ms",
        "2ms",
        "5ms",
        "10ms",
        "20ms",
        "50ms",
        "100ms",
        "200ms",
        "500ms",
        "1s",
        "2s",
        "5s",
        "10s",
        "15s",
        "30s",
        "1min",
        "2min",
        "5min",
        "15min",
        "30min",
        "1h",
        "2h",
        "6h",
        "12h",
        "1d",
        "2d",
        "1w",
        "1mo",
        "3mo",
        "1y",
        "2y",
        "5y",
        "10y",
        "50y",
    ]
)


def for_points(since_us: int, until_us: int, max_points: int, zone: str) -> Step:
    """The shortest step of the ladder that needs no more than ``max_points`` buckets for a range; the longest if none does.

    For two points or more it depends on the range's length only, so that a picture that scrolls keeps its step; for one point
    also on where the range lies. Raises ValueError for fewer than one.
    """
    if max_points < 1:
        raise ValueError(f"max_points is {max_points}; at least 1")
    span = until_us - since_us
    for step in LADDER:
        if max_points == 1:
            if step.bucket(since_us, zone)[1] >= until_us:
                return step
            continue
        # A range that begins inside a bucket touches one more; a calendar day may have 23 hours, a month 28 days.
        even = step.unit == "us" and (step._is_part_of_day(zone) or not step._is_local(zone))
        shortest = step.about_us if even else step.about_us * 9 // 10
        spring = HOUR_US * (1 + span // (180 * DAY_US)) if step.unit == "us" and step._is_part_of_day(zone) else 0
        if -(-(span + spring) // shortest) + 1 <= max_points:
            return step
    return LADDER[-1]
