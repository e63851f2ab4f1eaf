"""export and import as verbs: what goes out comes in again exactly; a bad file imports nothing; daemons keep the pen."""

from __future__ import annotations

import contextlib
import csv
import gzip
import json
import math
import sqlite3
import struct
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sensorlogd.batch import Block, Column
from sensorlogd.cli.main import cli
from sensorlogd.quality import Test
from sensorlogd.storage.file.connecting import close_cleanly
from sensorlogd.storage.ingest.append import append
from sensorlogd.storage.rollups.edge import set_edge
from sensorlogd.storage.series import catalog
from sensorlogd.storage.watermarks import Frontier
from tests import needs
from tests.cli.running import run
from tests.connections import connect_writer
from tests.rig import Daemon, reading, until

KINDS = {"a": "gauge", "b": "counter"}
Rows = list[tuple[int, float | None, int]]

_values = st.floats(allow_nan=False, allow_infinity=False)
_flags = st.sampled_from(
    [1, 2, 3 | int(Test.RATE_OF_CHANGE), 4 | int(Test.GROSS_RANGE) | int(Test.FLAT_LINE), 1 | int(Test.OPERATOR), 9]
)
_readings = st.dictionaries(
    st.integers(-60_000_000_000_000_000, 250_000_000_000_000_000), st.tuples(_values, _flags), max_size=30
)


def store(path: Path, readings: dict[str, dict[int, tuple[float, int]]]) -> None:
    conn = connect_writer(path)
    conn.execute("BEGIN IMMEDIATE")
    spec = catalog.SensorSpec("s", "simulated", series=[catalog.SeriesSpec(name, "°C", kind=KINDS[name]) for name in readings])
    ids = catalog.sync(conn, [spec], 0).ids
    for name, found in readings.items():
        times = sorted(found)
        if times:
            values: list[float | None] = [None if found[ts][1] == 9 else found[ts][0] for ts in times]
            append(conn, [Block("s", [Column(name, times, values, [found[ts][1] for ts in times])], True)], ids, Frontier())
    set_edge(conn, 0)
    conn.execute("COMMIT")
    close_cleanly(conn)


def bits(value: float | None) -> Any:
    return None if value is None else struct.pack("<d", value + 0.0)


def content(path: Path) -> list[tuple[str, int, Any, int]]:
    conn = sqlite3.connect(path)
    rows = conn.execute(
        "SELECT channel, ts, value, quality FROM (SELECT * FROM history UNION SELECT series_id, ts, value, quality FROM recent)"
        " JOIN series ON series.id = series_id ORDER BY channel, ts"
    ).fetchall()
    conn.close()
    return [(channel, ts, bits(value), code) for channel, ts, value, code in rows]


