"""Times as files have them, to microseconds UTC."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

EPOCHS = {"epoch": 1_000_000, "epoch_ms": 1_000, "epoch_us": 1}
FORMATS = "iso, epoch, epoch_ms, epoch_us, or a pattern as %d.%m.%Y %H:%M:%S"
FIRST, LAST = datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)
_COMPACT = re.compile(r"\d{8}|\d{4}")


def reader(form: str, zone: str, fold: int) -> Callable[[str], int]:
    """A function from text to microseconds UTC; it raises ValueError that says what is wrong.

    ``form``: see FORMATS. ``zone``: of times without an offset. ``fold``: 0 takes the first of the two instants that a
    local time has when clocks are set back, 1 the second; a time that clocks jump over is an error.
    """
    local = ZoneInfo(zone)
    if form in EPOCHS:
        factor = EPOCHS[form]
        return lambda text: _from_epoch(text, factor)
    if form != "iso" and "%" not in form:
        raise ValueError(f"unknown time format {form!r}; write {FORMATS}")
    has_offset = form != "iso" and "%z" in form

    def read(text: str) -> int:
        if form == "iso":
            at = _iso(text)
        else:
            try:
                at = datetime.strptime(text, form)  # noqa: DTZ007  # the zone follows below
            except ValueError:
                raise ValueError(f"{text!r} is not a time like {form!r}") from None
        if at.tzinfo is None:
            if not FIRST <= at.replace(tzinfo=UTC) <= LAST:
                raise ValueError(f"{text!r} lies outside the years 1 to 9999")
            at = _in_zone(at.replace(fold=fold), local, zone)
        elif not has_offset and form != "iso":
            raise ValueError(f"{text!r} has an offset")
        return _us(at, text)

    return read


def _from_epoch(text: str, factor: int) -> int:
    try:
        whole, _, part = text.strip().partition(".")
        us = int(whole) * factor
        if part:
            digits = len(str(factor)) - 1
            us += (-1 if whole.startswith("-") else 1) * int(f"{part:0<{digits}.{digits}}" or "0") if digits else 0
    except ValueError:
        raise ValueError(f"{text!r} is not a number of seconds since 1970") from None
    try:
        return _us(_EPOCH + timedelta(microseconds=us), text)
    except OverflowError:
        raise ValueError(f"{text!r} lies outside the years 1 to 9999") from None


def _iso(text: str) -> datetime:
    """ISO 8601 and what is nearly that: slashes for dashes, a day or a month alone."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        plain = text.strip().replace("/", "-")
    if re.fullmatch(r"\d{4}-\d\d", plain):
        plain += "-01"
    elif re.fullmatch(r"\d{4}-\d{1,2}-\d{1,2}(.*)", plain):
        date, rest = re.match(r"(\d{4}-\d{1,2}-\d{1,2})(.*)", plain).groups()  # type: ignore[union-attr]  # matched above
        year, month, day = date.split("-")
        plain = f"{year}-{month:0>2}-{day:0>2}{_hours(rest)}"
    elif not _COMPACT.match(plain):
        raise ValueError(f"{text!r} is not a time; say --time-format {FORMATS}")
    try:
        return datetime.fromisoformat(plain)
    except ValueError:
        raise ValueError(f"{text!r} is not a time; say --time-format {FORMATS}") from None


def _hours(rest: str) -> str:
    match = re.fullmatch(r"([T ])(\d):(.*)", rest)
    return f"{match[1]}0{match[2]}:{match[3]}" if match else rest


def _in_zone(at: datetime, local: ZoneInfo, zone: str) -> datetime:
    at = at.replace(tzinfo=local)
    if at.astimezone(UTC).astimezone(local).replace(tzinfo=None) != at.replace(tzinfo=None):
        raise ValueError(f"there is no {at.replace(tzinfo=None)} in {zone}: clocks were set forward; is it another zone?")
    return at


def _us(at: datetime, text: str) -> int:
    try:
        at = at.astimezone(UTC)
    except OverflowError:
        at = LAST + _SECOND
    if not FIRST <= at <= LAST:
        raise ValueError(f"{text!r} lies outside the years 1 to 9999")
    since = at - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
