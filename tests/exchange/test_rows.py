"""What a file means, and what is told of one that means nothing."""

from __future__ import annotations

import gzip
import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensorlogd.config.models import NAME as ALLOWED
from sensorlogd.exchange.mapping.planning import plan
from sensorlogd.exchange.options import ColumnTarget, Options
from sensorlogd.exchange.sorting import NoRoom, ReadingSorter
from sensorlogd.exchange.text import lines as lines_module
from sensorlogd.exchange.text.lines import FileError, Lines
from sensorlogd.exchange.times import stamps
from sensorlogd.notation.times import format_time
from sensorlogd.quality import Flag, describe

HEAD = "time,sensor,channel,value,unit,quality\n"
OURS = Options()
FOREIGN = Options(times=("t",), sensor="s")


def read(text: str | bytes, options: Options = OURS, encoding: str = "utf-8") -> list[tuple[str, int, float | None, int]]:
    data = text.encode() if isinstance(text, str) else text
    found = plan(Lines(io.BytesIO(data), "f.csv", encoding), options).read()
    return [(reading.target.name, reading.ts_us, reading.value, reading.quality) for reading in found]


def test_a_line_a_reading() -> None:
    """Our CSV: whole and fractional seconds, missing values, quality in words; a byte order mark is no matter."""
    text = HEAD + "2026-01-01T00:00:00Z,s,x,1.5,°C,good\n2026-01-01T00:00:00.000001Z,s,x,,°C,missing\n"
    expected = [("s.x", 1_767_225_600_000_000, 1.5, 1), ("s.x", 1_767_225_600_000_001, None, 9)]
    assert read(text) == read("\ufeff" + text) == read(gzip.compress(text.encode())) == expected
    assert read(text.encode("utf-16")) == expected


@pytest.mark.parametrize("name", ["größe", "温度", "t-1", "x~1"])
def test_every_name_that_the_configuration_allows_comes_back(name: str) -> None:
    """And those that the log gives to a series that is set aside."""
    assert "~" in name or ALLOWED.fullmatch(name)
    assert [found for found, *_ in read(HEAD + f"2026-01-01T00:00:00Z,{name},{name},1,,good\n")] == [f"{name}.{name}"]


def test_a_column_a_series() -> None:
    """Wide files of ours: blank cells are not readings."""
    text = "time,s.x [°C],s.y\n2026-01-01T00:00:00Z,1,\n2026-01-01T00:00:01Z,,2\n"
    assert [(name, value) for name, _, value, _ in read(text)] == [("s.x", 1.0), ("s.y", 2.0)]


def test_ndjson() -> None:
    """An object a line, with the names of the CSV."""
    text = '{"time": "2026-01-01T00:00:00Z", "sensor": "s", "channel": "x", "value": 1, "unit": "", "quality": "good"}\n\n'
    assert read(text) == [("s.x", 1_767_225_600_000_000, 1.0, 1)]


def test_columns_of_others() -> None:
    """Semicolons, decimal commas, day-first dates in two columns, a local zone, sentinels, words: as it is said."""
    text = "Datum;Uhrzeit;Temp. (°C);Feuchte [%];Wetter\n01.07.2026;12:00;21,5;-9999;sonnig\n01.07.2026;13:00;22;60;Regen\n"
    options = Options(
        times=("Datum", "Uhrzeit"), time_format="%d.%m.%Y %H:%M", zone="Europe/Berlin", sensor="w", decimal=",", nulls=("-9999",)
    )
    found = read(text.encode("latin-1"), options, "latin-1")
    assert [(name, format_time(ts), value) for name, ts, value, _ in found] == [
        ("w.temp", "2026-07-01T10:00:00Z", 21.5),
        ("w.temp", "2026-07-01T11:00:00Z", 22.0),
        ("w.feuchte", "2026-07-01T11:00:00Z", 60.0),
    ]