def verb(*arguments: str) -> int:
    """In this process: many of them are cheap."""
    try:
        cli.main(list(arguments), standalone_mode=False)
    except SystemExit as end:
        return int(end.code or 0)
    return 0


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(_readings, _readings, st.sampled_from(["a.csv", "a.csv.gz", "a.ndjson"]))
def test_what_goes_out_comes_in_again(
    tmp_path: Path, fresh: Path, a: dict[int, tuple[float, int]], b: dict[int, tuple[float, int]], name: str
) -> None:
    """Every time to the microsecond, every value to the bit, every flag; a second import changes nothing."""
    source, target, file = tmp_path / "one.db", tmp_path / "two.db", tmp_path / name
    for path in (source, target):
        for suffix in ("", "-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
    file.unlink(missing_ok=True)
    for path in (source, target):
        path.write_bytes(fresh.read_bytes())
    store(source, {"a": a, "b": b})
    form = "ndjson" if name.endswith("ndjson") else "csv"
    status = verb("export", "*.*", "--db", str(source), "-o", str(file), "--format", form)
    if not a and not b:
        assert status == 3
        assert not file.exists()
        return
    assert status == 0
    assert verb("import", str(file), "--db", str(target)) == 0
    whole = content(source)
    assert content(target) == whole
    assert len(whole) == len(a) + len(b)
    assert verb("import", str(file), "--db", str(target)) == 0
    assert content(target) == whole


# ---- the recorded datasets ---------------------------------------------------------------------------------------------

DATASETS: dict[str, list[str]] = {
    "nab/ambient_temperature_system_failure.csv": ["--time", "timestamp", "--sensor", "d"],
    "nab/art_flatline.csv": ["--time", "timestamp", "--sensor", "d"],
    "nab/cpu_utilization_asg_misconfiguration.csv": ["--time", "timestamp", "--sensor", "d"],
    "nab/ec2_disk_write_bytes_1ef3de.csv": ["--time", "timestamp", "--sensor", "d"],
    "nab/ec2_request_latency_system_failure.csv": ["--time", "timestamp", "--sensor", "d"],
    "nab/occupancy_6005.csv": ["--time", "timestamp", "--sensor", "d"],
    "nab/speed_t4013.csv": ["--time", "timestamp", "--sensor", "d"],
    "statsmodels/co2.csv": ["--time", "date", "--sensor", "d", "--null", "nan"],
    "uci/beijing_pm25.csv": [
        *(word for column in ("year", "month", "day", "hour") for word in ("--time", column)),
        "--time-format", "%Y %m %d %H", "--null", "NA", *(w for c in ("pm2.5", "DEWP", "TEMP", "PRES", "Iws") for w in ("--column", f"{c}=d.{c.replace('.', '_')}")),
    ],
    "vega/co2-concentration.csv": ["--time", "Date", "--sensor", "d"],
    "vega/seattle-temps.csv": ["--time", "date", "--sensor", "d"],
    "vega/seattle-weather-hourly-normals.csv": ["--time", "date", "--sensor", "d"],
    "vega/seattle-weather.csv": ["--time", "date", "--sensor", "d"],
    "vega/sf-temps.csv": ["--time", "date", "--sensor", "d"],
    "vega/weather.csv": ["--time", "date", "--sensor", "d"],
    # Without a table of what to expect: they must come in.
    "pvlib/CRN_with_problems.txt": ["--no-header", "--delimiter", "space", "--time", "2", "--time", "3", "--time-format", "%Y%m%d %H%M", "--column", "9=d.air:°C", "--column", "13=d.surface:°C", "--null", "-9999.0", "--null", "-99999"],
    "pvlib/CRNS0101-05-2019-AZ_Tucson_11_W.txt": ["--no-header", "--delimiter", "space", "--time", "2", "--time", "3", "--time-format", "%Y%m%d %H%M", "--column", "9=d.air:°C", "--null", "-9999.0"],
    "pvlib/abq19056.dat": ["--skip", "2", "--no-header", "--delimiter", "space", *(w for c in "13456" for w in ("--time", c)), "--time-format", "%Y %m %d %H %M", "--sensor", "d"],
    "pvlib/msn19056.dat": ["--skip", "2", "--no-header", "--delimiter", "space", *(w for c in "13456" for w in ("--time", c)), "--time-format", "%Y %m %d %H %M", "--sensor", "d", "--null", "-9999.9", "--null", "-9999.900"],
    "pvlib/greensboro_kimber_soil_nowash.dat": ["--time", "timestamp", "--sensor", "d"],
    "pvlib/midc_20181014.txt": ["--time", "DATE (MM/DD/YYYY)", "--time", "MST", "--time-format", "%m/%d/%Y %H:%M", "--zone", "Etc/GMT+7", "--sensor", "d"],
    "pvlib/midc_raw_20181018.txt": ["--time", "Year", "--time", "DOY", "--time", "MST~4", "--time-format", "%Y %j %H%M", "--zone", "Etc/GMT+7", "--sensor", "d"],
}  # fmt: skip


def test_every_dataset_is_here() -> None:
    """A table of the corpus that is not imported would not be missed otherwise. The one file without years cannot be."""
    folder = needs.corpus("datasets")
    tables = {
        str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and path.suffix in (".csv", ".txt", ".dat")
    }
    assert tables == DATASETS.keys() | {"pvlib/SRML-day-EUPO1801.txt"}


@pytest.mark.parametrize("name", DATASETS)
def test_recorded_datasets_aggregate_as_pandas_says(tmp_path: Path, name: str) -> None:
    """Imported by the verb, rolled up, and every hourly and daily count, minimum, maximum and mean is the expected one."""
    path = needs.corpus("datasets") / name
    db = tmp_path / "log.db"
    assert verb("import", str(path), "--db", str(db), *DATASETS[name]) == 0
    expected_file = path.with_name(f"{path.stem}.expected_agg.json.gz")
    conn = sqlite3.connect(db)
    assert conn.execute("SELECT count(*) FROM dirty").fetchone() == (0,)
    assert conn.execute("SELECT count(*) FROM rollup").fetchone()[0] > 0
    channels = {channel for (channel,) in conn.execute("SELECT channel FROM series")}
    conn.close()
    if not expected_file.exists():
        return
    import sensorlogd

    aggregates = json.loads(gzip.decompress(expected_file.read_bytes()))["agg"]
    compared = 0
    with sensorlogd.open(db) as log:
        for key, buckets in aggregates.items():
            column, _, step = key.rpartition("|")
            channel = next(
                channel
                for channel in channels
                if channel == column.lower().replace(" ", "_").replace(".", "_") or channel == column.replace(".", "_")
            )
            rows = log.buckets(f"d.{channel}", "1950-01-01", "2030-01-01", every=step, agg=("count", "min", "max", "mean"))
            found = {
                row["time"].strftime("%Y-%m-%d %H:%M:%S"): (row["count"], row["min"], row["max"], row["mean"]) for row in rows
            }
            wanted = {start: row for start, *row in buckets if row[0]}
            assert found.keys() == wanted.keys()
            for start, (count, low, high, mean) in wanted.items():
                assert found[start][:3] == (count, low, high), (key, start)
                assert math.isclose(found[start][3], mean, rel_tol=1e-9, abs_tol=1e-9), (key, start)
                compared += 1
    assert compared > 300


# ---- files that are wrong ----------------------------------------------------------------------------------------------


def test_the_zone_that_was_taken_is_told(tmp_path: Path) -> None:
    """Of times without an offset, unless somebody says it."""
    (tmp_path / "f.csv").write_text("t,x\n2026-01-01 12:00,1\n")
    (tmp_path / "z.csv").write_text("t,x\n2026-01-01 12:00Z,1\n")

    def told(name: str, *more: str) -> str:
        return run("import", str(tmp_path / name), "--db", str(tmp_path / "log.db"), "--time", "t", "--sensor", "s", *more).stderr

    words = "times without an offset, as '2026-01-01 12:00', were read in UTC; if they are in another zone, say --zone"
    assert words in told("f.csv")
    assert "without an offset" not in told("f.csv", "--zone", "UTC")
    assert "without an offset" not in told("f.csv", "--zone", "Europe/Berlin")
    assert "without an offset" not in told("z.csv")


def test_a_file_with_a_mistake_imports_nothing(tmp_path: Path) -> None:
    """The last line of ten thousand is wrong: its number is told, and not one reading is in the log; other files neither."""
    good, bad, db = tmp_path / "good.csv", tmp_path / "bad.csv", tmp_path / "log.db"
    lines = ["t,x", *(f"2026-01-01T{n // 3600:02}:{n // 60 % 60:02}:{n % 60:02},1.5" for n in range(10_000))]
    good.write_text("\n".join(lines))
    bad.write_text("\n".join([*lines, "2026-01-02,1.5.2"]))
    done = run("import", str(good), str(bad), "--db", str(db), "--time", "t", "--sensor", "s", check=1)
    assert done.stderr.splitlines()[-1].startswith(f"sensorlogd: {bad}:10002: '1.5.2' is not a number")
    assert done.stderr.splitlines()[-1].endswith("nothing was imported")
    assert not db.exists()


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["no-such-file.csv"], 1, "no-such-file.csv: no such file or directory; see whether the name is written right"),
        (["f.csv", "--time", "t"], 2, "where do the columns belong"),
        (["f.csv", "--time", "t", "--column", "x"], 2, "write COLUMN=SENSOR.CHANNEL"),
        (["f.csv", "--time", "t", "--column", "x=s.x:°C:gouge"], 2, "unknown kind 'gouge'; gauge, counter, angle, state"),
        (["f.csv", "--time", "t", "--column", "y=s.y"], 2, "there is no column 'y'"),
        (["f.csv", "--time", "t", "--sensor", "s", "--zone", "Berlin"], 2, "'Berlin' is not a time zone"),
        (["f.csv", "--time", "t", "--sensor", "s", "--encoding", "klingon"], 1, "unknown encoding 'klingon'"),
        (["f.csv", "--time", "t", "--sensor", "s", "--quality", "nice"], 2, "unknown quality 'nice'"),
        (["f.csv", "--time", "t", "--sensor", "s s"], 2, "'s s' cannot name a sensor; letters, digits, _ and - can"),
        (["f.csv", "--time", "t", "--column", "x=s.a b"], 2, "'a b' cannot name a channel; letters, digits, _ and - can"),
        (["f.csv", "--time", "t", "--sensor", "s", "--delimiter", "ab"], 2, "one character, or 'space' or 'tab'"),
        (["f.csv", "--time", "t", "--sensor", "s", "--heartbeat", "soon"], 2, "soon"),
    ],
)
def test_mistakes_on_the_command_line(tmp_path: Path, arguments: list[str], status: int, message: str) -> None:
    """One line, and what to do."""
    (tmp_path / "f.csv").write_text("t,x\n2026-01-01,1\n")
    done = run("import", *arguments, "--db", "log.db", cwd=tmp_path, check=status)
    assert message in done.stderr.splitlines()[-1]
    assert not (tmp_path / "log.db").exists()


