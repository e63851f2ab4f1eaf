"""Replay: the same readings as the bytes would give at the device, at any pace, with the times asked for."""

from __future__ import annotations

import json
import os
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sensorlogd.config.loader import ConfigErrors
from sensorlogd.drivers.contract import DriverError, EndOfData
from sensorlogd.drivers.nmea.decoder import NmeaDecoder
from sensorlogd.drivers.recording import RecordingWriter
from sensorlogd.drivers.replay import ReplayDriver
from sensorlogd.drivers.serial.decoders import decoder_for
from tests import needs
from tests.drivers.lending import WatchedContext, read_all, read_some, rows_of, values_of
from tests.rig import Daemon, reading, rows, until

NOON = 1_773_489_600_000_000  # 2026-03-14T12:00:00Z
SCALE = "format: {type: regex, pattern: '^(?P<weight>[+-][0-9.]+) ?G S'}"


@pytest.fixture
def lent() -> Iterator[WatchedContext]:
    made = WatchedContext()
    yield made
    made.close()


def recorded(path: Path, *items: tuple[float, bytes], start_us: int | None = NOON) -> Path:
    with path.open("w") as file:
        if start_us is None:
            file.writelines(json.dumps({"t": at_s, "hex": data.hex()}) + "\n" for at_s, data in items)
        else:
            writer = RecordingWriter(file, start_us)
            for at_s, data in items:
                writer.write(start_us + round(at_s * 1e6), data)
    return path


# ---- bytes ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "keys"),
    [
        ("sigrok-uart/kern_scale/kern_ew_6200-2nm_tare.rx.raw", f"baudrate: 1200, {SCALE}"),
        ("sigrok-uart/kern_scale/kern_ew_6200-2nm_tare.timing.jsonl", f"baudrate: 1200, {SCALE}"),
        ("pypms/PMSx003.timing.jsonl", "profile: plantower-pms5003"),
        ("vedirect/bmv702.raw", "profile: victron-vedirect"),
        ("gpsd-nmea-ubx/clean/haicom-305N.raw", "as: nmea"),
        ("pyubx2-logs/pygpsdata-MIXED2.log", "as: nmea, channels: {latitude: {}, hdop: {}}"),
    ],
)
def test_a_recording_gives_what_its_bytes_give(lent: WatchedContext, tmp_path: Path, file: str, keys: str) -> None:
    """Decoded here in one piece and there in the pieces of the file; two runs agree."""
    path = needs.corpus(file)
    driver = lent.driver(tmp_path, f"driver: replay, file: {path}, pace: fast, {keys}")
    found = values_of(read_all(driver))
    raw = path.with_name(path.name.replace(".timing.jsonl", ".rx.raw"))
    raw = raw if raw.exists() else path.with_name(path.name.replace(".timing.jsonl", ".bin"))
    decoder: Any = NmeaDecoder if "as: nmea" in keys else decoder_for
    whole = decoder(driver.options, lambda *_: None).feed(raw.read_bytes(), 0)
    assert found == values_of(rows_of(whole))
    assert len(found) > 5
    assert values_of(read_all(lent.driver(tmp_path, f"driver: replay, file: {path}, pace: fast, {keys}"))) == found


def test_the_original_times_are_kept(lent: WatchedContext, tmp_path: Path) -> None:
    """To the microsecond; lines that came together follow each other by one, so that none is taken for another."""
    path = recorded(tmp_path / "x.jsonl", (0.0, b"junk\n1\n2\n"), (0.0, b"3\n"), (7.25, b"4"), (9.5, b"\n"), (8.0, b"5\n"))
    driver = lent.driver(tmp_path, "driver: replay, file: x.jsonl, pace: fast, format: {type: csv, fields: [n]}")
    assert read_all(driver) == [
        (NOON, {"n": 1}), (NOON + 1, {"n": 2}), (NOON + 2, {"n": 3}), (NOON + 9_500_000, {"n": 4}), (NOON + 8_000_000, {"n": 5}),
    ]  # fmt: skip
    assert lent.counts == {"first_partial": 1}
    assert path.exists()