def test_columns_by_number_and_padding() -> None:
    """Tables without a header, divided by blanks, with times that lost their zeros."""
    options = Options(
        times=("1", "2~4"),
        time_format="%Y%m%d %H%M",
        sensor="s",
        header=False,
        delimiter=" ",
        columns={"3": ColumnTarget("s", "x", "K", "gauge")},
    )
    assert [(ts, value) for _, ts, value, _ in read("20260101   5  1.5\n20260101 1305  2\n", options)] == [
        (1_767_225_900_000_000, 1.5),
        (1_767_272_700_000_000, 2.0),
    ]


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("", Options(), "f.csv: it is empty"),
        ("\n\n  \n", Options(), "f.csv: it is empty"),
        ("a,b\n1,2\n", Options(), r"f.csv:1: this is not our format \(its columns are 'a', 'b'\).*--time COLUMN"),
        (HEAD + "2026-01-01T00:00:00Z,s,x,NaN,,good\n", Options(), "f.csv:2: 'NaN' is not a finite number.*--null NaN"),
        (HEAD + "2026-01-01T00:00:00Z,s,x,inf,,good\n", Options(), "f.csv:2: 'inf' is not a finite number"),
        (HEAD + "2026-01-01T00:00:00Z,s,x,1e999,,good\n", Options(), "f.csv:2: '1e999' is not a finite number"),
        (HEAD + "2026-01-01T00:00:00Z,s,x,1_0,,good\n", Options(), "f.csv:2: '1_0' is not a number"),
        (HEAD + "2026-01-01T00:00:00Z,s,x,,,good\n", Options(), "f.csv:2: the value is empty, and quality is 'good'; write a value, or"),
        (HEAD + "2026-01-01T00:00:00Z,s,x,1,,god\n", Options(), "f.csv:2: unknown quality 'god'; allowed: good"),
        (HEAD + "2026-01-01T00:00:00Z,s s,x,1,,good\n", Options(), "f.csv:2: 's s' cannot name a sensor"),
        (HEAD + "yesterday,s,x,1,,good\n", Options(), "f.csv:2: 'yesterday' is not a time"),
        (HEAD + "0001-01-01T00:00:00Z,s,x,1,,good\n", Options(), "f.csv:2: .* lies outside 0001-01-02T00:00:00Z to 9999-12-30T00:00:00Z"),
        (HEAD + "9999-12-31T00:00:00,s,x,1,,good\n", Options(), "f.csv:2: .* lies outside 0001-01-02T00:00:00Z to 9999-12-30T00:00:00Z"),
        ("t,x\n-62135596800,1\n", Options(times=("t",), sensor="s", time_format="epoch"), "f.csv:2: .* lies outside 0001-01-02T00:00:00Z to"),
        ("t,x\n1e15,1\n", Options(times=("t",), sensor="s", time_format="epoch"), "f.csv:2: .* lies outside 0001-01-02T00:00:00Z to"),
        (HEAD + "10000-01-01T00:00:00Z,s,x,1,,good\n", Options(), "f.csv:2: '10000-01-01T00:00:00Z' is not a time"),
        (HEAD + "2026-01-01T00:00:00Z,s,x\n", Options(), "f.csv:2: 3 cells, the header has 6 columns"),
        (HEAD + '2026-01-01T00:00:00Z,"s,x,1,,good\n', Options(), "f.csv:.*see the quotes of this line"),
        ("time,time,sensor,channel,value\n", Options(), "f.csv:1: a column is named twice: 'time'"),
        ('{"time": "2026-01-01T00:00:00Z"}\n', Options(), "f.csv:1: found one without sensor, channel, value; each line must be an object with time"),
        ('{"time": "2026-01-01", "sensor": "s", "channel": "x", "value": NaN}\n', Options(), "f.csv:1: value NaN is not a finite number.*say --null NaN"),
        ('{"time": "2026-01-01", "sensor": "s", "channel": "x", "value": "NA"}\n', Options(), "f.csv:1: value 'NA' is not a finite number.*say --null NA"),
        ('{"time": "2026-01-01", "sensor": "s", "channel": "x", "value": true}\n', Options(), "f.csv:1: value True is not a finite number"),
        ('{"time": "2026-01-01", "sensor": null, "channel": "x", "value": 1}\n', Options(), "f.csv:1: sensor None is not text"),
        ('{"time": "2026-01-01", "sensor": "s", "channel": NaN, "value": 1}\n', Options(), "f.csv:1: channel NaN is not text"),
        ('{"time": "2026-01-01", "sensor": "s", "channel": "x", "value": 1, "unit": NaN}\n', Options(), "f.csv:1: unit NaN is not text"),
        ("[" * 100_000 + "\n", Options(), "f.csv"),
        ('{"a":' * 100_000 + "\n", Options(), "f.csv:1: "),
        ("t,x\n2026-01-01,1,5\n", FOREIGN, "f.csv:2: 3 cells, the first line has 2"),
        ("t;x\n2026-01-01;1,5\n", FOREIGN, "f.csv:2: '1,5' is not a number; if its comma stands before the fraction, say --decimal ,"),
        ("t;x\n2026-01-01;1.5\n", Options(times=("t",), sensor="s", decimal=","), "f.csv:2: '1.5' is not a number with ','"),
        ("t,x\n2026-01-01,1\n2026-01-02,-\n", FOREIGN, "f.csv:3: '-' is not a number; if it means that there is no value, say --null -"),
        ("t,x\n2026-01-01,1\n2026-01-02,no value\n", FOREIGN, "f.csv:3: 'no value' is not a number.*say --null 'no value'"),
        ("t,x\n2026-01-01,20.5 °C\n", FOREIGN, "f.csv:2: '20.5 °C' is not a number because of the '°C' after it; take that off"),
        ("t,x\n2026-01-01,45%\n", FOREIGN, "f.csv:2: '45%' is not a number because of the '%' after it"),
        ("t;x\n2026-01-01;1,013\n", FOREIGN, "f.csv:2: '1,013' is not a number; if its comma stands before the fraction, say --decimal ,"),
        ("t;x\n2026-01-01;1'13\n", FOREIGN, "f.csv:2: .* is not a number"),
        ("t,x\n2026-01-01,NA\n2026-01-02,1\n", FOREIGN, "f.csv:3: column 'x' holds '1', and 'NA' before.*--null NA"),
        ("t,x\n2026-01-01,a\n2026-01-02,b\n", FOREIGN, "f.csv: no column holds numbers; its columns are 't', 'x': is --delimiter right"),
        ("t,x,x\n2026-01-01,1,2\n", FOREIGN, "f.csv:1: a column is named twice: 'x'"),
        ("t,x\n2026-03-29 02:30,1\n", Options(times=("t",), sensor="s", zone="Europe/Berlin"), "f.csv:2: there is no 2026-03-29 02:30:00 in Europe/Berlin"),
        ("time,s.x,s.x\n2026-01-01,1,2\n", Options(), "f.csv:1: two columns belong to one series: 's.x'"),
        ("t,T (C),t [F]\n2026-01-01,1,2\n", FOREIGN, "f.csv:1: two columns belong to one series: 's.t'"),
        ("t,x\n1,2\n", Options(times=("t",), sensor="s", skip=5), "f.csv: it has no more than 2 lines, --skip 5"),
        (b"\x7fELF\x00\x01\x02", Options(), "f.csv:1: a NUL character: this is a binary file"),
        (b"t,x\n2026-01-01,\xff\n", FOREIGN, r"f.csv:2: b'\\xff' is not utf-8.*--encoding latin-1"),
        (gzip.compress((HEAD + "2026-01-01T00:00:00Z,s,x,1,,good\n" * 5000).encode(), mtime=0)[:100], Options(), "f.csv:.*the file cannot be read any further"),
    ],
)  # fmt: skip
def test_mistakes_are_told_with_their_line(text: str | bytes, options: Options, message: str) -> None:
    """Where, what was found, what to do; whatever the file is."""
    with pytest.raises(FileError, match=message):
        read(text, options)


