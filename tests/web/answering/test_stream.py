"""The live stream: everything that is committed, once, to everybody, and to those who come back what they missed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from sensorlogd.batch import Block, Column
from sensorlogd.event_kinds import OtherKind
from sensorlogd.storage.file.connecting import close_cleanly
from sensorlogd.storage.ingest import events, latest
from sensorlogd.storage.ingest.append import append
from sensorlogd.storage.query.log_reader import LogReader, SeriesReading
from sensorlogd.storage.series import catalog
from sensorlogd.storage.series.stored import matches
from sensorlogd.storage.watermarks import Frontier
from sensorlogd.web.answering.live import sent_messages, stream
from sensorlogd.web.answering.live.watch import Seen, Watch
from sensorlogd.web.answering.params import TimeForm
from sensorlogd.web.answering.pool import Pool
from sensorlogd.web.refusal import ApiError
from sensorlogd.web.settings import Settings
from tests.connections import connect_writer
from tests.rig import DEADLINE_S, until
from tests.web.conftest import S, Served, make_database, serving


class Log:
    """A database that a test writes to as the daemon does."""

    def __init__(self, fresh: Path, path: Path) -> None:
        self.path = path
        self.begin_us = time.time_ns() // 1000 - 7300 * S
        make_database(fresh, path, self.begin_us)
        self.conn = connect_writer(path)
        rows = self.conn.execute("SELECT sensor.name, channel, series.id FROM series JOIN sensor ON sensor.id = sensor_id")
        self.ids = {(sensor, channel): identity for sensor, channel, identity in rows}
        self.value = 100.0

    def commit(self, sensor: str = "lab", channel: str = "t", count: int = 1, at_us: int | None = None) -> list[float]:
        """Values of their own, stamped now."""
        at = time.time_ns() // 1000 if at_us is None else at_us
        return self.commit_at([at - count + 1 + index for index in range(count)], sensor, channel)

    def commit_at(
        self, times_us: list[int], sensor: str = "lab", channel: str = "t", *, latest_is_due: bool = False
    ) -> list[float]:
        """Values of their own, in one commit. ``latest_is_due``: it writes the newest values, as one in some seconds does."""
        values = [self.value + index for index in range(len(times_us))]
        self.value += len(times_us)
        column = Column(channel, times_us, list(values), 1)
        self.conn.execute("BEGIN IMMEDIATE")
        stored = append(self.conn, [Block(sensor, [column])], self.ids, Frontier(edge_us=self.begin_us))
        if latest_is_due:
            latest.save(self.conn, stored.newest, time.time_ns() // 1000, 5_000_000)
        self.conn.execute("COMMIT")
        return values


@pytest.fixture
def log(fresh: Path, tmp_path: Path) -> Iterator[Log]:
    """With readings up to two minutes ago."""
    made = Log(fresh, tmp_path / "log.db")
    yield made
    made.conn.close()


@pytest.fixture
def live(log: Log) -> Iterator[Served]:
    """A server on it."""
    with serving(Settings(log.path)) as running:
        yield running


class Viewer:
    """Follows a stream on a thread of its own. ``messages``: (id, event, data)."""

    def __init__(self, url: str, params: dict[str, Any], headers: dict[str, str]) -> None:
        self.messages: list[tuple[str | None, str, Any]] = []
        self._client = httpx.Client(base_url=url, timeout=DEADLINE_S, trust_env=False)
        self._context = self._client.stream("GET", "/api/v1/stream", params=params, headers=headers)
        self.answer = self._context.__enter__()
        self.ended = False
        self.whole = False  # the server said that this was all
        self._thread = threading.Thread(target=self._follow, name="viewer")
        self._thread.start()

    def _follow(self) -> None:
        fields: dict[str, str] = {}
        with contextlib.suppress(httpx.HTTPError, httpx.StreamError, OSError):
            for line in self.answer.iter_lines():
                if line:
                    name, _, value = line.partition(": ")
                    fields[name] = value
                elif fields:
                    if "data" in fields:
                        self.messages.append((fields.get("id"), fields["event"], json.loads(fields["data"])))
                    fields = {}
            self.whole = True
        self.ended = True

    def of(self, event: str) -> list[Any]:
        return [data for _, kind, data in list(self.messages) if kind == event]

    def values(self) -> list[float]:
        return [row["value"] for rows in self.of("readings") for row in rows]

    def wait_for(self, values: list[float]) -> None:
        until(lambda: len(self.values()) >= len(values), f"the values {values}, got {self.messages}")
        assert self.values() == values

    def close(self) -> None:
        for connection in self._client._transport._pool.connections:  # type: ignore[attr-defined]  # no public way to the socket
            sock = connection._connection._network_stream.get_extra_info("socket")
            with contextlib.suppress(OSError):
                sock.shutdown(2)
        self._thread.join(DEADLINE_S)
        self._context.__exit__(None, None, None)
        self._client.close()


@contextlib.contextmanager
def watching(live: Served, last: str | None = None, **params: Any) -> Iterator[Viewer]:
    viewer = Viewer(live.url, params, {} if last is None else {"Last-Event-ID": last})
    try:
        if last is None:
            until(lambda: viewer.of("latest"), "the first message")
        yield viewer
    finally:
        viewer.close()


def test_what_is_committed_is_seen_once_by_everybody(live: Served, log: Log) -> None:
    """First the newest values, then every new reading, in the rows of the API; each viewer those he asked for."""
    with watching(live) as everything, watching(live, series="lab.n", time="us") as viewer:
        assert everything.answer.headers["content-type"].startswith("text/event-stream")
        assert [row["channel"] for row in everything.of("latest")[0]] == ["n", "t"]
        first = log.commit(count=3)
        everything.wait_for(first)
        second = log.commit(channel="n", count=2) + log.commit("roof")
        everything.wait_for(first + second)
        viewer.wait_for(second[:2])
        row = viewer.of("readings")[0][0]
        assert list(row) == ["time", "sensor", "channel", "value", "unit", "quality"]
        assert isinstance(row["time"], int)


def test_who_comes_back_gets_what_he_missed(live: Served, log: Log) -> None:
    """From memory, exactly; nothing twice, nothing lost."""
    with watching(live) as viewer:
        viewer.wait_for(log.commit(count=2))
        last = viewer.messages[-1][0]
    missed = log.commit(count=3)
    with watching(live) as other:  # the server has seen them
        seen = log.commit(count=1)
        until(lambda: other.values()[-1:] == seen, "the newest value")
        with watching(live, last) as viewer:
            viewer.wait_for(missed + seen)
            assert not viewer.of("latest")
            more = log.commit()
            viewer.wait_for(missed + seen + more)


def test_who_comes_back_to_another_process_gets_what_he_missed(log: Log) -> None:
    """From the database: everything since, perhaps some of what he had."""
    with serving(Settings(log.path)) as live, watching(live) as viewer:
        before = log.commit(count=2)
        viewer.wait_for(before)
        last = viewer.messages[-1][0]
    missed = log.commit(count=3)
    with serving(Settings(log.path)) as live, watching(live, last, series="lab.t") as viewer:
        viewer.wait_for(before + missed)


class OneLog:
    """Stands for the pool of a hub: answers at once, from one log."""

    def __init__(self, opened: LogReader) -> None:
        self.opened = opened

    async def run(self, question: Callable[[LogReader], Any]) -> Any:
        return question(self.opened)


def test_after_the_checking_has_ended_memory_does_not_answer(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has seen what was committed then; the database has it."""
    monkeypatch.setattr(stream, "LINGER_S", 0.0)
    monkeypatch.setattr(stream, "CHECK_EVERY_S", 0.0)

    async def come_and_go(hub: stream.Hub) -> str:
        viewer = hub.join(stream.Subscription((), TimeForm("s", "UTC")))
        await hub.first_check()
        last = hub.sent.now()
        assert hub.sent.since(last)[0] == []
        hub.leave(viewer)
        await asyncio.gather(*(asyncio.all_tasks() - {asyncio.current_task()}))
        return last

    with LogReader.open(log.path) as opened:
        hub = stream.Hub(cast(Pool, OneLog(opened)))
        assert hub.sent.since(asyncio.run(come_and_go(hub)))[0] is None