def test_a_folder_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    """A slip in a path is more likely than a wish for a new tree."""
    (tmp_path / "f.csv").write_text("t,x\n2026-01-01,1\n")
    done = run("import", "f.csv", "--time", "t", "--sensor", "s", "--db", "no/folder/log.db", cwd=tmp_path, check=1)
    assert "no/folder: no such folder" in done.stderr
    assert not (tmp_path / "no").exists()


def test_differing_values_are_told_and_replaced_on_request(tmp_path: Path) -> None:
    """What is stored stays, unless --replace is said; the unit of a series is not mixed."""
    file, db = tmp_path / "f.csv", tmp_path / "log.db"
    file.write_text("t,x\n2026-01-01,1\n2026-01-02,2\n")
    common = [str(file), "--db", str(db), "--time", "t"]
    run("import", *common, "--column", "x=s.x:°C")
    file.write_text("t,x\n2026-01-01,1\n2026-01-02,5\n2026-01-03,3\n")
    assert (
        "1 new, 1 there already, 1 differ from what is stored and were left out"
        in run("import", *common, "--column", "x=s.x:°C").stdout
    )
    assert "0 new, 2 there already, 1 replaced" in run("import", *common, "--column", "x=s.x:°C", "--replace").stdout
    rows = run("query", "s.x", "--db", str(db), "--since", "2026-01-01", "--until", "2026-02-01", "--every", "1d").stdout
    assert [line.split(",")[3] for line in rows.splitlines()[1:]] == ["1", "5", "3"]
    assert "s.x is stored in '°C', the file is in 'K'" in run("import", *common, "--column", "x=s.x:K", check=1).stderr


