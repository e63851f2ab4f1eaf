"""Flagging and noting over HTTP: done by the daemon, refused to whoever may not, whatever is sent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from sensorlogd import calling
from sensorlogd.config.models.web import WebOptions
from sensorlogd.web.answering import changes
from sensorlogd.web.answering.changes import FIELDS
from sensorlogd.web.settings import Settings
from tests.rig import DEADLINE_S, Daemon, until
from tests.web.conftest import ONE_EACH, Served, serving
from tests.web.serving.test_process import committed, url, write_config

SERIES = "greenhouse.temperature"
NOTE = {"series": [SERIES], "at": "now", "note": "watered", "by": "Ada"}
FLAG = {"series": [SERIES], "quality": "fail", "since": "-1h", "until": "now", "note": "in the sun", "by": "Ada"}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Of a daemon on a loopback address, with some readings and an alarm."""
    folder = tmp_path_factory.mktemp("changes")
    path = write_config(folder)
    config = json.loads(path.read_text())
    path.write_text(json.dumps(config | {"alarms": {"warm": {"series": SERIES, "when": "> 0"}}}))
    with Daemon(path, folder / "data", web=True).wait_ready() as daemon:
        until(lambda: committed(daemon) > 40, "readings")
        with httpx.Client(base_url=url(daemon), trust_env=False, timeout=DEADLINE_S, limits=ONE_EACH) as client:
            yield client


def status_and_code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def happened(client: httpx.Client, kind: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get("api/v1/events", params={"kind": kind, "limit": 1000, "time": "us"}).json()["events"]
    return found


def test_a_range_is_flagged_and_taken_back(client: httpx.Client) -> None:
    """With who and why; the readings are what they were afterwards."""

    def flagged(until_us: int) -> list[str]:
        rows = client.get("api/v1/readings", params={"series": SERIES, "since": "-1h", "until": str(until_us)}).json()
        return [row["quality"] for row in rows["readings"]]

    newest = client.get("api/v1/latest", params={"series": SERIES, "time": "us"}).json()["latest"][0]["time"]
    before = flagged(newest)
    answer = client.post("api/v1/flag", json=FLAG | {"until": str(newest)})
    assert answer.status_code == 200, answer.text
    (mend,) = answer.json()["mends"]
    assert (mend["series"], mend["done"], mend["readings"]) == (SERIES, True, len(before))
    assert all(quality.startswith("fail:") and "operator" in quality for quality in flagged(newest))
    assert any("in the sun (Ada)" in event["detail"] for event in happened(client, "mended"))
    (known,) = client.get("api/v1/mends", params={"series": SERIES}).json()["mends"]
    assert (known["mend"], known["note"], known["state"]) == (mend["mend"], "in the sun (Ada)", "done")
    assert client.post("api/v1/undo", json={"mend": mend["mend"]}).json()["readings"] == len(before)
    assert flagged(newest) == before
    again = client.post("api/v1/undo", json={"mend": mend["mend"]})
    assert status_and_code(again) == (409, "refused")
    assert status_and_code(client.post("api/v1/undo", json={"mend": 999})) == (409, "refused")


def test_a_note_stands_where_it_happened(client: httpx.Client) -> None:
    """As an event of its sensor."""
    at = client.get("api/v1/status", params={"time": "us"}).json()["now"] - 3_600_000_000
    assert client.post("api/v1/note", json=NOTE | {"at": str(at)}).json() == {"noted": 1}
    (event,) = happened(client, "note")
    assert (event["time"], event["sensor"], event["detail"]) == (at, "greenhouse", "temperature: watered (Ada)")


def test_an_alarm_is_acknowledged_once_with_who_and_what(client: httpx.Client) -> None:
    """The second time it does not wait for it any more."""

    def alarm() -> dict[str, Any]:
        found: list[dict[str, Any]] = client.get("api/v1/alarms").json()["alarms"]
        return next((row for row in found if row["alarm"] == "warm"), {})

    until(lambda: alarm().get("state") == "unacknowledged", "the alarm")
    body = {"alarms": [f"warm/{SERIES}"], "note": "the door\nwas open", "by": "Ada"}
    assert client.post("api/v1/ack", json=body).json() == {"acknowledged": [f"warm/{SERIES}"]}
    until(lambda: alarm()["state"] == "acknowledged", "that it is acknowledged")
    assert alarm()["note"] == "the door was open (Ada)"
    assert client.post("api/v1/ack", json={"alarms": [f"warm/{SERIES}"]}).json() == {"acknowledged": []}
    assert alarm()["note"] == "the door was open (Ada)"


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "http://["},
        {"Origin": "file://{host}"},
        {"Origin": "http://{host}@evil.example"},
    ],
)
def test_a_page_of_a_stranger_changes_nothing(client: httpx.Client, headers: dict[str, str]) -> None:
    """Whatever it has the browser send; our own page is heard."""
    before = len(happened(client, "note"))
    host = client.base_url.netloc.decode()
    sent = {name: value.replace("{host}", host) for name, value in headers.items()}
    for path in FIELDS:
        assert status_and_code(client.post(f"api/v1/{path}", json=NOTE, headers=sent)) == (403, "cross_site")
    assert len(happened(client, "note")) == before
    own: list[dict[str, str]] = [
        {"Origin": f"http://{host}"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "https://proxy.example"},
    ]
    for good in own:
        assert status_and_code(client.post("api/v1/note", json={}, headers=good)) == (400, "bad_parameter")


