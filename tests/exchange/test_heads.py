"""Files as common loggers leave them: their heads, their times, and what a power cut does to them."""

from __future__ import annotations

import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensorlogd.exchange.mapping import guess, heads
from sensorlogd.exchange.mapping.planning import plan
from sensorlogd.exchange.options import Options
from sensorlogd.exchange.text.lines import FileError, Lines, sniff
from sensorlogd.exchange.times import leap_and_midnight, stamps
from sensorlogd.notation.times import format_time

HOBO = (
    '"Plot Title: 10347386"\r\n'
    '"#","Date Time, GMT+01:00","Temp, °C (LGR S/N: 10347386, SEN S/N: 10347386)","RH, % (LGR S/N: 10347386)","Host Connected (LGR S/N: 10347386)"\r\n'
    '1,03/28/26 12:00:00 AM,"20.5",45.1,\r\n2,03/28/26 12:10:00 AM,20.7,45.3,\r\n3,03/28/26 12:20:00 AM,,,Logged\r\n'
)
TOA5 = (
    '"TOA5","CR1000","CR1000","1234","CR1000.Std.27","CPU:a.CR1","1","Table1"\n"TIMESTAMP","RECORD","AirT_Avg","RH"\n'
    '"TS","RN","Deg C","%"\n"","","Avg","Smp"\n"2026-03-28 00:00:00",0,20.5,"NAN"\n"2026-03-28 00:01:00",1,20.6,45.2\n'
)


def read(text: str, **options: Any) -> list[tuple[str, str | None, str, float | None]]:
    found = plan(Lines(io.BytesIO(text.encode()), "f.csv"), Options(**options)).read()
    return [(reading.target.name, reading.target.unit, format_time(reading.ts_us), reading.value) for reading in found]


@pytest.mark.parametrize("skip", [0, 1])
def test_a_hobo_file(skip: int) -> None:
    """Commas in the names, units behind them, the zone in the name of the time, a number column, words: as HOBOware writes it."""
    found = read(HOBO, sensor="h", times=("Date Time, GMT+01:00",), time_format="%m/%d/%y %I:%M:%S %p", skip=skip)
    assert found[:3] == [
        ("h.number", None, "2026-03-27T23:00:00Z", 1),
        ("h.temp", "°C", "2026-03-27T23:00:00Z", 20.5),
        ("h.rh", "%", "2026-03-27T23:00:00Z", 45.1),
    ]
    assert len(found) == 7


@pytest.mark.parametrize("skip", [0, 1])
def test_a_toa5_file(skip: int) -> None:
    """Names in the second line, units in the third, how it was processed in the fourth; NAN is no value."""
    found = read(TOA5, sensor="c", times=("TIMESTAMP",), skip=skip)
    assert [reading for reading in found if reading[0] != "c.record"] == [
        ("c.airt_avg", "Deg C", "2026-03-28T00:00:00Z", 20.5),
        ("c.airt_avg", "Deg C", "2026-03-28T00:01:00Z", 20.6),
        ("c.rh", "%", "2026-03-28T00:01:00Z", 45.2),
    ]


def test_a_zone_in_a_name_that_no_zone_has() -> None:
    with pytest.raises(ValueError, match="say --zone of a place where clocks have this offset"):
        read(HOBO.replace("+01:00", "+05:30"), sensor="h", times=("2",), time_format="%m/%d/%y %I:%M:%S %p")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Temperature @ 2m [deg C]", ("temperature_2m", "deg C")),
        ("Wind (km/h)", ("wind", "km/h")),
        ("Flow (Main St, north)", ("flow_main_st_north", None)),
        ("Temp, outside", ("temp_outside", None)),
        ("Pressure (2)", ("pressure_2", None)),
        ("#", ("number", None)),
        ("°", ("column", None)),
    ],
)
def test_only_what_looks_like_a_unit_is_one(name: str, expected: tuple[str, str | None]) -> None:
    assert heads.channel(name) == expected