def test_one_file_that_does_not_fit_keeps_the_others_out(tmp_path: Path) -> None:
    """A series that the log holds in another unit or as another kind: found before the first file is imported."""
    good, other, db = tmp_path / "good.csv", tmp_path / "other.csv", tmp_path / "log.db"
    good.write_text("time,s.x [K]\n2026-01-01T00:00:00Z,1\n")
    other.write_text("time,s.y\n2026-01-01T00:00:00Z,1\n")
    run("import", str(good), "--db", str(db))
    good.write_text("time,s.x [°C]\n2026-01-02T00:00:00Z,1\n")
    assert "s.x is stored in 'K', the file is in '°C'" in run("import", str(other), str(good), "--db", str(db), check=1).stderr
    assert len(content(db)) == 1
    other.write_text("t,n\n2026-01-03,1\n")
    done = run("import", str(other), "--db", str(db), "--time", "t", "--column", "n=s.x::counter", check=1)
    assert "s.x is stored as a gauge, the file is said to hold a counter" in done.stderr
    assert len(content(db)) == 1


def test_old_readings_go_where_they_belong_at_once(tmp_path: Path) -> None:
    """What is imported into a new log lies in ``history``, written once and not moved there afterwards."""
    file, db = tmp_path / "f.csv", tmp_path / "log.db"
    file.write_text("t,x\n" + "".join(f"2026-01-01T{n // 60:02}:{n % 60:02}:00,{n}\n" for n in range(600)))
    run("import", str(file), "--db", str(db), "--time", "t", "--sensor", "s")
    conn = sqlite3.connect(db)
    assert conn.execute("SELECT count(*) FROM history").fetchone() == (600,)
    assert conn.execute("SELECT count(*) FROM recent").fetchone() == (0,)
    assert conn.execute("SELECT count(*) FROM meta WHERE key = 'moving_until_us'").fetchone() == (0,)
    conn.close()


