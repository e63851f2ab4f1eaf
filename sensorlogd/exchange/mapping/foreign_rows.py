"""Reads the rows of a table of another program, once it is known which column is what."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from sensorlogd.exchange.mapping.column_names import quoted_names
from sensorlogd.exchange.options import ColumnTarget, Options
from sensorlogd.exchange.readings import FileReading, ImportTarget, Origins, slug, target_of
from sensorlogd.exchange.source import Source
from sensorlogd.exchange.text.lines import FileError, Lines, cells
from sensorlogd.exchange.text.numbers import Nulls, number
from sensorlogd.exchange.times.stamps import TimeReader
from sensorlogd.stamping.patterns import width_us
from sensorlogd.stamping.repeats import SPREAD, evenly


@dataclass(frozen=True, slots=True)
class Columns:
    """Which column, from 0, is what.

    time_at    those that make up the time, each with the digits that its cells are filled up to
    sensor_at  the one that names the sensor
    targets    where the cells of the others go
    automatic  those of the targets that no option names: one that begins with words is not a channel
    """

    time_at: Sequence[tuple[int, int]]
    sensor_at: int | None
    targets: dict[int, ColumnTarget]
    automatic: frozenset[int]


class ForeignTable(Source):
    """A table of another program. ``names``: of all columns. Columns of words are left out, and noted."""

    def __init__(
        self, lines: Lines, delimiter: str, names: Sequence[str], times: TimeReader, columns: Columns, options: Options
    ) -> None:
        super().__init__(times)
        self._lines = lines
        self._delimiter = delimiter
        self._names = names
        self._columns = columns
        self._options = options
        self._nulls = Nulls(options.nulls).texts
        self._kept = list(columns.targets.items())
        self._untried = set(columns.automatic)  # columns without any cell so far: if the first one is words, it is not a channel
        self._undecided = set(columns.targets)  # columns of which no cell has shown yet that a comma stands before the fraction
        self._words: dict[int, str] = {}  # a column that is left out -> its first cell
        self._targets: dict[tuple[int, str], ImportTarget] = {}
        self._sensors: dict[str, str] = {}  # as the file names them -> as we do
        self._sensor_origins = Origins()
        self._series_origins = Origins()
        self._time_before: tuple[str, int] | None = None

    def read(self) -> Iterator[FileReading]:
        """The readings. Raises FileError if no column is left that holds numbers."""
        rows = self._map_rows()
        if self._options.repeat == SPREAD:
            rows = _spread(rows, width_us(self._options.time_format))
        for row in rows:
            yield from row

    def _map_rows(self) -> Iterator[list[FileReading]]:
        """The readings of each row."""
        for row in _even(cells(self._lines, self._delimiter, len(self._names)), len(self._names), self._lines):
            try:
                found = self._map_row(row)
            except ValueError as error:
                self._lines.bad(str(error))
            else:
                yield found
        if not self._kept:
            raise FileError(
                self._lines.name,
                0,
                f"no column holds numbers; its columns are {quoted_names(self._names)}: is --delimiter right, or --decimal?",
            )

    def _map_row(self, row: list[str]) -> list[FileReading]:
        """The readings of a row. Raises ValueError."""
        ts_us = self._time_us(row)
        sensor = "" if self._columns.sensor_at is None else self._sensor(row[self._columns.sensor_at].strip())
        decimal, code = self._options.decimal, self._options.quality
        found = []
        for index, target in self._kept:
            cell = row[index].strip()
            if cell in self._nulls or (index in self._untried and self._is_of_words(index, cell)):
                continue
            into = self._targets.get((index, sensor)) or self._find_target(index, target, sensor)
            found.append(FileReading(into, ts_us, number(cell, decimal), code))
            if decimal == "," and index in self._undecided:
                self._note_signs(index, cell)
        self._check_words(row)
        return found

    def _note_signs(self, index: int, cell: str) -> None:
        """Note a cell whose one point groups thousands if ``--decimal`` is right, until a cell of the column shows that it is."""
        column = self._column_name(index)
        if "," in cell or cell.count(".") > 1:
            self._undecided.discard(index)
            self.pointed.pop(column, None)
        elif "." in cell:
            self.pointed.setdefault(column, cell)

    def _column_name(self, index: int) -> str:
        return self._names[index] if self._options.header else str(index + 1)

    def _time_us(self, row: list[str]) -> int:
        """The time of the row. Rows with the same text share it, unless their order says which time is meant. Raises ValueError."""
        assert self.times is not None
        text = " ".join(row[index].strip().zfill(pad) for index, pad in self._columns.time_at)
        if self._time_before is None or self._time_before[0] != text or self.times.is_by_order:
            self._time_before = (text, self.times(text))
        return self._time_before[1]

    def _sensor(self, text: str) -> str:
        """The sensor that a cell names. Raises FileError if two would become one; small and capital letters are the same."""
        found = self._sensors.get(text)
        if found is None:
            found = self._sensors[text] = slug(text)
            other = self._sensor_origins.claim(found, text.casefold()) if found else None
            if other is not None:
                raise FileError(
                    self._lines.name, self._lines.number, f"{other!r} and {text!r} would both become the sensor {found!r}, because a"
                    " name keeps only a to z, digits and _ of the cell; change one of them in the file",
                )  # fmt: skip
        return found

    def _is_of_words(self, index: int, cell: str) -> bool:
        """Whether the first cell of a column is words; then the column is left out."""
        self._untried.discard(index)
        if _looks_like_a_number(cell, self._options.decimal):
            return False
        self._words[index] = cell
        self.left_out[self._column_name(index)] = cell
        self._kept = [(kept, target) for kept, target in self._kept if kept != index]
        return True

    def _find_target(self, index: int, target: ColumnTarget, sensor: str) -> ImportTarget:
        """The series of a column in a row of the ``sensor``. Raises ValueError; FileError if another column, or the same one in rows of
        another sensor, goes to that series already."""
        whose = target.sensor or sensor
        if not whose:
            raise ValueError("no cell names the sensor by letters a to z, digits or _; say --sensor NAME")
        found = target_of(whose, target.channel, target.unit, target.kind)
        origin = f"column {(self._names[index] if self._options.header else index + 1)!r}" + (f" of {sensor!r}" if sensor else "")
        other = self._series_origins.claim(found.name, origin)
        if other is not None:
            raise FileError(
                self._lines.name, self._lines.number, f"{other} and {origin} would both become {found.name}; give each column a channel of"
                " its own, and leave the name of the sensor to the rows: --column 'COLUMN=.CHANNEL'",
            )  # fmt: skip
        self._targets[index, sensor] = found
        return found

    def _check_words(self, row: Sequence[str]) -> None:
        """Raise ValueError if a column that began with words has a number after all."""
        for index, word in self._words.items():
            if row[index].strip() != word and _is_number(row[index], self._options.decimal):
                raise ValueError(
                    f"column {self._names[index]!r} holds {row[index]!r}, and {word!r} before; if that means that there is no value, say --null {word}"
                )


def _even(rows: Iterator[list[str]], width: int, lines: Lines) -> Iterator[list[str]]:
    """Rows as wide as the header: empty cells after a last delimiter are cut off, and rows of another width are bad lines."""
    for row in rows:
        while len(row) > width and not row[-1].strip():
            row.pop()
        if len(row) == width:
            yield row
        else:
            lines.bad(f"{len(row)} cells, the first line has {width}")


def _spread(rows: Iterator[list[FileReading]], width: int) -> Iterator[list[FileReading]]:
    """Spread rows of a sensor that follow each other with the same time evenly over the second (or minute) that they are stamped
    with."""
    for _, together in groupby((row for row in rows if row), key=lambda row: row[0].ts_us):
        of_sensor: dict[str, list[list[FileReading]]] = {}
        for row in together:
            of_sensor.setdefault(row[0].target.sensor, []).append(row)
        for same in of_sensor.values():
            for index, row in enumerate(same):
                yield [reading._replace(ts_us=reading.ts_us + evenly(index, len(same), width)) for reading in row]


def _is_number(cell: str, decimal: str) -> bool:
    try:
        number(cell, decimal)
    except ValueError:
        return False
    return True


def _looks_like_a_number(cell: str, decimal: str) -> bool:
    return re.match(r"[-+]?[0-9.,]|[-+]?(nan|inf)", cell.lower()) is not None or decimal in cell
