"""Reads what stands above or around the names of columns: Campbell's TOA5 (four lines), HOBO's (a title, then names with units and
a zone), and the line for spreadsheets that names the delimiter (``sep=;``)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from sensorlogd.exchange.readings import slug
from sensorlogd.exchange.text.lines import Lines, split

_UNIT = re.compile(r"[^:,;\d][^:,;]{0,15}")
_BRACKETS = re.compile(r"(.*?)\s*[\[(]([^\])]*)[\])]\s*")
_SERIAL = re.compile(r"\s*\((?:[^()]*\b(?:S/N|LBL):[^()]*)\)\s*$")
_DELIMITER = re.compile(r"sep=([;,|\t])", re.IGNORECASE)
_OFFSET = re.compile(r"\b(?:GMT|UTC)\s*([+-])(\d\d):?(\d\d)\b")


@dataclass(slots=True)
class Head:
    """What the lines above the names say. ``units``: of each column, if a line of units follows the names."""

    kind: str = ""
    units: list[str | None] = field(default_factory=list)
    nulls: tuple[str, ...] = ()
    delimiter: str | None = None


def skip(lines: Lines, count: int) -> Head:
    """Skip ``count`` lines, and what is known to stand above the names. Raises FileError; StopIteration at the end of the file."""
    passed = [next(lines) for _ in range(count)]
    above = passed[0] if passed else next(iter(lines.peek(1)), "")
    text = above.lstrip('\ufeff" ').rstrip("\r\n")
    if text.startswith("TOA5") and count < 2:
        if not count:
            next(lines)
        return Head("TOA5", nulls=("NAN",))
    if text.startswith("Plot Title:") and count < 2:
        if not count:
            next(lines)
        return Head("HOBO")
    if (said := _DELIMITER.fullmatch(text.strip('" '))) and count < 2:
        if not count:
            next(lines)
        return Head(delimiter=said[1])
    return Head()


def finish(head: Head, lines: Lines, delimiter: str) -> None:
    """Read the lines between the names and the data into ``head``."""
    if head.kind == "TOA5":
        head.units = [unit or None for unit in split(next(lines, ""), delimiter)]
        next(lines, "")  # the line that says how each was processed: Avg, Smp


def channel(name: str, unit: str | None = None) -> tuple[str, str | None]:
    """(channel, unit) of a column's name: ``Temperature @ 2m [deg C]`` -> (``temperature_2m``, ``deg C``). Text in brackets that is
    no unit belongs to the name, except the serial numbers of HOBO, where the unit stands before them: ``RH, % (LGR S/N: 1)`` ->
    (``rh``, ``%``)."""
    text = _SERIAL.sub("", name)
    if text != name:
        text, _, tail = text.rpartition(", ") if ", " in text else (text, "", "")
        unit = tail or unit
    elif (match := _BRACKETS.fullmatch(text)) and (not match[2] or _UNIT.fullmatch(match[2])):
        text, unit = match[1], match[2]
    return slug(text) or ("number" if text.strip() == "#" else "column"), unit


def zone(names: Sequence[str]) -> str | None:
    """The zone in the name of a column of times: ``Date Time, GMT+01:00`` -> ``Etc/GMT-1``. Raises ValueError."""
    for name in names:
        if match := _OFFSET.search(name):
            sign, hours, minutes = match[1], int(match[2]), int(match[3])
            if minutes or hours > 12:
                raise ValueError(f"{name!r}: say --zone of a place where clocks have this offset, e.g. Asia/Kolkata for +05:30")
            return f"Etc/GMT{'-' if sign == '+' else '+'}{hours}" if hours else "UTC"
    return None