@pytest.mark.parametrize(
    "kind", ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x", "", "text/json"]
)
def test_only_json_is_taken(client: httpx.Client, kind: str) -> None:
    """A form of another site can send none."""
    answer = client.post("api/v1/note", content=json.dumps(NOTE), headers={"Content-Type": kind})
    assert status_and_code(answer) == (415, "json_only")


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("note", NOTE | {"note": "x" * 20_000}, 413, "too_large"),
        ("note", NOTE | {"note": "x" * 1_001}, 400, "bad_parameter"),
        ("note", NOTE | {"note": " \n "}, 400, "bad_parameter"),
        ("note", NOTE | {"by": "y" * 101}, 400, "bad_parameter"),
        ("note", NOTE | {"series": ["greenhouse.temprature"]}, 404, "unknown_series"),
        ("note", NOTE | {"series": ["\ud800"]}, 400, "bad_parameter"),
        ("note", NOTE | {"note": "\ud800"}, 400, "bad_parameter"),
        ("note", NOTE | {"series": ["*"]}, 404, "unknown_series"),
        ("note", NOTE | {"series": []}, 400, "bad_parameter"),
        ("note", NOTE | {"series": SERIES}, 400, "bad_parameter"),
        ("note", NOTE | {"series": [SERIES, 1]}, 400, "bad_parameter"),
        ("note", NOTE | {"series": ["x"] * 41}, 400, "bad_parameter"),
        ("note", NOTE | {"at": "someday \ud800"}, 400, "bad_parameter"),
        ("note", NOTE | {"at": 5}, 400, "bad_parameter"),
        ("note", NOTE | {"\ud800": 5}, 400, "bad_parameter"),
        ("flag", FLAG | {"since": "now", "until": "-1h"}, 400, "bad_parameter"),
        ("flag", FLAG | {"since": "2001-01-01", "until": "2001-01-02"}, 409, "no_readings"),
        ("flag", FLAG | {"quality": "missing"}, 400, "bad_parameter"),
        ("flag", FLAG | {"quality": ["fail"]}, 400, "bad_parameter"),
        ("flag", FLAG | {"note": ""}, 400, "bad_parameter"),
        ("flag", FLAG | {"scale": 2}, 400, "bad_parameter"),
        ("ack", {"alarms": ["warm"]}, 404, "unknown_alarm"),
        ("ack", {"alarms": ["*"]}, 404, "unknown_alarm"),
        ("ack", {"alarms": ["warm/*"]}, 404, "unknown_alarm"),
        ("ack", {"alarms": [f"warm/{SERIES}", "\ud800"]}, 400, "bad_parameter"),
        ("ack", {"alarms": []}, 400, "bad_parameter"),
        ("ack", {"alarms": ["x"] * 101}, 400, "bad_parameter"),
        ("ack", {"alarms": [f"warm/{SERIES}"], "note": "x" * 1_001}, 400, "bad_parameter"),
        ("ack", {"alarms": [f"warm/{SERIES}"], "by": "x" * 101}, 400, "bad_parameter"),
        ("ack", {"alarms": [f"warm/{SERIES}"], "for": "1h"}, 400, "bad_parameter"),
        ("panel_save", {"name": "x", "view": "javascript:alert(1)"}, 400, "bad_parameter"),
        ("panel_save", {"name": "x", "view": "#/chart\n"}, 400, "bad_parameter"),
        ("panel_save", {"name": "x", "view": "#/" + "y" * 4_000}, 400, "bad_parameter"),
        ("panel_save", {"name": "x" * 81, "view": "#/"}, 400, "bad_parameter"),
        ("panel_save", {"name": "\ud800\x00", "view": "#/"}, 400, "bad_parameter"),
        ("panel_save", {"name": "x", "view": None}, 400, "bad_parameter"),
        ("panel_save", {"name": "x", "view": "#/", "path": "/etc/passwd"}, 400, "bad_parameter"),
        ("panel_delete", {"name": "../../etc/passwd"}, 409, "refused"),
        ("panel_delete", {"name": "\ud800"}, 400, "bad_parameter"),
        ("undo", {"mend": True}, 400, "bad_parameter"),
        ("undo", {"mend": -1}, 400, "bad_parameter"),
        ("undo", {"mend": 2**70}, 400, "bad_parameter"),
        ("undo", {"mend": "1"}, 400, "bad_parameter"),
        ("undo", [1], 400, "bad_request"),
    ],
)
def test_what_cannot_be_meant_is_refused(client: httpx.Client, path: str, body: Any, status: int, code: str) -> None:
    """In words, and nothing is changed."""
    before = happened(client, "mended"), happened(client, "note")
    answer = client.post(f"api/v1/{path}", content=json.dumps(body), headers={"Content-Type": "application/json; charset=utf-8"})
    assert status_and_code(answer) == (status, code), answer.text
    assert (happened(client, "mended"), happened(client, "note")) == before


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("note", NOTE | {"note": 5}, "note: must be a text, not the number 5"),
        ("note", NOTE | {"note": True}, "note: must be a text, not true"),
        ("note", NOTE | {"note": ["x"]}, "note: must be a text, not a list"),
        ("note", NOTE | {"note": "x" * 2_100}, "note: has 2,100 characters; at most 2,000"),
        ("note", NOTE | {"series": {}}, "series: must be a list of texts, at least one, not an object"),
        ("note", NOTE | {"series": []}, "series: must be a list of texts, at least one, not an empty list"),
        ("note", NOTE | {"series": [SERIES, 1]}, "series: must be a list of texts; in it is the number 1"),
        ("note", [], "the body must be a JSON object, not an empty list"),
        ("undo", {}, "mend: is required"),
        ("undo", {"mend": "7"}, 'mend: must be a whole number, not "7"'),
        ("undo", {"mend": -1}, "mend: must be a whole number from 0 to 4611686018427387903, not the number -1"),
        ("undo", {"mend": "x" * 100}, f'mend: must be a whole number, not "{"x" * 56}...'),
        ("flag", FLAG | {"quality": "bad"}, "quality: bad is not known"),
    ],
)
def test_what_was_found_is_named(client: httpx.Client, path: str, body: Any, words: str) -> None:
    """Where, what was found, what is allowed."""
    answer = client.post(f"api/v1/{path}", json=body)
    assert (answer.status_code, answer.json()["error"]["message"]) == (400, words)


