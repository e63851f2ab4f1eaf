"""Rows as CSV, wherever they are written: on the terminal, into files, over HTTP."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

from sensorlogd.notation import numbers


def cell(value: Any, decimals: int | None = None) -> Any:
    """What stands in a cell: nothing for what is missing, the shortest exact text of a number, JSON of a mapping.

    ``decimals``: of a number whose resolution is known.
    """
    if isinstance(value, float):
        return numbers.text(value, decimals=decimals)
    return "" if value is None else json.dumps(value) if isinstance(value, dict) else value


def write(rows: Iterable[Sequence[Any]], file: TextIO, *, delimiter: str = ",", end: str = "\n") -> int:
    """Each row a line of cells. Returns how many. ``file`` must leave the ends of lines as they are."""
    writer = csv.writer(file, delimiter=delimiter, lineterminator=end)
    count = 0
    for row in rows:
        writer.writerow(row)
        count += 1
    return count