def test_where_the_file_tells_no_date_one_can_be_given(lent: WatchedContext, tmp_path: Path) -> None:
    """``start``: of the first entry; raw bytes follow at the speed of the line."""
    recorded(tmp_path / "x.jsonl", (82.5, b"1\n"), (84.0, b"2\n"), start_us=None)
    keys = "driver: replay, pace: fast, start: 2026-03-14T12:00:00Z, format: {type: csv, fields: [n]}"
    assert [at_us for at_us, _ in read_all(lent.driver(tmp_path, f"file: x.jsonl, {keys}"))] == [NOON, NOON + 1_500_000]
    (tmp_path / "x.raw").write_bytes(b"1\n" * 960)
    times = [at_us for at_us, _ in read_all(lent.driver(tmp_path, f"file: x.raw, baudrate: 9600, {keys}"))]
    assert times[-1] - NOON == pytest.approx(2e6, rel=0.05)  # 1920 characters of ten bits
    assert len(set(times)) == len(times) == 960
    with pytest.raises(DriverError, match="does not tell when") as caught:
        read_all(lent.driver(tmp_path, "driver: replay, file: x.raw, times: original, format: {type: csv, fields: [n]}"))
    assert "start:" in caught.value.hint


def test_now_is_when_it_is_played(tmp_path: Path) -> None:
    """Whatever the file says."""
    lent = WatchedContext(now_us=5)
    recorded(tmp_path / "x.jsonl", (0.0, b"1\n"), (1.0, b"2\n"))
    driver = lent.driver(tmp_path, "driver: replay, file: x.jsonl, pace: fast, times: now, format: {type: csv, fields: [n]}")
    assert read_all(driver) == [(5, {"n": 1}), (5, {"n": 2})]
    lent.close()


def test_the_devices_own_times_win(lent: WatchedContext, tmp_path: Path) -> None:
    """``time:`` of a line format, as on a port."""
    recorded(tmp_path / "x.jsonl", (0.0, b"2026-03-14T11:00:00Z,1\n"))
    keys = "driver: replay, file: x.jsonl, pace: fast, time: {field: at}, format: {type: csv, fields: [at, n]}"
    assert read_all(lent.driver(tmp_path, keys)) == [(NOON - 3_600_000_000, {"n": 1})]


@pytest.mark.parametrize("pace", ["real", "4"])
def test_the_pace_is_kept(lent: WatchedContext, tmp_path: Path, pace: str) -> None:
    """Never faster than asked for; a time that goes back is not waited for."""
    recorded(tmp_path / "x.jsonl", (50.0, b"1\n"), (50.2, b"2\n"), (1.0, b"3\n"), (50.4, b"4\n"))
    keys = f"driver: replay, file: x.jsonl, pace: {pace}, format: {{type: csv, fields: [n]}}"
    began = time.monotonic()
    assert [row["n"] for row in values_of(read_all(lent.driver(tmp_path, keys)))] == [1, 2, 3, 4]
    assert time.monotonic() - began >= 0.4 / (1 if pace == "real" else 4)


def test_a_stop_ends_a_pause_of_the_recording(lent: WatchedContext, tmp_path: Path) -> None:
    """At once, though the next entry is an hour away; and a timeout returns empty-handed."""
    recorded(tmp_path / "x.jsonl", (0.0, b"1\n"), (3600.0, b"2\n"))
    driver = lent.driver(tmp_path, "driver: replay, file: x.jsonl, format: {type: csv, fields: [n]}")
    driver.open()
    assert len(rows_of(driver.read(1.0))) == 1
    assert rows_of(driver.read(0.01)) == []
    timer = threading.Timer(0.05, lent.wake)
    timer.start()
    began = time.monotonic()
    assert rows_of(driver.read(3000.0)) == []
    assert time.monotonic() - began < 60
    timer.join()
    driver.close()


