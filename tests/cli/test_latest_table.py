"""``latest`` as a table: who was never heard is in it, it fits, and it names the zone of its times."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from sensorlogd.cli import latest_table
from tests.cli.test_hostile import start

ROW: dict[str, Any] = {
    "time": "2026-11-26T07:52:31.425670+01:00", "sensor": "greenhouse", "channel": "temperature", "value": -3.4567890123456789,
    "unit": "°C", "quality": "good", "age": "9s", "state": "ok",
}  # fmt: skip
NEVER = ROW | {
    "sensor": "boiler",
    "channel": "pressure",
    "time": None,
    "value": None,
    "age": None,
    "quality": None,
    "state": "never",
}


def test_a_table_of_a_home_fits_eighty_columns() -> None:
    """All digits of a value, and the time with its offset."""
    table = list(latest_table.lines([NEVER, ROW, ROW | {"channel": "humidity", "value": 55}], "2026-11-26", 80))
    assert max(map(len, table)) <= 80
    assert table[2].split() == ["greenhouse", "temperature", repr(ROW["value"]), "°C", "07:52:31+01:00", "9s", "ok"]
    assert table[1].split()[-1] == "never"
    assert table[3].startswith("            humidity")  # the sensor is named once


def test_the_time_goes_before_a_digit_does() -> None:
    """The age tells it, too."""
    table = list(latest_table.lines([ROW], "2026-11-26", 60))
    assert "time" not in table[0]
    assert repr(ROW["value"]) in table[1]
    assert "07:52" in list(latest_table.lines([ROW], "2026-11-26", 0))[1]


@pytest.mark.parametrize(
    ("time", "shown"),
    [
        ("2026-11-26T07:52:31.42+01:00", "07:52:31+01:00"),
        ("2026-11-25T07:52:31Z", "2026-11-25 07:52Z"),
        ("2026-11-26T07:52:31-03:30", "07:52:31-03:30"),
    ],
)
def test_another_day_has_its_date(time: str, shown: str) -> None:
    assert shown in list(latest_table.lines([ROW | {"time": time}], "2026-11-26", 0))[1]


def test_what_is_suspect_says_so() -> None:
    assert list(latest_table.lines([ROW | {"quality": "suspect:rate_of_change"}], "2026-11-26", 0))[1].endswith(
        "ok suspect:rate_of_change"
    )
    assert list(latest_table.lines([ROW | {"quality": "good:clock_unsynced"}], "2026-11-26", 0))[1].endswith("ok")


def test_a_series_that_was_never_heard_is_in_every_format(log: Path) -> None:
    conn = sqlite3.connect(log)
    conn.execute("DELETE FROM latest WHERE series_id = (SELECT id FROM series WHERE channel = 'n')")
    conn.execute("DELETE FROM recent WHERE series_id = (SELECT id FROM series WHERE channel = 'n')")
    conn.commit()
    conn.close()
    code, out, _ = start(log.parent, ["latest", "--db", str(log), "--format", "json"])
    first = json.loads(out)[0]
    assert (code, first["channel"], first["time"], first["value"], first["state"]) == (4, "n", None, None, "never")
    assert "never" in start(log.parent, ["latest", "--db", str(log), "--format", "table"])[1]


def test_times_are_those_of_the_configuration(log: Path) -> None:
    """With its offset; --tz and --utc say otherwise; a database by itself has the zone of its days."""
    (log.parent / "sensorlogd.yaml").write_text(
        f"daemon: {{timezone: Asia/Kathmandu, data_dir: .}}\nstorage: {{url: 'sqlite:///{log}'}}\n"
    )
    for more, ending in ([], "+05:45"), (["--utc"], "Z"), (["--tz", "America/St_Johns"], ":30"):
        for verb in (["latest"], ["query", "lab.t"], ["tail", "--since", "-1h", "--for", "0.1s", "--format", "csv"]):
            out = start(log.parent, [*verb, *more])[1]
            assert out.splitlines()[1].partition(",")[0].endswith(ending), (verb, out[:200])
    assert start(log.parent, ["latest", "--utc", "--tz", "Europe/Berlin"])[0] == 2
    conn = sqlite3.connect(log)
    conn.execute("INSERT OR REPLACE INTO meta (key, value) VALUES ('day_zone', 'Asia/Kolkata')")
    conn.commit()
    conn.close()
    assert "+05:30" in start(log.parent, ["latest", "--db", str(log)])[1]


def test_an_imported_log_is_not_empty(tmp_path: Path) -> None:
    """It has no configuration, so nothing in it is current: all of it is shown."""
    (tmp_path / "in.csv").write_text("t,v\n2026-01-01T00:00:00Z,1\n")
    assert start(tmp_path, ["import", "in.csv", "--time", "t", "--sensor", "s", "--db", "log.db"])[0] == 0
    code, out, _ = start(tmp_path, ["latest", "--db", "log.db", "--format", "json"])
    assert (code, [row["sensor"] for row in json.loads(out)]) == (4, ["s"])
