"""Where the buckets of an answer begin and end: steps aligned to the clock, and the ladder that a picture takes.

A step of ``us`` to ``h`` lies on the UTC grid (as the stored tiers do). A step of ``d``, ``w``, ``mo`` or ``y`` is
made of calendar days of the zone: 23, 24 or 25 hours; weeks begin on Monday, several days count from a Monday, months and
years from January of year 0. Every instant is in one bucket only, and the same step has the same edges whatever the range.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from sensorlogd.durations import format_duration, parse_duration
from sensorlogd.storage.rollups import resolutions

MAX_BUCKETS = 1_000_000
FIRST_US, LAST_US = -62_135_424_000_000_000, 253_402_128_000_000_000  # inside the years 1 to 9999 in every zone
SHORTEST_US = 1_000
_CALENDAR = re.compile(r"\s*(\d{1,6})\s*(d|w|mo|y)\s*", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Step:
    """``count`` times ``unit``: ``us`` (fixed length), ``d`` or ``mo`` (calendar)."""

    count: int
    unit: str = "us"

    @classmethod
    def parse(cls, text: str) -> Step:
        """``15min``, ``1d``, ``2w``, ``1mo``. Raises ValueError; below one millisecond, too."""
        match = _CALENDAR.fullmatch(text.lower())
        if match is not None and int(match[1]):
            count = int(match[1])
            step = {"d": cls(count, "d"), "w": cls(7 * count, "d"), "mo": cls(count, "mo"), "y": cls(12 * count, "mo")}[match[2]]
            if step.about_us > 200 * 366 * resolutions.DAY * resolutions.SECOND_US:
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
        """Its length; of calendar steps roughly."""
        day = resolutions.DAY * resolutions.SECOND_US
        return self.count * {"us": 1, "d": day, "mo": 30 * day}[self.unit]

    def bucket(self, ts_us: int, zone: str) -> tuple[int, int]:
        """[start, end) of the bucket that holds ``ts_us``. Raises ValueError outside the years 1 to 9999."""
        if not FIRST_US <= ts_us < LAST_US:
            raise ValueError("the range is outside the years 1 to 9999")
        if self.unit == "us":
            start = ts_us - ts_us % self.count
            return start, start + self.count
        local = (_EPOCH + timedelta(microseconds=ts_us)).astimezone(ZoneInfo(zone)).date()
        first, following = self._dates(local)
        start, end = resolutions.midnight(first, zone), resolutions.midnight(following, zone)
        if ts_us < start:  # the clock went back over midnight: this hour of the day before came twice
            first, following = self._dates(date.fromordinal(first - 1))
            start, end = resolutions.midnight(first, zone), start
        return start, end

    def _dates(self, day: date) -> tuple[int, int]:
        """First day, and first day of the following step, as ordinals. 0001-01-01 is a Monday and has ordinal 1."""
        if self.unit == "d":
            first = (day.toordinal() - 1) // self.count * self.count + 1
            return first, first + self.count
        month = (day.year * 12 + day.month - 1) // self.count * self.count
        return _first_of(month), _first_of(month + self.count)

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
            if self.unit == "us":
                start, end = end, end + self.count
            elif end >= LAST_US:
                return
            else:
                start, end = self.bucket(end, zone)

    def nests(self, tier: int, zone: str, day_zone: str | None, edges: list[tuple[int, int]]) -> bool:
        """Whether every bucket of the stored ``tier`` (in seconds) lies in one of ``edges`` as a whole."""
        if tier == resolutions.DAY:
            same = day_zone == zone if self.unit != "us" else day_zone == "UTC"
            return same and (self.unit != "us" or self.count % (resolutions.DAY * resolutions.SECOND_US) == 0)
        width = tier * resolutions.SECOND_US
        if self.unit == "us":
            return self.count % width == 0
        return all(start % width == 0 for start, _ in edges) and edges[-1][1] % width == 0


def _first_of(month: int) -> int:
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
    """The shortest step of the ladder that needs no more than ``max_points`` buckets for a range.

    It depends on the range's length only, so that a picture that scrolls keeps its step.
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
        shortest = step.about_us if step.unit == "us" else step.about_us * 9 // 10
        if -(-span // shortest) + 1 <= max_points:
            return step
    return LADDER[-1]
