"""The JSON API says what the database holds, in the rows of the command line."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sensorlogd.storage.query.engine import FILLS, Fill, Query
from sensorlogd.storage.query.grid import Step
from sensorlogd.storage.query.log_reader import LogReader
from sensorlogd.web.answering import api, pool
from sensorlogd.web.refusal import ApiError
from sensorlogd.web.settings import Settings
from sensorlogd.web.workers import admission, workers
from tests.web.conftest import T0, S, Served, serving

HOUR = {"since": "2026-03-29", "until": "2026-03-29T01:00"}
ALL = {"since": "2026-03-29", "until": "2026-03-29T02:00"}


def cli(made: Path, *arguments: str) -> Any:
    """The JSON that a verb prints."""
    command = [sys.executable, "-m", "sensorlogd", *arguments, "--db", str(made), "--format", "json"]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=False).stdout)


def test_rows_are_those_of_the_command_line(served: Served, made: Path) -> None:
    """The same names, order and values."""
    readings = served.get("/api/v1/readings", series="lab", **ALL)["readings"]
    assert readings == cli(made, "query", "lab", "--since", "2026-03-29", "--until", "2026-03-29T02:00")
    assert list(readings[0]) == ["time", "sensor", "channel", "value", "unit", "quality"]
    agg = "mean,p95,increase,count"
    (series,) = served.get("/api/v1/buckets", series="lab.t", every="15min", agg=agg, **ALL)["series"]
    verb = ("query", "lab.t", "--since", "2026-03-29", "--until", "2026-03-29T02:00", "--every", "15min", "--agg", agg)
    rows = cli(made, *verb)
    assert series["rows"] == rows
    assert list(series["rows"][0]) == list(rows[0])


def test_readings_as_rows_as_columns_and_streamed_are_the_same(served: Served) -> None:
    """One question, four forms, one answer."""
    asked = {"series": "lab.t", **HOUR}
    rows = served.get("/api/v1/readings", **asked)["readings"]
    assert len(rows) == 300
    first = {"time": "2026-03-29T00:00:00Z", "sensor": "lab", "channel": "t", "value": 20, "unit": "°C", "quality": "good"}
    assert rows[0] == first
    assert rows[10]["quality"] == "fail"
    assert served.rows("/api/v1/readings", **asked) == rows
    (series,) = served.get("/api/v1/readings", shape="columns", **asked)["series"]
    assert [series[key] for key in ("time", "value", "quality")] == [
        [row[key] for row in rows] for key in ("time", "value", "quality")
    ]
    text = served.client.get("/api/v1/readings", params=asked | {"format": "csv"}).text
    assert list(csv.DictReader(io.StringIO(text))) == [{key: str(value) for key, value in row.items()} for row in rows]


@pytest.mark.parametrize("series", ["lab.t", "lab"])
def test_pages_end_to_end_are_the_whole(served: Served, series: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever follows ``next`` gets every row once, and so does a stream that is made of pages."""
    whole = served.get("/api/v1/readings", series=series, **ALL)["readings"]
    found: list[Any] = []
    following: dict[str, Any] = {}
    while True:
        page = served.get("/api/v1/readings", series=series, limit=37, **ALL, **following)
        found += page["readings"]
        if page["next"] is None:
            break
        following = {"after": page["next"]}
    assert found == whole
    monkeypatch.setattr(api, "PAGE_ROWS", 3)
    assert served.rows("/api/v1/readings", series=series, **ALL) == whole
    assert served.rows("/api/v1/readings", series=series, limit=30, **ALL) == whole[:30]


def test_pages_go_on_from_one_table_into_the_other(served: Served, made: Path, tmp_path: Path) -> None:
    """What was moved to history and what is still recent is one answer, whatever its pages."""
    whole = served.get("/api/v1/readings", series="lab", **ALL)["readings"]
    path = tmp_path / "log.db"
    path.write_bytes(made.read_bytes())
    moved_us = T0 + 3605 * S
    conn = sqlite3.connect(path)
    conn.execute("INSERT INTO history SELECT series_id, ts, value, quality FROM recent WHERE ts < ?", (moved_us,))
    conn.execute("DELETE FROM recent WHERE ts < ?", (moved_us,))
    conn.execute("INSERT OR REPLACE INTO meta VALUES ('moved_until_us', ?)", (str(moved_us),))
    conn.commit()
    assert all(conn.execute(f"SELECT count(*) > 300 FROM {table}").fetchone() == (1,) for table in ("history", "recent"))
    conn.close()
    with serving(Settings(path)) as running:
        for limit in (1000, 100, 363):
            found: list[Any] = []
            following: dict[str, str] = {}
            while len(found) < len(whole):
                page = running.get("/api/v1/readings", series="lab", limit=limit, **ALL, **following)
                found += page["readings"]
                following = {"after": page["next"]} if page["next"] else {}
            assert found == whole
            assert not following