def test_a_loop_begins_again(lent: WatchedContext, tmp_path: Path) -> None:
    """With the pause of the recording in between, and with a fresh decoder."""
    recorded(tmp_path / "x.jsonl", (0.0, b"1\n"), (0.02, b"2\nhalf"))
    driver = lent.driver(tmp_path, "driver: replay, file: x.jsonl, loop: true, format: {type: csv, fields: [n]}")
    driver.open()
    began = time.monotonic()
    rows = read_some(driver, 8)
    assert [row["n"] for row in values_of(rows)][:8] == [1, 2] * 4
    assert time.monotonic() - began >= 7 * 0.02
    assert all(at_us > NOON + 1e9 for at_us, _ in rows)  # now
    driver.close()
    assert lent.counts == {"unfinished_lines": lent.counts["unfinished_lines"]}


def test_a_faster_pace_shortens_every_pause(lent: WatchedContext, tmp_path: Path) -> None:
    """Hours within the recording, and the one before it begins again."""
    recorded(tmp_path / "x.jsonl", (0.0, b"1\n"), (3600.0, b"2\n"), (7200.0, b"3\n"))
    keys = "driver: replay, file: x.jsonl, loop: true, pace: 72000, format: {type: csv, fields: [n]}"
    driver = lent.driver(tmp_path, keys)
    driver.open()
    assert [row["n"] for row in values_of(read_some(driver, 7))][:7] == [1, 2, 3, 1, 2, 3, 1]
    driver.close()


@pytest.mark.parametrize("content", [b"", b'{"recording": 1}\n'])
def test_an_empty_file_ends_or_cannot_be_looped(lent: WatchedContext, tmp_path: Path, content: bytes) -> None:
    """No endless loop over nothing."""
    (tmp_path / "x.jsonl").write_bytes(content)
    keys = "driver: replay, file: x.jsonl, format: {type: csv, fields: [n]}"
    assert read_all(lent.driver(tmp_path, keys)) == []
    with pytest.raises(DriverError, match="holds nothing to replay"):
        read_all(lent.driver(tmp_path, f"{keys}, loop: true"))


def test_a_damaged_recording_loses_what_is_damaged(lent: WatchedContext, tmp_path: Path) -> None:
    """Broken off in the middle of a line by a power cut; our own commands between; an entry of another epoch."""
    path = recorded(tmp_path / "x.jsonl", (0.0, b"1\n"), (1.0, b"2\n"), start_us=None)
    more = [
        '{"t": 1.5, "dir": "tx", "data": "7\\n"}',
        "garbage",
        '{"t": 1.7e9, "data": "8\\n"}',
        '{"t": 2, "data": "3\\n"}',
        '{"t": 2.5, "da',
    ]
    path.write_text(path.read_text() + "\n".join(more))
    rows = read_all(lent.driver(tmp_path, "driver: replay, file: x.jsonl, pace: fast, format: {type: csv, fields: [n]}"))
    assert [row["n"] for row in values_of(rows)] == [1, 2, 3]
    assert lent.counts == {"our_entries": 1, "bad_entries": 3}
    assert lent.examples["bad_entries"].startswith("line 7 is not JSON")


# ---- readings ------------------------------------------------------------------------------------------------------------


