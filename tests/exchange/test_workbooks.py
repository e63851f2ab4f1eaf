"""Workbooks as people keep them: several sheets, titles above the names."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from tests.cli.running import run
from tests.exchange.test_sources import read

pytestmark = pytest.mark.usefixtures("forked_verbs")


def test_sheets_with_another_header_are_named(tmp_path: Path) -> None:
    """Blanks around a name make no other header."""
    openpyxl = pytest.importorskip("openpyxl")
    path, book = tmp_path / "t.xlsx", openpyxl.Workbook()
    book.remove(book.active)
    for day, names in ((1, ["when", "a"]), (2, ["when ", " a", None]), (3, ["when", "b"])):
        sheet = book.create_sheet(f"day {day}")
        sheet.append(names)
        sheet.append([datetime(2026, 1, day), day])  # noqa: DTZ001  # a workbook has no zones
    book.save(path)
    assert [row[4] for row in read(path, times=("when",), sensor="s")] == [1.0, 2.0]
    assert (
        "left out, with another header: 'day 3'"
        in run("import", str(path), "--time", "when", "--sensor", "s", "--dry-run").stderr
    )


def test_a_workbook_with_a_title(tmp_path: Path) -> None:
    """An empty last cell below a title that is narrower than the table is an empty cell."""
    openpyxl = pytest.importorskip("openpyxl")
    path, book = tmp_path / "t.xlsx", openpyxl.Workbook()
    for row in (["Report"], ["when", "a", "b"], [datetime(2026, 1, 1), 1.0, 2.0], [datetime(2026, 1, 2), 3.0, None]):  # noqa: DTZ001  # a workbook has no zones
        book.active.append(row)
    book.save(path)
    assert [row[4] for row in read(path, times=("when",), sensor="s", skip=1)] == [1.0, 2.0, 3.0]
