"""A damaged log is told in words, and what has not changed is not sent twice."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sqlite3
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from sensorlogd.web.serving.server import Server, make_server
from sensorlogd.web.settings import Settings
from tests.web.conftest import T0, S, Served, serving

PATHS = (
    "/api/v1/latest",
    "/api/v1/readings?series=lab.t&since=2000-01-01",
    "/api/v1/events",
    "/api/v1/status",
    "/api/v1/sensors?retired=1",
    "/metrics?values=1",
)


@pytest.mark.parametrize("table", ["sensor", "series", "recent", "event", "daemon_status"])
def test_a_damaged_page_is_told_in_words(made: Path, tmp_path: Path, table: str, caplog: pytest.LogCaptureFixture) -> None:
    """An answer, or 503 with code and message; never a bare fault. The journal says it once."""
    path = tmp_path / "log.db"
    with closing(sqlite3.connect(f"file:{made}?mode=ro", uri=True)) as conn:
        (size,) = conn.execute("PRAGMA page_size").fetchone()
        (page,) = conn.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,)).fetchone()
    hurt = bytearray(made.read_bytes())
    hurt[(page - 1) * size : page * size] = b"\xff" * size
    path.write_bytes(hurt)
    refused = 0
    with caplog.at_level(logging.WARNING, "sensorlogd.web.workers.damage_reports"), serving(Settings(path)) as running:
        for _ in range(2):
            for asked in PATHS:
                answer = running.client.get(asked)
                assert answer.status_code in (200, 503), (asked, answer.text)
                if answer.status_code == 503:
                    refused += 1
                    assert answer.json()["error"]["code"] == "log_unavailable"
                    assert answer.json()["error"]["message"]
    assert refused
    messages = [record.getMessage() for record in caplog.records if record.name == "sensorlogd.web.workers.damage_reports"]
    assert len(messages) == len(set(messages)) > 0


def _hurt_a_leaf(made: Path, path: Path, table: str) -> None:
    """One page in the middle of a table, of those that hold its rows."""
    with closing(sqlite3.connect(f"file:{made}?mode=ro", uri=True)) as conn:
        (size,) = conn.execute("PRAGMA page_size").fetchone()
        (root,) = conn.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,)).fetchone()
    whole = bytearray(made.read_bytes())
    top = whole[(root - 1) * size : root * size]
    assert top[0] in (2, 5), "a page that leads to others"
    cells = [int.from_bytes(top[at : at + 2], "big") for at in range(12, 12 + 2 * int.from_bytes(top[3:5], "big"), 2)]
    leaf = int.from_bytes(top[cells[len(cells) // 2] :][:4], "big")
    whole[(leaf - 1) * size : leaf * size] = b"\xff" * size
    path.write_bytes(whole)


def test_what_a_damaged_page_does_not_hold_is_answered(made: Path, tmp_path: Path) -> None:
    """Readings, buckets, stream and PromQL: the rest, and the range that is missing by name; together they are the whole."""
    path = tmp_path / "log.db"
    _hurt_a_leaf(made, path, "recent")
    span = {"since": "2026-03-29", "until": "2026-03-29T02:00Z", "time": "us"}
    with serving(Settings(made, query_threads=1)) as sound, serving(Settings(path, query_threads=1)) as hurt:
        whole = sound.get("/api/v1/readings", series="lab.t", **span)["readings"]
        rest = hurt.get("/api/v1/readings", series="lab.t", **span)
        assert rest["unreadable"]
        assert {gap["series"] for gap in rest["unreadable"]} == {"lab.t"}

        def is_lost(us: int) -> bool:
            return any(gap["since"] <= us < gap["until"] for gap in rest["unreadable"])

        assert 0 < len(rest["readings"]) < len(whole)
        assert rest["readings"] == [row for row in whole if not is_lost(row["time"])]
        assert sum(gap["until"] - gap["since"] for gap in rest["unreadable"]) < 7200 * S * 0.8

        asked = {"series": "lab.t", "every": "10s", "agg": "last", **span}
        buckets = hurt.get("/api/v1/buckets", **asked)
        [entry] = buckets["series"]
        assert any("damaged" in note for note in entry["notes"])
        expected = [row for row in sound.get("/api/v1/buckets", **asked)["series"][0]["rows"] if not is_lost(row["time"])]
        assert [row["time"] for row in entry["rows"]] == [row["time"] for row in expected]
        assert buckets["unreadable"]

        stream = hurt.client.get("/api/v1/readings", params={"series": "lab.t", "format": "ndjson", **span})
        assert stream.headers["x-sensorlogd-unreadable"].startswith("* 1774")
        assert len(stream.text.splitlines()) == len(rest["readings"])

        query = {"query": "count_over_time(t[2h])", "time": T0 // S + 7200}
        answer = hurt.get("/prometheus/api/v1/query", **query)
        assert "the file is damaged" in answer["warnings"][0]
        usable = [row for row in rest["readings"] if row["value"] is not None and not row["quality"].startswith("fail")]
        assert int(answer["data"]["result"][0]["value"][1]) == len([row for row in usable if row["time"] > T0])


def test_every_event_can_be_reached(made: Path, tmp_path: Path) -> None:
    """By pages back from the newest, by time, by kind and by sensor."""
    path = tmp_path / "log.db"
    path.write_bytes(made.read_bytes())
    with closing(sqlite3.connect(path)) as conn:
        rows = [(T0 + n * S, f"kind_{n % 3}", "lab" if n % 2 else None, str(n)) for n in range(1001)]
        conn.execute("DELETE FROM event")
        # As after a salvage: the first half has ids of 0 or less, and one of them is where a page ends.
        conn.executemany(
            "INSERT INTO event(id, ts, kind, sensor, detail) VALUES (?,?,?,?,?)", [(n - 539, *row) for n, row in enumerate(rows)]
        )
        conn.commit()
    with serving(Settings(path, query_threads=1)) as served:
        found: list[str] = []
        before: dict[str, int] = {}
        while True:
            page = served.get("/api/v1/events", limit=77, **before)
            found = [event["detail"] for event in page["events"]] + found
            if page["earlier"] is None:
                break
            before = {"before": page["earlier"]}
        assert found == [str(n) for n in range(1001)]
        some = served.get("/api/v1/events", kind="kind_1", sensor="l*", since=str(T0 // S + 10), until=str(T0 // S + 100))
        assert [event["detail"] for event in some["events"]] == [str(n) for n in range(10, 100) if n % 3 == 1 and n % 2]


@pytest.mark.parametrize("path", ["/", "/docs", "/docs.css", "/login.css", "/openapi.json", "/api/v1/events"])
def test_what_has_not_changed_is_not_sent_twice(served: Served, path: str) -> None:
    """304 without a body for who has it; another tag gets it all."""
    first = served.client.get(path)
    assert first.status_code == 200
    assert first.content
    again = served.client.get(path, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    other = served.client.get(path, headers={"If-None-Match": 'W/"other"'})
    assert (other.status_code, other.content) == (200, first.content)


@pytest.mark.parametrize("path", ["/api/v1/status", "/api/v1/latest", "/api/v1/sensors", "/prometheus/api/v1/labels"])
def test_ages_alone_are_no_change(served: Served, path: str) -> None:
    """What only got older is the same for some seconds: 304; and HEAD says what GET would."""
    first = served.client.get(path)
    again = served.client.get(path, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    head = served.client.head(path)
    assert (head.status_code, head.headers["etag"][:3], head.content) == (200, 'W/"', b"")


def test_ages_do_not_stay_for_ever(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a sensor that is silent the age grows, also for who asks with a tag."""

    began, later = time.time(), 0.0
    monkeypatch.setattr(time, "time", lambda: began + later)
    tag = {"If-None-Match": served.client.get("/api/v1/latest").headers["etag"]}
    later = 9.9
    assert served.client.get("/api/v1/latest", headers=tag).status_code == 304
    later = 20.1
    assert served.client.get("/api/v1/latest", headers=tag).status_code == 200


