"""Writes CSV and NDJSON for programs, and CSV for spreadsheets."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, TextIO

from sensorlogd.exchange.written.cells import EXACT, Rows, Stamps, guarded
from sensorlogd.notation import csv_rows, numbers


def write_csv(rows: Rows, columns: Sequence[str], stamps: Stamps, file: TextIO) -> int:
    """Write CSV. ``columns``: the first is the time. Returns how many rows."""
    csv_rows.write([[guarded(name) for name in columns]], file)
    return csv_rows.write(([stamps.text(ts), *(_cell(row.get(column)) for column in columns[1:])] for ts, row in rows), file)


def write_excel_csv(rows: Rows, columns: Sequence[str], stamps: Stamps, file: TextIO, decimal: str) -> int:
    """Write CSV for spreadsheets that use ``decimal`` as decimal sign; the exact time is in an additional last column. Returns how
    many rows."""
    file.write("\ufeff")  # without this mark they do not recognise UTF-8
    exact = Stamps("UTC", stamps.fractions)
    delimiter = ";" if decimal == "," else ","
    lines = (
        [stamps.for_people(ts, decimal), *(_local(row.get(column), decimal) for column in columns[1:]), exact.text(ts)]
        for ts, row in rows
    )
    csv_rows.write([[*(guarded(name) for name in columns), EXACT]], file, delimiter=delimiter, end="\r\n")
    return csv_rows.write(lines, file, delimiter=delimiter, end="\r\n")


def write_ndjson(rows: Rows, columns: Sequence[str], stamps: Stamps, file: TextIO) -> int:
    """Write an object per line; a missing value is null. Returns how many rows."""
    count = 0
    for ts, row in rows:
        found = {columns[0]: stamps.text(ts), **{column: row.get(column) for column in columns[1:]}}
        file.write(json.dumps(found, ensure_ascii=False, allow_nan=False) + "\n")
        count += 1
    return count


def _cell(value: Any) -> Any:
    return guarded(value) if isinstance(value, str) else csv_rows.cell(value)


def _local(value: Any, decimal: str) -> Any:
    return numbers.text(value).replace(".", decimal) if isinstance(value, float) else _cell(value)
