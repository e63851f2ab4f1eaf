"""The options that say how a file is to be read."""

from __future__ import annotations

from dataclasses import dataclass, field

from sensorlogd import quality
from sensorlogd.notation.microseconds import DAY_US
from sensorlogd.stamping.local import FIRST
from sensorlogd.stamping.repeats import KEEP

ColumnTarget = tuple[str | None, str, str | None, str | None]  # sensor (None: see ``Options``), channel, unit, kind


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