@pytest.mark.parametrize("first", ["sep=;", '"sep=;"', "\ufeffSEP=;"])
@pytest.mark.parametrize("skip", [0, 1])
def test_a_line_that_says_the_delimiter(first: str, skip: int) -> None:
    """As spreadsheets write and read it; here it is the only one that would not be found out."""
    text = f"{first}\r\na,b,time;v\r\n2026-03-28 00:00;1,5\r\n"
    found = read(text, times=("a,b,time",), sensor="s", decimal=",", skip=skip)
    assert found == [("s.v", None, "2026-03-28T00:00:00Z", 1.5)]


@pytest.mark.parametrize(
    ("text", "time", "hint"),
    [
        ("Logger: X\nSerial: 12\n\ntime,v\n2026-03-28,1\n", "time", "; line 4 has it: say --skip 3$"),
        ("Logger: X\ntime,v\n2026-03-28,1\n", "time~4", "; line 2 has it: say --skip 1$"),
        ("Logger: X\ntime,v\n2026-03-28,1\n", "when", "there are 'Logger:', 'X'$"),
        ("a,b\n7,8\n", "7", "there are 'a', 'b'$"),
    ],
)
def test_names_below_other_lines(text: str, time: str, hint: str) -> None:
    """What to say is told, where the column is there at all."""
    with pytest.raises(ValueError, match=f"there is no column .*{hint}"):
        read(text, times=(time,), sensor="s")


def test_a_name_behind_a_number_sign() -> None:
    """``# time,x``: the sign belongs to the file, not to the name."""
    assert read("# t,x\n2026-01-01,1\n", times=("t",), sensor="s") == [("s.x", None, "2026-01-01T00:00:00Z", 1)]


def test_delimiters_in_quotes_do_not_count() -> None:
    assert sniff('"a;b;c;d","e"') == ","


def test_an_empty_cell_behind_the_last_delimiter_is_none() -> None:
    """A value there is a mistake all the same."""
    assert len(read("t;v;w\n2026-03-28;1;2;\n2026-03-29;2;3;;\n", times=("t",), sensor="s")) == 4
    with pytest.raises(FileError, match=r"f.csv:2: 4 cells, the first line has 3"):
        read("t;v;w\n2026-03-28;1;2;3\n", times=("t",), sensor="s")


def test_lines_of_nuls_are_passed_over_and_counted() -> None:
    """Others with NULs in them are mistakes: their beginning is lost."""
    nuls = "\0" * 512
    lines = Lines(io.BytesIO(f"t,v\n2026-03-28,1\n{nuls}\n2026-03-29,2\n{nuls}".encode()), "f.csv")
    assert len(list(plan(lines, Options(times=("t",), sensor="s")).read())) == 2
    assert (lines.counts().of_nuls, lines.counts().first_of_nuls) == (2, 3)
    with pytest.raises(FileError, match=r"f.csv:3: NUL characters among the text: a power cut"):
        read(f"t,v\n2026-03-28,1\n{nuls}2026-03-29,2\n", times=("t",), sensor="s")


# ---- 24:00 and 23:59:60 ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "form", "zone", "expected"),
    [
        ("2026-03-28 24:00", "iso", "UTC", "2026-03-29T00:00:00Z"),
        ("2026-12-31T24:00:00", "iso", "UTC", "2027-01-01T00:00:00Z"),
        ("2026-03-28T24:00:00+01:00", "iso", "UTC", "2026-03-28T23:00:00Z"),
        ("24.12.2024 24:00", "%d.%m.%Y %H:%M", "UTC", "2024-12-25T00:00:00Z"),
        ("20240224 2400", "%Y%m%d %H%M", "UTC", "2024-02-25T00:00:00Z"),
        ("2026-03-28 24:00", "%Y-%m-%d %H:%M", "Europe/Berlin", "2026-03-28T23:00:00Z"),
        ("2016-12-31T23:59:60Z", "iso", "UTC", "2017-01-01T00:00:00Z"),
        ("2016-12-31T23:59:60.500Z", "iso", "UTC", "2017-01-01T00:00:00.500000Z"),
        ("2017-01-01 00:59:60", "%Y-%m-%d %H:%M:%S", "Europe/Berlin", "2017-01-01T00:00:00Z"),
    ],
)
def test_times_beyond_the_clock(text: str, form: str, zone: str, expected: str) -> None:
    """The end of a day is the beginning of the next one, a leap second the second behind it."""
    assert format_time(stamps.TimeReader(form, zone)(text)) == expected


