"""What is written for people comes back as it was, looks like one thing in one file, and is never computed by a spreadsheet."""

from __future__ import annotations

import csv
import io
import math
import re
import struct
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensorlogd import extras, quality
from sensorlogd.cli import export_verb
from sensorlogd.exchange.mapping.planning import plan
from sensorlogd.exchange.options import Options
from sensorlogd.exchange.sources import parquet, workbook
from sensorlogd.exchange.text.lines import FileError, Lines
from sensorlogd.exchange.written import decimal_sign, text
from sensorlogd.exchange.written.cells import Stamps, bare, guarded
from sensorlogd.storage.query.rows import READING_COLUMNS, number
from tests.cli.running import run

pytestmark = pytest.mark.usefixtures("forked_verbs")

_TIMES = st.integers(-60_000_000_000_000_000, 250_000_000_000_000_000)
_UNITS = st.one_of(
    st.none(), st.sampled_from(["°C", "=1+1", "+x", "-", "'", "'=1", "@SUM(A1)", "a;b", 'x"', ";,;"]), st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S")), min_size=1, max_size=5)
)  # fmt: skip
_READINGS = st.lists(
    st.tuples(_TIMES, st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False)), _UNITS), max_size=20
)
Cells = tuple[int, Mapping[str, Any]]


def rows_of(readings: list[tuple[int, float | None, str | None]]) -> list[Cells]:
    return [
        (
            ts,
            {
                "sensor": "s",
                "channel": "x",
                "value": number(value),
                "unit": unit,
                "quality": "missing" if value is None else "good",
            },
        )
        for ts, value, unit in readings
    ]


def bits(value: float | None) -> bytes | None:
    return None if value is None else struct.pack("<d", value)


def back(data: bytes) -> list[tuple[int, bytes | None, str | None, int]]:
    found = plan(Lines(io.BytesIO(data), "f.csv"), Options())
    assert found.same_is_one
    return [(reading.ts_us, bits(reading.value), reading.target.unit, reading.quality) for reading in found.read()]


def written(form: str, rows: list[Cells], columns: list[str], stamps: Stamps) -> bytes:
    file = io.StringIO(newline="")
    if form == "csv":
        text.write_csv(iter(rows), columns, stamps, file)
    elif form == "ndjson":
        text.write_ndjson(iter(rows), columns, stamps, file)
    else:
        text.write_excel_csv(iter(rows), columns, stamps, file, form)
    return file.getvalue().encode()


