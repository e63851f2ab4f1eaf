"""Readings that the full inbox has dropped: counted at once, told as events, and added to the database's count when it
takes it."""

from __future__ import annotations

import logging

from sensorlogd.daemon.writing.intake.inbox import Inbox
from sensorlogd.daemon.writing.intake.notices import Notices
from sensorlogd.daemon.writing.totals import Totals
from sensorlogd.event_kinds import EventKind
from sensorlogd.notation.plurals import plural

logger = logging.getLogger(__name__)


class Dropped:
    """What was dropped and the database does not count yet, by sensor. Owned by the writer thread."""

    def __init__(self, inbox: Inbox, totals: Totals, notices: Notices) -> None:
        self._inbox = inbox
        self._totals = totals
        self._notices = notices
        self._unstored: dict[str, int] = {}
        self._unreported: dict[str, int] = {}  # of these, those that no event tells of yet

    @property
    def readings(self) -> int:
        """How many readings were dropped that the database does not count yet."""
        return sum(self._unstored.values())

    def count(self) -> None:
        """Count what the inbox has dropped since, whatever state the database is in. The first drop of a sensor is an event at
        once; the next commit, or the end, tells of the others."""
        dropped = self._inbox.drain_dropped()
        is_news = any(sensor not in self._unstored for sensor in dropped)
        for sensor, n in dropped.items():
            self._unstored[sensor] = self._unstored.get(sensor, 0) + n
            self._unreported[sensor] = self._unreported.get(sensor, 0) + n
        self._totals.count("dropped", dropped)
        if is_news:
            self.report()

    def report(self) -> None:
        """Record as events what was dropped and no event tells of yet."""
        unreported, self._unreported = self._unreported, {}
        for sensor, n in unreported.items():
            self._notices.emit(EventKind.DROPPED, sensor, f"{n} {plural(n, 'reading')}: the inbox was full")
            logger.error("%s: %d readings dropped: the inbox was full", sensor, n)

    def note_stored(self, readings: int) -> None:
        """The database counts so many of them now, as given up for good."""
        self._totals.add_given_up(readings)
        for sensor, own in list(self._unstored.items()):
            counted = min(own, readings)
            readings -= counted
            self._unstored[sensor] = own - counted
            if own == counted:
                del self._unstored[sensor]
