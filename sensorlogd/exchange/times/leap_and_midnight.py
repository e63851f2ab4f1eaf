"""Reads clock times that no calendar has: 24:00, the end of a day, and 23:59:60, a leap second.

The place of these digits in the text is found by trying, so that it works for every pattern: when they are exchanged for lower
ones, the time must move by just as much.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta

_PLACES = re.compile(r"(?=24|60)")
_DAY, _HOURS, _SECOND = timedelta(days=1), timedelta(hours=23), timedelta(seconds=1)


def read(text: str, parse: Callable[[str], datetime]) -> tuple[datetime, bool] | None:
    """(time, whether it was a leap second); None if it is neither. A leap second is returned as the second before it, so one second
    is to be added in UTC.

    ``parse`` raises ValueError for what it cannot read. 24:00 counts only with zeros after it.
    """
    for match in _PLACES.finditer(text):
        at = match.start()
        before, rest = text[:at], text[at + 2 :]
        try:
            if text[at] == "2":
                found = parse(f"{before}00{rest}")
                if (
                    parse(f"{before}23{rest}") - found == _HOURS
                    and (found.hour, found.minute, found.second, found.microsecond) == (0,) * 4
                ):
                    return found + _DAY, False
            else:
                found = parse(f"{before}59{rest}")
                if found - parse(f"{before}58{rest}") == _SECOND:
                    return found, True
        except (ValueError, OverflowError):
            continue
    return None


def is_leap(us: int) -> bool:
    """Whether a leap second can end at ``us``, the instant after it: at midnight UTC, at the beginning of a month."""
    at = datetime(1970, 1, 1) + timedelta(microseconds=us // 1_000_000 * 1_000_000)  # noqa: DTZ001  # UTC throughout
    return (at.day, at.hour, at.minute, at.second) == (1, 0, 0, 0)