def test_a_large_answer_is_packed_for_who_takes_that(served: Served) -> None:
    """The same tag, the same content, in fewer bytes."""
    asked = {"series": "lab.t", "since": "2026-03-29", "until": "2026-03-30"}
    plain = served.client.get("/api/v1/readings", params=asked, headers={"Accept-Encoding": "identity"})
    packed = served.client.get("/api/v1/readings", params=asked, headers={"Accept-Encoding": "gzip"})
    assert packed.json() == plain.json()
    assert (packed.headers["content-encoding"], packed.headers["etag"]) == ("gzip", plain.headers["etag"])
    for accepted, encoding in (("gzip;q=0, identity", None), ("br, GZIP; q=0.5", "gzip"), ("gzip; q=0.000", None)):
        answer = served.client.get("/api/v1/readings", params=asked, headers={"Accept-Encoding": accepted})
        assert answer.headers.get("content-encoding") == encoding, accepted
    assert int(packed.headers["content-length"]) < int(plain.headers["content-length"]) / 5


def test_the_loop_says_that_a_worker_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every few seconds, not at every turn; nothing without a daemon or where no worker answers; and nothing is raised when the
    daemon has gone."""
    beats: list[int] = []

    def gone() -> None:
        beats.append(1)
        raise BrokenPipeError

    async def ticks(server: Server) -> None:
        for _ in range(5):
            await server.on_tick(1)
            if server._beat_task is not None:
                await server._beat_task

    async def all_of_it() -> None:
        server: Server = make_server(Settings(tmp_path / "log.db"))
        server.servers = []
        state = server.config.app.state  # type: ignore[union-attr]  # uvicorn's app may be of any kind; ours has a state
        try:
            await server.on_tick(1)
            assert await state.workers.is_well()
            assert len(state.workers.pids()) == 1
            server.beat = gone
            await ticks(server)
            assert len(beats) == 1
            server._beaten_at = 0.0
            monkeypatch.setattr(sys, "executable", "/no/such/python")  # none can be started
            for pid in state.workers.pids():
                os.kill(pid, signal.SIGKILL)
            await ticks(server)
            assert len(beats) == 1
        finally:
            state.closing()
            state.pool.close()
            state.hub.pool.close()

    asyncio.run(all_of_it())
