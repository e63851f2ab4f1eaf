"""Rows to stdout: a table for people, CSV, JSON or NDJSON for programs. Everything else goes to stderr."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TextIO

import click

FORMATS = ("table", "csv", "json", "ndjson")

format_option = click.option("--format", "form", type=click.Choice(FORMATS), help="default: table on a terminal, csv otherwise")


def write(rows: Iterable[Mapping[str, Any]], columns: Sequence[str], form: str | None) -> int:
    """Write rows with the given columns; returns how many. JSON has no NaN: a missing value is null.

    CSV, JSON and NDJSON are streamed; a table is laid out when all rows are known.
    """
    chosen = form or ("table" if sys.stdout.isatty() else "csv")
    return _WRITERS[chosen](rows, columns)


def _text(value: Any) -> Any:
    return "" if value is None else json.dumps(value) if isinstance(value, dict) else value


def _table(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> int:
    from tabulate import tabulate

    cells = [["" if row.get(column) is None else _short(row[column]) for column in columns] for row in rows]
    if cells:
        numeric = [all(_is_number(row[index]) for row in cells) for index in range(len(columns))]
        align = ["right" if is_numeric else "left" for is_numeric in numeric]
        click.echo(tabulate(cells, headers=list(columns), tablefmt="plain", disable_numparse=True, colalign=align))
    return len(cells)


def _short(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(_text(value))


def _is_number(text: str) -> bool:
    try:
        float(text or "0")
    except ValueError:
        return False
    return True


def write_csv(rows: Iterable[Mapping[str, Any]], columns: Sequence[str], file: TextIO) -> int:
    """Returns how many rows."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(columns)
    count = 0
    for row in rows:
        writer.writerow([_text(row.get(column)) for column in columns])
        count += 1
    return count


def _json(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> int:
    count = 0
    sys.stdout.write("[")
    for count, row in enumerate(rows, 1):
        sys.stdout.write(",\n " if count > 1 else "\n ")
        sys.stdout.write(_object(row, columns))
    sys.stdout.write("\n]\n" if count else "]\n")
    return count


def write_ndjson(rows: Iterable[Mapping[str, Any]], columns: Sequence[str], file: TextIO) -> int:
    """Returns how many rows."""
    count = 0
    for row in rows:
        file.write(_object(row, columns) + "\n")
        count += 1
    return count


def _object(row: Mapping[str, Any], columns: Sequence[str]) -> str:
    return json.dumps({column: row.get(column) for column in columns}, ensure_ascii=False, allow_nan=False)


def flushed(rows: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """For output that is followed live: what was written is seen at once."""
    for row in rows:
        yield row
        sys.stdout.flush()


_WRITERS: dict[str, Callable[[Iterable[Mapping[str, Any]], Sequence[str]], int]] = {
    "table": _table,
    "csv": lambda rows, columns: write_csv(rows, columns, sys.stdout),
    "json": _json,
    "ndjson": lambda rows, columns: write_ndjson(rows, columns, sys.stdout),
}
