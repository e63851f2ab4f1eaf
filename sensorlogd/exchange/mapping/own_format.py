"""Reads our own formats: CSV with a reading per line, CSV with a column per series, NDJSON."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Sequence

from sensorlogd import quality
from sensorlogd.batch import whole
from sensorlogd.exchange.mapping.column_names import some
from sensorlogd.exchange.options import Options
from sensorlogd.exchange.readings import FileReading, ImportTarget, target_of
from sensorlogd.exchange.text.lines import FileError, Lines, cells
from sensorlogd.exchange.text.numbers import Nulls, null_hint, number
from sensorlogd.exchange.times import stamps
from sensorlogd.exchange.written.cells import EXACT, bare

COLUMNS = ("time", "sensor", "channel", "value")


def time_reader(options: Options) -> tuple[Callable[[str], int], list[str]]:
    """(what turns times into µs, the list that it adds the first one to that has no offset if such are read in UTC). What sensorlogd
    wrote has offsets; somebody may have written the file by hand."""
    zoneless: list[str] = []
    return stamps.reader("iso", options.zone, options.fold, zoneless=zoneless if options.zone == "UTC" else None), zoneless


def long(
    rows: Iterator[list[str]], names: Sequence[str], lines: Lines, read: Callable[[str], int], nulls: Nulls, decimal: str = "."
) -> Iterator[FileReading]:
    """Read CSV with a reading per line. ``read``: text -> µs; cells among ``nulls`` are skipped. The column ``utc``, in files for spreadsheets, has the
    exact time."""
    index_of = {name: index for index, name in enumerate(names)}
    if len(index_of) != len(names):
        raise FileError(
            lines.name,
            lines.number,
            f"a column is named twice: {some(sorted({n for n in names if names.count(n) > 1}))}; rename or remove one",
        )
    time_at, sensor_at, channel_at, value_at = (index_of[name] for name in COLUMNS)
    time_at = index_of.get(EXACT, time_at)
    unit_at, quality_at = index_of.get("unit"), index_of.get("quality")
    targets: dict[tuple[str, str, str | None], ImportTarget] = {}
    qualities: dict[str, int] = {}
    for row in rows:
        if is_header(row, names):
            continue
        if len(row) != len(names):
            lines.bad(f"{len(row)} cells, the header has {len(names)} columns")
            continue
        if nulls.is_text(row[value_at]):
            continue
        try:
            key = (row[sensor_at], row[channel_at], None if unit_at is None else bare(row[unit_at]))
            target = targets.get(key)
            if target is None:
                target = targets[key] = target_of(*key)
            words = "not_evaluated" if quality_at is None else row[quality_at]
            code = qualities.get(words)
            if code is None:
                code = qualities[words] = quality.parse(words)
            found = FileReading(target, read(row[time_at]), _parse_value(row[value_at], code, decimal), code)
        except ValueError as error:
            lines.bad(str(error))
        else:
            if found.value not in nulls.numbers:
                yield found


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


def wide(
    lines: Lines, delimiter: str, names: Sequence[str], targets: Sequence[ImportTarget], read: Callable[[str], int], options: Options,
    *, exact: bool,
) -> Iterator[FileReading]:  # fmt: skip
    """Read CSV with a column per series. ``names``: of the columns, as the header has them. ``read``: text -> µs. Blank cells are skipped. ``exact``: the last column has the exact time."""
    width, decimal = len(targets) + 1 + exact, decimal_of(delimiter, exact=exact)
    nulls = Nulls(options.nulls, decimal)
    for row in cells(lines, delimiter, width):
        if is_header(row, names):
            continue
        if len(row) != width:
            lines.bad(f"{len(row)} cells, the header has {width} columns")
            continue
        try:
            ts = read(row[-1 if exact else 0])
            found = [
                FileReading(target, ts, number(text, decimal), options.quality)
                for target, text in zip(targets, row[1 : len(targets) + 1], strict=True)
                if text.strip() and not nulls.is_text(text)
            ]
        except ValueError as error:
            lines.bad(str(error))
        else:
            yield from (reading for reading in found if reading.value not in nulls.numbers)


def decimal_of(delimiter: str, *, exact: bool) -> str:
    """The decimal sign in our files: a comma if cells are divided by semicolons, for spreadsheets."""
    return "," if exact and delimiter == ";" else "."


def series(name: str, lines: Lines) -> ImportTarget:
    """The target of a header ``sensor.channel [unit]``. Raises FileError."""
    match = re.fullmatch(r"([^.]+)\.([^ ]+)(?: \[(.*)\])?", name)
    if match is None:
        raise FileError(lines.name, lines.number, f"{name!r} is no series; write sensor.channel")
    try:
        return target_of(match[1], match[2], match[3])
    except ValueError as error:
        raise FileError(lines.name, lines.number, str(error)) from None


def ndjson(lines: Lines, read: Callable[[str], int], nulls: Nulls) -> Iterator[FileReading]:
    """Read NDJSON: an object per line, with the names of the CSV as keys. ``read``: text -> µs."""
    lines.begin()
    for text in lines:
        if text.strip():
            try:
                found = _read_object(text, read, nulls)
            except (ValueError, RecursionError, OverflowError) as error:
                lines.bad(str(error))
            else:
                if found is not None and found.value not in nulls.numbers:
                    yield found
        lines.begin()


def _read_object(text: str, read: Callable[[str], int], nulls: Nulls) -> FileReading | None:
    """The reading in a line of NDJSON; None if its value is among ``nulls``. ``read``: text -> µs. Raises ValueError,
    RecursionError, OverflowError."""
    row = json.loads(text, parse_constant=_Constant)
    if not isinstance(row, dict) or not set(COLUMNS) <= set(row):
        found = (
            f"one without {', '.join(key for key in COLUMNS if key not in row)}"
            if isinstance(row, dict)
            else f"{text.strip()[:40]!r}"
        )
        raise ValueError(f"found {found}; each line must be an object with {', '.join(COLUMNS)}; unit and quality may be added")
    for key in ("time", "sensor", "channel", "unit"):
        if not isinstance(row.get(key, ""), str | int) and (key != "unit" or row[key] is not None):
            raise ValueError(f"{key} {row[key]!r} is no text")
    value = row["value"]
    if isinstance(value, str | _Constant) and nulls.is_text(str(value)):
        return None
    if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value)):
        raise ValueError(f"value {value!r} is no finite number; {null_hint(str(value))}")
    code = quality.parse(str(row.get("quality", "not_evaluated")))
    if value is None and quality.flag_of(code) != quality.MISSING:
        raise ValueError(f"value is null, and quality is {quality.describe(code)!r}; write a value, or the quality 'missing'")
    unit = row.get("unit")
    target = target_of(str(row["sensor"]), str(row["channel"]), None if unit is None else str(unit))
    return FileReading(target, read(str(row["time"])), whole(value) if isinstance(value, int) else value, code)


class _Constant:
    """What Python's JSON writes and no number of JSON is: NaN, Infinity, -Infinity."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return self._name
