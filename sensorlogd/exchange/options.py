"""The options that say how a file is to be read: all that can be said, and what each format takes of it."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import NamedTuple, TypeVar

from sensorlogd import quality
from sensorlogd.notation.microseconds import DAY_US
from sensorlogd.stamping.repeats import KEEP


class ColumnTarget(NamedTuple):
    """Where a column belongs. ``sensor`` None: see ``Options``. ``unit``, ``kind`` None: as the log has it already."""

    sensor: str | None
    channel: str
    unit: str | None = None
    kind: str | None = None


@dataclass(frozen=True, slots=True)
class Options:
    """How to read a file, as the options of ``import`` say it. All empty: our own format, or found out from the header.

    times           columns that make up the time, joined by a blank (names, or numbers from 1); ``NAME~4`` pads with zeros
    columns         column -> target; a sensor of None is taken from ``sensor_column``
    sensor          all other columns with numbers become channels of this sensor
    sensor_column   the cell that names the sensor
    fold, year      see ``times.stamps``; a fold of None: not said
    repeat          spread: rows that share a time are spread evenly over the second
    earliest_us, ahead_us  readings before, or more than so far after ``now_us`` (0: not known), are marked bad_time
    decimal         what stands before the fraction
    nulls           cells that mean no reading, besides empty ones; see ``Nulls``
    quality         of readings for which the file says none
    guesses         what is not said of the time is guessed (for a look at it; else a guess is reported, and refused)
    guessed         what was guessed, as the options that say it
    """

    times: tuple[str, ...] = ()
    time_format: str = "iso"
    zone: str = "UTC"
    fold: str | None = None
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


@dataclass(frozen=True, slots=True)
class OwnOptions:
    """What our own formats take."""

    zone: str = "UTC"
    fold: str | None = None
    delimiter: str | None = None
    nulls: tuple[str, ...] = ()
    skip: int = 0
    quality: int = quality.NOT_EVALUATED


@dataclass(frozen=True, slots=True)
class PointOptions:
    """What line protocol takes."""

    time_format: str = "iso"  # nanoseconds
    sensor: str | None = None
    sensor_column: str | None = None  # a tag
    nulls: tuple[str, ...] = ()
    quality: int = quality.NOT_EVALUATED


@dataclass(frozen=True, slots=True)
class RecordOptions:
    """What the databases of weewx and Home Assistant take: they say themselves what their columns are."""

    sensor: str | None = None
    nulls: tuple[str, ...] = ()
    quality: int = quality.NOT_EVALUATED


Taken = TypeVar("Taken", OwnOptions, PointOptions, RecordOptions)
_FLAGS = {
    "times": "--time", "time_format": "--time-format", "zone": "--zone", "fold": "--fold", "year": "--year", "repeat": "--repeat",
    "columns": "--column", "sensor": "--sensor", "sensor_column": "--sensor-column", "delimiter": "--delimiter",
    "decimal": "--decimal", "nulls": "--null", "skip": "--skip", "header": "--no-header", "quality": "--quality",
}  # fmt: skip
_OF_ALL = ("zone",)  # --earliest is in that zone, whatever the file is


def taken_of(kind: type[Taken], options: Options, what: str) -> Taken:
    """The options that a format takes. ``what``: the format, for people. Raises ValueError for an option that was given, and that
    the format does not take."""
    takes = [option.name for option in fields(kind)]
    nothing_said = Options()
    for name, flag in _FLAGS.items():
        if name not in takes and name not in _OF_ALL and getattr(options, name) != getattr(nothing_said, name):
            allowed = ", ".join(_FLAGS[taken] for taken in takes)
            raise ValueError(f"{flag}: {what} does not take it; leave it out (of the options about columns, times and values, it"
                             f" takes {allowed})")  # fmt: skip
    return kind(**{name: getattr(options, name) for name in takes})
