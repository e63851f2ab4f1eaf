"""Writes xlsx with openpyxl, which is an extra. Written row by row, so that memory stays the same."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, BinaryIO

from sensorlogd.exchange.written.cells import EXACT, Rows, Stamps

MAX_SHEET_ROWS = 1_048_576  # of a sheet; further rows go into another sheet
_FIRST_YEAR = 1900  # spreadsheets have no earlier times


def write_xlsx(rows: Rows, columns: Sequence[str], stamps: Stamps, file: BinaryIO) -> int:
    """Write rows. The time is a date cell in the zone, to the millisecond; the exact time is text in a last column. Returns how
    many rows.

    Raises ImportError without openpyxl.
    """
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell

    book = Workbook(write_only=True)
    exact = Stamps("UTC", stamps.fractions)
    sheet, in_sheet, count = None, 0, 0
    for ts, row in rows:
        if sheet is None or in_sheet == MAX_SHEET_ROWS:
            sheet = book.create_sheet(f"readings {len(book.worksheets) + 1}" if sheet else "readings")
            sheet.freeze_panes = "A2"
            sheet.column_dimensions["A"].width = 24
            sheet.append([_words(name, sheet) for name in (*columns, EXACT)])
            when = WriteOnlyCell(sheet)
            when.number_format = "yyyy-mm-dd hh:mm:ss.000" if stamps.fractions else "yyyy-mm-dd hh:mm:ss"
            in_sheet = 1
        at = stamps.local(ts)
        when.value = at.replace(tzinfo=None) if at is not None and at.year > _FIRST_YEAR else None
        sheet.append([when, *(_cell(row.get(column), sheet) for column in columns[1:]), exact.text(ts)])
        in_sheet += 1
        count += 1
    if count:  # a workbook must have a sheet
        book.save(file)
    return count


def _cell(value: Any, sheet: Any) -> Any:
    if isinstance(value, str) and value.startswith("="):
        return _words(value, sheet)
    if isinstance(value, float) and float(f"{value:.16g}") != value:
        return _exact(value, sheet)
    return json.dumps(value) if isinstance(value, dict) else value


def _exact(value: float, sheet: Any) -> Any:
    """A cell with the number to its last bit: openpyxl itself writes sixteen digits."""
    cell = _words(repr(value), sheet)
    cell.data_type = "n"
    return cell


def _words(value: str, sheet: Any) -> Any:
    """A cell with text, even if it begins with an equals sign."""
    from openpyxl.cell import WriteOnlyCell

    cell = WriteOnlyCell(sheet, value)
    cell.data_type = "s"
    return cell
