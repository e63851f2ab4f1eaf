"""Turns the times in files into microseconds UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from sensorlogd.exchange.times import leap_and_midnight
from sensorlogd.exchange.times.autumn import AutumnWatch
from sensorlogd.notation.instants import us_of, utc_of
from sensorlogd.notation.microseconds import DAY_US
from sensorlogd.stamping import patterns
from sensorlogd.stamping.local import BY_ORDER, LocalTimes
from sensorlogd.stamping.local import FIRST as FIRST_ONE

MAX_COMPLETED_STEP_US = 200 * DAY_US  # a day of every year is within half a year of any time
EPOCHS = {"epoch": 1_000_000, "epoch_ms": 1_000, "epoch_us": 1}
FORMATS = "iso, epoch, epoch_ms, epoch_us, or a pattern as %d.%m.%Y %H:%M:%S"
FIRST, LAST = datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)  # inside the years 1 to 9999 in every zone
_SECOND = timedelta(seconds=1)


_FIRST_US, _LAST_US = us_of(FIRST), us_of(LAST)
_COMPACT = re.compile(r"\d{8}|\d{4}")
_NUMBER = re.compile(r"[+-]?(?:\d{1,30}(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)


class TimeReader:
    """Turns the times of one file, called with each in their order, into microseconds UTC; the call raises ValueError that says
    what is wrong.

    ``form``: see FORMATS. ``zone``: of times without an offset. ``fold``: see ``stamping.local``; None: nobody has said it, then it
    is ``first``, and a file that has both hours in order raises HourTwice. A time that clocks jump over is an error. ``year``: the
    year of the first time if the pattern has none, or ``from_host``: the one nearest to ``now_us``; each following time is the one
    nearest to the time before. 24:00 is the beginning of the next day, a leap second the second after it. ``decimal``: what stands
    before the fraction of seconds since 1970. Raises ValueError for an impossible form or year.
    """

    def __init__(
        self, form: str, zone: str, fold: str | None = None, year: str | None = None, now_us: int = 0, decimal: str = "."
    ) -> None:
        if form not in EPOCHS and form != "iso" and "%" not in form:
            raise ValueError(f"unknown time format {form!r}; write {FORMATS}")
        self.first_zoneless: str | None = None  # the first time without an offset
        self._form = form
        self._decimal = decimal
        self._epoch_factor = EPOCHS.get(form)
        self._local = LocalTimes(zone, fold or FIRST_ONE)
        self._autumn = AutumnWatch(zone) if fold is None and zone != "UTC" else None
        self._near: _Near | None = None
        if self._epoch_factor is None and form != "iso":
            patterns.check(form)
        if self._epoch_factor is None:
            self._near = _near(form, year, now_us)

    @property
    def is_by_order(self) -> bool:
        """Whether the same text may mean another time when it comes again."""
        return self._local.fold == BY_ORDER

    @property
    def first_twice(self) -> str | None:
        """A sentence about the first time that comes twice, where nobody has said which one is meant; None: there is none."""
        return None if self._autumn is None else self._autumn.first

    def __call__(self, text: str) -> int:
        """Microseconds UTC of the next time of the file. Raises ValueError."""
        if self._epoch_factor is not None:
            has_comma = self._decimal == "," and "." not in text  # a cell of a workbook has a point
            return _from_epoch(text.replace(",", ".", 1) if has_comma else text, self._epoch_factor)
        try:
            at, leaps = self._parse(text), False
        except ValueError:
            found = leap_and_midnight.read(text, self._parse)
            if found is None:
                raise
            at, leaps = found
        us = self._utc_us(at, text)
        if leaps:
            us += 1_000_000
            if not leap_and_midnight.is_leap(us):
                raise ValueError(
                    f"{text!r}: that minute has no second 60; leap seconds end a month, in UTC (is it another --zone?)"
                )
        return us

    def _parse(self, text: str) -> datetime:
        if self._form == "iso":
            return _iso(text)
        try:
            return datetime.strptime(text, self._form) if self._near is None else self._near.read(text)  # noqa: DTZ007  # the zone follows
        except ValueError:
            raise ValueError(f"{text!r} is not a time like {self._form!r}") from None

    def _utc_us(self, at: datetime, text: str) -> int:
        if at.tzinfo is None:
            if not FIRST <= at.replace(tzinfo=UTC) <= LAST:
                raise _outside(text)
            if self.first_zoneless is None:
                self.first_zoneless = text
            if self._autumn is not None:
                self._autumn.take(at, text)
            at = utc_of(self._local.utc_us(at))
            if self._near is not None:
                self._near.go_on(local_us(at, self._local.zone), text)
        elif self._form != "iso" and "%z" not in self._form:
            raise ValueError(f"{text!r} has an offset, which --time-format {self._form!r} does not; put %z at its place")
        return _to_us(at, text)


def _from_epoch(text: str, factor: int) -> int:
    """Microseconds from a number in units of ``factor``, exact however it is spelled: spreadsheets write 1.774656E+09."""
    try:
        if not _NUMBER.fullmatch(text.strip()):
            raise ValueError
        return within(int(Decimal(text.strip()) * factor), text)
    except ArithmeticError:
        raise _outside(text) from None
    except ValueError as error:
        raise ValueError(str(error) or f"{text!r} is not a number of seconds since 1970") from None


def _iso(text: str) -> datetime:
    """Read ISO 8601 and what is nearly that: slashes for dashes, a day or a month alone."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        plain = text.strip().replace("/", "-")
    if re.fullmatch(r"\d{4}-\d\d", plain):
        plain += "-01"
    elif re.fullmatch(r"\d{4}-\d{1,2}-\d{1,2}(.*)", plain):
        date, rest = re.match(r"(\d{4}-\d{1,2}-\d{1,2})(.*)", plain).groups()  # type: ignore[union-attr]  # matched above
        year, month, day = date.split("-")
        plain = f"{year}-{month:0>2}-{day:0>2}{_pad_hour(rest)}"
    elif not _COMPACT.match(plain):
        raise ValueError(f"{text!r} is not a time; say --time-format {FORMATS}")
    try:
        return datetime.fromisoformat(plain)
    except ValueError:
        raise ValueError(f"{text!r} is not a time; say --time-format {FORMATS}") from None