@pytest.mark.parametrize("form", ["csv", ",", "."])
@given(_READINGS, st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kathmandu"]), st.booleans())
def test_readings_come_back(form: str, readings: list[tuple[int, float | None, str | None]], zone: str, fractions: bool) -> None:
    """Every time to the microsecond, every value to the bit, every unit to the letter, whatever the locale and the zone."""
    if form == "csv" and zone != "UTC":
        readings = [
            reading for reading in readings if reading[0] > -2_000_000_000_000_000
        ]  # offsets with seconds (before 1900) are not ISO 8601
    data = written(form, rows_of(readings), list(READING_COLUMNS), Stamps(zone, fractions))
    codes = {False: quality.parse("good"), True: quality.parse("missing")}
    from sensorlogd.notation.symbols import micro

    assert back(data) == [(ts, bits(value), micro(unit or ""), codes[value is None]) for ts, value, unit in readings]


@given(st.dictionaries(_TIMES, st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=10))
def test_wide_tables_for_spreadsheets_come_back(values: dict[int, float]) -> None:
    rows: list[Cells] = [(ts, {"s.x [°C]": number(value)}) for ts, value in sorted(values.items())]
    data = written(",", rows, ["time", "s.x [°C]", "s.y"], Stamps("Europe/Berlin", True))
    assert [reading[:3] for reading in back(data)] == [(ts, bits(value), "°C") for ts, value in sorted(values.items())]


@given(st.text(max_size=6))
def test_the_apostrophe_comes_off_again(words: str) -> None:
    assert bare(guarded(words)) == words
    assert guarded(words)[:1] not in ("=", "+", "-", "@", "\t", "\r", "\n") or len(words) == 1


def test_words_are_no_formulas_and_numbers_are_numbers() -> None:
    """Only text is marked: a negative value stays one."""
    rows = rows_of([(0, -1.5, "=1+1"), (1_000_000, 2.5, "-")])
    assert written("csv", rows, list(READING_COLUMNS), Stamps()).decode().splitlines()[1:] == [
        "1970-01-01T00:00:00Z,s,x,-1.5,'=1+1,good",
        "1970-01-01T00:00:01Z,s,x,2.5,-,good",
    ]


def test_a_spreadsheet_in_germany() -> None:
    """Byte order mark, semicolons, decimal commas, local times that it reads; the exact time as text behind them."""
    rows = rows_of([(1_774_746_000_250_001, 20.25, "°C")])
    data = written(",", rows, list(READING_COLUMNS), Stamps("Europe/Berlin", True))
    assert data.decode() == (
        "\ufefftime;sensor;channel;value;unit;quality;utc\r\n"
        "2026-03-29 03:00:00,250;s;x;20,25;°C;good;2026-03-29T01:00:00.250001Z\r\n"
    )


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, "."),
        ({"LANG": "C.UTF-8"}, "."),
        ({"LANG": "de_DE.UTF-8"}, ","),
        ({"LANG": "de_CH.UTF-8"}, "."),
        ({"LANG": "de_DE.UTF-8", "LC_NUMERIC": "en_US.UTF-8"}, "."),
        ({"LANG": "en_US.UTF-8", "LC_ALL": "fr_FR@euro"}, ","),
        ({"LANG": "xx_YY"}, "."),
    ],
)
def test_what_stands_before_the_fraction(environment: dict[str, str], expected: str) -> None:
    """Also where the locale is not installed."""
    assert decimal_sign.decimal_of(environment) == expected


# ---- the verb ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def db(tmp_path: Path) -> str:
    """A reading at a whole second, one with a fraction, and a unit that looks like a formula."""
    file = tmp_path / "in.csv"
    file.write_text(
        "time,sensor,channel,value,unit,quality\n2026-03-29T00:59:59Z,s,x,1,°C,good\n"
        "2026-03-29T01:00:00.250001Z,s,x,-2.5,°C,good\n2026-03-29T01:00:00Z,s,y,3,'=1+1,good\n"
    )
    run("import", str(file), "--db", str(tmp_path / "log.db"))
    return str(tmp_path / "log.db")


def test_one_form_of_times_in_a_file(db: str) -> None:
    """All with microseconds, or none: pandas reads them with the form of the first."""
    import pandas

    times = [row["time"] for row in csv.DictReader(run("export", "s.x", "--db", db).stdout.splitlines())]
    assert times == ["2026-03-29T00:59:59.000000Z", "2026-03-29T01:00:00.250001Z"]
    assert pandas.to_datetime(pandas.Series(times)).dt.microsecond.tolist() == [0, 250001]
    assert "2026-03-29T01:00:00Z,s,y" in run("export", "s.y", "--db", db).stdout
    assert run("export", "s.x", "--db", db, "--every", "1h").stdout.splitlines()[1].startswith("2026-03-29T00:00:00Z,")


@pytest.mark.parametrize(
    "options", [("-o", "f.csv"), ("-o", "f.csv.gz"), ("-o", "f.ndjson"), ("-o", "f.csv", "--excel", "--decimal", ","), ("-o", "f.csv", "--excel", "--decimal", ".", "--tz", "Asia/Kathmandu")]
)  # fmt: skip
def test_what_the_verb_writes_it_reads(tmp_path: Path, db: str, options: tuple[str, ...]) -> None:
    run("export", "*.*", "--db", db, *options, cwd=tmp_path)
    done = run("import", options[1], "--db", "other.db", cwd=tmp_path)
    assert "3 new, 0 there already" in done.stdout
    everything = ("export", "*.*", "--db")
    assert run(*everything, str(tmp_path / "other.db")).stdout == run(*everything, db).stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--excel", "--format", "ndjson"), "--excel is a kind of CSV, not of ndjson"),
        (("--decimal", ","), "--decimal needs --excel"),
        (("--excel", "-o", "x.parquet"), "--excel is a kind of CSV, not of parquet"),
    ],
)
def test_what_does_not_go_together(tmp_path: Path, db: str, options: tuple[str, ...], message: str) -> None:
    assert message in run("export", "*.*", "--db", db, *options, cwd=tmp_path, check=2).stderr
    assert not (tmp_path / "x.parquet").exists()


