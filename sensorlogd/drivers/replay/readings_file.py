"""Files of readings: CSV with a column a channel and one of times, NDJSON likewise, and both in the long form that
``query`` writes (time, sensor, channel, value)."""

from __future__ import annotations

import csv
import itertools
import json
import math
import time
from collections.abc import Callable, Container, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sensorlogd.drivers.contract import Count
from sensorlogd.drivers.replay.options import ReplayOptions
from sensorlogd.drivers.sentinels import NO_VALUE, NUMBER
from sensorlogd.drivers.serial.text.device_time import DeviceTime
from sensorlogd.drivers.serial.text.numbers import BadLine
from sensorlogd.notation import times
from sensorlogd.stamping.local import NoSuchTime

TIME_COLUMNS = ("time", "timestamp", "datetime", "date")


class BadRow(ValueError):
    """A row that is not a reading; the text says why."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the file. ``at_us``: its time, None where the file has no times."""

    at_us: int | None
    values: dict[str, float]


def rows(path: Path, options: ReplayOptions, count: Count) -> Generator[Row]:
    """The good rows, in the order of the file. Others are counted as ``bad_rows``. Raises OSError, ValueError."""
    wanted = {channel.source or name for name, channel in options.channel_options().items()}
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        first = file.readline()
        if not first:
            raise ValueError(f"{path}: the file is empty")
        lines = itertools.chain((first,), file)
        if first.lstrip().startswith("{"):
            found = _json_rows(lines)
        else:
            table = csv.reader(lines, delimiter=options.separator)
            found = _csv_rows(table, _column_names(table, wanted, path, count))
        read_time = _time_reader(options)
        for number, cells in found:
            try:
                if isinstance(cells, str):
                    raise BadRow(cells)
                row = _parse_row(cells, read_time, options.sensor, wanted)
            except (BadRow, BadLine) as bad:
                count("bad_rows", 1, f"line {number}: {bad}"[:150])
                continue
            if row is not None:
                yield row
            else:
                count("other_rows", 1, "")


def _column_names(table: Iterator[list[str]], wanted: set[str], path: Path, count: Count) -> list[str]:
    """The names in the first line. Wanted columns that it lacks are counted as ``missing_columns``. Raises ValueError if it names
    none of them."""
    try:
        names = [name.strip() for name in next(table, [])]
    except csv.Error as error:
        raise ValueError(f"{path}: the first line: {error}") from None
    lacking = [] if _is_long(names) else sorted(wanted.difference(names))
    if not lacking:
        return names
    listed = ", ".join(names)
    if not names:
        raise ValueError(f"{path}: the first line names no columns")
    if len(names) == 1:
        raise ValueError(f"{path}: the first line names 1 column, {listed!r}; is separator: right?")
    if len(lacking) == len(wanted):
        raise ValueError(
            f"{path}: has no column {' or '.join(lacking)}; there are: {listed}; source: of a channel names its column"
        )
    count("missing_columns", len(lacking), f"no column {', '.join(lacking)}; there are: {listed}"[:150])
    return names


def _csv_rows(table: Any, names: Sequence[str]) -> Iterator[tuple[int, Mapping[str, str] | str]]:
    """The line number with each row, or with what is wrong with it. ``table``: a csv.reader."""
    while True:
        try:
            cells = next(table, None)
        except csv.Error as error:
            yield table.line_num, str(error)
            continue
        if cells is None:
            return
        if cells and len(cells) != len(names):
            yield table.line_num, f"has {len(cells)} fields, the first line has {len(names)}"
        elif cells:
            yield table.line_num, dict(zip(names, cells, strict=True))


def _json_rows(lines: Iterable[str]) -> Iterator[tuple[int, Mapping[str, str] | str]]:
    """The number of each line that is not empty, with its values as texts, or with what is wrong with it."""
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            yield number, f"{line[:40]!r} is not a JSON object"
            continue
        yield number, {name: "" if value is None else str(value) for name, value in found.items()}


def _parse_row(
    cells: Mapping[str, str], read_time: Callable[[Mapping[str, str]], int | None], sensor: str | None, names: set[str]
) -> Row | None:
    """The wanted values of a row, in the long form or with a column a channel; None if it has none. Raises BadRow, BadLine."""
    if _is_long(cells):
        name = cells["channel"] if sensor is not None else ".".join(filter(None, (cells.get("sensor"), cells["channel"])))
        if (sensor is not None and cells.get("sensor") != sensor) or name not in names:
            return None
        value = _parse_number(cells["value"])
        values = {name: math.nan if value is None else value}
    else:
        values = {name: value for name in names if name in cells and (value := _parse_number(cells[name])) is not None}
    return Row(read_time(cells), values) if values else None


def _is_long(names: Container[str]) -> bool:
    """Whether these are the columns of the long form."""
    return "channel" in names and "value" in names


def _parse_number(text: str) -> float | None:
    """The number in a cell: None if it is empty, NaN for a text that means 'no value'. Raises BadRow."""
    text = text.strip()
    if not text:
        return None
    if text.lower() in NO_VALUE:
        return math.nan
    if not NUMBER.fullmatch(text):
        raise BadRow(f"{text[:40]!r} is not a number")
    value = float(text)
    return math.nan if math.isinf(value) else value


def _time_reader(options: ReplayOptions) -> Callable[[Mapping[str, str]], int | None]:
    """A function that reads the time of a row (µs since 1970): as ``time:`` says, else from the first of TIME_COLUMNS; None if
    there is none. It raises BadRow, BadLine."""
    if options.time is not None:
        device = DeviceTime(options.time)

        def stamp(cells: Mapping[str, str]) -> int | None:
            try:
                return device.of(cells, time.time_ns() // 1000)
            except NoSuchTime as error:
                raise BadRow(str(error)) from None

        return stamp

    def read(cells: Mapping[str, str]) -> int | None:
        for name in cells:
            if name.lower() in TIME_COLUMNS:
                try:
                    return times.parse_time(cells[name], 0)
                except ValueError as error:
                    raise BadRow(str(error)) from None
        return None

    return read
