"""Workbooks, Parquet, SQLite files of other programs and line protocol: made by the libraries themselves, read as they mean it."""

from __future__ import annotations

import io
import json
import sqlite3
import tracemalloc
from contextlib import ExitStack, closing
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sensorlogd.exchange.opening import FileToRead, opened
from sensorlogd.exchange.options import Options, PointOptions
from sensorlogd.exchange.text.lines import FileError
from sensorlogd.exchange.written.cells import Stamps
from sensorlogd.notation.times import format_time
from sensorlogd.quality import describe
from sensorlogd.storage.query.rows import READING_COLUMNS
from tests.cli.running import run
from tests.exchange.test_written import bits, rows_of

pytestmark = pytest.mark.usefixtures("forked_verbs")

Row = tuple[str, str | None, str | None, str, float | None]


def read(path: Path, kind: str | None = None, table: str | None = None, **options: Any) -> list[Row]:
    """(series, unit, kind, time, value) of every reading."""
    with ExitStack() as stack:
        file = stack.enter_context(path.open("rb"))
        _, plan = opened(FileToRead(file, path, path.name, kind=kind, table=table), Options(**options), stack)
        return [
            (reading.target.name, reading.target.unit, reading.target.kind, format_time(reading.ts_us), reading.value)
            for reading in plan.read()
        ]


AT = datetime.fromisoformat("2026-03-28 12:00:00.250")

# ---- workbooks ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def book(tmp_path: Path) -> Path:
    """As somebody keeps it: a title, dates, numbers, words, a formula, a second sheet of something else."""
    openpyxl = pytest.importorskip("openpyxl")
    made = openpyxl.Workbook()
    sheet = made.active
    sheet.title = "Log"
    for row in (
        ["When", "Temp [°C]", "Note", "Sum"],
        [AT, 20.5, "sunny", "=B2*2"],
        [AT.replace(hour=13, microsecond=0), 21, "rain", None],
        [AT.replace(hour=14), None, None, None],
    ):
        sheet.append(row)
    made.create_sheet("Other").append(["a", "b"])
    path = tmp_path / "book.xlsx"
    made.save(path)
    made.close()
    return path


def test_a_workbook(book: Path) -> None:
    """Dates are local times of the zone that is said."""
    assert read(book, times=("When",), sensor="s", zone="Europe/Berlin") == [
        ("s.temp", "°C", None, "2026-03-28T11:00:00.250000Z", 20.5),
        ("s.temp", "°C", None, "2026-03-28T12:00:00Z", 21),
    ]
    assert read(book, table="Log", guesses=True)[0][0] == "imported.temp"


def test_a_workbook_with_numbers_as_text(tmp_path: Path) -> None:
    """--decimal is about those; cells that are numbers, also of times, are what they were."""
    openpyxl = pytest.importorskip("openpyxl")
    made = openpyxl.Workbook()
    for row in (["at", "a", "b"], [1774656000.5, "1,5", 2.25], [1774656001, "1.234,5", 3]):
        made.active.append(row)
    made.save(tmp_path / "book.xlsx")
    made.close()
    options: dict[str, Any] = {"times": ("at",), "time_format": "epoch", "sensor": "s"}
    assert [row[3:] for row in read(tmp_path / "book.xlsx", **options, decimal=",")] == [
        ("2026-03-28T00:00:00.500000Z", 1.5), ("2026-03-28T00:00:00.500000Z", 2.25),
        ("2026-03-28T00:00:01Z", 1234.5), ("2026-03-28T00:00:01Z", 3),
    ]  # fmt: skip
    with pytest.raises(FileError, match="say --decimal ,"):
        read(tmp_path / "book.xlsx", **options)
    with pytest.raises(ValueError, match=r"^--delimiter ';': this file has cells"):
        read(tmp_path / "book.xlsx", **options, delimiter=";")


