"""How a file is read, once its head has been looked at, and what there is to say about it in the end."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator
from dataclasses import dataclass

from sensorlogd import quality
from sensorlogd.batch import Rounded
from sensorlogd.exchange.options import Options
from sensorlogd.exchange.readings import FileReading
from sensorlogd.exchange.text.lines import Aside, FileError, LineCounts, Lines
from sensorlogd.exchange.text.numbers import Nulls
from sensorlogd.exchange.times.autumn import HourTwice
from sensorlogd.exchange.times.stamps import TimeReader
from sensorlogd.notation.microseconds import BEGINNING_US, END_US
from sensorlogd.quality import Flag, Test


@dataclass(frozen=True, slots=True)
class Findings:
    """What there is to say about a file that was read to its end, besides its readings.

    left_out           columns (fields, entities) of words, which were left out -> an example of the words
    zoneless           the first time without an offset, if such times were read in UTC
    doubtful           how many readings were marked bad_time
    first_doubtful_us  the time of the first of them
    first_twice        a sentence about the first local time that comes twice in autumn, if nobody has said which one is meant
    pointed            columns in which a point was read as grouping thousands, and no value has a comma -> an example
    """

    left_out: dict[str, str]
    zoneless: str | None
    doubtful: int
    first_doubtful_us: int | None
    lines: LineCounts
    first_twice: str | None
    pointed: dict[str, str]


class Source(ABC):
    """Gives the readings of one file, once. It owns what it notes meanwhile, which is complete when ``read`` has ended."""

    def __init__(self, times: TimeReader | None = None) -> None:
        self.times = times
        self.left_out: dict[str, str] = {}  # as in Findings
        self.pointed: dict[str, str] = {}  # likewise

    @abstractmethod
    def read(self) -> Iterator[FileReading]:
        """The readings in the order of the file. Raises FileError."""


@dataclass(frozen=True, slots=True)
class ImportPlan:
    """How a file is read. ``same_is_one``: the same reading twice in the file is one reading, as in what sensorlogd writes."""

    same_is_one: bool
    understood_as: str
    source: Source
    lines: Lines  # of a file that has none: no lines
    options: Options

    def read(self, aside: Aside | None = None) -> Generator[FileReading, None, Findings]:
        """The readings, as ``Judge`` passes them on; returns what else there is to say when the file has ended. ``aside`` takes the
        lines that cannot be read. Raises FileError, for such lines too if there is no ``aside``."""
        self.lines.end_head(aside)
        judge = Judge(self.options)
        try:
            yield from judge.judged(self.source.read())
        except HourTwice as error:
            raise FileError(self.lines.name, self.lines.number, str(error)) from None
        times = self.source.times
        zoneless = None if times is None or self.options.zone != "UTC" else times.first_zoneless
        return Findings(
            self.source.left_out,
            zoneless,
            judge.doubtful,
            judge.first_doubtful_us,
            self.lines.counts(),
            None if times is None else times.first_twice,
            self.source.pointed,
        )


class Judge:
    """Leaves out numbers that mean "no value", and flags times that cannot be believed and whole numbers that no double holds.

    doubtful, first_doubtful_us  of the readings so far, as in Findings
    """

    def __init__(self, options: Options) -> None:
        self._null_numbers = Nulls(options.nulls, options.decimal).numbers
        self._earliest_us = BEGINNING_US if options.earliest_us is None else options.earliest_us
        self._latest_us = options.now_us + options.ahead_us if options.now_us else END_US
        self.doubtful = 0
        self.first_doubtful_us: int | None = None

    def judged(self, found: Iterator[FileReading]) -> Iterator[FileReading]:
        """Pass the readings on."""
        null_numbers, earliest_us, latest_us = self._null_numbers, self._earliest_us, self._latest_us
        for reading in found:
            if reading.value in null_numbers:
                continue
            if type(reading.value) is Rounded:
                code = quality.combine(reading.quality, int(Flag.SUSPECT) | int(Test.ROUNDED))
                reading = reading._replace(value=float(reading.value), quality=code)
            if not earliest_us <= reading.ts_us <= latest_us:
                self.doubtful += 1
                if self.first_doubtful_us is None:
                    self.first_doubtful_us = reading.ts_us
                reading = reading._replace(quality=reading.quality | int(Test.BAD_TIME))
            yield reading
