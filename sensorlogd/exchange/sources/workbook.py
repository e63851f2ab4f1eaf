"""Reads xlsx with openpyxl, which is an extra. Read row by row; only the words that cells share are in memory."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from sensorlogd import extras
from sensorlogd.exchange.lines import FileError
from sensorlogd.exchange.sources.table import TableLines


def lines(path: Path, sheet: str | None, stack: ExitStack) -> tuple[TableLines, str]:
    """(the rows of a sheet, its name). Without a name: the rows of the first sheet and of those behind it with the same header.

    Formulas have the values that were saved with the book. Raises FileError.
    """
    try:
        from openpyxl import load_workbook
    except ImportError:
        raise FileError(
            str(path), 0, f"a workbook needs openpyxl, which is not installed; install it: {extras.advice('excel')}"
        ) from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about styles and extensions, which do not matter here
            book = load_workbook(path, read_only=True, data_only=True)
    except Exception as error:  # a damaged zip file, or XML in it, can raise anything
        raise FileError(str(path), 0, f"this is no workbook that can be read: {error}") from None
    stack.callback(book.close)
    sheets = {sheet.title: sheet for sheet in book.worksheets}
    if sheet is not None and sheet not in sheets:
        raise FileError(str(path), 0, f"there is no sheet {sheet!r}; there are {', '.join(map(repr, sheets))}")
    chosen = [sheets[sheet]] if sheet is not None else list(sheets.values())
    if not chosen:
        raise FileError(str(path), 0, "it has no sheet with cells; save the table in a sheet of its own (charts are not read)")
    more = f" of {len(sheets)}, and those with the same header" if sheet is None and len(sheets) > 1 else ""
    return TableLines(_rows(chosen), str(path)), f"sheet {chosen[0].title!r}{more}"


def _rows(sheets: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """The rows of all sheets that have the header of the first one; the header comes once."""
    header: tuple[Any, ...] | None = None
    for sheet in sheets:
        sheet.reset_dimensions()  # what a file says of its own size may be wrong
        for number, row in enumerate(sheet.iter_rows(values_only=True)):
            if number == 0:
                if header is None:
                    header = row
                elif row != header:
                    break
                else:
                    continue
            yield row
