"""Points in time as people write them, and as we write them.

    now, now-1h, -15m (before now), today, yesterday, now/d (start of the day), now-1d/d
    2026, 2026-01, 2026-01-31, 2026-01-31T12:30, 2026-01-31 12:30:15.25, ...Z or ...+01:00   (ISO 8601; partial ones
        mean their start; without an offset they are in the zone asked for)
    1767225600, 1767225600000, 1767225600000000   (seconds, milliseconds, microseconds since 1970)

All results are integer microseconds UTC.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sensorlogd.notation.durations import parse_duration
from sensorlogd.notation.instants import local_of, us_of

_RELATIVE = re.compile(r"(now|today|yesterday)?\s*((?:[+-]\s*[0-9.]+\s*[a-z]+\s*)*)(?:/\s*(min|h|d|w|mo|y))?", re.ASCII)
_PARTIAL = re.compile(r"(\d{4})(?:-(\d{1,2}))?")
ALLOWED = "now-1h, -15m, today, yesterday, now/d, 2026-01-31, 2026-01-31T12:30, an epoch in s, ms or us"


def parse_time(text: str, now_us: int, zone: str = "UTC") -> int:
    """Microseconds UTC of a point in time. Raises ValueError naming what is allowed."""
    stripped = text.strip()
    try:
        found = _parse_absolute(stripped, zone)
        if found is None:
            found = _parse_relative(stripped.lower(), now_us, zone)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{text!r} is not a time: {error}; write e.g. {ALLOWED}") from None
    if found is None:
        raise ValueError(f"{text!r} is not a time; write e.g. {ALLOWED}")
    return found


def _parse_absolute(text: str, zone: str) -> int | None:
    """Microseconds UTC of a date or an epoch; None for a text that is neither. Raises ValueError for a date that does not
    exist."""
    if re.fullmatch(r"-?\d{9,17}", text, re.ASCII):
        digits = len(text.lstrip("-"))
        return int(text) * (1_000_000 if digits <= 11 else 1_000 if digits <= 14 else 1)
    partial = _PARTIAL.fullmatch(text)
    if partial:
        return us_of(datetime(int(partial[1]), int(partial[2] or 1), 1, tzinfo=ZoneInfo(zone)))
    if not re.match(r"\d{4}-\d{1,2}-\d{1,2}", text):
        return None
    if re.fullmatch(r".*[T ]\d{1,2}", text):
        text += ":00"
    at = datetime.fromisoformat(text)
    return us_of(at if at.tzinfo else at.replace(tzinfo=ZoneInfo(zone)))


def _parse_relative(text: str, now_us: int, zone: str) -> int | None:
    """Microseconds UTC of a time relative to now; None for any other text. Raises ValueError for a unit that does not exist."""
    match = _RELATIVE.fullmatch(text)
    if match is None or not text:
        return None
    at_us = now_us
    if match[1] in ("today", "yesterday"):
        at_us = _start_of("d", at_us, zone, back=1 if match[1] == "yesterday" else 0)
    for sign, duration in re.findall(r"([+-])\s*([0-9.]+\s*[a-z]+)", match[2]):
        at_us += parse_duration(duration) * (1 if sign == "+" else -1)
    return _start_of(match[3], at_us, zone) if match[3] else at_us


def _start_of(unit: str, us: int, zone: str, back: int = 0) -> int:
    """The start (µs UTC) of the unit of time that holds ``us``, by the clocks of the zone; of an hour that comes twice, the one
    that it is. ``back``: this many days earlier."""
    local = local_of(us, ZoneInfo(zone)).replace(second=0, microsecond=0)
    if unit != "min":
        local = local.replace(minute=0)
    if unit in ("d", "w", "mo", "y"):
        local = local.replace(hour=0, fold=0) - timedelta(days=back)
    if unit == "w":
        local -= timedelta(days=local.weekday())
    elif unit == "mo":
        local = local.replace(day=1)
    elif unit == "y":
        local = local.replace(month=1, day=1)
    return _first_instant(local)


def _first_instant(local: datetime) -> int:
    """Microseconds UTC of a time by the clocks of its zone; if they are set forward over it, of the moment in which they are."""
    later, before = us_of(local), us_of(local.replace(fold=1))
    if later <= before:
        return later
    # It is skipped: by the new offset it is before that moment, by the old one after it.
    offset = local_of(later, local.tzinfo).utcoffset()
    while later - before > 1:
        middle = (later + before) // 2
        if local_of(middle, local.tzinfo).utcoffset() == offset:
            later = middle
        else:
            before = middle
    return later


def zone(name: str) -> str:
    """The name, if it is that of an IANA zone. Raises ValueError."""
    try:
        ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        raise ValueError(f"{name!r} is not a time zone; write an IANA name, e.g. Europe/Berlin") from None
    return name


def of_datetime(at: datetime, zone: str = "UTC") -> int:
    """Microseconds UTC of a datetime; one without an offset is in ``zone``."""
    return us_of(at if at.tzinfo else at.replace(tzinfo=ZoneInfo(zone)))


def format_time(us: int, zone: str = "UTC") -> str:
    """RFC 3339 in the zone, with microseconds where there are any: ``2026-01-31T12:30:15.250000+01:00``."""
    try:
        at = local_of(us, ZoneInfo(zone))
    except OverflowError:
        return f"{us}us"  # outside the years 1 to 9999
    text = at.isoformat(timespec="microseconds" if at.microsecond else "seconds")
    return text.removesuffix("+00:00") + "Z" if text.endswith("+00:00") else text


def format_age(us: int) -> str:
    """An age for people, two units at most: ``3s``, ``2min10s``, ``5d3h``."""
    if us < -1_000_000:  # less is the time that asking took
        return "in the future"
    us = max(us, 0)
    if us < 1_000_000:
        return f"{us // 1000}ms"
    seconds = us // 1_000_000
    parts: list[str] = []
    for unit, width in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        count, seconds = divmod(seconds, width)
        if count or parts:
            parts.append(f"{count}{unit}" if count else "")
        if len(parts) == 2:
            break
    return "".join(parts) or "0s"


_WORDS = (("year", 365 * 86_400, 2), ("month", 30 * 86_400, 2), ("day", 86_400, 2), ("h", 3_600, 1), ("min", 60, 1), ("s", 1, 1))


def format_ago(us: int) -> str:
    """An age in words, one unit: ``just now``, ``9 s ago``, ``3 min ago``, ``47 h ago``, ``5 days ago``, ``in 3 min``."""
    if abs(us) < 1_000_000:  # less than a second in the future is the time that asking took
        return "just now"
    seconds = abs(us) // 1_000_000
    unit, width = next((unit, width) for unit, width, least in _WORDS if seconds >= width * least)
    span = f"{seconds // width} {unit}{'s' if unit in ('year', 'month', 'day') else ''}"
    return f"{span} ago" if us > 0 else f"in {span}"