def _pad_hour(rest: str) -> str:
    match = re.fullmatch(r"([T ])(\d):(.*)", rest)
    return f"{match[1]}0{match[2]}:{match[3]}" if match else rest


class _Near:
    """Completes times whose form leaves the year or the date open, each to the one nearest to the time before it."""

    def __init__(self, form: str, first_us: int, *, is_year: bool) -> None:
        self._completed = patterns.Completed(form)
        self._is_year = is_year  # the first time is in exactly that year
        self.last_us = first_us

    def go_on(self, local_us: int, text: str) -> None:
        """Complete the next time to the one nearest to ``local_us``, which was read from ``text``. Raises ValueError if that is
        years from the time before, as only a 29th of February can be."""
        if abs(local_us - self.last_us) > MAX_COMPLETED_STEP_US:
            raise ValueError(f"{text!r}: no year near the time before it has that day; is --year right?")
        self.last_us, self._is_year = local_us, False

    def read(self, text: str) -> datetime:
        """The time in ``text``, without a zone. Raises ValueError if it does not have the form."""
        if not self._is_year:
            return self._completed.read(text, self.last_us)
        year = utc_of(self.last_us).year
        return datetime.strptime(f"{year:04} {text}", f"%Y {self._completed.form}")  # noqa: DTZ007  # as above


def _near(form: str, year: str | None, now_us: int) -> _Near | None:
    """What completes the times of a form; None for a form that has the whole date. Raises ValueError."""
    lack = patterns.lacks(form) if form != "iso" else ""
    if not lack:
        if year is not None:
            raise ValueError(f"--year {year}: {form!r} says the year already")
        return None
    if year is None:
        raise ValueError(f"{form!r} leaves the {lack} open; say --year 2026 (of the first line) or --year from_host")
    if year == "from_host":
        return _Near(form, now_us, is_year=False)
    if lack != "year" or not re.fullmatch(r"\d{4}", year):
        raise ValueError(f"--year {year}: write from_host" + (", or a year as 2026" if lack == "year" else ""))
    return _Near(form, local_us(datetime(int(year), 7, 1, tzinfo=UTC), ZoneInfo("UTC")), is_year=True)


def within(us: int, text: str) -> int:
    """The microseconds ``us``, read from ``text``. Raises ValueError outside FIRST to LAST."""
    if not _FIRST_US <= us <= _LAST_US:
        raise _outside(text)
    return us


def _outside(text: str) -> ValueError:
    first, last = (at.isoformat().replace("+00:00", "Z") for at in (FIRST, LAST))
    return ValueError(f"{text!r} lies outside {first} to {last}")


def local_us(at: datetime, zone: ZoneInfo) -> int:
    """What the clocks of ``zone`` show at ``at``, in microseconds."""
    return us_of(at.astimezone(zone).replace(tzinfo=UTC))


def _to_us(at: datetime, text: str) -> int:
    """Microseconds UTC of a time with a zone. Raises ValueError, with ``text``, outside FIRST to LAST."""
    try:
        at = at.astimezone(UTC)
    except OverflowError:
        at = LAST + _SECOND
    return within(us_of(at), text)