def test_wide_files(tmp_path: Path) -> None:
    """A column a series, blank where there is none, at every time or in buckets."""
    file, db = tmp_path / "f.csv", tmp_path / "log.db"
    file.write_text("time,s.a [°C],s.b\n2026-01-01T00:00:00Z,1,\n2026-01-01T00:30:00Z,3,4\n2026-01-01T05:00:00Z,,6\n")
    run("import", str(file), "--db", str(db), "--quality", "good")
    assert run("export", "s.*", "--db", str(db), "--wide").stdout.splitlines() == [
        "time,s.a [°C],s.b", "2026-01-01T00:00:00Z,1,", "2026-01-01T00:30:00Z,3,4", "2026-01-01T05:00:00Z,,6",
    ]  # fmt: skip
    wide = run("export", "s.*", "--db", str(db), "--wide", "--every", "1h", "--tz", "Asia/Kathmandu").stdout
    assert list(csv.reader(wide.splitlines())) == [
        ["time", "s.a [°C]", "s.b"],
        ["2026-01-01T05:00:00+05:45", "1", ""],  # hours of the local clock, as steps of days are days of it
        ["2026-01-01T06:00:00+05:45", "3", "4"],
        ["2026-01-01T10:00:00+05:45", "", "6"],
    ]  # fmt: skip
    assert (
        "--wide takes one aggregate"
        in run("export", "s.*", "--db", str(db), "--wide", "--every", "1h", "--agg", "min,max", check=2).stderr
    )
    assert "--agg min needs --every" in run("export", "s.*", "--db", str(db), "--agg", "min", check=2).stderr


def configured(folder: Path, sensors: dict[str, Any]) -> Path:
    path = folder / "sensorlogd.yaml"
    path.write_text(json.dumps({"daemon": {"data_dir": "data", "timezone": "Europe/Berlin"}, "sensors": sensors}))
    return path


METER = {
    "driver": "simulated",
    "channels": {
        "pulses": {"signal": {"constant": {"value": 1}}, "unit": "Wh", "kind": "counter", "wrap": 65536, "offset": 1_000_000}
    },
}


def test_before_the_first_start(tmp_path: Path) -> None:
    """A file for a configured channel gets the rules of that channel, though no daemon has ever run."""
    config, file = configured(tmp_path, {"meter": METER}), tmp_path / "f.csv"
    file.write_text("t,pulses\n2026-01-01T00:00:00Z,1065000\n2026-01-01T00:01:00Z,1000100\n2026-01-01T00:02:00Z,1000200\n")
    run("import", str(file), "-c", str(config), "--time", "t", "--sensor", "meter")
    with reading(tmp_path / "data" / "sensorlogd.db") as conn:
        stored = "SELECT unit, kind, wrap, zero, series.retired_us, sensor.retired_us, driver FROM series JOIN sensor ON sensor.id = sensor_id"
        assert conn.execute(stored).fetchall() == [("Wh", "counter", 65536, 1_000_000, None, None, "simulated")]
        assert conn.execute("SELECT value FROM meta WHERE key = 'day_zone'").fetchall() == [("Europe/Berlin",)]
    rise = ("meter.pulses", "-c", str(config), "--since", "2026-01-01T00:00Z", "--until", "2026-01-02T00:00Z", "--every", "1d")
    (row,) = json.loads(run("query", *rise, "--utc", "--agg", "increase", "--format", "json").stdout)
    assert row["increase"] == 736  # 636 over the wrap, then 100


def test_before_the_start_that_renames(tmp_path: Path) -> None:
    """``was`` carries the history over, though the first that the log hears of the new name is a file."""
    file = tmp_path / "f.csv"
    file.write_text("t,pulses\n2026-01-01T00:00:00Z,1000100\n")
    run("import", str(file), "-c", str(configured(tmp_path, {"old": METER})), "--time", "t", "--sensor", "old")
    renamed = configured(tmp_path, {"new": {**METER, "was": "old"}})
    file.write_text("t,pulses\n2026-01-01T00:01:00Z,1000200\n")
    run("import", str(file), "-c", str(renamed), "--time", "t", "--sensor", "new")
    with reading(tmp_path / "data" / "sensorlogd.db") as conn:
        assert conn.execute("SELECT name FROM sensor").fetchall() == [("new",)]
        assert conn.execute("SELECT count(*) FROM readings WHERE sensor = 'new'").fetchone() == (2,)
        assert conn.execute("SELECT count(*) FROM event WHERE kind = 'renamed'").fetchone() == (1,)


