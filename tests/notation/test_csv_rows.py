"""Rows as CSV."""

from __future__ import annotations

import csv
import io

from hypothesis import given
from hypothesis import strategies as st

from sensorlogd.notation import csv_rows


def test_cells() -> None:
    """Nothing is nothing, whole numbers have no fraction, a mapping is JSON."""
    assert [csv_rows.cell(value) for value in (None, 20.0, 0.1, 7, "a,b", {"on": 2})] == ["", "20", "0.1", 7, "a,b", '{"on": 2}']
    assert csv_rows.cell(0.125, 1) == "0.1"


@given(st.lists(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")), min_size=2)))
def test_what_was_written_is_read_again(rows: list[list[str]]) -> None:
    """Whatever is in the cells."""
    file = io.StringIO(newline="")
    assert csv_rows.write(rows, file, delimiter=";", end="\r\n") == len(rows)
    assert list(csv.reader(io.StringIO(file.getvalue(), newline=""), delimiter=";")) == rows