def test_a_column_may_have_any_name() -> None:
    """A tilde, digits that are not a number; and zeros as long as a line are still one number."""
    text = "a~b,²\n2026-01-01,1\n2026-01-02," + "0" * 5000 + "9007199254740993\n"
    options = Options(times=("a~b",), columns={"²": ColumnTarget("s", "x")})
    assert [(name, value) for name, _, value, _ in read(text, options)] == [("s.x", 1.0), ("s.x", 9007199254740992.0)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (Options(sensor="s"), "which column is the time"),
        (Options(times=("t",)), "where do the columns belong"),
        (Options(times=("T",), sensor="s"), r"there is no column 'T' \(did you mean 't'\?\)"),
        (Options(times=("7",), sensor="s"), "there is no column '7'"),
        (Options(times=("²",), sensor="s"), "there is no column '²'"),
        (Options(times=("9" * 5000,), sensor="s"), "there is no column '9"),
        (Options(times=("t~x",), sensor="s"), "there is no column 't~x'"),
        (Options(times=("t~-3",), sensor="s"), "there is no column 't~-3'"),
        (Options(times=("t",), columns={"²": ColumnTarget("s", "x")}), "there is no column '²'"),
        (Options(times=("t",), sensor="s", time_format="%"), "is not a time like|stray|bad directive"),
        (Options(times=("t",), sensor="s", time_format="german"), "unknown time format 'german'; write iso, epoch"),
    ],
)
def test_options_that_do_not_fit_are_told(options: Options, message: str) -> None:
    """Before a line is read, or with the first."""
    with pytest.raises((ValueError, FileError), match=message):
        read("t,x\n2026-01-01,1\n", options)


