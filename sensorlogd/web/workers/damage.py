"""Reads around damaged pages: which parts of a range can be read, and which cannot.

SQLite raises at the first damaged page it comes to, and what lies after it can be reached again from the other side. So the
longest beginning that can be read is looked for by halving, then, in growing strides, a place after the damage, and from there again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

Row = TypeVar("Row")

MIN_STRETCH_US = 1_000_000
MAX_FAILURES = 400  # then the rest is given up: a page that leads to all others is damaged


@dataclass(frozen=True, slots=True)
class Lost:
    """A range of a series, [since, until), that cannot be read."""

    series: str
    since_us: int
    until_us: int


@dataclass(slots=True)
class DamageSkipper:
    """Reads the rows of a series around damaged pages. ``align(us)``: the nearest place at or before ``us`` where the range may
    be cut; such places are about ``finest_us`` apart."""

    series: str
    lost: list[Lost] = field(default_factory=list)
    finest_us: int = MIN_STRETCH_US
    align: Callable[[int], int] = int
    error: sqlite3.DatabaseError | None = None
    _failures: int = 0

    def read(self, rows: Callable[[int, int], list[Row]], since_us: int, until_us: int) -> list[Row]:
        """The rows of the parts that can be read, in order. The other parts are appended to ``lost``.

        Raises what ``rows`` raises where it is not damage.
        """
        found: list[Row] = []
        start = since_us
        while start < until_us:
            some = self._read_or_none(rows, start, until_us)
            if some is not None:
                return found + some
            bad, some = self._beginning(rows, start, until_us)
            found += some
            start = self._behind(rows, bad, until_us)
            self.lost.append(Lost(self.series, bad, start))
        return found

    def _read_or_none(self, rows: Callable[[int, int], list[Row]], since_us: int, until_us: int) -> list[Row] | None:
        """The rows of a span; None, with the failure counted, if a damaged page is in the way."""
        if self._failures > MAX_FAILURES:
            return None
        try:
            return rows(since_us, until_us)
        except sqlite3.DatabaseError as error:
            if not is_damaged_page(error):
                raise
            self.error = error
            self._failures += 1
            return None

    def _beginning(self, rows: Callable[[int, int], list[Row]], since_us: int, until_us: int) -> tuple[int, list[Row]]:
        """The rows before the damage, and where they end."""
        found: list[Row] = []
        low, high = since_us, until_us
        while (middle := self._between(low, high)) is not None:
            some = self._read_or_none(rows, low, middle)
            if some is None:
                high = middle
            else:
                found += some
                low = middle
        return low, found

    def _behind(self, rows: Callable[[int, int], list[Row]], bad_us: int, until_us: int) -> int:
        """The first place after the damage from which reading is possible again; ``until_us`` if there is none."""
        low, stride = bad_us, self.finest_us
        while True:
            high = max(self.align(low + stride), self.align(low + 2 * self.finest_us))
            if high <= low or self._failures > MAX_FAILURES:
                return until_us
            if high >= until_us:  # nothing is after the range, which can always be read
                high = until_us
                break
            if self._read_or_none(rows, high, max(self.align(min(high + 2 * self.finest_us, until_us)), high + 1)) is not None:
                break
            low, stride = high, 2 * stride
        while (middle := self._between(low, high)) is not None:
            if self._read_or_none(rows, middle, high) is None:
                low = middle
            else:
                high = middle
        return high

    def _between(self, low: int, high: int) -> int | None:
        """A place between the two, near the middle; None if there is none."""
        if high - low <= self.finest_us:
            return None
        middle = self.align((low + high) // 2)
        if middle <= low:
            middle = self.align(high - 1)
        return middle if low < middle < high else None


def is_damaged_page(error: sqlite3.DatabaseError) -> bool:
    """Whether the error means a damaged page, and not an interrupted question or a locked file."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
