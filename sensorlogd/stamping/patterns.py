"""Works with strptime patterns that may leave the year or the date open."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from sensorlogd.notation.instants import utc_of
from sensorlogd.notation.microseconds import MINUTE_US, SECOND_US

EPOCHS = ("epoch", "epoch_ms", "epoch_us")
_DIRECTIVE = re.compile(r"%-?(.)")
_YEAR, _DAY, _MONTH = frozenset("YyGcx"), frozenset("djcxaAuw"), frozenset("mbBhjcxUWV")


def lacks(form: str) -> str:
    """``""`` for a form that has the whole date, ``year`` or ``date`` for one that leaves it open."""
    if "%" not in form:
        return ""
    found = set(_DIRECTIVE.findall(form))
    if not (found & _DAY and found & _MONTH):
        return "date"
    return "" if found & _YEAR else "year"


def check(form: str) -> None:
    """Raises ValueError for a pattern that strptime does not know."""
    try:
        datetime.strptime(datetime(2026, 1, 31, tzinfo=UTC).strftime(form), form)  # noqa: DTZ007  # only tried
    except ValueError as error:
        if "directive" in str(error) or "stray" in str(error):
            raise ValueError(f"{form!r} is no pattern: {error}") from None


def width_us(form: str) -> int:
    """How long one stamp of that form lasts: a minute where it has no seconds, else a second."""
    found = set(_DIRECTIVE.findall(form))
    return MINUTE_US if "%" in form and not found & set("ScXTsf") else SECOND_US


class Completed:
    """Reads texts of a pattern without year, or without any date: the one nearest to a reference is taken.

    The reference is the time of arrival or, for files, the time of the line before.
    """

    def __init__(self, form: str) -> None:
        self.form = form
        self.lack = lacks(form)

    def read(self, text: str, near_us: int) -> datetime:
        """The time of ``text`` nearest to ``near_us``; without zone unless the text has one. Raises ValueError."""
        near = utc_of(near_us).replace(tzinfo=None)
        if self.lack == "date":
            days = [(near + timedelta(days=days)).date() for days in (-1, 0, 1)]
            tries = [(f"{day.year:04}-{day.month:02}-{day.day:02}", "%Y-%m-%d") for day in days]
        else:
            tries = [(f"{year:04}", "%Y") for year in (near.year, near.year - 1, near.year + 1) if 1 < year < 9999]
        best: datetime | None = None
        for given, form in tries:
            try:
                at = datetime.strptime(f"{given} {text}", f"{form} {self.form}")  # noqa: DTZ007  # the caller knows the zone
            except ValueError:
                continue  # the 29th of February is not in every year
            if best is None or abs(_without_zone(at) - near) < abs(_without_zone(best) - near):
                best = at
        if best is None:
            raise ValueError(f"{text!r} is not a time like {self.form!r}")
        return best


def _without_zone(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(tzinfo=None) if at.tzinfo else at