def test_wide_csv(lent: WatchedContext, tmp_path: Path) -> None:
    """Names in the first line; an empty cell is no reading, NA a missing one; bad rows are counted with their line."""
    (tmp_path / "x.csv").write_text(
        '\ufeffTime,temperature,pm2.5,note\n2026-03-14 12:00:00,20.5,,"a, b"\n2026-03-14T12:00:01Z,NA,7,\n\n'
        "1773489602,1e1,8,x\n2026-03-14T12:00:03Z,warm,9,\n2026-03-14T12:00:04Z,1\nyesterday's,1,2,\n"
    )
    driver = lent.driver(tmp_path, "driver: replay, file: x.csv, pace: fast, channels: {temperature: {}, dust: {source: pm2.5}}")
    rows = read_all(driver)
    assert [at_us - NOON for at_us, _ in rows] == [0, 1_000_000, 2_000_000]
    assert rows[0][1] == {"temperature": 20.5}
    assert str(rows[1][1]) == "{'temperature': nan, 'pm2.5': 7.0}"
    assert rows[2][1] == {"temperature": 10.0, "pm2.5": 8.0}
    assert lent.counts == {"bad_rows": 3}
    assert lent.examples["bad_rows"].startswith('line 8: "yesterday')


def test_a_time_in_pieces_and_another_separator(lent: WatchedContext, tmp_path: Path) -> None:
    """As weather archives write it."""
    (tmp_path / "x.csv").write_text("year;month;day;hour;t\n2026;3;14;13;5\n2026;3;14;14;6\n")
    keys = "separator: ';', time: {field: year+month+day+hour, format: '%Y %m %d %H', zone: Europe/Berlin}"
    rows = read_all(lent.driver(tmp_path, f"driver: replay, file: x.csv, pace: fast, channels: {{t: {{}}}}, {keys}"))
    assert rows == [(NOON, {"t": 5}), (NOON + 3_600_000_000, {"t": 6})]


def test_without_times_rows_come_every_interval(lent: WatchedContext, tmp_path: Path) -> None:
    """Paced by it, or dated by it."""
    (tmp_path / "x.csv").write_text("a,b\n1,2\n3,4\n5,6\n")
    keys = "driver: replay, file: x.csv, pace: fast, interval: 10s, channels: {a: {}}"
    assert values_of(read_all(lent.driver(tmp_path, keys))) == [{"a": 1}, {"a": 3}, {"a": 5}]
    dated = read_all(lent.driver(tmp_path, f"{keys}, start: 2026-03-14T12:00:00Z"))
    assert [at_us - NOON for at_us, _ in dated] == [0, 10_000_000, 20_000_000]


@pytest.mark.parametrize("form", ["csv", "ndjson"])
def test_what_query_writes_can_be_replayed(lent: WatchedContext, tmp_path: Path, form: str) -> None:
    """Its long form, all sensors or one."""
    data: list[dict[str, Any]] = [
        {"time": "2026-03-14T12:00:00Z", "sensor": "roof", "channel": "t", "value": 1.5, "unit": "°C", "quality": "good"},
        {"time": "2026-03-14T12:00:00.5Z", "sensor": "well", "channel": "t", "value": 2, "unit": "°C", "quality": "good"},
        {"time": "2026-03-14T12:00:01Z", "sensor": "roof", "channel": "t", "value": None, "unit": "°C", "quality": "missing"},
    ]
    if form == "csv":
        lines = [",".join(data[0])] + [",".join("" if cell is None else str(cell) for cell in row.values()) for row in data]
    else:
        lines = [json.dumps(row, ensure_ascii=False) for row in data]
    (tmp_path / "x").write_text("\n".join(lines))
    roof_only = read_all(lent.driver(tmp_path, "driver: replay, file: x, pace: fast, sensor: roof, channels: {t: {}}"))
    assert str([values for _, values in roof_only]) == "[{'t': 1.5}, {'t': nan}]"
    assert [at_us - NOON for at_us, _ in roof_only] == [0, 1_000_000]
    both = read_all(
        lent.driver(tmp_path, "driver: replay, file: x, pace: fast, channels: {a: {source: roof.t}, b: {source: well.t}}")
    )
    assert [list(values) for _, values in both] == [["roof.t"], ["well.t"], ["roof.t"]]


