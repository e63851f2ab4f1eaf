"""Checks what a file says, whatever its kind: numbers that mean no value, times that cannot be believed, numbers that were rounded."""

from __future__ import annotations

from collections.abc import Iterator

from sensorlogd import quality
from sensorlogd.batch import Rounded
from sensorlogd.exchange.options import Options
from sensorlogd.exchange.readings import FileReading
from sensorlogd.exchange.text.numbers import Nulls
from sensorlogd.notation.microseconds import BEGINNING_US, END_US
from sensorlogd.quality import Flag, Test


class ReadingCheck:
    """Leaves out numbers that mean "no value", and flags times that cannot be believed and whole numbers that no double holds.

    doubtful, first_doubtful_us  of the readings so far, as in FileFindings
    """

    def __init__(self, options: Options) -> None:
        self._null_numbers = Nulls(options.nulls, options.decimal).numbers
        self._earliest_us = BEGINNING_US if options.earliest_us is None else options.earliest_us
        self._latest_us = options.now_us + options.ahead_us if options.now_us else END_US
        self.doubtful = 0
        self.first_doubtful_us: int | None = None

    def checked(self, readings: Iterator[FileReading]) -> Iterator[FileReading]:
        """Pass the readings on."""
        null_numbers, earliest_us, latest_us = self._null_numbers, self._earliest_us, self._latest_us
        for reading in readings:
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
