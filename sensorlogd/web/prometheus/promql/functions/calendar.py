"""Functions of the calendar: from seconds since 1970 to parts of the date in UTC."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime, timedelta

from sensorlogd.notation.instants import EPOCH


def _in_month(at: datetime) -> int:
    following = at.replace(day=28) + timedelta(days=4)
    return (following - timedelta(days=following.day)).day


CALENDAR: dict[str, Callable[[datetime], int]] = {
    "minute": lambda at: at.minute, "hour": lambda at: at.hour, "day_of_month": lambda at: at.day,
    "day_of_week": lambda at: (at.weekday() + 1) % 7, "day_of_year": lambda at: at.timetuple().tm_yday,
    "days_in_month": _in_month, "month": lambda at: at.month, "year": lambda at: at.year,
}  # fmt: skip


def on_calendar(name: str) -> Callable[[float], float]:
    """Apply a function of the date to values that are seconds since 1970, in UTC."""
    function = CALENDAR[name]

    def apply(seconds: float) -> float:
        try:
            return float(function(EPOCH + timedelta(seconds=int(seconds))))
        except (OverflowError, ValueError):
            return math.nan

    return apply
