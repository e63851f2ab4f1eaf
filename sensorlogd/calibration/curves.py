"""Calibration by a polynomial or by a table of points, and the text as which the database keeps it."""

from __future__ import annotations

import itertools
import json
import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

MAX_POINTS = 1000
MAX_TERMS = 20


@dataclass(frozen=True, slots=True)
class Curve:
    """A calibration from the device's number x to the value y. Exactly one is given: ``terms`` (y = c0 + c1 x + c2 x² ...) or
    ``points`` ((x, y), x rising).

    Between two points the line through both holds; beyond the ends the line through the two outermost. Raises ValueError.
    """

    terms: tuple[float, ...] = ()
    points: tuple[tuple[float, float], ...] = ()

    def __post_init__(self) -> None:
        if bool(self.terms) == bool(self.points):
            raise ValueError(f"a curve is either a polynomial or a table; this one is {'both' if self.terms else 'neither'}")
        for number in (*self.terms, *itertools.chain.from_iterable(self.points)):
            if not math.isfinite(number):
                raise ValueError(f"all numbers must be finite; {number} is not")
        if self.terms and (len(self.terms) > MAX_TERMS or not any(self.terms[1:])):
            found = f"has {len(self.terms)}" if any(self.terms[1:]) or len(self.terms) == 1 else "is the same everywhere"
            raise ValueError(
                f"a polynomial has 2 to {MAX_TERMS} terms, [c0, c1, c2 ...], of which one beyond c0 is not 0; this one {found}"
            )
        if self.points:
            if not 2 <= len(self.points) <= MAX_POINTS:
                raise ValueError(f"a table has 2 to {MAX_POINTS} points; this one has {len(self.points)}")
            xs = [x for x, _ in self.points]
            for before, after in itertools.pairwise(xs):
                if before >= after:
                    raise ValueError(f"the first numbers of a table must rise; {after:g} comes after {before:g}")

    def value(self, x: float) -> float:
        """The calibrated value of ``x``; infinite or NaN if it is beyond the range of a double."""
        if self.terms:
            y = 0.0
            for term in reversed(self.terms):
                y = y * x + term
            return y
        at = min(max(bisect_right(self.points, x, key=_first), 1), len(self.points) - 1)
        (x0, y0), (x1, y1) = self.points[at - 1], self.points[at]
        if x == x1:
            return y1
        return y0 + (x - x0) * (y1 - y0) / (x1 - x0)  # multiplied first: 599 on the line from 0:0 to 1000:100 is 59.9

    def knows(self, x: float) -> bool:
        """Whether ``x`` is within the table; always true for a polynomial."""
        return not self.points or self.points[0][0] <= x <= self.points[-1][0]

    def text(self) -> str:
        """The text for the database: ``{"polynomial": [...]}`` or ``{"table": [[x, y], ...]}``."""
        document = {"polynomial": self.terms} if self.terms else {"table": self.points}
        return json.dumps(document, separators=(",", ":"))

    def __str__(self) -> str:
        if self.points:
            return f"a table of {len(self.points)} points"
        return "the polynomial " + ", ".join(f"{term:g}" for term in self.terms)


def _first(point: tuple[float, float]) -> float:
    return point[0]


def polynomial(terms: Sequence[float]) -> Curve:
    """y = c0 + c1 x + c2 x² ... of the terms [c0, c1, c2 ...]. Raises ValueError, see ``Curve``."""
    return Curve(terms=tuple(map(float, terms)))


def table(points: Sequence[Sequence[float]]) -> Curve:
    """The lines between the points [x, y], x rising. Raises ValueError, see ``Curve``."""
    return Curve(points=tuple((float(x), float(y)) for x, y in points))


@lru_cache(64)
def parse(text: str) -> Curve:
    """The curve of a text that ``Curve.text`` made. Raises ValueError."""
    try:
        document = json.loads(text)
        return polynomial(document["polynomial"]) if "polynomial" in document else table(document["table"])
    except (KeyError, TypeError) as error:
        raise ValueError(f"{text[:60]!r} is no curve: {error}") from None
