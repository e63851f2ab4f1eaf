"""The parameters of a request: each is read, checked and limited here, and a bad one is named in the error."""

from __future__ import annotations

import difflib
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from sensorlogd.notation import times
from sensorlogd.storage.query import aggregates
from sensorlogd.storage.query.engine import FILLS, Fill, Query
from sensorlogd.storage.query.grid import Step
from sensorlogd.storage.query.log_reader import LogReader, UnknownSeries, conversions
from sensorlogd.storage.query.units import Conversion
from sensorlogd.storage.series.stored import Series
from sensorlogd.web.refusal import ApiError, bad_parameter

if TYPE_CHECKING:
    from starlette.datastructures import QueryParams

MAX_PATTERNS = 500
MAX_AGGREGATES = 20
MAX_VALUE_CHARACTERS = 200  # of any one value

DEFAULT_ROWS, MAX_ROWS = 10_000, 100_000
MAX_CELLS = 600_000  # of a JSON answer of buckets: some 10 MB
MAX_POINTS = 20_000

D = TypeVar("D", int, None)


class Params:
    """The parameters of one request. Every method raises ApiError 400 naming the parameter."""

    def __init__(self, given: QueryParams, known: Collection[str], zone: str) -> None:
        for name in given:
            if name not in known:
                near = difflib.get_close_matches(name, known, 1)
                hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(sorted(known)) or 'none'}"
                raise bad_parameter(name[:MAX_VALUE_CHARACTERS], "no such parameter", hint)
        self.given = given
        self.now_us = time.time_ns() // 1000
        self.zone = self._zone(zone)

    def text(self, name: str) -> str | None:
        """The value as text; None if it was not given. Raises ApiError if it was given twice or is too long."""
        values = self.given.getlist(name)
        if len(values) > 1:
            raise bad_parameter(name, "is given more than once")
        if values and len(values[0]) > MAX_VALUE_CHARACTERS:
            raise _too_long(name, values[0])
        return values[0] if values else None

    def whole(self, name: str, default: D, lowest: int, highest: int) -> int | D:
        """The parameter as a whole number within [lowest, highest]. Raises ApiError 400."""
        text = self.text(name)
        if text is None:
            return default
        if not (text.isascii() and text.removeprefix("-").isdigit() and len(text) < 20 and lowest <= int(text) <= highest):
            raise bad_parameter(name, f"{text!r} is not a whole number from {lowest} to {highest}")
        return int(text)

    def choice(self, name: str, allowed: Collection[str], default: str) -> str:
        """The parameter, one of ``allowed``. Raises ApiError 400."""
        text = self.text(name)
        if text is None:
            return default
        if text not in allowed:
            raise bad_parameter(name, f"{text!r} is not known", f"allowed: {', '.join(allowed)}")
        return text

    def flag(self, name: str) -> bool:
        """Whether the parameter is 1 or true; it is 0 if it was not given. Raises ApiError 400 for other words."""
        return self.choice(name, ("0", "1", "false", "true"), "0") in ("1", "true")

    def names(self, name: str, limit: int) -> list[str]:
        """The values of a parameter that may be repeated, and may hold several names separated by commas."""
        values = [part.strip() for value in self.given.getlist(name) for part in value.split(",")]
        found = list(dict.fromkeys(part for part in values if part))
        if len(found) > limit:
            raise bad_parameter(name, f"names {len(found)}; at most {limit}")
        longest = max(found, key=len, default="")
        if len(longest) > MAX_VALUE_CHARACTERS:
            raise _too_long(name, longest)
        return found

    def time_us(self, name: str, default: str | None) -> int | None:
        """The parameter as microseconds since 1970; None if neither it nor a default was given. Raises ApiError 400."""
        text = self.text(name) or default
        if text is None:
            return None
        try:
            # A plus sign that was not escaped arrives as a blank.
            return times.parse_time(text.replace(" ", "+") if "T" in text else text, self.now_us, self.zone)
        except ValueError as error:
            raise bad_parameter(name, str(error)) from None

    def span(self, since: str, until: str = "now") -> tuple[int, int]:
        """[since, until) in microseconds since 1970; the arguments are the defaults. Raises ApiError 400 if it is empty."""
        begin, end = self.time_us("since", since), self.time_us("until", until)
        assert begin is not None
        assert end is not None
        if begin >= end:
            raise bad_parameter("since", f"{self.text('since') or since} is not before until {self.text('until') or until}")
        return begin, end

    def series(self, *, required: bool = True) -> list[str]:
        """The patterns of ``series``. Raises ApiError 400 if there are too many, or none although ``required``."""
        found = self.names("series", MAX_PATTERNS)
        if required and not found:
            raise bad_parameter("series", "is required", "sensor.channel, globs allowed; /api/v1/sensors lists them")
        return found

    def step(self, name: str, default: str) -> Step:
        """The parameter as a step, such as 15min or 1mo. Raises ApiError 400."""
        try:
            return Step.parse(self.text(name) or default)
        except (ValueError, OverflowError) as error:
            raise bad_parameter(name, str(error)) from None

    def query(self) -> Query:
        """The question that ``since until every max_points agg fill`` describe."""
        span = self.span("-1d")
        every, points = self.text("every"), self.whole("max_points", 0, 1, MAX_POINTS) or None
        if (every is None) == (points is None):
            raise bad_parameter("every", "give either every (a step, e.g. 15min) or max_points")
        step = None
        if every is not None:
            try:
                step = Step.parse(every)
            except (ValueError, OverflowError) as error:
                raise bad_parameter("every", str(error)) from None
        names = tuple(self.names("agg", MAX_AGGREGATES)) or aggregates.DEFAULT
        for name in names:
            try:
                aggregates.aggregate(name)
            except ValueError as error:
                raise bad_parameter("agg", str(error)) from None
        fill: Fill = next(fill_ for fill_ in FILLS if fill_ == self.choice("fill", FILLS, "none"))
        try:
            return Query(*span, step, points, names, self.zone, fill)
        except ValueError as error:
            raise bad_parameter("every" if step is not None else "since", str(error)) from None

    def _zone(self, default: str) -> str:
        try:
            return times.zone(self.text("tz") or default) if "tz" in self.given else default
        except ValueError as error:
            raise bad_parameter("tz", str(error)) from None


