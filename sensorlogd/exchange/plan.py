"""How a file is read, once its head has been looked at, and what there is to say about it in the end."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from sensorlogd.exchange.options import Options
from sensorlogd.exchange.reading_check import ReadingCheck
from sensorlogd.exchange.readings import FileReading
from sensorlogd.exchange.source import Source
from sensorlogd.exchange.text.lines import Aside, FileError, LineCounts, Lines
from sensorlogd.exchange.times.autumn import HourTwice


@dataclass(frozen=True, slots=True)
class FileFindings:
    """What there is to say about a file that was read to its end, besides its readings.

    left_out           columns (fields, entities) of words, which were left out -> an example of the words
    units_of           series that the file has in several units -> these units; such a series cannot be stored
    zoneless           the first time without an offset, if such times were read in UTC
    doubtful           how many readings were marked bad_time
    first_doubtful_us  the time of the first of them
    first_twice        a sentence about the first local time that comes twice in autumn, if nobody has said which one is meant
    pointed            columns in which a point was read as grouping thousands, and no value has a comma -> an example
    """

    left_out: dict[str, str]
    units_of: dict[str, list[str]]
    zoneless: str | None
    doubtful: int
    first_doubtful_us: int | None
    lines: LineCounts
    first_twice: str | None
    pointed: dict[str, str]


@dataclass(frozen=True, slots=True)
class ImportPlan:
    """How a file is read. ``same_is_one``: the same reading twice in the file is one reading, as in what sensorlogd writes."""

    same_is_one: bool
    understood_as: str
    source: Source
    lines: Lines  # of a file that has none: no lines
    options: Options

    def read(self, aside: Aside | None = None) -> Generator[FileReading, None, FileFindings]:
        """The readings, as ``ReadingCheck`` passes them on; returns what else there is to say when the file has ended. ``aside`` takes the
        lines that cannot be read. Raises FileError, for such lines too if there is no ``aside``."""
        self.lines.end_head(aside)
        check = ReadingCheck(self.options)
        try:
            yield from check.checked(self.source.read())
        except HourTwice as error:
            raise FileError(self.lines.name, self.lines.number, str(error)) from None
        times = self.source.times
        zoneless = None if times is None or self.options.zone != "UTC" else times.first_zoneless
        return FileFindings(
            self.source.left_out,
            self.source.units_of,
            zoneless,
            check.doubtful,
            check.first_doubtful_us,
            self.lines.counts(),
            None if times is None else times.first_twice,
            self.source.pointed,
        )