def test_what_is_wrong_with_a_workbook(tmp_path: Path, book: Path) -> None:
    with pytest.raises(FileError, match="there is no sheet 'Lag'; there are 'Log', 'Other'"):
        read(book, table="Lag", times=("When",), sensor="s")
    with pytest.raises(FileError, match="it looks like --time When"):
        read(book)
    broken = tmp_path / "broken.xlsx"
    broken.write_bytes(book.read_bytes()[:2000])
    with pytest.raises(FileError, match="this is not a workbook that can be read"):
        read(broken, times=("When",), sensor="s")


_READINGS = st.lists(
    st.tuples(
        st.integers(-60_000_000_000_000_000, 250_000_000_000_000_000),
        st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False)),
        st.sampled_from([None, "°C", "=1+1", "-x", "'=", "a,b"]),
    ),
    min_size=1,
    max_size=20,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(_READINGS, st.sampled_from(["UTC", "Asia/Kathmandu"]))
@pytest.mark.parametrize("form", ["xlsx", "parquet"])
def test_what_is_written_comes_back(
    tmp_path: Path, form: str, readings: list[tuple[int, float | None, str | None]], zone: str
) -> None:
    """Workbooks and Parquet: every time to the microsecond, every value to the bit, every unit."""
    pytest.importorskip("openpyxl" if form == "xlsx" else "pyarrow")
    if form == "xlsx":
        from sensorlogd.exchange.written.workbook import write_xlsx as write
    else:
        from sensorlogd.exchange.written.parquet import write_parquet as write
    path = tmp_path / f"f.{form}"
    with path.open("wb") as file:
        write(iter(rows_of(readings)), list(READING_COLUMNS), Stamps(zone, True), file)
    assert [(unit, at, bits(value)) for _, unit, _, at, value in read(path)] == [
        (unit or "", format_time(ts), bits(value)) for ts, value, unit in readings
    ]


def test_a_column_a_series_in_a_workbook_comes_back(tmp_path: Path) -> None:
    pytest.importorskip("openpyxl")
    (tmp_path / "in.csv").write_text("time,s.x [°C],s.y\n2026-01-01T00:00:00.5Z,1.25,\n2026-01-01T00:30:00Z,3,-4\n")
    run("import", "in.csv", "--db", "one.db", cwd=tmp_path)
    run("export", "s.*", "--db", "one.db", "--wide", "-o", "f.xlsx", cwd=tmp_path)
    assert "3 new" in run("import", "f.xlsx", "--db", "two.db", cwd=tmp_path).stdout
    both = [run("export", "s.*", "--db", db, cwd=tmp_path).stdout for db in ("one.db", "two.db")]
    assert both[0] == both[1]


# ---- SQLite ------------------------------------------------------------------------------------------------------------


def database(path: Path, script: str, *rows: tuple[str, list[tuple[Any, ...]]]) -> Path:
    with closing(sqlite3.connect(path)) as conn:
        conn.executescript(script)
        for sql, values in rows:
            conn.executemany(sql, values)
        conn.commit()
    return path


def test_any_table(tmp_path: Path) -> None:
    """Named if there are several, a view as well; a mistake has the row."""
    path = database(
        tmp_path / "a.db", 'CREATE TABLE "my ""log"(at INTEGER, v REAL, note TEXT); CREATE VIEW other AS SELECT 1 AS a',
        ('INSERT INTO "my ""log" VALUES (?, ?, ?)', [(1_774_656_000, 0.1, "x"), (1_774_656_060, None, "y")]),
    )  # fmt: skip
    assert read(path, table='my "log', times=("at",), time_format="epoch", sensor="s") == [
        ("s.v", None, None, "2026-03-28T00:00:00Z", 0.1)
    ]
    with pytest.raises(FileError, match='it has 2 tables; say --table NAME: my "log, other'):
        read(path, times=("at",), sensor="s")
    with pytest.raises(FileError, match="there is no table 'x'; there are"):
        read(path, table="x", times=("at",), sensor="s")
    with pytest.raises(FileError, match=r"a.db:2: '1774656000' is not a time"):
        read(path, table='my "log', times=("at",), sensor="s")


