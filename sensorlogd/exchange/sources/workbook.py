"""Reads xlsx with openpyxl, which is an extra. Read row by row; only the words that cells share are in memory."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from sensorlogd import extras
from sensorlogd.exchange.sources.table import TableLines
from sensorlogd.exchange.text.lines import FileError


def lines(path: Path, sheet: str | None, decimal: str, stack: ExitStack) -> tuple[TableLines, str]:
    """(the rows of a sheet, its name). Without a name: the rows of the first sheet and of those after it with the same header.

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
        raise FileError(str(path), 0, f"this is not a workbook that can be read: {error}") from None
    stack.callback(book.close)
    sheets = {sheet.title: sheet for sheet in book.worksheets}
    if sheet is not None and sheet not in sheets:
        raise FileError(str(path), 0, f"there is no sheet {sheet!r}; there are {', '.join(map(repr, sheets))}")
    chosen = [sheets[sheet]] if sheet is not None else list(sheets.values())
    if not chosen:
        raise FileError(str(path), 0, "it has no sheet with cells; save the table in a sheet of its own (charts are not read)")
    first = _header(chosen[0])
    same = [sheet for sheet in chosen if _header(sheet) == first]
    others = [repr(sheet.title) for sheet in chosen if sheet not in same]
    understood_as = f"sheet {chosen[0].title!r}"
    if len(chosen) > 1:
        understood_as += f" of {len(sheets)}, and those with the same header"
    if others:
        understood_as += f" (left out, with another header: {', '.join(others)}; read one with --table NAME)"
    return TableLines(_rows(same), str(path), decimal), understood_as


def _header(sheet: Any) -> list[str]:
    """The cells of the first row without blanks around them and without empty ones at its end."""
    sheet.reset_dimensions()  # what a file says of its own size may be wrong
    try:
        cells = [str("" if cell is None else cell).strip() for cell in next(sheet.iter_rows(max_row=1, values_only=True), ())]
    except Exception:  # a damaged sheet: told when it is read
        return []
    while cells and not cells[-1]:
        cells.pop()
    return cells


def _rows(sheets: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """The rows of all sheets, which have the same header; it comes once."""
    for index, sheet in enumerate(sheets):
        yield from sheet.iter_rows(min_row=1 if index == 0 else 2, values_only=True)