def test_refusals_say_what_to_do(client: httpx.Client) -> None:
    """Where the readings are, how the page is to be opened."""
    empty = client.post("api/v1/flag", json=FLAG | {"since": "2001-01-01", "until": "2001-01-02"})
    assert "stored are readings from 20" in empty.json()["error"]["hint"]
    strange = client.post("api/v1/note", json=NOTE, headers={"Sec-Fetch-Site": "cross-site"})
    assert "by their own address" in strange.json()["error"]["hint"]


@pytest.mark.parametrize("body", [b"", b"[" * 16_000, b"\xff\xfe", b"{", b'{"a": NaN', b"x" * 10_000_000])
def test_bodies_that_are_none(client: httpx.Client, body: bytes) -> None:
    """Not JSON, or too much of it."""
    answer = client.post("api/v1/note", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 413), answer.text


@pytest.mark.parametrize(
    "name", ["Cellar", "../../../etc/cron.d/x", "/etc/passwd", "..", "Küche 🌡️ ‮gnp", "a" * 80, '"},{"', "C:\\nul"]
)
def test_a_view_has_any_name_and_is_never_a_path(client: httpx.Client, name: str) -> None:
    """Saved, saved again in its own place, listed, exported, deleted; no file but the one is written."""
    view = "#/chart?s=greenhouse.temperature&range=3600"
    known = client.post("api/v1/panel_save", json={"name": name, "view": "#/year"}).json()["name"]
    assert client.post("api/v1/panel_save", json={"name": name, "view": view}).status_code == 200
    found = client.get("api/v1/panels").json()["panels"]
    assert [(saved["name"], saved["view"]) for saved in found] == [(known, view)]
    folder = Path(client.get("api/v1/status").json()["database"]["path"]).parent
    assert [saved["name"] for saved in json.loads((folder / "panels.json").read_text())["panels"]] == [known]
    assert not [path for path in folder.iterdir() if path.is_dir() or path.name.endswith(".part")]
    assert client.post("api/v1/panel_delete", json={"name": known}).status_code == 200
    assert client.get("api/v1/panels").json()["panels"] == []


