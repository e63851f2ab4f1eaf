"""Guesses which column is the time and how it is written, from the first rows.

A guess is never imported by itself: it is reported as the options that say the same, and ``--dry-run`` shows what they would read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from sensorlogd.exchange.times.stamps import TimeReader

MAX_ROWS_TO_GUESS_BY = 200
_COMPACT = "%Y%m%d%H%M%S"
_CLOCKS = ("%H:%M:%S", "%H:%M", "%I:%M:%S %p", "%I:%M %p")
_DATES = ("%d.%m.%Y", "%d.%m.%y", "%m/%d/%Y", "%d/%m/%Y", "%m/%d/%y", "%d/%m/%y", "%d-%m-%Y", "%d %b %Y", "%Y%m%d")
PATTERNS = (*(f"{date} {clock}" for date in _DATES for clock in _CLOCKS), "%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", _COMPACT)
_EPOCHS = (("epoch", 10), ("epoch_ms", 13), ("epoch_us", 16))
_ISO = re.compile(r"\s*\d{4}[-/]\d")
_COMMA, _POINT = re.compile(r"[+-]?\d+,\d+"), re.compile(r"[+-]?\d+\.\d+")
_LIKELY = re.compile(r"time|date|datum|zeit|stamp|fecha|hora|heure|\bts\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Guess:
    """A guess how the times of a table are written. ``times``: the columns, from 0. ``forms``: the formats that read every row;
    of several, those by which time goes on from row to row, if there are any. ``decimal``: the decimal point of values."""

    times: tuple[int, ...]
    forms: tuple[str, ...]
    decimal: str

    def as_options(self, names: Sequence[str]) -> str:
        """The guess as options of ``import``."""
        words = [f"--time {_quoted(names[at])}" for at in self.times]
        if self.forms[0] != "iso":
            words.append(f"--time-format {_quoted(self.forms[0])}")
        if self.decimal != ".":
            words.append(f"--decimal {self.decimal}")
        return " ".join(words)


def guess(names: Sequence[str], rows: Iterable[Sequence[str]], nulls: Sequence[str] = ()) -> Guess | None:
    """Guess the columns of the time. None: no column, and no two neighbours together, are a time in every row. ``names``: of all
    columns. ``nulls``: texts that stand for no value."""
    table = [row for row in rows if len(row) >= len(names)]
    if not table:
        return None
    choices = [(at,) for at in range(len(names))] + [(at, at + 1) for at in range(len(names) - 1)]
    choices.sort(key=lambda choice: (not any(_LIKELY.search(names[at]) for at in choice), len(choice), choice))
    best: Guess | None = None
    for times in choices:
        texts = [" ".join(row[at].strip() for at in times) for row in table]
        forms = tuple(_forms(texts))
        if forms and (best is None or ":" in texts[0]):
            used = set(times)
            others = [cell.strip() for row in table for at, cell in enumerate(row) if at not in used]
            best = Guess(times, forms, _guess_decimal(cell for cell in others if cell not in nulls))
            if not _is_date(texts):
                break
    return best


def _is_date(texts: Sequence[str]) -> bool:
    """Whether the column is a date, so that the column beside it may be the time of the day."""
    return all(len(text) <= 11 and ":" not in text and not text.isdigit() for text in texts)


def _forms(texts: Sequence[str]) -> list[str]:
    """The formats that read every text; of several, those by which time goes on from row to row."""
    found = [form for form in ("iso", *PATTERNS) if _can_read_all(texts, form)]
    for form, digits in _EPOCHS:
        if all(re.fullmatch(rf"\d{{{digits}}}(\.\d+)?", text) for text in texts):
            found.append(form)
    if len(found) > 1:
        onward = [form for form in found if _is_in_order(texts, form)]
        found = onward or found
    return found


def _can_read_all(texts: Sequence[str], form: str) -> bool:
    """Whether every text is a time in this form."""
    if form == "iso" and not all(_ISO.match(text) for text in texts):
        return False
    if form == _COMPACT and not all(len(text) == 14 for text in texts):
        return False  # strptime accepts fewer digits, too
    read = TimeReader(form, "UTC")
    try:
        for text in texts:
            read(text)
    except ValueError:
        return False
    return True


def _is_in_order(texts: Sequence[str], form: str) -> bool:
    return all(before <= after for before, after in pairwise(map(TimeReader(form, "UTC"), texts)))


def _guess_decimal(cells: Iterable[str]) -> str:
    """The decimal sign: a comma if cells have one there and none has a point."""
    commas = points = 0
    for cell in cells:
        commas += _COMMA.fullmatch(cell) is not None
        points += _POINT.fullmatch(cell) is not None
    return "," if commas and not points else "."


def _quoted(text: str) -> str:
    return text if re.fullmatch(r"[\w.,-]+", text) else f"'{text}'"