def test_what_the_configuration_names_otherwise_is_refused(tmp_path: Path) -> None:
    config, file = configured(tmp_path, {"meter": METER}), tmp_path / "f.csv"
    file.write_text("t,p\n2026-01-01T00:00:00Z,1\n")
    common = (str(file), "-c", str(config), "--time", "t")
    done = run("import", *common, "--column", "p=meter.pulses:kWh", check=1)
    assert "meter.pulses is stored in 'Wh', the file is in 'kWh'" in done.stderr
    config.write_text(json.dumps({"sensors": {"meter": {"driver": "simulate"}}}))
    done = run("import", *common, "--sensor", "meter", check=78)
    assert "sensors.meter.driver" in done.stderr


def test_through_the_daemon(tmp_path: Path) -> None:
    """While it logs, a file comes in through the daemon: old readings beside new ones, roll-ups follow, an event tells."""
    config, db, file = tmp_path / "sensorlogd.yaml", tmp_path / "data" / "sensorlogd.db", tmp_path / "f.csv"
    sensor = {"driver": "simulated", "interval": "20ms", "channels": {"x": {"signal": {"constant": {"value": 1}}}}}
    config.write_text(json.dumps({
        "daemon": {"data_dir": str(tmp_path / "data")}, "storage": {"commit_interval": "20ms", "min_free": "0B"},
        "sensors": {"live": sensor},
    }))  # fmt: skip
    file.write_text("t,x\n" + "".join(f"2025-03-01T{n // 60:02}:{n % 60:02}:00,{n}\n" for n in range(600)))
    with Daemon(config, tmp_path / "data") as daemon:
        daemon.wait_ready()
        done = subprocess.run(
            [sys.executable, "-m", "sensorlogd", "import", str(file), "-c", str(config), "--time", "t", "--sensor", "live"],
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert "through the daemon" in done.stderr
        assert "600 there already" not in done.stdout

        def rolled_up() -> bool:
            with reading(db) as conn:
                return bool(
                    conn.execute("SELECT count(*) FROM rollup WHERE resolution = 3600 AND start < 1750000000000000").fetchone()[0]
                    == 10
                )

        until(rolled_up, "roll-ups of what was imported")
        with reading(db) as conn:
            (event,) = conn.execute("SELECT sensor, detail FROM event WHERE kind = 'imported'").fetchall()
        assert event[0] == "live"
        assert "there already" in event[1]


@pytest.mark.parametrize("with_daemon", [False, True])
def test_what_retention_would_expire_at_once_is_refused(tmp_path: Path, with_daemon: bool) -> None:
    """Though nothing has expired yet, and no cut is stored: it would be announced as new, and be gone at the next round."""
    config, db, file = tmp_path / "sensorlogd.yaml", tmp_path / "data" / "sensorlogd.db", tmp_path / "f.csv"
    sensor = {"driver": "simulated", "interval": "1h", "channels": {"x": {"signal": {"constant": {"value": 1}}}}}
    config.write_text(json.dumps({
        "daemon": {"data_dir": str(tmp_path / "data")}, "storage": {"commit_interval": "20ms", "min_free": "0B"},
        "retention": {"readings": "30d", "sensors": {"kept": {"readings": "forever"}}}, "sensors": {"live": sensor},
    }))  # fmt: skip
    recent = datetime.now(UTC) - timedelta(days=2)
    file.write_text(f"t,x\n2025-01-01T00:00Z,1\n2025-01-01T01:00Z,2\n{recent.isoformat()},3\n")
    with Daemon(config, tmp_path / "data") if with_daemon else contextlib.nullcontext() as daemon:
        if daemon is not None:
            daemon.wait_ready()
        common = ("import", str(file), "-c", str(config), "--time", "t")
        done = run(*common, "--sensor", "old")
        assert ("through the daemon" in done.stderr) == with_daemon
        assert "1 new, 0 there already, 2 older than what retention keeps, refused" in done.stdout
        assert "3 new, 0 there already" in run(*common, "--sensor", "kept").stdout
    with reading(db) as conn:
        counted = "SELECT sensor, count(*) FROM readings WHERE sensor IN ('old', 'kept') GROUP BY 1 ORDER BY 1"
        assert conn.execute(counted).fetchall() == [("kept", 3), ("old", 1)]
        assert conn.execute("SELECT count(*) FROM retention_cut").fetchone() == (0,) or with_daemon


def test_without_a_configuration_no_retention_is_known(tmp_path: Path) -> None:
    """With --db alone nothing says how long readings are kept: they are stored."""
    file = tmp_path / "f.csv"
    file.write_text("t,x\n1999-01-01T00:00Z,1\n")
    assert "1 new" in run("import", str(file), "--db", str(tmp_path / "log.db"), "--time", "t", "--sensor", "old").stdout