def test_a_damaged_archive_of_weewx(tmp_path: Path) -> None:
    """Damage behind the first pages is told as a mistake of the file."""
    path = tmp_path / "w.sdb"
    with closing(sqlite3.connect(path)) as conn:
        conn.execute(
            "CREATE TABLE archive(dateTime INTEGER PRIMARY KEY, usUnits INTEGER, interval INTEGER, outTemp REAL, pad TEXT)"
        )
        conn.executemany("INSERT INTO archive VALUES (?,1,5,50.0,?)", [(1_767_225_600 + 300 * n, "x" * 200) for n in range(2000)])
        conn.commit()
    data = bytearray(path.read_bytes())
    middle = len(data) // 8192 * 4096
    data[middle : middle + 5 * 4096] = b"\xee" * (5 * 4096)
    path.write_bytes(data)
    with pytest.raises(FileError, match="cannot be read any further"):
        read(path)


def test_our_own_log_is_told_apart(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text("t,x\n2026-01-01,1\n")
    run("import", "f.csv", "--time", "t", "--sensor", "s", "--db", "log.db", cwd=tmp_path)
    assert "this is a log of sensorlogd" in run("import", "log.db", "--db", "two.db", cwd=tmp_path, check=1).stderr


def test_a_damaged_database(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    path.write_bytes(b"SQLite format 3\0" + b"\xff" * 5000)
    with pytest.raises(FileError, match="the database cannot be read"):
        read(path)


WEEWX = "CREATE TABLE archive(dateTime INTEGER NOT NULL UNIQUE PRIMARY KEY, usUnits INTEGER NOT NULL, interval INTEGER NOT NULL, outTemp REAL, extraTemp1 REAL, outHumidity REAL, windDir REAL, windSpeed REAL, rain REAL, UV REAL, myown REAL)"


@pytest.mark.parametrize(
    ("system", "units"),
    [(1, ["°F", "°F", "%", "°", "mph", "in", None, None]), (17, ["°C", "°C", "%", "°", "m/s", "mm", None, None])],
)
def test_weewx(tmp_path: Path, system: int, units: list[str | None]) -> None:
    """Every column in the unit of its row's system; NULL is no reading."""
    row = (1_774_656_000, system, 5, 20.5, 21.0, 50.0, 350.0, 3.5, 0.25, 1.0, 7.0)
    path = database(
        tmp_path / "weewx.sdb", WEEWX,
        (f"INSERT INTO archive VALUES ({','.join('?' * 11)})", [row, (1_774_656_300, system, 5, *[None] * 7, 8.0)]),
    )  # fmt: skip
    found = read(path)
    assert [(name, unit, value) for name, unit, _, at, value in found if at == "2026-03-28T00:00:00Z"] == [
        (f"weewx.{column}", unit, value)
        for column, unit, value in zip(
            ("outTemp", "extraTemp1", "outHumidity", "windDir", "windSpeed", "rain", "UV", "myown"), units, row[3:], strict=True
        )
    ]
    assert found[3][2] == "angle"
    assert found[8:] == [("weewx.myown", None, None, "2026-03-28T00:05:00Z", 8.0)]
    assert read(path, sensor="garden")[0][0] == "garden.outTemp"


def test_what_is_no_number_in_weewx_is_missing_or_named(tmp_path: Path) -> None:
    """An infinity is a missing reading, as that of a device; a text is left out, and its column told."""
    path = database(
        tmp_path / "weewx.sdb", WEEWX,
        ("INSERT INTO archive(dateTime, usUnits, interval, outTemp, UV) VALUES (?, ?, ?, ?, ?)", [(1_774_656_000, 1, 5, float("inf"), "high")]),
    )  # fmt: skip
    assert read(path) == [("weewx.outTemp", "°F", None, "2026-03-28T00:00:00Z", None)]
    done = run("import", str(path), "--db", str(tmp_path / "log.db"))
    assert "left out: column 'UV' holds words ('high')" in done.stderr
    assert "weewx,outTemp,,°F,missing" in run("export", "*", "--db", str(tmp_path / "log.db")).stdout


def test_weewx_with_a_time_that_is_none(tmp_path: Path) -> None:
    path = database(
        tmp_path / "weewx.sdb", WEEWX, ("INSERT INTO archive(dateTime, usUnits, interval, outTemp) VALUES (?, ?, ?, ?)", [(1 << 60, 1, 5, 20)])
    )  # fmt: skip
    with pytest.raises(FileError, match=r"weewx.sdb:1: dateTime '1152921504606846976' lies outside 0001-01-02T00:00:00Z to"):
        read(path)


def test_weewx_with_a_unit_system_that_nobody_knows(tmp_path: Path) -> None:
    path = database(
        tmp_path / "weewx.sdb", WEEWX, ("INSERT INTO archive(dateTime, usUnits, interval) VALUES (?, ?, ?)", [(1, 2, 5)])
    )
    with pytest.raises(FileError, match=r"weewx.sdb:1: unit system 2; 1 \(US\), 16 \(METRIC\), 17 \(METRICWX\) are known"):
        read(path)


HA = """
CREATE TABLE recorder_runs(run_id INTEGER PRIMARY KEY);
CREATE TABLE states_meta(metadata_id INTEGER PRIMARY KEY, entity_id VARCHAR(255));
CREATE TABLE state_attributes(attributes_id INTEGER PRIMARY KEY, hash BIGINT, shared_attrs TEXT);
CREATE TABLE states(state_id INTEGER PRIMARY KEY, entity_id CHAR(0), state VARCHAR(255), attributes CHAR(0), last_changed_ts FLOAT,
    last_updated CHAR(0), last_updated_ts FLOAT, attributes_id INTEGER, metadata_id INTEGER);
CREATE TABLE statistics_meta(id INTEGER PRIMARY KEY, statistic_id VARCHAR(255), source VARCHAR(32), unit_of_measurement VARCHAR(255), has_mean BOOLEAN, has_sum BOOLEAN, name VARCHAR(255), mean_type INTEGER);
CREATE TABLE statistics(id INTEGER PRIMARY KEY, created_ts FLOAT, metadata_id INTEGER, start CHAR(0), start_ts FLOAT, mean FLOAT, min FLOAT, max FLOAT, last_reset_ts FLOAT, state FLOAT, sum FLOAT);
"""


@pytest.fixture
def recorder(tmp_path: Path) -> Path:
    at = 1_774_656_000.25
    attributes = [
        {"unit_of_measurement": "°C", "state_class": "measurement"},
        {"unit_of_measurement": "kWh", "state_class": "total_increasing"},
        {},
    ]
    return database(
        tmp_path / "home-assistant_v2.db", HA,
        ("INSERT INTO states_meta VALUES (?, ?)", [(1, "sensor.room"), (2, "sensor.meter"), (3, "binary_sensor.door"), (4, "weather.home")]),
        ("INSERT INTO state_attributes VALUES (?, 0, ?)", [(n + 1, json.dumps(attribute)) for n, attribute in enumerate(attributes)]),
        ("INSERT INTO states(state, last_updated_ts, attributes_id, metadata_id) VALUES (?, ?, ?, ?)", [
            ("unknown", at, 1, 1), ("20.5", at + 1, 1, 1), ("unavailable", at + 2, 3, 1), ("21", at + 3, 1, 1),
            ("100.5", at, 2, 2), ("on", at, 3, 3), ("off", at + 1, 3, 3), ("sunny", at, 3, 4), ("nan", at, 3, 4),
        ]),
        ("INSERT INTO statistics_meta VALUES (?, ?, 'recorder', ?, 0, 0, NULL, ?)", [(1, "sensor.room", "°C", 1), (2, "sensor.meter", "kWh", 0), (3, "energy:grid", "kWh", 0), (4, "sensor.wind", "°", 2)]),
        ("INSERT INTO statistics(metadata_id, start_ts, mean, state, sum) VALUES (?, ?, ?, ?, ?)", [
            (1, 1_774_656_000, 20.25, None, None), (2, 1_774_656_000, None, 100.5, 3.5), (3, 1_774_656_000, None, 7.0, 7.0), (4, 1_774_656_000, 350.0, None, None),
        ]),
    )  # fmt: skip


def test_a_state_without_attributes_has_the_unit_of_the_one_before(recorder: Path) -> None:
    with closing(sqlite3.connect(recorder)) as conn:
        conn.execute("INSERT INTO states(state, last_updated_ts, attributes_id, metadata_id) VALUES ('101', 1774656009, 3, 2)")
        conn.commit()
    assert {row[:3] for row in read(recorder) if row[0] == "sensor.meter"} == {("sensor.meter", "kWh", "counter")}


def test_states_of_home_assistant(recorder: Path) -> None:
    """Series are named as the entities are; silence is a missing reading once there was a number; switches are states."""
    assert read(recorder) == [
        ("sensor.room", "°C", None, "2026-03-28T00:00:01.250000Z", 20.5),
        ("sensor.room", "°C", None, "2026-03-28T00:00:02.250000Z", None),
        ("sensor.room", "°C", None, "2026-03-28T00:00:03.250000Z", 21.0),
        ("sensor.meter", "kWh", "counter", "2026-03-28T00:00:00.250000Z", 100.5),
        ("binary_sensor.door", None, "state", "2026-03-28T00:00:00.250000Z", 1.0),
        ("binary_sensor.door", None, "state", "2026-03-28T00:00:01.250000Z", 0.0),
    ]
    assert {row[0] for row in read(recorder, sensor="home")} == {"home.room", "home.meter", "home.binary_sensor_door"}


@pytest.mark.parametrize(
    ("seconds", "message"),
    [(1e12, "lies outside 0001-01-02T00:00:00Z to 9999-12-30"), (1e300, "lies outside"), (1e308, "is not a number"), (float("inf"), "inf is not a number"), ("now", "'now' is not a")],
)  # fmt: skip
def test_seconds_of_home_assistant_that_are_no_time(recorder: Path, seconds: object, message: str) -> None:
    with closing(sqlite3.connect(recorder)) as conn:
        for column, table in (("last_updated_ts", "states"), ("start_ts", "statistics")):
            conn.execute(f"UPDATE {table} SET {column} = ? WHERE metadata_id = 1", (seconds,))
        conn.commit()
    for chosen in ("states", "statistics"):
        with pytest.raises(FileError, match=message):
            read(recorder, table=chosen)


def test_what_is_no_number_in_home_assistant_is_missing(recorder: Path) -> None:
    """Once the entity had a number: nothing of it is passed over in silence."""
    with closing(sqlite3.connect(recorder)) as conn:
        conn.executemany(
            "INSERT INTO states(state, last_updated_ts, attributes_id, metadata_id) VALUES (?, ?, 1, 1)",
            [(word, 1_774_656_100 + at) for at, word in enumerate(("nan", "-inf", "low", None))],
        )
        conn.execute("UPDATE statistics SET mean = 9e999 WHERE metadata_id = 1")
        conn.commit()
    assert [value for name, *_, value in read(recorder) if name == "sensor.room"] == [20.5, None, 21.0, None, None, None, None]
    assert [value for name, *_, value in read(recorder, table="statistics") if name == "sensor.room"] == [None]


def test_statistics_of_home_assistant(recorder: Path) -> None:
    """A mean stands at the beginning of its hour, what a meter showed at the end."""
    assert read(recorder, table="statistics") == [
        ("sensor.room", "°C", None, "2026-03-28T00:00:00Z", 20.25),
        ("sensor.meter", "kWh", "counter", "2026-03-28T01:00:00Z", 100.5),
        ("energy.grid", "kWh", "counter", "2026-03-28T01:00:00Z", 7.0),
        ("sensor.wind", "°", "angle", "2026-03-28T00:00:00Z", 350.0),
    ]
    with pytest.raises(FileError, match="this recorder has no table 'statistics_short_term'"):
        read(recorder, table="statistics_short_term")


def test_an_old_recorder(tmp_path: Path) -> None:
    """Entities and attributes in the row, times as text in UTC."""
    path = database(
        tmp_path / "old.db",
        "CREATE TABLE recorder_runs(run_id INTEGER); CREATE TABLE states(state_id INTEGER PRIMARY KEY, entity_id TEXT, state TEXT, attributes TEXT, last_updated DATETIME)",
        ("INSERT INTO states(entity_id, state, attributes, last_updated) VALUES (?, ?, ?, ?)", [("sensor.a", "1.5", '{"unit_of_measurement": "W"}', "2021-01-06 17:49:20.132109")]),
    )  # fmt: skip
    assert read(path) == [("sensor.a", "W", None, "2021-01-06T17:49:20.132109Z", 1.5)]


def test_the_verb_tells_what_it_found(tmp_path: Path, recorder: Path) -> None:
    done = run("import", str(recorder), "--db", str(tmp_path / "log.db"))
    assert "Home Assistant, table 'states'; 'statistics' reach back further: --table statistics" in done.stderr
    assert "left out: column 'weather.home' holds words ('nan')" in done.stderr or "('sunny')" in done.stderr
    assert "6 new" in done.stdout
    assert "0 new, 6 there already" in run("import", str(recorder), "--db", str(tmp_path / "log.db")).stdout
    shown = run("export", "sensor.room", "--db", str(tmp_path / "log.db")).stdout
    assert "2026-03-28T00:00:02.250000Z,sensor,room,,°C,missing" in shown


def test_bytes_in_a_recorder_are_no_number(recorder: Path) -> None:
    """SQLite keeps bytes in a column of text. They are missing once there was a number, else the entity is left out."""
    with closing(sqlite3.connect(recorder)) as conn:
        conn.executemany(
            "INSERT INTO states(state, last_updated_ts, attributes_id, metadata_id) VALUES (?, ?, 1, ?)",
            [(b"12", 1_774_656_100, 1), (b"12", 1_774_656_100, 4)],
        )
        conn.commit()
    assert [value for name, *_, value in read(recorder) if name == "sensor.room"] == [20.5, None, 21.0, None]
    assert "weather.home" not in {name for name, *_ in read(recorder)}


def test_an_entity_whose_unit_changes_is_left_out(tmp_path: Path, recorder: Path) -> None:
    """The others are imported, and it is told which one is not and how many readings it has."""
    with closing(sqlite3.connect(recorder)) as conn:
        conn.execute("INSERT INTO state_attributes VALUES (9, 0, ?)", (json.dumps({"unit_of_measurement": "°F"}),))
        conn.execute("INSERT INTO states(state, last_updated_ts, attributes_id, metadata_id) VALUES ('70', 1774656100, 9, 1)")
        conn.commit()
    done = run("import", str(recorder), "--db", str(tmp_path / "log.db"))
    assert "left out: sensor.room, 4 readings, because its unit changes in the file ('°C', '°F'); the stat" in done.stderr
    assert "3 new" in done.stdout
    with closing(sqlite3.connect(recorder)) as conn:
        conn.execute("DELETE FROM states WHERE metadata_id != 1")
        conn.commit()
    done = run("import", str(recorder), "--db", str(tmp_path / "log.db"), check=1)
    assert "no series is left: the unit of each one changes in the file; nothing was imported" in done.stderr


# ---- line protocol -----------------------------------------------------------------------------------------------------


def points(tmp_path: Path, text: str, **options: Any) -> list[Row]:
    path = tmp_path / "p.lp"
    path.write_text(text)
    return read(path, "influx", **options)


def test_line_protocol(tmp_path: Path) -> None:
    """Floats, integers, booleans, escapes; words are left out; nanoseconds are cut to microseconds."""
    text = (
        "# a comment\n\nweather,place=us\\ midwest temperature=82,count=3i,big=7u,ok=true,note=\"a, b=c \\\"d\\\" \" 1774656000250001999\n"
        "my\\ room,a\\,b=c\\=d air\\ temp=-1.5e-3 1774656000000000000\nbare v=1 1774656000000000000\n"
    )  # fmt: skip
    assert points(tmp_path, text) == [
        ("weather_us_midwest.temperature", None, None, "2026-03-28T00:00:00.250001Z", 82.0),
        ("weather_us_midwest.count", None, None, "2026-03-28T00:00:00.250001Z", 3.0),
        ("weather_us_midwest.big", None, None, "2026-03-28T00:00:00.250001Z", 7.0),
        ("weather_us_midwest.ok", None, "state", "2026-03-28T00:00:00.250001Z", 1.0),
        ("my_room_c_d.air_temp", None, None, "2026-03-28T00:00:00Z", -0.0015),
        ("bare.v", None, None, "2026-03-28T00:00:00Z", 1.0),
    ]
    assert points(tmp_path, "w,place=north v=1 1774656000", sensor_column="place", time_format="epoch")[0][:4] == (
        "north.v",
        None,
        None,
        "2026-03-28T00:00:00Z",
    )


def test_a_number_of_line_protocol_that_means_no_value(tmp_path: Path) -> None:
    found = points(tmp_path, "w v=-999.0,u=-999i,x=1 1774656000000000000", nulls=("-999",))
    assert [row[0] for row in found] == ["w.x"]
    assert [row[0] for row in points(tmp_path, "w v=nan,x=1 1774656000000000000", nulls=("nan",))] == ["w.x"]  # as it is advised


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("w v=1\n", {}, "p.lp:1: 'w v=1' has no time"),
        ("w 1774656000\n", {}, "p.lp:1: 'w 1774656000' is not line protocol"),
        ("w v=1x 1774656000\n", {}, "p.lp:1: '1x' is not a number"),
        ("w v=1.5i 1774656000\n", {}, "p.lp:1: '1.5i' is not a value"),
        ("w v=1 today\n", {}, "p.lp:1: 'today' is not a time"),
        ("w v=1 253402300800000000000\n", {}, "p.lp:1: '253402300800000000000' lies outside 0001-01-02T00:00:00Z to 9999-12-30"),
        ("w v=1 " + "9" * 5000 + "\n", {}, "p.lp:1: '9{40}' has too many digits"),
        ('w v="open 1774656000\n', {}, "p.lp:1: .* is not line protocol"),
        ("w,a=1 v=1 1774656000\nw,a=2 v=1 1774656000\n", {"sensor": "s"}, "p.lp:2: 'w,a=2' and 'w,a=1' would both become s.v; say --sensor-column TAG"),
        ("w,a=1 v=1 1774656000\n", {"sensor_column": "b"}, "'w,a=1' has no tag 'b'; it has a"),
    ],
)  # fmt: skip
def test_mistakes_in_line_protocol(tmp_path: Path, text: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(FileError, match=message):
        points(tmp_path, text, **options)


def test_a_path_of_windows_in_line_protocol_is_told_at_once(tmp_path: Path) -> None:
    """Many backslashes and no field: a mistake like others."""
    with pytest.raises(FileError, match=r"is not line protocol"):
        points(tmp_path, "m v=1 1774656000000000000\nm " + r"\a" * 60 + " 1774656000000000000\n")


def test_line_protocol_is_known_by_its_first_point(tmp_path: Path) -> None:
    """And what influx_inspect writes above it is not a point."""
    path = tmp_path / "export.txt"
    path.write_text("# DDL\nCREATE DATABASE x WITH NAME autogen\n# DML\n# CONTEXT-DATABASE:x\nw,a=1 v=1.5 1774656000000000000\n")
    assert read(path, "influx") == [("w_1.v", None, None, "2026-03-28T00:00:00Z", 1.5)]
    path.write_text("w,a=1 v=1.5 1774656000000000000\nbad\nw,a=1 v=2.5 1774656060000000000\n")
    done = run("import", str(path), "--db", str(tmp_path / "log.db"), "--skip-bad", "40%")
    assert "2 new, 0 there already, 1 bad line left out" in done.stdout
    path.write_text("time value\n1774656000 1\n")
    with pytest.raises(FileError, match="this is not our format"):
        read(path)


@given(st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), max_size=40))
def test_any_text_is_read_or_told(text: str) -> None:
    """No other exception, whatever stands in a line."""
    from sensorlogd.exchange.sources.influx import Points
    from sensorlogd.exchange.text.lines import Lines

    for line in (text, f"w v={text} 1774656000000000000", f"w,{text} v=1 1774656000000000000"):
        try:
            for reading in Points(Lines(io.BytesIO(line.encode()), "f"), PointOptions()).read():
                assert reading.value is not None
        except FileError:
            pass


