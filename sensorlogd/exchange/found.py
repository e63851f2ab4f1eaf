"""The types of what is read from a file: readings with the series they belong to, and the options that say how to read it."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from sensorlogd import quality
from sensorlogd.batch import EXACT, whole
from sensorlogd.exchange.lines import FileError, Lines
from sensorlogd.notation.microseconds import DAY_US
from sensorlogd.notation.symbols import micro, point
from sensorlogd.stamping.local import FIRST
from sensorlogd.stamping.repeats import KEEP

NAME = re.compile(r"\w[\w~-]*")  # what the configuration allows, and what the log itself adds
KINDS = ("gauge", "counter", "angle", "state")


class ImportTarget(NamedTuple):
    """The series that a column goes to. ``unit``, ``kind`` None: as the log has it already."""

    sensor: str
    channel: str
    unit: str | None = None
    kind: str | None = None

    @property
    def name(self) -> str:
        return f"{self.sensor}.{self.channel}"


ColumnTarget = tuple[str | None, str, str | None, str | None]  # sensor (None: see ``Options``), channel, unit, kind


class FileReading(NamedTuple):
    """A reading from a file. ``value`` None: missing."""

    target: ImportTarget
    ts_us: int
    value: float | None
    quality: int


@dataclass(frozen=True, slots=True)
class Options:
    """How to read a file, as the options of ``import`` say it. All empty: our own format, or found out from the header.

    times           columns that make up the time, joined by a blank (names, or numbers from 1); ``NAME~4`` pads with zeros
    columns         column -> target; a sensor of None is taken from ``sensor_column``
    sensor          all other columns with numbers become channels of this sensor
    sensor_column   the cell that names the sensor
    fold, year      see ``stamps.reader``
    repeat          spread: rows that share a time are spread evenly over the second
    earliest_us, ahead_us  readings before, or more than so far after ``now_us`` (0: not known), are marked bad_time
    decimal         what stands before the fraction
    nulls           cells that mean no reading, besides empty ones; see ``Nulls``
    guesses         what is not said of the time is guessed (for a look at it; else a guess is told, and refused)
    guessed         what was guessed, as the options that say it
    """

    times: tuple[str, ...] = ()
    time_format: str = "iso"
    zone: str = "UTC"
    fold: str = FIRST
    year: str | None = None
    repeat: str = KEEP
    earliest_us: int | None = None
    ahead_us: int = DAY_US
    now_us: int = 0
    columns: dict[str, ColumnTarget] = field(default_factory=dict)
    sensor: str | None = None
    sensor_column: str | None = None
    delimiter: str | None = None
    decimal: str = "."
    nulls: tuple[str, ...] = ()
    skip: int = 0
    header: bool = True
    quality: int = quality.NOT_EVALUATED
    guesses: bool = False
    guessed: str = ""

    @property
    def is_foreign(self) -> bool:
        """Whether the options say how columns are to be read, as no file that sensorlogd has written needs it."""
        return bool(self.times or self.columns or self.sensor or self.sensor_column)


@dataclass(slots=True)
class ImportPlan:
    """How a file is read. ``own_format``: it is in the format that sensorlogd writes, so the same reading twice is one reading."""

    own_format: bool
    understood_as: str
    read: Callable[[], Iterator[FileReading]]
    left_out: dict[str, str] = field(default_factory=dict)  # columns of words -> their first cell; complete when all is read
    doubtful: list[int] = field(default_factory=list)  # the time of each reading that was marked bad_time
    zoneless: list[str] = field(default_factory=list)  # the first time without an offset, if such were read in UTC


def target_of(sensor: str, channel: str, unit: str | None, kind: str | None = None) -> ImportTarget:
    """The target with these names. Raises ValueError for names or units that the log does not allow."""
    for what, name in (("sensor", sensor), ("channel", channel)):
        if not NAME.fullmatch(name) or len(name) > 100:
            raise ValueError(f"{name[:60]!r} cannot name a {what}; letters, digits, _ and - can")
    return ImportTarget(sensor, channel, None if unit is None else micro(unit), kind)


def reading(target: ImportTarget, ts_us: int, value: float, options: Options) -> FileReading:
    """A reading of another log, which says nothing of its numbers: NaN and infinities are missing, as those of a device."""
    if math.isfinite(value):
        return FileReading(target, ts_us, value, options.quality)
    return FileReading(target, ts_us, None, quality.MISSING)


_GROUPED = re.compile(r"[+-]?\d{1,3}(?:(?P<sign>[\u00a0\u2009\u202f'\u2019])\d{3})(?:(?P=sign)\d{3})*(?:[.,]\d*)?", re.ASCII)
_POINTED = re.compile(r"[+-]?[1-9]\d{0,2}(?:,\d{3})+\.\d*", re.ASCII)
_WITH_MORE = re.compile(r"[+-]?\d[\d.,]*\s*(?P<more>[^\d\s.,:;/+-]\D{0,19})", re.ASCII)


def number(text: str, decimal: str = ".") -> float:
    """The number in a cell. Thousands may be grouped by apostrophes or hard blanks, as spreadsheets do, and by the sign that cannot
    stand before the fraction: ``1,013.25``, and with a decimal comma ``1.013,25``; a minus may be a real one. Raises ValueError
    that says what to do."""
    plain = text.strip().replace("\u2212", "-")
    if match := _GROUPED.fullmatch(plain):
        plain = plain.replace(match["sign"], "")
    if decimal != ".":
        grouped = point(plain)
        if "." in plain and "," in grouped:
            raise ValueError(f"{text!r} is no number with {decimal!r} before the fraction; is --decimal right?")
        plain = grouped
    elif _POINTED.fullmatch(plain):
        plain = plain.replace(",", "")
    try:
        if "_" in plain:
            raise ValueError
        value = float(plain)
    except ValueError:
        raise ValueError(f"{text!r} {_what_is_wrong(text.strip(), decimal)}") from None
    if not math.isfinite(value):
        raise ValueError(f"{text!r} is no finite number; {null_hint(text.strip())}")
    return whole(int(Decimal(plain))) if abs(value) >= EXACT and plain.lstrip("+-").isdecimal() else value


def _what_is_wrong(text: str, decimal: str) -> str:
    if match := _WITH_MORE.fullmatch(text):
        return f"is no number because of the {match['more']!r} after it; take that off all cells first"
    if "," in text and decimal == ".":
        return "is no number; if its comma stands before the fraction, say --decimal ,"
    return f"is no number; {null_hint(text)}"


def null_hint(text: str) -> str:
    """What to do about a cell that is no number."""
    return f"if it means that there is no value, say --null {shlex.quote(text) if text else repr(text)}"


class Nulls:
    """The cells that mean "no value", from ``--null``: a cell with that text, and if the text is a number, that number however it
    is spelled (``-999.00``, ``-9.99e2``). ``0000`` is a text only: to take every 0 for "no value" somebody has to say ``0``."""

    def __init__(self, texts: Sequence[str], decimal: str = ".") -> None:
        self.texts = frozenset(("", *(text.strip() for text in texts)))
        found = {text: value for text in texts if (value := _number_or_none(text, decimal)) is not None}
        self.numbers = frozenset(value for text, value in found.items() if value or text.strip() == "0")

    def is_text(self, cell: str) -> bool:
        """Whether a cell that is not empty has one of the texts."""
        return bool(cell) and cell.strip() in self.texts


def _number_or_none(text: str, decimal: str) -> float | None:
    """The number in the text, with ``decimal`` or a point before the fraction; None if it is none."""
    for point_of in (decimal, "."):  # on a command line the number may have a point, too
        try:
            return number(text, point_of)
        except ValueError:
            continue
    return None


def slug(text: str) -> str:
    """The text as a name: small letters, digits and _."""
    return re.sub(r"[^a-z0-9_]+", "_", text.strip().lower()).strip("_")


def once(targets: Sequence[str], lines: Lines) -> None:
    """Raise FileError if two columns have the same target: their readings would be mixed up."""
    twice = sorted({name for name in targets if targets.count(name) > 1})
    if twice:
        raise FileError(
            lines.name, lines.number, f"two columns belong to one series: {some([name.lstrip('.') for name in twice])}; map each with --column"
        )  # fmt: skip


def some(names: Sequence[str]) -> str:
    """The first six names, quoted and cut at 40 characters, and how many more there are."""
    shown = ", ".join(repr(name[:40]) for name in names[:6])
    return shown + (f" and {len(names) - 6} more" if len(names) > 6 else "")