def test_every_data_set_is_read_whole(lent: WatchedContext, tmp_path: Path) -> None:
    """As many rows as the reference counts."""
    (entry,) = [
        entry
        for entry in json.loads(needs.corpus("COUNTS.json").read_text())["datasets"]
        if entry["file"].endswith("speed_t4013.csv")
    ]
    path = needs.corpus(f"datasets/{entry['file']}")
    rows = read_all(lent.driver(tmp_path, f"driver: replay, file: {path}, pace: fast, channels: {{value: {{}}}}"))
    assert len(rows) == entry["rows"]
    assert lent.counts == {}


# ---- configuration -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ("file: x", "channels: is required here"),
        ("channels: {a: {}}", "file: is required here"),
        ("file: x, channels: {a: {}}, pace: slow", "'slow' is not a pace; write real, fast, or how many times"),
        ("file: x, channels: {a: {}}, pace: 0", "'0' is not a pace"),
        ("file: x, channels: {a: {}}, loop: true, times: original", "every round would be the same readings"),
        (
            "file: x, channels: {a: {}}, times: now, start: 2026-01-01",
            "start: is for times: original, and times: is now; leave start: out",
        ),
        ("file: x, channels: {a: {}}, as: hex", "must be 'serial', 'nmea' or 'readings'"),
        ("file: x, channels: {a: {}}, talkers: [GP]", "talkers: unknown key"),
        ("file: x, as: nmea, channels: {lattitude: {}}", "did you mean 'latitude'"),
        ("file: x, as: nmea, format: {type: csv}", "format: unknown key"),
        ("file: x, as: serial", "format: is required here"),
        ("file: x, format: {type: csv, fields: [a]}, sensor: b", "sensor: unknown key"),
    ],
)
def test_the_keys_are_those_of_what_is_replayed(lent: WatchedContext, tmp_path: Path, keys: str, problem: str) -> None:
    """A key that has no meaning there is an error, with the keys that have one."""
    with pytest.raises(ConfigErrors) as caught:
        lent.driver(tmp_path, f"driver: replay, {keys}")
    assert problem in str(caught.value)


def test_two_replays_do_not_share_a_port(tmp_path: Path) -> None:
    """Profiles that name ports, and the absence of one, mean nothing here."""
    from sensorlogd.config.loader import load_text
    from sensorlogd.drivers.registry import options_for

    sensor = "{driver: replay, file: x.raw, as: nmea}"
    config = load_text(f"sensors: {{a: {sensor}, b: {sensor}}}", tmp_path / "x.yaml", options_for)
    assert {getattr(options, "file", None) for options in config.sensors.values()} == {str(tmp_path / "x.raw")}


def test_a_missing_file_says_so(lent: WatchedContext, tmp_path: Path) -> None:
    """And where it was looked for."""
    driver = lent.driver(tmp_path, "driver: replay, file: none.csv, channels: {a: {}}")
    with pytest.raises(DriverError, match=rf"{tmp_path}/none.csv: no such file"):
        driver.open()
    driver.close()


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("time;a\n1;2\n", "the first line names 1 column, 'time;a'; is separator: right"),
        ("", "the file is empty"),
        ("\ntime,a\n1,2\n", "the first line names no columns"),
        ("time,temp,hum\n1,2,3\n", "has no column a; there are: time, temp, hum; source: of a channel names its column"),
    ],
)
def test_a_table_without_any_channel_says_so(lent: WatchedContext, tmp_path: Path, content: str, problem: str) -> None:
    """Nothing is read in silence."""
    (tmp_path / "x.csv").write_text(content)
    driver = lent.driver(tmp_path, "driver: replay, file: x.csv, channels: {a: {}}")
    with pytest.raises(DriverError, match=re.escape(problem)):
        driver.open()
    driver.close()


