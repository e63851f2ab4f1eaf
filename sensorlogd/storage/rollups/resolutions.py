"""The resolutions that are kept, and where their buckets begin and end.

1min, 15min and 1h lie on the UTC grid. 1d is a calendar day in the configured zone: 23, 24 or 25 hours long, and in a
zone like Asia/Kathmandu (+05:45) off the hour, so that it cannot be merged from hours.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from sensorlogd.notation.instants import local_of, us_of
from sensorlogd.notation.microseconds import DAY_US, HOUR_US, SECOND_US

MINUTE, QUARTER, HOUR, DAY = 60, 900, 3600, 86400
DEFAULT_RESOLUTIONS = (MINUTE, QUARTER, HOUR, DAY)
FIXED = (MINUTE, QUARTER, HOUR)
NAMES = {MINUTE: "1min", QUARTER: "15min", HOUR: "1h", DAY: "1d"}

_FIRST_US, _LAST_US = -62_135_510_400_000_000, 253_402_128_000_000_000  # a day inside years 1 and 9999


def bucket(ts_us: int, resolution: int, zone: str) -> tuple[int, int]:
    """[start, end) in microseconds UTC of the bucket that holds ``ts_us``."""
    if resolution != DAY:
        width = resolution * SECOND_US
        start = ts_us - ts_us % width
        return start, start + width
    return _local_day(ts_us, zone)


def _local_day(ts_us: int, zone: str) -> tuple[int, int]:
    if zone == "UTC" or not _FIRST_US <= ts_us <= _LAST_US:
        start = ts_us - ts_us % DAY_US
        return start, start + DAY_US
    # The cache is by hour of UTC and holds the day in which the hour begins. A day may begin or end inside the hour (+05:45), so
    # an instant may lie in the day after that one; no hour holds two midnights of a zone.
    start, end = _local_day_by_hour(ts_us // HOUR_US, zone)
    if ts_us < start:
        return _local_day_by_hour((start - 1) // HOUR_US - 1, zone)
    if ts_us >= end:
        return _local_day_by_hour(end // HOUR_US + 1, zone)
    return start, end


@lru_cache(maxsize=4096)
def _local_day_by_hour(hour: int, zone: str) -> tuple[int, int]:
    """The local day that the first instant of this hour of UTC is in."""
    local = local_of(hour * HOUR_US, ZoneInfo(zone)).date()
    return midnight(local.toordinal(), zone), midnight(local.toordinal() + 1, zone)


@lru_cache(maxsize=4096)
def midnight(ordinal: int, zone: str) -> int:
    """The first instant of a local day. Where midnight does not exist (DST at 00:00) it is the instant of the jump."""
    day = datetime.fromordinal(ordinal).replace(tzinfo=ZoneInfo(zone))
    instant = day.astimezone(UTC)
    if instant.astimezone(ZoneInfo(zone)).date().toordinal() != ordinal or instant.astimezone(ZoneInfo(zone)).hour:
        # In the gap PEP 495 gives the time before the jump (fold 0): walk to the first instant that is in the day.
        low, high = instant - timedelta(hours=3), instant + timedelta(hours=3)
        while high - low > timedelta(microseconds=1):
            middle = low + (high - low) / 2
            if middle.astimezone(ZoneInfo(zone)).date().toordinal() >= ordinal:
                high = middle
            else:
                low = middle
        instant = high
    return us_of(instant)


def children(start_us: int, end_us: int, resolution: int) -> int | None:
    """The coarsest resolution, finer than this one, whose buckets fill [start, end) exactly; None = only readings do."""
    for finer in (HOUR, QUARTER, MINUTE):
        if finer < resolution and start_us % (finer * SECOND_US) == 0 and end_us % (finer * SECOND_US) == 0:
            return finer
    return None
