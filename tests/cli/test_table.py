"""Tables: no wider than the terminal, nothing left out but what may be, numbers with their points above each other."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensorlogd.cli import appearance, table
from sensorlogd.cli.table import Column

NAMES = Column("name", "name")
VALUES = Column("value", "value", "point")
UNITS = Column("unit", "", close=True)
TIMES = Column("time", "time", spare=1)
ERRORS = Column("error", "error", folds=True)
ALL = (NAMES, VALUES, UNITS, TIMES, ERRORS)

word = st.text("abcdefg.-°é漢", min_size=1, max_size=30)
number = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr), st.integers(-(10**9), 10**9).map(str), st.just("-"), st.just("")
)
row = st.fixed_dictionaries(
    {"name": word, "value": number, "unit": st.sampled_from(["", "°C", "m/s"]), "time": word,
     "error": st.lists(word, max_size=12).map(" ".join)}
)  # fmt: skip


@given(st.lists(row, max_size=6), st.integers(40, 200))
def test_a_table_fits_and_says_everything(rows: list[dict[str, str]], room: int) -> None:
    """Whatever is in it. Only what may be spared is missing; what does not fit beside stands below."""
    found = list(table.lines(ALL, rows, room))
    assert all(appearance.cells(line) <= room for line in found)
    letters = "".join("".join(found).split())
    for row in rows:
        for name in ("name", "value", "unit", "error"):
            for part in row[name].split():
                assert part in letters


@given(st.lists(row, min_size=1, max_size=6))
def test_without_a_limit_a_row_is_a_line(rows: list[dict[str, str]]) -> None:
    """A pipe gets the same table whatever the terminal."""
    found = list(table.lines(ALL, rows, 0))
    assert len(found) == len(rows) + 1
    assert all(row["error"] in line for row, line in zip(rows, found[1:], strict=True))


@given(st.lists(st.floats(-1e9, 1e9).map(repr), min_size=2, max_size=8))
def test_decimal_points_stand_above_each_other(values: list[str]) -> None:
    found = list(table.lines((VALUES, UNITS), [{"value": text, "unit": ""} for text in values], 0))[1:]
    points = {line.index(".") for line in found if "." in line and "e" not in line}
    assert len(points) <= 1


def test_an_integer_ends_where_the_point_would_be() -> None:
    rows = [{"value": text, "unit": "m"} for text in ("101325.25", "7", "-0.5", "-", "1e+22")]
    assert list(table.lines((VALUES, UNITS), rows, 0))[1:] == [
        "101325.25  m", "     7     m", "    -0.5   m", "     -     m", "     1e+22 m",
    ]  # fmt: skip


def test_the_order_in_which_room_is_made() -> None:
    """First what can be spared, then sentences fold, then columns go below their row."""
    rows = [
        {"name": "boiler", "value": "21.5", "unit": "°C", "time": "07:52:31", "error": "no answer to three questions in a row"}
    ]
    assert next(table.lines(ALL, rows, 80)).split() == ["name", "value", "time", "error"]
    assert next(table.lines(ALL, rows, 46)).split() == ["name", "value", "error"]
    assert list(table.lines(ALL, rows, 30)) == [
        "name    value", "boiler   21.5 °C", "    error no answer to three", "    questions in a row",
    ]  # fmt: skip


@pytest.mark.parametrize(("text", "taken"), [("abc", 3), ("漢字", 4), ("é", 1), ("e\u0301", 1), ("", 0)])
def test_columns_of_a_text(text: str, taken: int) -> None:
    assert appearance.cells(text) == taken


@given(st.text("ab ", max_size=60), st.integers(2, 20), st.integers(1, 20))
def test_wrapping_loses_nothing(text: str, room: int, first: int) -> None:
    found = appearance.wrapped(text, room, min(first, room))
    assert "".join(found).replace(" ", "") == text.replace(" ", "")
    assert all(len(line) <= room for line in found)
    assert len(found[0]) <= min(first, room)


def test_what_is_painted_takes_the_same_room() -> None:
    """Colours change nothing but colours."""
    rows = [{"name": "boiler", "value": "21.5", "unit": "°C"}, {"name": "x", "value": "3", "unit": ""}]
    looks = [{"name": "bold", "value": "bad"}, {"value": "warn"}]
    columns = (NAMES, VALUES, UNITS)
    head, each = table.laid(columns, rows, 0, looks, lambda text, how="": f"<{how}>{text}</>" if how else text)
    plain = list(table.lines(columns, rows, 0))
    bare = [re.sub("<[a-z/]*>", "", line).rstrip() for line in (head, *(line for row in each for line in row))]
    assert bare == plain
    assert "<bad>" in each[0][0]
