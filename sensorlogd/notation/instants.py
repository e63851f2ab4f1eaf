"""Datetimes of microseconds since 1970 UTC, and back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def utc_of(us: int) -> datetime:
    """The datetime in UTC, to the microsecond: no float comes between. Raises OverflowError outside the years 1 to 9999."""
    return EPOCH + timedelta(microseconds=us)


def local_of(us: int, zone: tzinfo | None) -> datetime:
    """As ``utc_of``, by the clocks of a zone; None: of the zone of this machine."""
    return utc_of(us).astimezone(zone)


def us_of(at: datetime) -> int:
    """Microseconds since 1970 UTC of a datetime with a zone. Raises OverflowError outside the years 1 to 9999."""
    since = at.astimezone(UTC) - EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
