"""The device's clock, for ``time: device``: which instant a sentence or frame belongs to.

A receiver tells date and time in RMC, ZDA or NAV-PVT, the time of day in GGA, GNS, GLL and GST, the time of the week in UBX
frames; everything else about the fix comes right after and belongs to the same instant. What other instruments on the line
send in between is given the device's time that has gone by since.
"""

from __future__ import annotations

from datetime import UTC, datetime

from sensorlogd.drivers.nmea.known import Fields
from sensorlogd.drivers.nmea.sentences import Cells
from sensorlogd.notation.microseconds import DAY_US, MINUTE_US, SECOND_US

WEEK_MS = 7 * 86_400_000
MAX_UNDATED_US = DAY_US // 4  # after this long a silence a time of day no longer says which day it is of
MAX_DATE_LAG_US = MINUTE_US  # after midnight, within which a receiver may still tell the day before
OF_THE_FIX = frozenset(("GGA", "GNS", "RMC", "GLL", "VTG", "GSA", "GSV", "GST", "ZDA", "PUBX,00", "PGRME", "PGRMZ"))
_TIME_AT = {"GGA": 1, "GNS": 1, "RMC": 1, "GLL": 5, "GST": 1, "ZDA": 1, "PUBX,00": 2}


class DeviceClock:
    """The device's clock, which is given every message in the order of arrival. ``now_us``: when it arrived, by the host's
    clock."""

    def __init__(self) -> None:
        self.epoch_us: int | None = None
        self._arrived_us = 0
        self._anchor: tuple[int, int] | None = None  # UTC in microseconds, and GPS time of the week, of the last frame
        self._anchor_arrived_us = 0
        self._void = False  # a receiver without a fix may give the time it was made at
        self._given: set[str] = set()
        self._second_us: int | None = None  # the second that sentences tell, when the first of them came, what they say
        self._second_arrived_us = 0
        self._second_sentences: dict[str, Cells] = {}

    def sentence(self, kind: str, cells: Cells, fields: Fields | None, now_us: int) -> None:
        """Take the time from a sentence. ``fields``: the numbers in it; None if the device calls it void."""
        if kind == "RMC":
            self._void = fields is None
        if fields is None or self._void:
            if kind == "RMC":
                self.epoch_us = self._anchor = None
            return
        of_day = _time_of_day_us(cells.text(_TIME_AT[kind])) if kind in _TIME_AT else None
        if of_day is None:
            return
        if kind == "RMC":
            midnight = _midnight_us(cells.text(9)[0:2], cells.text(9)[2:4], cells.text(9)[4:6])
        elif kind == "ZDA":
            midnight = _midnight_us(cells.text(2), cells.text(3), cells.text(4))
        elif self.epoch_us is not None and ("latitude" in fields or (kind == "GST" and fields)):
            if now_us - self._arrived_us > MAX_UNDATED_US:
                self.epoch_us = None
                return
            nearest = round((self.epoch_us - of_day) / DAY_US)  # around midnight the time is new before the date is
            midnight = nearest * DAY_US
        else:
            return
        if midnight is not None:
            second_us = self._by_new_day(midnight + of_day, now_us)
            self._begin_instant(self._instant_us(second_us, cells, now_us), now_us)

    def _by_new_day(self, told_us: int, now_us: int) -> int:
        """The time of a sentence with a date. Some receivers tell the new time right after midnight with the old date: then the
        clock would go back by a day, less what has gone by. Such a date is a day too early."""
        if self.epoch_us is None or told_us % DAY_US > MAX_DATE_LAG_US or now_us < self._arrived_us:
            return told_us
        expected_us = self.epoch_us + now_us - self._arrived_us
        return told_us + DAY_US if abs(told_us + DAY_US - expected_us) <= MAX_DATE_LAG_US else told_us

    def _instant_us(self, second_us: int, cells: Cells, now_us: int) -> int:
        """The instant of a sentence that says whole seconds only.

        Where another one of the same kind tells the same second and something else, a fix more often than once a second has
        begun: as far after the first one as it arrived later.
        """
        if second_us != self._second_us or second_us % SECOND_US:
            self._second_us, self._second_arrived_us, self._second_sentences = second_us, now_us, {cells[0]: cells}
            return second_us
        before = self._second_sentences.setdefault(cells[0], cells)
        if before == cells or self.epoch_us is None:
            return second_us if self.epoch_us is None else self.epoch_us
        self._second_sentences = {cells[0]: cells}
        later = second_us + min(max(now_us - self._second_arrived_us, 0), SECOND_US - 1)
        return max(later, self.epoch_us + 1)

    def frame(self, utc_us: int | None, week_ms: int, now_us: int) -> None:
        """The same for a UBX frame. ``utc_us``: the time in the frame, if it holds one."""
        if utc_us is None and self._anchor is not None:  # not from the epoch, which a sentence may have moved on already
            anchor_us, anchor_ms = self._anchor
            later_ms = (week_ms - anchor_ms + WEEK_MS // 2) % WEEK_MS - WEEK_MS // 2
            if now_us - self._anchor_arrived_us > MAX_UNDATED_US or abs(later_ms) * 1000 > MAX_UNDATED_US:
                self.epoch_us = self._anchor = None  # it could be another week
                return
            utc_us = anchor_us + later_ms * 1000
        if utc_us is not None:
            self._anchor, self._anchor_arrived_us = (utc_us, week_ms), now_us
            self._begin_instant(utc_us, now_us)

    def _begin_instant(self, epoch_us: int, now_us: int) -> None:
        """Another instant than the present one begins at ``now_us`` of the host's clock."""
        if epoch_us != self.epoch_us:
            self._given.clear()
            self._arrived_us = now_us
        self.epoch_us = epoch_us

    def of_fix(self, fields: Fields) -> Fields:
        """The fields that were not given for this instant before: receivers repeat parts of a fix in several sentences."""
        new = {name: value for name, value in fields.items() if name not in self._given}
        self._given.update(new)
        return new

    def between_us(self, now_us: int) -> int | None:
        """The device's time of a message that arrives now and does not belong to a fix."""
        return None if self.epoch_us is None else self.epoch_us + max(now_us - self._arrived_us, 0)


def _time_of_day_us(text: str) -> int | None:
    """Microseconds of the day from ``hhmmss``, with or without a fraction. Second 60 is the first of the next minute."""
    whole, _, fraction = text.partition(".")
    if not (len(whole) == 6 and (whole + fraction).isdecimal()):
        return None
    hour, minute, second = int(whole[:2]), int(whole[2:4]), int(whole[4:])
    if hour > 23 or minute > 59 or second > 60:
        return None
    return (hour * 3600 + minute * 60 + second) * SECOND_US + int(f"{fraction:0<6}"[:6])


def _midnight_us(day: str, month: str, year: str) -> int | None:
    """The beginning of a day in microseconds since 1970; None if there is no such day. Years of two digits are 1980 to 2079."""
    if not (day + month + year).isdecimal():
        return None
    number = int(year)
    if len(year) <= 2:
        number += 2000 if number < 80 else 1900
    try:
        return int((datetime(number, int(month), int(day), tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)).days) * DAY_US
    except ValueError:
        return None