def test_what_is_committed_before_the_first_check_is_not_missed(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database is asked for what was missed after the hub has begun to check: what the check takes for known is in that."""
    begun, asked, committed = threading.Event(), threading.Event(), threading.Event()
    check, missed_in_database = Watch.check, stream._missed_in_database

    def late_check(watch: Watch, opened: LogReader, now_us: int) -> Seen:
        begun.set()
        assert committed.wait(DEADLINE_S)
        return check(watch, opened, now_us)

    async def missed(*arguments: Any) -> bytes:
        found = await missed_in_database(*arguments)
        asked.set()
        return found

    monkeypatch.setattr(Watch, "check", late_check)
    monkeypatch.setattr(stream, "_missed_in_database", missed)
    with serving(Settings(log.path)) as live, watching(live, f"1-1-{time.time_ns() // 1000}", series="lab.t") as viewer:
        assert begun.wait(DEADLINE_S)
        asked.wait(0.5)  # were it asked now, it would not have what follows
        values = log.commit()
        committed.set()
        viewer.wait_for(values)


def test_more_at_once_than_is_kept_for_those_who_come_back_is_seen(
    live: Served, log: Log, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Everybody who watches gets it; who comes back gets it from the database."""
    monkeypatch.setattr(sent_messages, "MAX_KEPT_READINGS", 3)
    with watching(live) as viewer, watching(live, series="lab.t") as other:
        before = log.commit()
        viewer.wait_for(before)
        last = viewer.messages[-1][0]
        many = log.commit(count=5)
        for each in (viewer, other):
            each.wait_for(before + many)
        with watching(live, last, series="lab.t") as back:
            back.wait_for(before + many)
        assert "failed" not in caplog.text


def test_who_was_away_too_long_is_told_so(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not half of it in silence: the range to ask for."""
    monkeypatch.setattr(stream, "MAX_MISSED_READINGS", 10)
    with serving(Settings(log.path)) as live:
        log.commit(count=11)
        now_us = time.time_ns() // 1000
        with watching(live, f"1-1-{now_us}", time="us") as viewer:
            until(lambda: viewer.of("gap"), "the gap")
            assert viewer.of("gap")[0]["since"] < now_us
            assert not viewer.of("readings")


def test_too_many_readings_for_a_stream_are_counted(live: Served, log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest of each series, and how many were left out."""
    monkeypatch.setattr("sensorlogd.web.answering.live.watch.MAX_READINGS", 20)
    with watching(live) as viewer:
        values = log.commit(count=30)
        until(lambda: viewer.of("skipped"), "the count")
        assert viewer.of("skipped") == [{"readings": 29}]
        assert viewer.values() == values[-1:]


def test_what_a_silent_series_hands_over_late_is_seen(live: Served, log: Log) -> None:
    """All that is newer than the last one sent, with a reading of now and without one, beside a series that goes on."""
    now_us = time.time_ns() // 1000
    with watching(live) as viewer:
        seen = log.commit(channel="n")
        viewer.wait_for(seen)
        seen += log.commit_at([now_us - 60 * S, now_us - 50 * S, now_us - 40 * S], latest_is_due=True)
        viewer.wait_for(seen)
        seen += log.commit(channel="n")
        viewer.wait_for(seen)
        seen += log.commit_at([now_us - 20 * S, now_us - 15 * S, time.time_ns() // 1000])
        viewer.wait_for(seen)


def test_too_much_that_comes_late_is_counted(live: Served, log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if it had come in time."""
    monkeypatch.setattr("sensorlogd.web.answering.live.watch.MAX_READINGS", 20)
    begin_us = time.time_ns() // 1000 - 100 * S
    with watching(live) as viewer:
        values = log.commit_at([begin_us + index * S for index in range(30)], latest_is_due=True)
        until(lambda: viewer.of("skipped"), "the count")
        assert viewer.of("skipped") == [{"readings": 29}]
        assert viewer.values() == values[-1:]


def statements_of_a_look(fresh: Path, path: Path, series: int) -> int:
    """What a look at a log asks in which each of so many series has had its reading of every second."""
    make_database(fresh, path, time.time_ns() // 1000 - 7300 * S)
    conn = connect_writer(path)
    specs = [catalog.SeriesSpec(f"c{number}", heartbeat_us=3 * S) for number in range(series)]
    with contextlib.closing(conn), LogReader.open(path) as log:
        conn.execute("BEGIN IMMEDIATE")
        ids = catalog.sync(conn, [catalog.SensorSpec("many", "simulated", series=specs)], 1).ids
        conn.execute("COMMIT")
        watch, now_us = Watch(), time.time_ns() // 1000
        asked: list[str] = []
        for second in range(3):
            conn.execute("BEGIN IMMEDIATE")
            columns = [Column(spec.channel, [now_us + second * S], [1.0], 1) for spec in specs]
            stored = append(conn, [Block("many", columns)], ids, Frontier())
            latest.save(conn, stored.newest, now_us + second * S, 5_000_000)
            conn.execute("COMMIT")
            if second == 2:
                watch._states_due = 0.0
                log.conn.set_trace_callback(asked.append)
            watch.check(log, now_us + second * S)
    return len(asked)


def test_a_look_asks_no_more_the_more_series_there_are(fresh: Path, tmp_path: Path) -> None:
    assert statements_of_a_look(fresh, tmp_path / "few.db", 2) == statements_of_a_look(fresh, tmp_path / "many.db", 100)


def test_a_log_that_is_opened_again_goes_on(log: Log) -> None:
    """What was committed while it was closed is seen, however long that was; nothing is seen twice."""
    watch, now_us = Watch(), time.time_ns() // 1000
    with LogReader.open(log.path) as opened:
        watch.check(opened, now_us)
        first = log.commit_at([now_us + 1])
        assert [reading.value for reading in watch.check(opened, now_us + S).readings] == first
    missed = log.commit_at([now_us + 2 * S, now_us + 1000 * S])
    log.conn.execute("BEGIN IMMEDIATE")
    events.record(log.conn, now_us, OtherKind("lost"), "lab", "unplugged")
    log.conn.execute("COMMIT")
    with LogReader.open(log.path) as opened:
        seen = watch.check(opened, now_us + 1000 * S)
        assert [reading.value for reading in seen.readings] == missed
        assert [event.detail for event in seen.events] == ["unplugged"]
        assert not watch.check(opened, now_us + 1001 * S).readings


def test_a_series_that_is_configured_again_is_seen(log: Log) -> None:
    """By those who wish for all that are configured, from its first reading on; renamed, by its new name."""
    log.conn.execute("UPDATE series SET retired_us = 5 WHERE id = ?", (log.ids["lab", "t"],))
    watch, now_us, wish = Watch(), time.time_ns() // 1000, stream.Subscription((), TimeForm("s", "UTC"))
    with LogReader.open(log.path) as opened:
        hub = stream.Hub(cast(Pool, OneLog(opened)))
        log.commit_at([now_us + 1])
        assert not hub.encode(1, watch.check(opened, now_us), wish)
        log.commit_at([now_us + 2])
        assert not hub.encode(2, watch.check(opened, now_us + 1), wish)
        log.conn.execute("UPDATE series SET retired_us = NULL WHERE id = ?", (log.ids["lab", "t"],))
        log.commit_at([now_us + 3])
        assert b'"channel":"t"' in hub.encode(3, watch.check(opened, now_us + 2), wish)


@pytest.mark.parametrize(
    ("pattern", "name", "meant"),
    [
        ("lab.\u03bcg", "lab.\u00b5g", True),
        ("lab.\u00b5g", "lab.\u03bcg", True),
        ("l*", "lab.t", True),
        ("*t", "lab.t", False),
        ("lab", "lab", True),
        ("lab.*", "lab", False),
        ("lab.T", "lab.t", False),
    ],
)
def test_a_glob_means_the_same_everywhere(log: Log, pattern: str, name: str, meant: bool) -> None:
    """In the stream as in queries, and for what alarms are about."""
    assert matches(pattern, name) is meant
    if "." not in name:
        return
    with LogReader.open(log.path) as opened:
        series = replace(opened.series()[0], sensor=name.partition(".")[0], channel=name.partition(".")[2])
    assert stream.Subscription((pattern,), TimeForm("s", "UTC")).wants(series) is meant


def test_a_series_that_is_removed_ends_no_check(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is forgotten."""
    monkeypatch.setattr("sensorlogd.web.answering.live.watch.STATES_EVERY_S", 0.0)
    watch, now_us = Watch(), time.time_ns() // 1000
    with LogReader.open(log.path) as opened:
        watch.check(opened, now_us)
        log.conn.execute("PRAGMA foreign_keys = OFF")
        log.conn.execute("DELETE FROM series WHERE id = ?", (log.ids["lab", "n"],))
        seen = log.commit_at([now_us + 1])
        assert [reading.value for reading in watch.check(opened, now_us + 1).readings] == seen


def test_a_series_of_another_file_is_not_taken_for_one_of_the_same_number(log: Log) -> None:
    """What is remembered of wishes goes by name."""
    wish = stream.Subscription(("lab.t",), TimeForm("s", "UTC"))
    with LogReader.open(log.path) as opened:
        hub = stream.Hub(cast(Pool, OneLog(opened)))
        (series,) = opened.series(["lab.t"])
    for name, wanted in (("t", True), ("other", False)):
        reading = SeriesReading(replace(series, channel=name), 1, 2.0, 1)
        assert bool(hub.encode(1, Seen(0, 1, [reading]), wish)) is wanted


def test_a_check_that_fails_has_seen_nothing(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next one sees it."""
    watch, now_us = Watch(), time.time_ns() // 1000
    with LogReader.open(log.path) as opened:
        watch.check(opened, now_us)
        missed = log.commit_at([now_us + 1])
        with monkeypatch.context() as broken:
            broken.setattr(LogReader, "events", lambda *_: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                watch.check(opened, now_us + S)
        assert [reading.value for reading in watch.check(opened, now_us + S).readings] == missed


def test_a_reading_of_tomorrow_does_not_hide_those_of_now(live: Served, log: Log) -> None:
    """It is shown when its time has come."""
    with watching(live) as viewer:
        log.commit(at_us=time.time_ns() // 1000 + 86_400 * S)
        viewer.wait_for(log.commit())


def test_events_and_changed_states_are_sent(live: Served, log: Log) -> None:
    """As the page needs them."""
    with watching(live) as viewer:
        log.conn.execute("BEGIN IMMEDIATE")
        events.record(log.conn, time.time_ns() // 1000, OtherKind("lost"), "lab", "unplugged")
        log.conn.execute("UPDATE sensor_status SET state = 'backing_off' WHERE sensor_id = 1")
        log.conn.execute("COMMIT")
        until(lambda: viewer.of("events") and viewer.of("sensors"), "the event")
        (event,) = viewer.of("events")[0]
        assert (event["kind"], event["sensor"], event["detail"]) == ("lost", "lab", "unplugged")
        assert viewer.of("sensors")[0] == [{"sensor": "lab", "state": "backing_off", "health": "not running", "error": None}]


def test_a_replaced_database_is_followed(live: Served, log: Log, fresh: Path, tmp_path: Path) -> None:
    """The viewers stay and see what comes into the new one."""
    with watching(live) as viewer:
        first = log.commit()
        viewer.wait_for(first)
        other = Log(fresh, tmp_path / "other.db")
        other.value = 500.0
        log.conn.close()
        close_cleanly(other.conn)
        (tmp_path / "other.db").replace(log.path)
        for suffix in ("-wal", "-shm"):
            log.path.with_name(log.path.name + suffix).unlink(missing_ok=True)
        other.conn = connect_writer(log.path)

        def seen() -> bool:
            other.commit()
            return any(value >= 500 for value in viewer.values())

        try:
            until(seen, "a value of the new file")
            assert viewer.of("another_file") == [{}]
        finally:
            other.conn.close()


def test_a_viewer_who_does_not_read_is_let_go(live: Served, log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits for one viewer is bounded; he may come back and resume."""
    waiting = stream.Viewer(stream.Subscription((), TimeForm("rfc3339", "UTC")))
    for _ in range(stream.MAX_WAITING_MESSAGES):
        waiting.push(b"x")
    assert not waiting.gone
    waiting.push(b"x")
    assert waiting.gone
    assert not waiting.waiting


def test_a_full_house_is_told(live: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """503 and when to come back."""
    monkeypatch.setattr(stream, "MAX_VIEWERS", 1)
    with watching(live):
        answer = live.client.get("/api/v1/stream")
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "busy")
    until(lambda: live.client.head("/api/v1/stream").status_code == 200, "a place")
    with watching(live):
        pass


def test_a_stream_that_cannot_begin_is_cut_off(
    live: Served, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its status is sent already, so it ends; the browser comes back by itself."""

    def refused(*_: Any) -> None:
        raise ApiError(503, "busy", "too many questions")

    monkeypatch.setattr("sensorlogd.web.answering.questions.current.latest", refused)
    answer = httpx.get(f"{live.url}/api/v1/stream", timeout=DEADLINE_S)
    assert (answer.status_code, answer.content) == (200, b"")
    assert "it ended before its first message: too many questions" in caplog.text
    assert "Traceback" not in caplog.text


def test_the_first_check_is_one_that_succeeds(log: Log) -> None:
    """Else what is committed before the next one was neither read by the viewer nor pushed."""
    failures = iter([ApiError(503, "log_unavailable", "no database")])

    class FailsOnce(OneLog):
        async def run(self, question: Callable[[LogReader], Any]) -> Any:
            for failure in failures:
                raise failure
            return await super().run(question)

    async def come(hub: stream.Hub) -> bool:
        hub.join(stream.Subscription((), TimeForm("s", "UTC")))
        await hub.first_check()
        has_begun = hub._watch._log is not None
        hub.close()
        return has_begun

    with LogReader.open(log.path) as opened:
        assert asyncio.run(come(stream.Hub(cast(Pool, FailsOnce(opened)))))


def test_streams_end_with_the_server(log: Log) -> None:
    """Properly, so that the client knows that nothing was cut off."""
    with contextlib.ExitStack() as stack:
        with serving(Settings(log.path)) as live:
            viewer = stack.enter_context(watching(live))
        until(lambda: viewer.ended, "the end of the stream")
        assert viewer.whole


def test_nothing_is_left_open_for_a_writer_to_wait_for(log: Log) -> None:
    """After the server's end the file is a single one again when its writer closes it."""
    with serving(Settings(log.path)) as live, watching(live) as viewer:
        viewer.wait_for(log.commit())
    close_cleanly(log.conn)
    assert [path.name for path in log.path.parent.iterdir() if path.name.startswith("log.db")] == ["log.db"]
    log.conn = sqlite3.connect(log.path)
