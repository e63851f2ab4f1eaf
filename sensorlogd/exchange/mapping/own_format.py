"""Reads our own formats: CSV with a reading per line, CSV with a column per series, NDJSON."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Sequence

from sensorlogd import quality
from sensorlogd.batch import whole
from sensorlogd.exchange.mapping.column_names import quoted_names
from sensorlogd.exchange.options import OwnOptions
from sensorlogd.exchange.readings import FileReading, ImportTarget, target_of
from sensorlogd.exchange.source import Source
from sensorlogd.exchange.text.lines import FileError, Lines, cells
from sensorlogd.exchange.text.numbers import Nulls, null_hint, number
from sensorlogd.exchange.times.stamps import TimeReader
from sensorlogd.exchange.written.cells import EXACT, bare

COLUMNS = ("time", "sensor", "channel", "value")


def _time_reader(options: OwnOptions) -> TimeReader:
    """Reads ISO 8601. What sensorlogd wrote has offsets; somebody may have written the file by hand."""
    return TimeReader("iso", options.zone, options.fold)


class LongTable(Source):
    """CSV with a reading per line. The column ``utc``, in files for spreadsheets, has the exact time. ``names``: of the columns,
    in small letters. Raises FileError if one is named twice."""

    def __init__(self, lines: Lines, delimiter: str, names: Sequence[str], decimal: str, options: OwnOptions) -> None:
        super().__init__(_time_reader(options))
        self._lines = lines
        self._delimiter = delimiter
        self._names = names
        self._decimal = decimal
        self._quality = options.quality
        self._nulls = Nulls(options.nulls, decimal)
        self._index_of = {name: index for index, name in enumerate(names)}
        self._qualities: dict[str, int] = {}
        if len(self._index_of) != len(names):
            twice = quoted_names(sorted({name for name in names if names.count(name) > 1}))
            raise FileError(lines.name, lines.number, f"a column is named twice: {twice}; rename or remove one")

    def read(self) -> Iterator[FileReading]:
        """The readings; cells that mean no value are skipped."""
        assert self.times is not None
        time_at, sensor_at, channel_at, value_at = (self._index_of[name] for name in COLUMNS)
        time_at = self._index_of.get(EXACT, time_at)
        unit_at, quality_at = self._index_of.get("unit"), self._index_of.get("quality")
        targets: dict[tuple[str, str, str | None], ImportTarget] = {}
        width = len(self._names)
        for row in cells(self._lines, self._delimiter, width):
            if is_header(row, self._names):
                continue
            if len(row) != width:
                self._lines.bad(f"{len(row)} cells, the header has {width} columns")
                continue
            if self._nulls.is_text(row[value_at]):
                continue
            try:
                key = (row[sensor_at], row[channel_at], None if unit_at is None else bare(row[unit_at]))
                target = targets.get(key)
                if target is None:
                    target = targets[key] = target_of(*key)
                code = self._quality if quality_at is None else self._quality_of(row[quality_at])
                value = _parse_value(row[value_at], code, self._decimal)
                found = FileReading(target, self.times(row[time_at]), value, code)
            except ValueError as error:
                self._lines.bad(str(error))
            else:
                if found.value not in self._nulls.numbers:
                    yield found

    def _quality_of(self, words: str) -> int:
        """The quality code. Raises ValueError."""
        code = self._qualities.get(words)
        if code is None:
            code = self._qualities[words] = quality.parse(words)
        return code


def is_header(row: Sequence[str], names: Sequence[str]) -> bool:
    """Whether a row repeats the header, as the first line of each further file does in files that were put together."""
    return row[0].strip().lower() == "time" and [cell.strip().lower() for cell in row] == [name.lower() for name in names]


def _parse_value(text: str, code: int, decimal: str) -> float | None:
    """The number in a cell; None for an empty one whose quality code is "missing". Raises ValueError."""
    if text == "" and quality.flag_of(code) == quality.MISSING:
        return None
    if text == "":
        raise ValueError(
            f"the value is empty, and quality is {quality.describe(code)!r}; write a value, or the quality 'missing'"
        )
    return number(text, decimal)


class WideTable(Source):
    """CSV with a column per series. ``names``: of the columns, as the header has them. ``targets``: of the series' columns.
    ``exact``: the last column has the exact time."""

    def __init__(
        self, lines: Lines, delimiter: str, names: Sequence[str], targets: Sequence[ImportTarget], decimal: str, options: OwnOptions,
        *, exact: bool,
    ) -> None:  # fmt: skip
        super().__init__(_time_reader(options))
        self._lines = lines
        self._delimiter = delimiter
        self._names = names
        self._targets = targets
        self._exact = exact
        self._quality = options.quality
        self._decimal = decimal
        self._nulls = Nulls(options.nulls, decimal)

    def read(self) -> Iterator[FileReading]:
        """The readings; blank cells, and those that mean no value, are skipped."""
        assert self.times is not None
        width = len(self._names)
        for row in cells(self._lines, self._delimiter, width):
            if is_header(row, self._names):
                continue
            if len(row) != width:
                self._lines.bad(f"{len(row)} cells, the header has {width} columns")
                continue
            try:
                ts = self.times(row[-1 if self._exact else 0])
                found = [
                    FileReading(target, ts, number(text, self._decimal), self._quality)
                    for target, text in zip(self._targets, row[1 : len(self._targets) + 1], strict=True)
                    if text.strip() and not self._nulls.is_text(text)
                ]
            except ValueError as error:
                self._lines.bad(str(error))
            else:
                yield from (reading for reading in found if reading.value not in self._nulls.numbers)


def decimal_of(delimiter: str, said: str, *, exact: bool) -> str:
    """The decimal sign in our files: a comma if cells are divided by semicolons, for spreadsheets. One that a spreadsheet has
    saved may have a comma, too, if that is ``said``."""
    return "," if delimiter == ";" and (exact or said == ",") else "."


def series(name: str, lines: Lines) -> ImportTarget:
    """The target of a header ``sensor.channel [unit]``. Raises FileError."""
    match = re.fullmatch(r"([^.]+)\.([^ ]+)(?: \[(.*)\])?", name)
    if match is None:
        raise FileError(lines.name, lines.number, f"{name!r} is not a series; write sensor.channel")
    try:
        return target_of(match[1], match[2], match[3])
    except ValueError as error:
        raise FileError(lines.name, lines.number, str(error)) from None


class JsonLines(Source):
    """NDJSON: an object per line, with the names of the CSV as keys."""

    def __init__(self, lines: Lines, options: OwnOptions) -> None:
        super().__init__(_time_reader(options))
        self._lines = lines
        self._nulls = Nulls(options.nulls)
        self._quality = options.quality

    def read(self) -> Iterator[FileReading]:
        """The readings; values that mean no value are skipped."""
        self._lines.begin_record()
        for text in self._lines:
            if text.strip():
                try:
                    found = self._read_object(text)
                except (ValueError, RecursionError, OverflowError) as error:
                    self._lines.bad(str(error))
                else:
                    if found is not None and found.value not in self._nulls.numbers:
                        yield found
            self._lines.begin_record()

    def _read_object(self, text: str) -> FileReading | None:
        """The reading in a line; None if its value means no value. Raises ValueError, RecursionError, OverflowError."""
        assert self.times is not None
        row = json.loads(text, parse_constant=_Constant)
        if not isinstance(row, dict) or not set(COLUMNS) <= set(row):
            found = (
                f"one without {', '.join(key for key in COLUMNS if key not in row)}"
                if isinstance(row, dict)
                else f"{text.strip()[:40]!r}"
            )
            raise ValueError(
                f"found {found}; each line must be an object with {', '.join(COLUMNS)}; unit and quality may be added"
            )
        for key in ("time", "sensor", "channel", "unit"):
            if not isinstance(row.get(key, ""), str | int) and (key != "unit" or row[key] is not None):
                raise ValueError(f"{key} {row[key]!r} is not text")
        value = row["value"]
        if isinstance(value, str | _Constant) and self._nulls.is_text(str(value)):
            return None
        if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value)):
            raise ValueError(f"value {value!r} is not a finite number; {null_hint(str(value))}")
        code = quality.parse(str(row["quality"])) if "quality" in row else self._quality
        if value is None and quality.flag_of(code) != quality.MISSING:
            raise ValueError(f"value is null, and quality is {quality.describe(code)!r}; write a value, or the quality 'missing'")
        unit = row.get("unit")
        target = target_of(str(row["sensor"]), str(row["channel"]), None if unit is None else str(unit))
        return FileReading(target, self.times(str(row["time"])), whole(value) if isinstance(value, int) else value, code)


class _Constant:
    """What Python's JSON writes and no number of JSON is: NaN, Infinity, -Infinity."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return self._name