def test_columns_that_are_missing_are_counted_once(lent: WatchedContext, tmp_path: Path) -> None:
    """Not with every row."""
    (tmp_path / "x.csv").write_text("time,a\n1773489600,2\n1773489601,3\n")
    keys = "driver: replay, file: x.csv, pace: fast, channels: {a: {}, b: {}, dust: {source: pm2.5}}"
    assert values_of(read_all(lent.driver(tmp_path, keys))) == [{"a": 2}, {"a": 3}]
    assert lent.counts == {"missing_columns": 2}
    assert lent.examples["missing_columns"] == "no column b, pm2.5; there are: time, a"


def test_one_column_without_times(lent: WatchedContext, tmp_path: Path) -> None:
    """The rows come every interval."""
    (tmp_path / "x.csv").write_text("temp\n1\n2\n")
    keys = "driver: replay, file: x.csv, pace: fast, interval: 1s, channels: {temp: {}}, start: 2026-03-14T12:00:00Z"
    assert read_all(lent.driver(tmp_path, keys)) == [(NOON, {"temp": 1}), (NOON + 1_000_000, {"temp": 2})]
    assert lent.counts == {}


@pytest.mark.parametrize(("kind", "problem"), [("folder", "is a folder"), ("fifo", "is a pipe or a device")])
def test_what_is_no_ordinary_file_says_so(lent: WatchedContext, tmp_path: Path, kind: str, problem: str) -> None:
    """It is there, so that it is not missing."""
    (tmp_path / "x").mkdir() if kind == "folder" else os.mkfifo(tmp_path / "x")
    driver = lent.driver(tmp_path, "driver: replay, file: x, channels: {a: {}}")
    with pytest.raises(DriverError, match=problem):
        driver.open()
    driver.close()


def test_the_end_stays_the_end(lent: WatchedContext, tmp_path: Path) -> None:
    """EndOfData again and again."""
    (tmp_path / "x.csv").write_text("time,a\n1773489600,2\n")
    driver = lent.driver(tmp_path, "driver: replay, file: x.csv, channels: {a: {}}")
    assert isinstance(driver, ReplayDriver)
    driver.open()
    assert len(rows_of(driver.read(1))) == 1
    for _ in range(3):
        with pytest.raises(EndOfData):
            driver.read(1)
    driver.close()


# ---- the daemon ----------------------------------------------------------------------------------------------------------


def test_a_replay_through_the_daemon_stores_what_the_bytes_hold(tmp_path: Path) -> None:
    """Twice into one database: the times are the recording's, so the second run adds nothing."""
    path = needs.corpus("gpsd-nmea-ubx/clean/haicom-305N.raw")
    sensors = {
        "gps": {
            "driver": "replay", "file": str(path), "as": "nmea", "pace": "fast", "start": "2026-03-14T12:00:00Z",
            "channels": {"latitude": {}, "satellites": {}},
        }
    }  # fmt: skip
    config = tmp_path / "sensorlogd.yaml"
    storage = {"commit_interval": "50ms", "min_free": "0B"}
    config.write_text(json.dumps({"daemon": {"data_dir": str(tmp_path / "data")}, "storage": storage, "sensors": sensors}))
    database = tmp_path / "data" / "sensorlogd.db"

    def finished() -> bool:
        with reading(database) as conn:
            return [state for (state,) in conn.execute("SELECT state FROM sensor_status")] == ["finished"]

    stored = []
    for _ in range(2):
        with Daemon(config, tmp_path / "data") as daemon:
            daemon.wait_ready()
            until(finished, "the end of the recording")
            assert daemon.stop() == 0
        stored.append([(at_us, channel, value) for at_us, channel, value, _ in rows(database, "gps")])
    lent = WatchedContext()
    driver = lent.driver(tmp_path, json.dumps(sensors["gps"])[1:-1])
    expected = sorted((at_us, name, value) for at_us, values in read_all(driver) for name, value in values.items())
    lent.close()
    assert stored[0] == stored[1] == expected
    assert len(expected) > 200