@pytest.mark.parametrize("fill", ["none", "null", "previous", "linear"])
def test_streamed_buckets_are_the_buckets(served: Served, fill: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a page ends changes nothing, in whatever is filled or carried over from the bucket before."""
    monkeypatch.setattr(api, "PAGE_ROWS", 7)
    asked = {"series": ["lab.t", "lab.n"], "agg": "mean,twmean,increase,last,coverage", "fill": fill, "every": "3min", **ALL}
    whole = [row for series in served.get("/api/v1/buckets", **asked)["series"] for row in series["rows"]]
    assert len(whole) > 60
    assert served.rows("/api/v1/buckets", **asked) == whole


@given(
    series=st.sampled_from([["lab.t"], ["lab.n"], ["lab"], ["*.t"]]),
    begin=st.integers(-600, 7200),
    length=st.integers(1, 8000),
    every=st.sampled_from(["7s", "10s", "1min", "90s", "15min", "1h", "1d"]),
    agg=st.lists(
        st.sampled_from(["mean", "min", "max", "count", "increase", "twmean", "stddev", "last", "fail"]), min_size=1, unique=True
    ),
    fill=st.sampled_from(FILLS),
)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_an_answer_is_the_engines_in_every_form(
    served: Served, made: Path, series: list[str], begin: int, length: int, every: str, agg: list[str], fill: Fill
) -> None:
    """Rows, columns and stream over HTTP are what the query engine says, whatever is asked."""
    since, until = T0 + begin * S, T0 + (begin + length) * S
    asked = {"series": series, "since": since, "until": until, "every": every, "agg": ",".join(agg), "fill": fill, "time": "us"}
    with LogReader.open(made) as log:
        query = Query(since, until, Step.parse(every), None, tuple(agg), "UTC", fill)
        names = [name for name in ("count", "coverage") if name not in agg]
        truth = [
            [
                each_series.sensor,
                each_series.channel,
                row.start_us,
                *row.values,
                *[{"count": row.readings, "coverage": row.coverage}[name] for name in names],
            ]
            for each_series, answer in log.buckets(log.series(series), query)
            for row in answer.rows
        ]
    keys = ["sensor", "channel", "time", *agg, *names]
    rows = [row for each_series in served.get("/api/v1/buckets", **asked)["series"] for row in each_series["rows"]]
    assert [[row[key] for key in keys] for row in rows] == truth
    assert served.rows("/api/v1/buckets", **asked) == rows
    columns = served.get("/api/v1/buckets", shape="columns", **asked)["series"]
    turned = [
        [each_series["sensor"], each_series["channel"], *cells]
        for each_series in columns
        for cells in zip(*[each_series[key] for key in keys[2:]], strict=True)
    ]
    assert turned == truth


def test_columns_of_buckets_are_the_rows_turned(served: Served) -> None:
    """For charts: one array a column, gaps as nulls where they are asked for, times as numbers."""
    asked = {"series": "lab.t", "max_points": 200, "fill": "null", "time": "s", **ALL}
    (rows,) = served.get("/api/v1/buckets", **asked)["series"]
    (columns,) = served.get("/api/v1/buckets", shape="columns", **asked)["series"]
    assert columns["step"] == rows["step"] == "1min"
    for name in ("time", "mean", "min", "max", "count", "coverage"):
        assert columns[name] == [row[name] for row in rows["rows"]]
    assert columns["time"][:2] == [1_774_742_400, 1_774_742_460]
    assert columns["mean"].count(None) == 10
    assert columns["source"] == "rollups"


def test_units_are_converted_and_named(served: Served) -> None:
    """In readings and in buckets."""
    reading = served.get("/api/v1/readings", series="lab.t", unit="degF", limit=1, **HOUR)["readings"][0]
    assert (round(reading["value"], 6), reading["unit"]) == (68, "degF")
    (series,) = served.get("/api/v1/buckets", series="lab.t", unit="degF", every="1h", agg="min", **HOUR)["series"]
    assert (round(series["rows"][0]["min"], 6), series["unit"]) == (68, "degF")


def test_sensors_say_what_they_have_and_how_they_are(served: Served) -> None:
    """Without a daemon nothing is well, and nothing pretends to be."""
    lab, roof = served.get("/api/v1/sensors")["sensors"]
    assert [lab["sensor"], lab["health"], lab["last"]] == ["lab", "not running", "2026-03-29T01:59:50Z"]
    assert [channel["series"] for channel in lab["channels"]] == ["lab.n", "lab.t"]
    assert lab["channels"][1] | {"retired": None} == {
        "series": "lab.t", "channel": "t", "unit": "°C", "kind": "gauge", "heartbeat_s": 30, "labels": {"room": "2"}, "decimals": None, "seen_decimals": None, "valid": None, "retired": None,
    }  # fmt: skip
    assert (roof["error"], roof["last"]) == ("no such device", None)
    status = served.get("/api/v1/status", tz="Europe/Berlin")
    assert status["daemon"]["state_now"] == "never started"
    assert status["database"]["bytes"] > 10_000
    assert status["sensors"][0]["last"] == "2026-03-29T03:59:50+02:00"
    latest = served.get("/api/v1/latest", series="lab.n")["latest"]
    assert [(row["value"], row["state"]) for row in latest] == [(7140, "stale")]
    assert served.get("/api/v1/events")["events"] == []


def test_what_is_known_already_is_not_sent_again(served: Served) -> None:
    """The same answer has the same ETag and costs no body; another has another."""
    asked = {"series": "lab.t", **HOUR}
    first = served.client.get("/api/v1/readings", params=asked)
    again = served.client.get("/api/v1/readings", params=asked, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    other = served.client.get("/api/v1/readings", params=asked | {"limit": 5}, headers={"If-None-Match": first.headers["etag"]})
    assert other.status_code == 200
    head = served.client.head("/api/v1/readings", params=asked)
    assert (head.status_code, head.content, head.headers["etag"]) == (200, b"", first.headers["etag"])


@pytest.mark.parametrize(
    ("path", "params", "parameter", "words"),
    [
        ("readings", {}, "series", "is required"),
        ("readings", {"series": "lab", "since": "soon"}, "since", "is not a time"),
        ("readings", {"series": "lab", "since": "now", "until": "-1h"}, "since", "is not before"),
        ("readings", {"series": "lab", "limit": "0"}, "limit", "from 1 to"),
        ("readings", {"series": "lab", "after": "x"}, "after", "is not where a page begins"),
        ("readings", {"series": "lab", "after": "--5.3"}, "after", "is not where a page begins"),
        ("readings", {"series": "lab", "after": "9999999999999999999.1"}, "after", "is not where a page begins"),
        ("readings", {"series": "lab.t", "unit": "volt", **HOUR}, "unit", "lab.t"),
        ("readings", {"series": "lab", "format": "xml"}, "format", "allowed: json, ndjson, csv"),
        ("readings", {"serie": "lab"}, "serie", "did you mean series?"),
        ("buckets", {"series": "lab"}, "every", "either every"),
        ("buckets", {"series": "lab", "every": "1h", "max_points": "5"}, "every", "either every"),
        ("buckets", {"series": "lab", "every": "1parsec"}, "every", "1parsec"),
        ("buckets", {"series": "lab", "every": "1ms", "since": "2000", "until": "2020"}, "every", "at most 1,000,000"),
        ("buckets", {"series": "lab", "every": "1h", "agg": "meen"}, "agg", "meen"),
        ("buckets", {"series": "lab", "every": "1h", "fill": "up"}, "fill", "allowed: none, null"),
        ("latest", {"tz": "Mars/Base"}, "tz", "Europe/Berlin"),
        ("latest", {"tz": ["UTC", "UTC"]}, "tz", "more than once"),
        ("latest", {"series": "x" * 300}, "series", "has 300 characters; at most 200"),
        ("stream", {"last_event_id": "1"}, "last_event_id", "is not the id"),
    ],
)
def test_a_wrong_parameter_is_named(served: Served, path: str, params: dict[str, Any], parameter: str, words: str) -> None:
    """400, which one, what is wrong, what is allowed."""
    answer = served.client.get(f"/api/v1/{path}", params=params)
    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert (error["code"], error["parameter"]) == ("bad_parameter", parameter)
    assert words in error["message"] + error.get("hint", "")


@pytest.mark.parametrize("path", ["latest", "readings", "buckets?every=1h", "stream", "readings?format=csv"])
def test_an_unknown_series_is_404_with_its_neighbours(served: Served, path: str) -> None:
    """Not an empty answer: a typing error must not look like silence."""
    answer = served.client.get(f"/api/v1/{path}{'&' if '?' in path else '?'}series=lab.u")
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "unknown_series"
    assert "lab.t" in answer.json()["error"]["nearest"]


def test_more_rows_than_an_answer_holds_are_refused_or_streamed(served: Served) -> None:
    """JSON is bounded and says so; a stream is not."""
    asked = {"series": "lab.t", "every": "50ms", "fill": "null", **ALL}
    answer = served.client.get("/api/v1/buckets", params=asked)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "too_many_rows")
    assert "more than 100,000 rows of 6 cells" in answer.json()["error"]["message"]
    assert len(served.rows("/api/v1/buckets", **asked)) == 144_000
    assert "csv, which have no limit" in answer.json()["error"]["hint"]
    filled = served.client.get("/api/v1/buckets", params=asked | {"fill": "previous"}).json()["error"]
    assert "csv, which give 100,000 rows of each series" in filled["hint"]
    refused = served.client.get("/api/v1/buckets", params=asked | {"fill": "previous", "format": "csv"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "too_many_rows")
    assert "fill=none or null" in refused.json()["error"]["hint"]
    many = {"series": "lab.t", "every": "100ms", "fill": "null", "agg": "mean,min,max,first,last,sum,count,stddev,range", **ALL}
    answer = served.client.get("/api/v1/buckets", params=many)
    assert "more than 50,000 rows of 12 cells" in answer.json()["error"]["message"]


def test_a_stream_whose_next_page_fails_is_cut_off(
    made: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The client sees that it is not the whole; the log says why, in a line and not as a fault."""
    with serving(Settings(made, query_threads=1)) as running:
        monkeypatch.setattr(api, "PAGE_ROWS", 10)
        begun = workers.Workers.run

        async def run(self: workers.Workers, *question: Any, patient: bool = False) -> Any:
            if patient:
                raise ApiError(422, "takes_too_long", "no time is left")
            return await begun(self, *question)

        monkeypatch.setattr(workers.Workers, "run", run)
        asked = {"series": "lab.t", "every": "1min", "format": "csv", **ALL}
        with pytest.raises(httpx.RemoteProtocolError):
            running.client.get("/api/v1/buckets", params=asked)
        assert running.client.head("/api/v1/buckets", params=asked).status_code == 200
    assert "an answer was cut off: no time is left" in [record.getMessage() for record in caplog.records]
    assert not [record for record in caplog.records if record.exc_info]


def test_a_question_that_takes_too_long_is_ended(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """422 with what to do, and the next question is answered."""
    monkeypatch.setattr(pool, "STEPS_BETWEEN_CHECKS", 10)
    with serving(Settings(made, query_timeout_s=1e-6)) as running:
        answer = running.client.get("/api/v1/latest")
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "takes_too_long")
    with serving(Settings(made)) as running:
        assert running.get("/api/v1/latest")["latest"]


def test_too_many_waiting_questions_are_refused(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """503 with when to come back, instead of a queue that grows."""
    monkeypatch.setattr(admission, "MAX_WAITING_PER_PLACE", -1)
    with serving(Settings(made)) as running:
        answer = running.client.get("/api/v1/latest")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert answer.json()["error"]["code"] == "busy"


def test_a_stream_that_has_begun_is_not_refused_half_way(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many are waiting: its next page waits its turn."""
    monkeypatch.setattr(api, "PAGE_ROWS", 10)
    with serving(Settings(made, query_threads=1)) as running:
        begun = workers.Workers.run

        async def run(self: workers.Workers, *question: Any, patient: bool = False) -> Any:
            answer = await begun(self, *question, patient=patient)
            self.admission._pending = self.admission._max_pending  # from here on the house is full
            return answer

        monkeypatch.setattr(workers.Workers, "run", run)
        assert len(running.rows("/api/v1/readings", series="lab.t", **ALL)) == 660
        assert running.client.get("/api/v1/events").status_code == 503


def test_a_database_that_comes_goes_and_is_replaced(made: Path, tmp_path: Path) -> None:
    """503 while there is none; the new file's contents when there is another."""
    path = tmp_path / "log.db"
    with serving(Settings(path)) as running:
        answer = running.client.get("/api/v1/latest")
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "log_unavailable")
        assert "sensorlogd status" in answer.json()["error"]["hint"]
        path.write_bytes(made.read_bytes())
        assert len(running.get("/api/v1/latest")["latest"]) == 2
        other = tmp_path / "other.db"
        other.write_bytes(made.read_bytes())
        conn = sqlite3.connect(other)
        conn.execute("UPDATE sensor SET name = 'cellar' WHERE name = 'lab'")
        conn.commit()
        conn.close()
        other.replace(path)
        assert {row["sensor"] for row in running.get("/api/v1/latest")["latest"]} == {"cellar"}


def test_what_is_not_there_is_told_in_the_same_shape(served: Served) -> None:
    """404 and 405 are JSON, too."""
    assert served.client.get("/api/v1/nothing").json()["error"]["code"] == "not_found"
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
        answer = served.client.request(method, "/api/v1/latest")
        assert (answer.status_code, answer.json()["error"]["code"]) == (405, "method_not_allowed")
        assert answer.headers["allow"] == "GET, HEAD"
