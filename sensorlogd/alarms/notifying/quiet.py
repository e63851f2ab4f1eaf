"""Quiet hours, in the zone of the configuration."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo


def is_quiet(span: tuple[int, int] | list[int] | None, now_us: int, zone: str) -> bool:
    """``span``: minutes of the day, from and until; it may go over midnight."""
    if span is None:
        return False
    local = datetime.fromtimestamp(now_us / 1e6, UTC).astimezone(ZoneInfo(zone))
    minute, (begins, ends) = 60 * local.hour + local.minute, span
    if begins < ends:
        return begins <= minute < ends
    return minute >= begins or minute < ends