@pytest.mark.parametrize(
    ("options", "flag"), [({"decimal": ","}, "--decimal"), ({"skip": 1}, "--skip"), ({"zone": "Europe/Berlin"}, None)]
)
def test_options_that_line_protocol_does_not_take_are_refused(tmp_path: Path, options: dict[str, Any], flag: str | None) -> None:
    """But not --zone, in which --earliest is."""
    path = tmp_path / "f.lp"
    path.write_text("w,a=b v=1 1774656000000000000\n")
    if flag is None:
        assert len(read(path, **options)) == 1
    else:
        with pytest.raises(ValueError, match=f"^{flag}: line protocol does not take it; .*takes --time-format, --sensor, "):
            read(path, **options)


def test_two_entities_are_never_one_channel(recorder: Path) -> None:
    """As ``switch.a`` and ``sensor.switch_a`` below one sensor; without --sensor both have their own."""
    with closing(sqlite3.connect(recorder)) as conn:
        conn.execute("UPDATE states_meta SET entity_id = 'sensor.binary_sensor_door' WHERE entity_id = 'sensor.room'")
        conn.commit()
    with pytest.raises(
        FileError, match=r"'sensor.binary_sensor_door' and 'binary_sensor.door' would both become home.binary_sensor"
    ):
        read(recorder, sensor="home")
    assert {"sensor.binary_sensor_door", "binary_sensor.door"} <= {row[0] for row in read(recorder)}


