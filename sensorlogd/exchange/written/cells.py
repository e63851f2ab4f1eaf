"""Makes the cells of text files: times that all look the same, and words that no spreadsheet takes for a formula."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sensorlogd.notation.instants import local_of

EXACT = "utc"  # the column with the exact time, if that for people is not exact
Rows = Iterator[tuple[int, Mapping[str, Any]]]  # (µs UTC, the cells by column without the time)

_FORMULA = re.compile(r"'*[=+\-@\t\r\n].", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Stamps:
    """Writes times in one zone and one form, because programs take the form of the first line for that of all.

    ``fractions``: with microseconds. A time that has some is never cut, even where none was expected.
    """

    zone: str = "UTC"
    fractions: bool = False
    _zone: ZoneInfo = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_zone", ZoneInfo(self.zone))

    def local(self, us: int) -> datetime | None:
        """The time in the zone; None outside the years 1 to 9999."""
        try:
            return local_of(us, self._zone)
        except OverflowError:
            return None

    def text(self, us: int) -> str:
        """``2026-01-31T12:30:15+01:00``; the offset of UTC is Z."""
        at = self.local(us)
        if at is None:
            return f"{us}us"
        text = at.isoformat(timespec="microseconds" if self.fractions or at.microsecond else "seconds")
        return text.removesuffix("+00:00") + "Z" if text.endswith("+00:00") else text

    def for_people(self, us: int, decimal: str) -> str:
        """``2026-01-31 12:30:15,250``: what spreadsheets read as a time, to the millisecond."""
        at = self.local(us)
        if at is None:
            return f"{us}us"
        text = at.replace(tzinfo=None).isoformat(sep=" ", timespec="milliseconds" if self.fractions else "seconds")
        return text.replace(".", decimal)


def guarded(text: str) -> str:
    """``text`` with an apostrophe before what a spreadsheet would compute: ``=1+1``, ``-x``. ``bare`` removes it."""
    return f"'{text}" if _FORMULA.match(text) else text


def bare(text: str) -> str:
    """What ``guarded`` was given: only an apostrophe that it would have added is removed."""
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text