def _too_long(name: str, value: str) -> ApiError:
    return bad_parameter(name, f"has {len(value):,} characters; at most {MAX_VALUE_CHARACTERS}")


@dataclass(frozen=True, slots=True)
class TimeForm:
    """How times are shown: RFC 3339 in a zone, or a number since 1970."""

    kind: str
    zone: str

    KINDS = ("rfc3339", "s", "ms", "us")

    def __call__(self, us: int) -> str | int | float:
        if self.kind == "rfc3339":
            return times.format_time(us, self.zone)
        if self.kind == "us":
            return us
        width = 1_000_000 if self.kind == "s" else 1_000
        return us // width if us % width == 0 else us / width


def find_series(log: LogReader, patterns: list[str], *, retired: bool = False) -> list[Series]:
    """The series that the patterns match. Raises ApiError 404, with the nearest names, for a pattern that matches none."""
    try:
        return log.series(patterns, retired=retired)
    except UnknownSeries as error:
        message = str(error).partition(";")[0]
        hint = f"did you mean {', '.join(error.nearest)}?" if error.nearest else "/api/v1/sensors lists all"
        raise ApiError(404, "unknown_series", message, hint=hint, nearest=error.nearest) from None


def changes_of(series: Sequence[Series], unit: str | None) -> dict[int, Conversion | None]:
    """The conversion of each series to ``unit``, by series id. Raises ApiError for a series that cannot be converted."""
    try:
        return {} if unit is None else conversions(series, unit)
    except ValueError as error:
        raise bad_parameter("unit", str(error)) from None