@pytest.mark.parametrize(("form", "extra", "library"), [("xlsx", "excel", "openpyxl"), ("parquet", "parquet", "pyarrow")])
def test_a_form_whose_library_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, form: str, extra: str, library: str
) -> None:
    """The command that installs it is told, by export and by import."""
    monkeypatch.setattr(export_verb, "_is_installed", lambda name: False)
    with pytest.raises(SystemExit):
        export_verb._form(None, Path(f"x.{form}"), excel=False, decimal=None)
    told = f"needs {library}, which is not installed; install it: {extras.advice(extra)}"
    assert told in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, library, None)
    with ExitStack() as stack, pytest.raises(FileError, match=re.escape(told)):
        workbook.lines(tmp_path / "x", None, ".", stack) if form == "xlsx" else parquet.lines(tmp_path / "x", ".", stack)


def test_a_workbook(tmp_path: Path, db: str) -> None:
    """Times are dates in the zone, numbers numbers, words words; the exact time stands behind."""
    openpyxl = pytest.importorskip("openpyxl")
    run("export", "*.*", "--db", db, "-o", "f.xlsx", "--tz", "Europe/Berlin", cwd=tmp_path)
    book = openpyxl.load_workbook(tmp_path / "f.xlsx")
    rows = list(book.active.iter_rows())
    assert [[cell.data_type for cell in row] for row in rows[1:]] == [["d", "s", "s", "n", "s", "s", "s"]] * 3
    shown = [[str(cell.value) for cell in row] for row in rows]
    assert shown[0] == ["time", "sensor", "channel", "value", "unit", "quality", "utc"]
    assert shown[1] == ["2026-03-29 01:59:59", "s", "x", "1", "°C", "good", "2026-03-29T00:59:59.000000Z"]
    assert shown[2][4] == "=1+1"
    assert shown[3][0] == "2026-03-29 03:00:00.250000"
    book.close()


def test_a_workbook_goes_on_in_a_second_sheet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    from sensorlogd.exchange.written import workbook

    monkeypatch.setattr(workbook, "MAX_SHEET_ROWS", 3)
    with (tmp_path / "f.xlsx").open("wb") as file:
        assert workbook.write_xlsx(iter(rows_of([(n, 1.0, None) for n in range(5)])), list(READING_COLUMNS), Stamps(), file) == 5
    book = openpyxl.load_workbook(tmp_path / "f.xlsx")
    assert [(sheet.title, sheet.max_row) for sheet in book.worksheets] == [("readings", 3), ("readings 2", 3), ("readings 3", 2)]
    book.close()


def test_parquet(tmp_path: Path, db: str) -> None:
    """A timestamp to the microsecond, doubles, words; wide tables have blanks."""
    parquet = pytest.importorskip("pyarrow.parquet")
    run("export", "*.*", "--db", db, "-o", "f.parquet", cwd=tmp_path)
    table = parquet.read_table(tmp_path / "f.parquet")
    assert str(table.schema.field("time").type) == "timestamp[us, tz=UTC]"
    assert table.column("value").to_pylist() == [1.0, 3.0, -2.5]
    assert table.column("time").to_pylist()[2].isoformat() == "2026-03-29T01:00:00.250001+00:00"
    run("export", "*.*", "--db", db, "-o", "w.parquet", "--wide", "--every", "1d", cwd=tmp_path)
    wide = parquet.read_table(tmp_path / "w.parquet").to_pydict()
    assert list(wide)[1:] == ["s.x [°C]", "s.y [=1+1]"]
    assert [math.isclose(wide["s.x [°C]"][0], -0.75), wide["s.y [=1+1]"]] == [True, [3.0]]
