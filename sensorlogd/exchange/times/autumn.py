"""Watches for the hour that comes twice in autumn, in files of local times of which nobody has said which of the two is meant."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from sensorlogd.notation.microseconds import MINUTE_US

_MINUTE = timedelta(minutes=1)
JITTER = timedelta(microseconds=MINUTE_US)  # lines whose times go back by less are out of order; no clock was changed


class HourTwice(Exception):
    """A file has times of both hours, in order: local times go back inside the hour that comes twice."""


class AutumnWatch:
    """Takes the local times of one file in their order. ``first``: a sentence about the first time that comes twice; None: there is
    none."""

    def __init__(self, zone: str) -> None:
        self._name = zone
        self._zone = ZoneInfo(zone)
        self._last: datetime | None = None
        self._was_twice = False  # the last time is one that comes twice
        self._rises = True  # the time before the last one was not later
        self.first: str | None = None

    def take(self, at: datetime, text: str) -> None:
        """Look at the next time, which has no offset. Raises HourTwice where times had risen and now go back inside that hour; a
        file in falling order has the hour once."""
        last, self._last = self._last, at
        early = at.replace(tzinfo=self._zone, fold=0)
        late = early.replace(fold=1)
        is_twice = (early.utcoffset() or timedelta()) > (late.utcoffset() or timedelta())
        was_twice, self._was_twice = self._was_twice, is_twice
        rose, self._rises = self._rises, last is None or at >= last
        if not is_twice:
            return
        if was_twice and rose and last is not None and JITTER <= last - at < timedelta(hours=2):
            raise HourTwice(
                f"local times go back here, from {last.time()} to {at.time()} ({self._hour(early, late)}): say --fold by_order, which puts the second after"
                " the first, or --fold first or --fold second if the lines are only out of order"
            )
        if self.first is None:
            hour = self._hour(early, late)
            self.first = f"{text!r} was read as the first one ({hour}); if it is not, say --fold second or --fold by_order"

    def _hour(self, early: datetime, late: datetime) -> str:
        """The span of local times that comes twice around a time, in words."""
        utc = early.astimezone(UTC).replace(second=0, microsecond=0)
        while utc.astimezone(self._zone).utcoffset() != late.utcoffset():
            utc += _MINUTE
        begin = utc.astimezone(self._zone)
        end = begin + ((early.utcoffset() or timedelta()) - (late.utcoffset() or timedelta()))
        return f"the hour {begin:%H:%M}-{end:%H:%M} of {begin:%Y-%m-%d} comes twice in {self._name}"
