"""Writes rows to standard output: a table for people, CSV, JSON or NDJSON for programs. Everything else goes to standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, TextIO

import click

from sensorlogd.cli import appearance, standard_streams, table
from sensorlogd.notation import csv_rows, numbers
from sensorlogd.storage.series.stored import Series

AT_ONCE = 5_000  # rows of a table that are laid out together
PLACES = "decimals"  # of a row: column -> with how many places it is shown to people and in CSV; JSON has every digit
COMPUTED = "computed"  # of a row: column -> the places of what it was computed from; for people only, see ``numbers.computed``
ONCE = ("sensor", "channel", "unit", "quality")  # columns that are left out where there is little room and all rows agree
SENTENCES = ("detail", "error", "note")  # columns that may be folded
FORMATS = ("table", "csv", "json", "ndjson")

format_option = click.option("--format", "form", type=click.Choice(FORMATS), help="default: table on a terminal, csv otherwise")


def write(rows: Iterable[Mapping[str, Any]], columns: Sequence[str], form: str | None) -> int:
    """Write rows with the given columns; returns how many. JSON has no NaN: a missing value is null.

    CSV, JSON and NDJSON are streamed; a table is laid out when its rows are known.
    """
    chosen = form or ("table" if sys.stdout.isatty() else "csv")
    if chosen != "table":
        standard_streams.lossless(sys.stdout)
    return _WRITERS[chosen](rows, columns)


def _text(row: Mapping[str, Any], column: str) -> Any:
    return csv_rows.cell(row.get(column), (row.get(PLACES) or {}).get(column))


def _shown(row: Mapping[str, Any], column: str) -> str:
    """A cell of a table; computed numbers are rounded, without the noise of arithmetic."""
    value, computed = row.get(column), row.get(COMPUTED) or {}
    if isinstance(value, float) and column in computed and column not in (row.get(PLACES) or {}):
        return numbers.computed(value, computed[column])
    return str(_text(row, column))


def _table(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> int:
    """Write a table in pieces, each laid out when its rows are known, so that memory and the wait for the first line are
    bounded."""
    count, rows, room = 0, iter(rows), appearance.width()
    while piece := list(islice(rows, AT_ONCE)):
        cells = [{column: _one_line(_shown(row, column)) for column in columns} for row in piece]
        laid = [_column(name, [row[name] for row in cells]) for name in columns]
        looks = [_looks(row) for row in piece]
        if not table.fits(laid, cells, room):
            laid = _without_what_is_the_same(laid, cells)
        for line in table.lines(laid, cells, room, looks):
            click.echo(line, color=True)
        count += len(piece)
    return count


def _without_what_is_the_same(columns: list[table.Column], cells: list[dict[str, str]]) -> list[table.Column]:
    """Print what all rows share (names, unit, quality, date) once above the table. Returns the columns that are left."""
    said = []
    shared = [column for column in columns if column.name in ONCE and len({row[column.name] for row in cells}) == 1]
    if len(cells) > 1 and shared:
        said += _said_once({column.name: cells[0][column.name] for column in shared})
        columns = [column for column in columns if column not in shared]
    days = {row.get("time", "")[:11] for row in cells}
    if len(cells) > 1 and len(days) == 1 and (day := days.pop()).endswith("T"):
        said.append(day[:-1])
        for row in cells:
            row["time"] = row["time"][11:]
    for line in appearance.wrapped(", ".join(said), appearance.width()) if said else ():
        appearance.echo(line, "dim")
    return columns


def _said_once(row: Mapping[str, str]) -> list[str]:
    """``greenhouse.temperature in °C``, ``good:clock_unsynced``"""
    names = ".".join(row[name] for name in ("sensor", "channel") if row.get(name))
    unit = f"in {row['unit']}" if row.get("unit") else ""
    said = (f"{names} {unit}".strip(), row.get("quality", ""))
    return [text for text in said if text]


def _column(name: str, texts: Sequence[str]) -> table.Column:
    align = "point" if all(map(_is_number, texts)) else "left"
    return table.Column(name, name, align, folds=name in SENTENCES)


def _one_line(text: str) -> str:
    """Text from a device without control characters, which could move the cursor."""
    return text if text.isprintable() else "".join(letter if letter.isprintable() else "?" for letter in text)


def _looks(row: Mapping[str, Any]) -> dict[str, str]:
    return {"quality": quality_look(str(row.get("quality") or ""))}


def quality_look(words: str) -> str:
    """The colour of a quality; empty for a good one."""
    return {"suspect": "warn", "fail": "bad", "missing": "warn"}.get(words.partition(":")[0], "")


def _is_number(text: str) -> bool:
    try:
        float(text or "0")
    except ValueError:
        return False
    return True


def placed(row: dict[str, Any], series: Series) -> dict[str, Any]:
    """The row of a reading, with the decimals of its series if they are known."""
    return row if series.decimals is None else row | {PLACES: {"value": series.decimals}}


def _csv(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> int:
    csv_rows.write([columns], sys.stdout)
    return csv_rows.write(([_text(row, column) for column in columns] for row in rows), sys.stdout)


def _json(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> int:
    count = 0
    sys.stdout.write("[")
    for count, row in enumerate(rows, 1):
        sys.stdout.write(",\n " if count > 1 else "\n ")
        sys.stdout.write(_object(row, columns, sys.stdout))
    sys.stdout.write("\n]\n" if count else "]\n")
    return count


def write_ndjson(rows: Iterable[Mapping[str, Any]], columns: Sequence[str], file: TextIO) -> int:
    """Write an object per line. Returns how many rows."""
    count = 0
    for row in rows:
        file.write(_object(row, columns, file) + "\n")
        count += 1
    return count


def _object(row: Mapping[str, Any], columns: Sequence[str], file: TextIO) -> str:
    """A row as JSON; characters that the file's encoding lacks become JSON's escapes."""
    escaped = not standard_streams.says_everything(file)
    return json.dumps({column: row.get(column) for column in columns}, ensure_ascii=escaped, allow_nan=False)


def flushed(rows: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Flush after each row, for output that is followed live."""
    for row in rows:
        yield row
        sys.stdout.flush()


_WRITERS: dict[str, Callable[[Iterable[Mapping[str, Any]], Sequence[str]], int]] = {
    "table": _table,
    "csv": _csv,
    "json": _json,
    "ndjson": lambda rows, columns: write_ndjson(rows, columns, sys.stdout),
}