# ---- memory ------------------------------------------------------------------------------------------------------------


def _peak(path: Path, **options: Any) -> int:
    """The most that reading it takes, in bytes; nothing of it is kept."""
    with ExitStack() as stack:
        file = stack.enter_context(path.open("rb"))
        _, plan = opened(FileToRead(file, path, path.name), Options(**options), stack)
        tracemalloc.start()
        for _ in plan.read():
            pass
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return peak


@pytest.fixture(params=["lp", "db"])
def grown(request: pytest.FixtureRequest, tmp_path: Path) -> list[Path]:
    """The same with 2,000 and with 40,000 readings."""
    paths = []
    for count in (2_000, 40_000):
        path = tmp_path / f"{count}.{request.param}"
        times = range(1_774_656_000, 1_774_656_000 + count)
        if request.param == "lp":
            path.write_text("".join(f"w,a=b v={n}.5 {n}000000000\n" for n in times))
        else:
            database(path, "CREATE TABLE t(at INTEGER, v REAL)", ("INSERT INTO t VALUES (?, ?)", [(n, n / 2) for n in times]))
        paths.append(path)
    return paths


def test_memory_does_not_grow_with_the_file(grown: list[Path]) -> None:
    options = {} if grown[0].suffix == ".lp" else {"times": ("at",), "time_format": "epoch", "sensor": "s"}
    small, large = (_peak(path, **options) for path in grown)
    assert large < small + 200_000


def test_qualities_of_what_is_missing(recorder: Path) -> None:
    with ExitStack() as stack:
        file = stack.enter_context(recorder.open("rb"))
        _, plan = opened(FileToRead(file, recorder, "r"), Options(), stack)
        assert [describe(reading.quality) for reading in plan.read()][:3] == ["not_evaluated", "missing", "not_evaluated"]