@pytest.mark.parametrize(
    ("text", "form", "message"),
    [
        ("2026-03-28 24:01", "iso", "is not a time"),
        ("2026-03-28 24:00:01", "iso", "is not a time"),
        ("2026-03-28 12:30:60", "iso", "that minute has no second 60"),
        ("2026-03-28 23:59:60", "iso", "that minute has no second 60"),
        ("2026-03-28 12:60", "iso", "is not a time"),
        ("2026-02-30 24:00", "%Y-%m-%d %H:%M", "is not a time like"),
        ("24.13.2026 23:00", "%d.%m.%Y %H:%M", "is not a time like"),
    ],
)
def test_times_beyond_any_clock(text: str, form: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        stamps.TimeReader(form, "UTC")(text)


def test_the_end_of_the_year_without_a_year() -> None:
    reader = stamps.TimeReader("%d %b %H:%M", "UTC", year="2019")
    assert [format_time(reader(text)) for text in ("31 Dec 24:00", "01 Jan 01:00")] == [
        "2020-01-01T00:00:00Z",
        "2020-01-01T01:00:00Z",
    ]


@given(st.datetimes())
def test_what_the_clock_can_say_is_never_beyond_it(at: object) -> None:
    """Only 24:00 with nothing behind it, and :60, are."""
    text = str(at)
    found = leap_and_midnight.read(text, stamps._iso)
    assert found is None or "24" in text or "60" in text
    assert format_time(stamps.TimeReader("iso", "UTC")(text)) if text > "0001-01-03" and text < "9999-12-29" else True


# ---- guesses -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Datum;Uhrzeit;T\n28.03.2026;00:00;20,5\n29.03.2026;00:10;20\n", "--time Datum --time Uhrzeit --time-format '%d.%m.%Y %H:%M' --decimal ,"),
        ("a,when\n1,2026-03-28 00:00\n", "--time when"),
        ("when,a\n1774656000,1\n1774656060,2\n", "--time when --time-format epoch"),
        ("when,a\n03/28/2026 11:00 PM,1\n", "--time when --time-format '%m/%d/%Y %I:%M %p'"),
        ("when,a\n03/04/2026 11:00,1\n05/04/2026 11:00,1\n04/05/2026 11:00,1\n", "--time when --time-format '%d/%m/%Y %H:%M'"),
    ],
)  # fmt: skip
def test_a_guess_is_told_and_refused(text: str, expected: str) -> None:
    """With the options that say it; --dry-run takes it, to look at."""
    with pytest.raises(FileError) as caught:
        read(text)
    assert f"it looks like {expected}: look at it with --dry-run, and say it" in str(caught.value)
    assert read(text, guesses=True)


def test_two_ways_to_read_a_date_are_both_told() -> None:
    """Nothing in the file decides, so nothing is guessed, not even to look at."""
    for guesses in (False, True):
        with pytest.raises(ValueError, match="'when' may be %m/%d/%Y %H:%M or %d/%m/%Y %H:%M: say --time and --time-format"):
            read("when,a\n03/04/2026 11:00,1\n05/06/2026 11:00,1\n", sensor="s", guesses=guesses)


def test_a_table_without_times() -> None:
    assert guess.guess(["a", "b"], [["1", "2"], ["3", "4"]]) is None
    assert guess.guess(["a"], []) is None