def test_only_post_changes_anything(client: httpx.Client) -> None:
    """An address that somebody is led to does nothing."""
    for method in ("GET", "HEAD", "PUT", "DELETE", "OPTIONS"):
        assert client.request(method, "api/v1/note").status_code == 405


def test_without_a_daemon_or_leave_nothing_is_changed(made: Path, served: Served) -> None:
    """Both are told with what to do."""
    refused = served.client.post("/api/v1/note", json=NOTE)
    assert status_and_code(refused) == (403, "changes_not_allowed")
    assert "changes: true" in refused.json()["error"]["hint"]
    assert served.get("/api/v1/status")["changes"] is False
    with serving(replace(Settings(made, query_threads=1), changes=True)) as running:
        answer = running.client.post("/api/v1/note", json=NOTE | {"series": ["lab.t"]})
        assert status_and_code(answer) == (503, "no_daemon")
        assert "systemctl start sensorlogd" in answer.json()["error"]["hint"]
        assert answer.headers["retry-after"]


@pytest.mark.parametrize(
    ("refuses", "status", "mended"), [((), 200, ["lab.n", "lab.t"]), ((2,), 200, ["lab.n"]), ((1, 2), 409, [])]
)
def test_what_was_flagged_is_told_though_the_rest_was_refused(
    made: Path, monkeypatch: pytest.MonkeyPatch, refuses: tuple[int, ...], status: int, mended: list[str]
) -> None:
    """Each series with its mend or with why not; an error only if nothing was done. Roll-ups are asked to follow all the same."""
    asked: list[str] = []

    def answer(_: Path, request: dict[str, Any], __: float) -> dict[str, Any]:
        asked.append(request["do"])
        if request["do"] == "mend" and asked.count("mend") in refuses:
            return {"ok": False, "error": "mend: too many mends wait"}
        return {"ok": True, "work": 1, "id": 7, "state": "done", "done": 3}

    monkeypatch.setattr(changes, "holder", lambda path: SimpleNamespace(control=path))
    monkeypatch.setattr(calling, "ask", answer)
    with serving(replace(Settings(made, query_threads=1), changes=True)) as running:
        body = FLAG | {"series": ["lab.n", "lab.t"], "since": "2026-03-29", "until": "2026-03-30"}
        found = running.client.post("/api/v1/flag", json=body)
    assert (found.status_code, asked.count("roll_up")) == (status, 1)
    if status == 200:
        assert [mend["series"] for mend in found.json()["mends"]] == mended
        told = [{"series": "lab.t", "message": "too many mends wait"}] if refuses else []
        assert found.json()["refused"] == told
    else:
        assert status_and_code(found) == (409, "refused")


@pytest.mark.parametrize(
    ("options", "allowed"),
    [
        ({}, True),
        ({"listen": "[::1]:8321"}, True),
        ({"changes": False}, False),
        ({"base_path": "/sensors"}, False),
        ({"allowed_hosts": ["logger.example.org"]}, False),
        ({"listen": "0.0.0.0:8321", "auth": "token"}, False),
        ({"listen": "0.0.0.0:8321", "auth": "none"}, False),
        ({"listen": "0.0.0.0:8321", "auth": "token", "changes": True}, True),
    ],
)
def test_who_may_change_if_nobody_says(options: dict[str, Any], allowed: bool) -> None:
    """Only who is on this machine."""
    assert WebOptions.model_validate(options).may_change() is allowed
