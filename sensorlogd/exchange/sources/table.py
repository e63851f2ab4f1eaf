"""Turns rows of cells into lines of CSV, so that every option about the columns of a text file works for a workbook, too."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

from sensorlogd.exchange.text.lines import FileError, Lines

DELIMITER = ","


class TableLines(Lines):
    """Lines made of rows. ``rows``: the first one is the header; a line is a row. Errors that they raise become mistakes of the
    file. ``decimal``: what stands before the fraction in cells of text; numbers get the same."""

    def __init__(self, rows: Iterator[Sequence[Any]], name: str, decimal: str = ".") -> None:
        self._set_up(name, "utf-8")
        self._rows = rows
        self._decimal = decimal
        self._width = 0
        self._buffer = io.StringIO()
        self._writer = csv.writer(self._buffer, delimiter=DELIMITER, lineterminator="\n")

    @property
    def done(self) -> int:
        return 0  # how much of the file has been read is not known

    def _read_line(self) -> str:
        """The next row as a line of CSV, at least as wide as the header; empty at the end. Raises FileError."""
        try:
            row = next(self._rows)
        except StopIteration:
            return ""
        except FileError:
            raise
        except Exception as error:  # the library may raise anything for a damaged file
            raise FileError(self.name, self.number + 1, f"it cannot be read any further: {error}") from None
        cells = [text(cell) if type(cell) is not float else repr(cell).replace(".", self._decimal) for cell in row]
        while len(cells) > max(self._width, 1) and not cells[-1]:
            cells.pop()
        if self.head is not None and any(cells):  # a title above the names is narrower than they are
            self._width = max(self._width, len(cells))
        cells += [""] * (self._width - len(cells))
        self._buffer.seek(0)
        self._buffer.truncate()
        self._writer.writerow(cells)
        return self._buffer.getvalue()


def text(cell: Any) -> str:
    """A cell as text that is read back as the same value: numbers to the last bit, times as ISO 8601."""
    found = _TEXTS.get(type(cell))
    if found is not None:
        return found(cell)
    return str(cell).replace("\r", " ").replace("\n", " ").replace("\0", "")


_TEXTS: dict[type, Callable[[Any], str]] = {
    type(None): lambda cell: "",
    bool: lambda cell: "1" if cell else "0",
    int: str,
    float: repr,
    datetime: lambda cell: cell.isoformat(sep=" "),
    date: lambda cell: cell.isoformat(),
    time: lambda cell: cell.isoformat(),
    timedelta: lambda cell: repr(cell.total_seconds()),
    bytes: lambda cell: f"({len(cell)} bytes)",
}