def test_lines_and_columns_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A million columns or a line without an end cost a message, not the memory of a Pi."""
    with pytest.raises(FileError, match=r"f.csv:1: 1,000,000 columns; at most 10,000 are taken"):
        read(",".join("c" * 2 for _ in range(1_000_000)) + "\n", FOREIGN)
    monkeypatch.setattr(lines_module, "MAX_LINE_CHARACTERS", 1000)
    with pytest.raises(FileError, match=r"f.csv:1: the line is longer than 1,000 characters"):
        read("x" * 5000, FOREIGN)


@given(st.integers(-62_000_000_000_000_000, 250_000_000_000_000_000))
def test_every_instant_is_read_as_it_was_written(us: int) -> None:
    """``format_time`` and ISO 8601 are each other's inverse, to the microsecond, in any zone."""
    for zone in ("UTC", "Asia/Kathmandu", "America/St_Johns"):
        text = format_time(us, zone)
        if len(text.split("+")[-1].split("-")[-1]) <= 6 or zone == "UTC":  # offsets with seconds (before 1900) are not ISO 8601
            assert stamps.TimeReader("iso", "UTC")(text) == us


@given(st.integers(-60_000_000_000, 250_000_000_000), st.integers(0, 999_999))
def test_epochs(seconds: int, fraction: int) -> None:
    """Seconds, milliseconds and microseconds since 1970, with a fraction or without."""
    us = seconds * 1_000_000 + (fraction if seconds >= 0 else -fraction)
    sign = "-" if us < 0 else ""
    assert stamps.TimeReader("epoch", "UTC")(f"{sign}{abs(us) // 1_000_000}.{abs(us) % 1_000_000:06}") == us
    assert stamps.TimeReader("epoch_us", "UTC")(str(us)) == us
    assert stamps.TimeReader("epoch_ms", "UTC")(str(us // 1000)) == us // 1000 * 1000


@pytest.mark.parametrize("text", ["1.7671392e9", "1.7671392E+09", "17671392e2", "+1767139200"])
def test_epochs_as_spreadsheets_write_them(text: str) -> None:
    assert stamps.TimeReader("epoch", "UTC")(text) == 1_767_139_200_000_000


@pytest.mark.parametrize("text", ["1_767", "1e", "0x10", "nan", "12:00", ""])
def test_what_is_no_epoch(text: str) -> None:
    with pytest.raises(ValueError, match="is not a number of seconds since 1970"):
        stamps.TimeReader("epoch", "UTC")(text)


def test_the_hour_that_comes_twice() -> None:
    """Which one is said; the first by default."""
    first, second = (stamps.TimeReader("iso", "Europe/Berlin", fold)("2026-10-25 02:30") for fold in ("first", "second"))
    assert second - first == 3_600_000_000


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago"])
def test_the_times_that_are_said_to_be_taken_are(zone: str) -> None:
    read_in_zone = stamps.TimeReader("iso", zone)
    for at in ("0001-01-02T00:00:00Z", "9999-12-30T00:00:00Z"):
        assert format_time(read_in_zone(at)) == at
    for at in ("0001-01-01T23:59:59Z", "9999-12-30T00:00:01Z", "0001-01-01T12:00:00"):
        with pytest.raises(ValueError, match="lies outside 0001-01-02T00:00:00Z to 9999-12-30T00:00:00Z"):
            read_in_zone(at)


def test_equal_times_are_kept_apart(tmp_path: Path) -> None:
    """In a file of others every line is a reading, a microsecond after the one it shares its time with; in ours the same is one."""
    text = "t,x\n2026-01-01,1\n2026-01-01,1\n2026-01-01,2\n2026-01-02,3\n"
    with ReadingSorter(tmp_path) as sorter:
        assert list(tmp_path.iterdir()) == []  # a process that is killed leaves nothing behind
        sorter.take(plan(Lines(io.BytesIO(text.encode()), "f"), FOREIGN).read(), list)
        [series] = sorter.series()
        [kept] = sorter.sorted_readings(series, same_is_one=False)
        [single] = sorter.sorted_readings(series, same_is_one=True)
    assert [ts - kept.times[0] for ts in kept.times] == [0, 1, 2, 86_400_000_000]
    assert kept.values == [1, 1, 2, 3]
    assert single.values == [1, 2, 3]
    assert [(block.shifted, block.repeated) for block in (kept, single)] == [(2, 0), (1, 1)]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", [HEAD + "2026-01-01T00:00:00Z,s,x,1,,good\n", "Time,s.x [°C]\n2026-01-01T00:00:00Z,1\n"])
def test_files_of_ours_put_together_are_one(text: str) -> None:
    """``zcat *.csv.gz``: the header comes once for each file."""
    assert [value for _, _, value, _ in read(text + text)] == [1, 1]


def test_damaged_gzip_is_told() -> None:
    data = bytearray(gzip.compress((HEAD + "2026-01-01T00:00:00Z,s,x,1,,good\n" * 10).encode()))
    data[10:] = b"\xff" * 50
    with pytest.raises(FileError, match="cannot be read any further"):
        read(bytes(data))


def test_no_room_for_the_temporary_file_is_told(tmp_path: Path) -> None:
    with ReadingSorter(tmp_path) as sorter:
        sorter._conn.execute("PRAGMA max_page_count = 3")
        with pytest.raises(NoRoom, match="TMPDIR"):
            sorter.take(plan(Lines(io.BytesIO(("t,x\n" + "2026-01-01,1\n" * 9000).encode()), "f"), FOREIGN).read(), list)


def test_one_reading_in_ours_stays_one_with_another_between(tmp_path: Path) -> None:
    """A, B, A at one instant are two readings."""
    text = HEAD + "".join(f"2026-01-01T00:00:00Z,s,x,{value},,good\n" for value in (1, 2, 1))
    with ReadingSorter(tmp_path) as sorter:
        sorter.take(plan(Lines(io.BytesIO(text.encode()), "f"), OURS).read(), list)
        [series] = sorter.series()
        [block] = sorter.sorted_readings(series, same_is_one=True)
    assert (block.values, block.repeated, block.shifted) == ([1, 2], 1, 1)


# ---- times of others ---------------------------------------------------------------------------------------------------


def _times(text: str, **more: Any) -> list[str]:
    return [format_time(ts) for _, ts, *_ in read("t,x\n" + text, Options(times=("t",), sensor="s", **more))]


def test_the_repeated_hour_by_order() -> None:
    """As the drivers do it."""
    text = "".join(f"2026-10-25 {time},1\n" for time in ("01:59", "02:00", "02:40", "02:00", "02:40", "03:00"))
    shown = _times(text, zone="Europe/Berlin", fold="by_order")
    assert shown == [
        f"2026-10-{day}Z" for day in ("24T23:59:00", "25T00:00:00", "25T00:40:00", "25T01:00:00", "25T01:40:00", "25T02:00:00")
    ]


def test_two_sensors_of_a_column_are_never_one() -> None:
    """Names of which only the same digits are left; small and capital letters are one name."""
    options = Options(times=("t",), sensor_column="who")
    assert {name for name, *_ in read("t,who,x\n2026-01-01,Room 1,1\n2026-01-02,room 1,2\n", options)} == {"room_1.x"}
    with pytest.raises(FileError, match=r"f.csv:3: '温度1' and '湿度1' would both become the sensor '1'"):
        read("t,who,x\n2026-01-01,温度1,1\n2026-01-01,湿度1,2\n", options)


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("t,room,temp\n2026-01-01,kitchen,1.5\n2026-01-01,bath,2.5\n", {"sensor": "home"}, "^--sensor home and --sensor-column room both say whose the readings are; leave out --sensor"),
        ("t,room,temp,Temp\n2026-01-01,a,1,2\n", {"sensor": "home"}, "^--sensor home and --sensor-column room both say"),
        ("t,room,temp,Temp\n2026-01-01,a,1,2\n", {}, "f.csv:1: two columns belong to one series: 'temp'"),
        ("t,room,temp,hum\n2026-01-01,b,1,2\n2026-01-02,a,1,2\n", {"columns": {"temp": ColumnTarget(None, "x"), "hum": ColumnTarget("a", "x")}}, "f.csv:3: column 'hum' of 'b' and column 'temp' of 'a' would both become a.x; give each column a channel"),
        ("t,room,temp\n2026-01-01,kitchen,1.5\n2026-01-01,bath,2.5\n", {"columns": {"temp": ColumnTarget("a", "x")}}, "f.csv:3: column 'temp' of 'kitchen' and column 'temp' of 'bath' would both become a.x; .*--column 'COLUMN=.CHANNEL'"),
    ],
)  # fmt: skip
def test_series_of_two_sensors_or_columns_are_never_one(text: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises((ValueError, FileError), match=message):
        read(text, Options(times=("t",), sensor_column="room", **options))


def test_seconds_since_1970_have_the_decimal_sign_of_the_file() -> None:
    options = Options(times=("t",), sensor="s", time_format="epoch", decimal=",")
    assert [ts for _, ts, *_ in read("t;x\n1774656000,5;1,5\n1774656001.5;2\n", options)] == [
        1_774_656_000_500_000,
        1_774_656_001_500_000,
    ]


@pytest.mark.parametrize(
    "text", ["time;sensor;channel;value\n2026-01-01T00:00:00Z;s;x;1,5\n", "time;s.x\n2026-01-01T00:00:00Z;1,5\n"]
)
def test_a_file_of_ours_that_a_spreadsheet_has_saved(text: str) -> None:
    """With semicolons, a decimal comma is taken where it is said."""
    assert [value for _, _, value, _ in read(text, Options(decimal=","))] == [1.5]
    with pytest.raises(FileError, match="say --decimal ,"):
        read(text)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_a_byte_order_mark_is_taken_off(encoding: str) -> None:
    """Also where the name of the encoding says the order itself."""
    data = "\ufefft,x\n2026-01-01,1\n".encode(encoding)
    assert len(read(data, FOREIGN, encoding)) == 1


@pytest.mark.parametrize("sensors", ["a", "abc"])
def test_the_repeated_hour_of_an_hourly_logger_by_order(sensors: str) -> None:
    """The same text again is the second hour, also if each hour has a line for each sensor."""
    rows = [f"2026-10-25 {hour}:00,{sensor},1\n" for hour in ("00", "01", "02", "02", "03") for sensor in sensors]
    options = Options(times=("t",), sensor_column="who", zone="Europe/Berlin", fold="by_order")
    found = [format_time(ts) for name, ts, *_ in read("t,who,x\n" + "".join(rows), options) if name == "a.x"]
    assert found == [f"2026-10-{at}:00:00Z" for at in ("24T22", "24T23", "25T00", "25T01", "25T02")]


_OF_OURS = pytest.mark.parametrize(
    "form",
    [HEAD + "{at},s,x,1,,good\n", "time,s.x\n{at},1\n", '{{"time": "{at}", "sensor": "s", "channel": "x", "value": 1}}\n'],
)


@_OF_OURS
@pytest.mark.parametrize(
    ("at", "utc"), [("2026-07-01T12:00:00", "2026-07-01T10:00:00Z"), ("2026-07-01T12:00:00Z", "2026-07-01T12:00:00Z")]
)
def test_a_file_of_ours_that_somebody_wrote_has_times_of_the_zone(form: str, at: str, utc: str) -> None:
    """What sensorlogd wrote itself has offsets."""
    assert [format_time(ts) for _, ts, *_ in read(form.format(at=at), Options(zone="Europe/Berlin"))] == [utc]


def zoneless(tmp_path: Path, text: str, options: Options) -> list[str]:
    with ReadingSorter(tmp_path) as sorter:
        found = sorter.take(plan(Lines(io.BytesIO(text.encode()), "f.csv"), options).read(), list).zoneless
    return [] if found is None else [found]


@_OF_OURS
def test_that_times_were_taken_for_utc_is_noticed_in_ours(tmp_path: Path, form: str) -> None:
    assert zoneless(tmp_path, form.format(at="2026-07-01T12:00:00"), OURS) == ["2026-07-01T12:00:00"]
    assert zoneless(tmp_path, form.format(at="2026-07-01T12:00:00+02:00"), OURS) == []


@pytest.mark.parametrize(
    ("times", "more", "found"),
    [
        (("2026-07-01T12:00Z", "2026-07-01 12:05", "2026-07-01 12:10"), {}, ["2026-07-01 12:05"]),
        (("01.07.2026",), {"time_format": "%d.%m.%Y"}, ["01.07.2026"]),
        (("2026-07-01 12:05",), {"zone": "Europe/Berlin"}, []),
        (("01.07.2026 +0200",), {"time_format": "%d.%m.%Y %z"}, []),
        (("1774656000",), {"time_format": "epoch"}, []),
    ],
)
def test_that_times_were_taken_for_utc_is_noticed(
    tmp_path: Path, times: tuple[str, ...], more: dict[str, Any], found: list[str]
) -> None:
    assert zoneless(tmp_path, "t,x\n" + "".join(f"{at},1\n" for at in times), Options(times=("t",), sensor="s", **more)) == found


def test_years_that_no_line_says() -> None:
    """The first line's is said, the others follow; or the whole is near to now."""
    text = "30 Dec 23:00,1\n01 Jan 01:00,2\n"
    assert _times(text, time_format="%d %b %H:%M", year="2019") == ["2019-12-30T23:00:00Z", "2020-01-01T01:00:00Z"]
    now = 1_767_225_600_000_000
    assert _times(text, time_format="%d %b %H:%M", year="from_host", now_us=now) == [
        "2025-12-30T23:00:00Z",
        "2026-01-01T01:00:00Z",
    ]
    with pytest.raises(ValueError, match=r"leaves the year open; say --year"):
        _times(text, time_format="%d %b %H:%M")


def test_a_leap_day_is_not_years_away() -> None:
    """Where it is not in the year that was said, the year is wrong."""
    text = "28 Feb 23:00,1\n29 Feb 01:00,2\n"
    assert _times(text, time_format="%d %b %H:%M", year="2020") == ["2020-02-28T23:00:00Z", "2020-02-29T01:00:00Z"]
    with pytest.raises(
        FileError, match=r"f.csv:3: '29 Feb 01:00': no year near the time before it has that day; is --year right"
    ):
        _times(text, time_format="%d %b %H:%M", year="2019")


def test_rows_that_share_a_second_are_spread() -> None:
    shown = _times("2026-01-01T00:00:00,1\n2026-01-01T00:00:00,2\n2026-01-01T00:00:01,3\n", repeat="spread")
    assert shown == ["2026-01-01T00:00:00Z", "2026-01-01T00:00:00.500000Z", "2026-01-01T00:00:01Z"]


def test_times_that_cannot_be_are_marked() -> None:
    options = Options(times=("t",), sensor="s", now_us=1_767_225_600_000_000, earliest_us=0)
    found = read("t,x\n2026-01-02,1\n2026-01-03,2\n1969-01-01,3\n", options)
    assert [describe(code) for *_, code in found] == ["not_evaluated", "not_evaluated:bad_time", "not_evaluated:bad_time"]


OURS_WITH_A_DOUBTFUL_READING = [
    "time,sensor,channel,value\n1960-01-01T00:00:00Z,s,x,9007199254740993\n",
    "time,s.x\n1960-01-01T00:00:00Z,9007199254740993\n",
    '{"time": "1960-01-01T00:00:00Z", "sensor": "s", "channel": "x", "value": 9007199254740993}\n',
]


@pytest.mark.parametrize("text", OURS_WITH_A_DOUBTFUL_READING)
def test_our_own_formats_are_judged_like_others(text: str) -> None:
    """A time before --earliest and a number that no double holds are marked."""
    [(_, _, value, code)] = read(text, Options(earliest_us=0))
    assert value == 9007199254740992.0
    assert set(describe(code).removeprefix("suspect:").split("+")) == {"rounded", "bad_time"}


def test_what_was_exported_from_the_future_comes_back_unmarked() -> None:
    """Unless --ahead is said."""
    [(*_, code)] = read(HEAD + "2040-01-01T00:00:00Z,s,x,1,,good\n", Options(now_us=1))
    [(*_, marked)] = read(HEAD + "2040-01-01T00:00:00Z,s,x,1,,good\n", Options(now_us=1, ahead_us=1))
    assert (describe(code), "bad_time" in describe(marked)) == ("good", True)


@pytest.mark.parametrize(
    "text",
    [
        "time,sensor,channel,value\n2026-01-01T00:00:00Z,s,x,1\n",
        "time,s.x\n2026-01-01T00:00:00Z,1\n",
        '{"time": "2026-01-01T00:00:00Z", "sensor": "s", "channel": "x", "value": 1}\n',
    ],
)
def test_readings_without_a_quality_get_the_one_that_is_said(text: str) -> None:
    [(*_, code)] = read(text, Options(quality=int(Flag.SUSPECT)))
    assert describe(code) == "suspect"


@pytest.mark.parametrize("text", OURS_WITH_A_DOUBTFUL_READING)
@pytest.mark.parametrize(("options", "flag"), [({"year": "2026"}, "--year"), ({"repeat": "spread"}, "--repeat")])
def test_options_that_our_own_formats_do_not_take_are_refused(text: str, options: dict[str, Any], flag: str) -> None:
    with pytest.raises(
        ValueError, match=f"^{flag}: a file in our own format does not take it; leave it out .*takes --zone, --fold"
    ):
        read(text, Options(**options))


@pytest.mark.parametrize("text", OURS_WITH_A_DOUBTFUL_READING)
@pytest.mark.parametrize(
    ("options", "message"), [({"decimal": ","}, "--decimal ,: .* our own"), ({"time_format": "epoch"}, "--time-format 'epoch'")]
)
def test_our_own_formats_have_their_own_numbers_and_times(text: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read(text, Options(**options))


@pytest.mark.parametrize(
    ("null", "decimal", "cells"),
    [
        ("-999", ".", "-999 -999.0 -999.00 -9.99e2 -999."),
        ("-999.9", ".", "-999.9 -999.90"),
        ("-999,9", ",", "-999,9 -999,90"),
        ("-999.9", ",", "-999,9 -999,90"),  # as it is said for any other file
        ("9999", ",", "9.999 9999 9999,0"),
        ("0", ".", "0 0.00 -0"),
        ("0000", ".", "0000"),
        ("NAN", ".", "NAN"),
    ],
)
def test_a_number_that_means_no_value_in_any_spelling(null: str, decimal: str, cells: str) -> None:
    """In files of others, and in ours."""
    for cell in cells.split():
        text = f"t;x\n2026-01-01;1\n2026-01-02;{cell}\n"
        assert [value for _, _, value, _ in read(text, Options(times=("t",), sensor="s", decimal=decimal, nulls=(null,)))] == [1]
        if decimal == ".":
            ours = HEAD + f"2026-01-01T00:00:00Z,s,x,1,,good\n2026-01-02T00:00:00Z,s,x,{cell},,good\n"
            assert [value for _, _, value, _ in read(ours, Options(nulls=(null,)))] == [1]
            assert [value for _, _, value, _ in read(f"time,s.x\n2026-01-01,1\n2026-01-02,{cell}\n", Options(nulls=(null,)))] == [
                1
            ]


@pytest.mark.parametrize(("null", "value"), [("NaN", "NaN"), ("-Infinity", "-Infinity"), ("NA", '"NA"'), ("-999", "-999.0")])
def test_what_means_no_value_in_ndjson(null: str, value: str) -> None:
    """As the mistake advises it."""
    row = '{{"time": "2026-01-01", "sensor": "s", "channel": "x", "value": {}}}\n'
    assert [found for _, _, found, _ in read(row.format(1) + row.format(value), Options(nulls=(null,)))] == [1]


@pytest.mark.parametrize(
    ("cell", "decimal", "value"),
    [
        ("1,013.25", ".", 1013.25),
        ("-12,345,678.5", ".", -12345678.5),
        ("1'013.25", ".", 1013.25),
        ("1\u2019013\u2019000", ".", 1013000),
        ("1\u202f013,25", ",", 1013.25),
        ("1\u00a0013,25", ",", 1013.25),
        ("\u22125,5", ",", -5.5),
        ("\u22121.013,5", ",", -1013.5),
    ],
)
def test_numbers_as_spreadsheets_write_them(cell: str, decimal: str, value: float) -> None:
    options = Options(times=("t",), sensor="s", decimal=decimal)
    assert [found for _, _, found, _ in read(f"t;x\n2026-01-01;{cell}\n", options)] == [value]


def test_a_text_of_noughts_leaves_nought_alone() -> None:
    options = Options(times=("t",), sensor="s", nulls=("0000",))
    assert [value for _, _, value, _ in read("t,x\n2026-01-01,0\n2026-01-02,0000\n2026-01-03,0.0\n", options)] == [0, 0]


def test_decimal_commas_of_files_group_by_points() -> None:
    options = Options(times=("t",), sensor="s", decimal=",")
    assert [value for _, _, value, _ in read("t;x\n2026-01-01;1.234,5\n2026-01-02;1.234\n", options)] == [1234.5, 1234]
