"""The questions that a log answers, beside a writer that commits in the middle of them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sensorlogd.storage import meta
from sensorlogd.storage.maintenance import inspection
from sensorlogd.storage.query.engine import Query
from sensorlogd.storage.query.grid import Step
from sensorlogd.storage.query.log_reader import LogReader
from sensorlogd.storage.series.stored import Series

HEARTBEAT_US = 30_000_000


def configure(conn: sqlite3.Connection, unit: str, places: int) -> None:
    """One commit that sets all that the configuration says of the only series."""
    conn.execute("BEGIN IMMEDIATE")
    conn.execute("INSERT INTO sensor(id, name, driver, created_us) VALUES (1, 'a', '', 0) ON CONFLICT(id) DO NOTHING")
    conn.execute("DELETE FROM series")
    conn.execute(
        "INSERT INTO series(id, sensor_id, channel, unit, kind, heartbeat_us, labels, created_us)"
        " VALUES (1, 1, 'x', ?, 'gauge', ?, '{}', 0)",
        (unit, HEARTBEAT_US),
    )
    meta.put(conn, f"{meta.DECIMALS}1", str(places))
    meta.put(conn, f"{meta.SEEN_DECIMALS}1", str(places))
    meta.put(conn, f"{meta.VALID}1", f"[{places}, 100]")
    conn.execute("COMMIT")


@pytest.mark.parametrize("before", range(4))
def test_series_are_of_one_commit(path: Path, conn: sqlite3.Connection, before: int) -> None:
    """The writer commits just before any one of the selects; what is answered is all from before that, or all from after it."""
    configure(conn, "°C", 1)
    with LogReader.open(path) as log:
        selects: list[str] = []

        def commit_in_between(statement: str) -> None:
            if statement.startswith("SELECT"):
                if len(selects) == before:
                    configure(conn, "K", 2)
                selects.append(statement)

        log.conn.set_trace_callback(commit_in_between)
        (found,) = log.series()
    assert len(selects) == 4, "the test commits before each of them"
    answered = (found.unit, found.decimals, found.seen_decimals, found.valid)
    assert answered in [("°C", 1, 1, (1, 100)), ("K", 2, 2, (2, 100))]


def test_series_are_answered_while_readings_are_streamed(path: Path, conn: sqlite3.Connection) -> None:
    """They come from the snapshot that the stream holds, and the stream goes on."""
    configure(conn, "°C", 1)
    conn.executemany("INSERT INTO recent(series_id, ts, value, quality) VALUES (1, ?, 1.0, 1)", [(1_000_000,), (2_000_000,)])
    with LogReader.open(path) as log:
        stream = log.readings(log.series(), 0, 3_000_000)
        next(stream)
        configure(conn, "K", 2)
        assert [series.unit for series in log.series()] == ["°C"]
        assert next(stream).ts_us == 2_000_000
        stream.close()
        assert [series.unit for series in log.series()] == ["K"]


def test_the_write_ahead_log_of_a_linked_database_counts(path: Path, conn: sqlite3.Connection, tmp_path: Path) -> None:
    """SQLite puts it beside the file that the link leads to, not beside the link."""
    configure(conn, "°C", 1)
    link = tmp_path / "elsewhere" / "link.db"
    link.parent.mkdir()
    link.symlink_to(path)
    wal_bytes = path.with_name(f"{path.name}-wal").stat().st_size
    assert wal_bytes > 0
    with LogReader.open(link) as log:
        assert log.file_sizes() == (path.stat().st_size, wal_bytes)
        assert inspection.facts(log.conn, log.path)["wal_bytes"] == wal_bytes


NOW_US = 4_000_000
ASK = Query(0, NOW_US, step=Step.parse("1s"), aggregates=("count",))
STREAMS: dict[str, Callable[[LogReader, Series], Iterator[Any]]] = {
    "readings": lambda log, series: log.readings([series], 0, NOW_US),
    "columns": lambda log, series: log.columns(series, 0, NOW_US),
    "gaps": lambda log, series: log.gaps(series, 0, NOW_US, 1),
    "buckets": lambda log, series: log.buckets([series], ASK),
}
# Each says something about the two readings, so that it shows from which snapshot it was answered.
QUESTIONS: dict[str, Callable[[LogReader, Series], object]] = {
    "series": lambda log, _: log.series(),
    "has_series": lambda log, _: log.has_series(),
    "meta": lambda log, _: log.meta(),
    "latest": lambda log, series: log.latest([series], NOW_US),
    "dirty_minutes": lambda log, _: log.dirty_minutes(0),
    "span": lambda log, series: log.span([series]),
    "known_from": lambda log, series: log.known_from(series),
    "stamped": lambda log, _: log.stamped(0, NOW_US),
    "arrived": lambda log, _: log.arrived(),
    "each_since": lambda log, series: sorted(log.each_since({series.id: 0}, NOW_US)),
    "page": lambda log, series: log.page([series], 0, NOW_US, None, 10),
    "readings": lambda log, series: list(log.readings([series], 0, NOW_US)),
    "columns": lambda log, series: list(log.columns(series, 0, NOW_US)),
    "gaps": lambda log, series: list(log.gaps(series, 0, NOW_US, 1)),
    "buckets": lambda log, series: [list(answer.rows) for _, answer in log.buckets([series], ASK)],
    "events": lambda log, _: log.events(),
    "events_between": lambda log, _: log.events_between(None, None, None, None, after=None, before=None, limit=10),
    "daemon": lambda log, _: log.daemon(),
    "sensors": lambda log, _: log.sensors(),
}
NO_QUESTIONS = {"open", "close", "version", "epoch", "file_sizes"}  # these tell of commits and of the file, not of what is in it


def store(conn: sqlite3.Connection, ts_us: int) -> None:
    """One commit of a reading, an event, a mark, and what the daemon says of itself."""
    conn.execute("BEGIN IMMEDIATE")
    conn.execute("INSERT INTO recent(series_id, ts, value, quality) VALUES (1, ?, 1.0, 1)", (ts_us,))
    conn.execute("INSERT INTO event(ts, kind, detail) VALUES (?, 'started', '')", (ts_us,))
    conn.execute("INSERT INTO dirty(series_id, start, generation) VALUES (1, ?, 1)", (ts_us,))
    conn.execute("INSERT OR REPLACE INTO daemon_status(key, value) VALUES ('pid', ?)", (str(ts_us),))
    meta.put(conn, "believed_us", str(ts_us))
    conn.execute("COMMIT")


def test_every_question_is_tried_while_readings_are_streamed() -> None:
    public = {name for name, found in vars(LogReader).items() if not name.startswith("_") and name not in NO_QUESTIONS}
    assert public == set(QUESTIONS)


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("stream", STREAMS)
def test_a_question_is_answered_while_readings_are_streamed(
    path: Path, conn: sqlite3.Connection, stream: str, question: str
) -> None:
    """From the snapshot that the stream holds, which goes on with it; once the stream is closed, from the newest commit."""
    configure(conn, "°C", 1)
    conn.execute("UPDATE series SET heartbeat_us = 1")
    for ts_us in (1_000_000, 2_000_000):
        store(conn, ts_us)
    ask = QUESTIONS[question]
    with LogReader.open(path) as log:
        (series,) = log.series()
        before, whole = ask(log, series), len(list(STREAMS[stream](log, series)))
        streaming = STREAMS[stream](log, series)
        next(streaming)
        store(conn, 3_000_000)
        assert ask(log, series) == before
        assert log.conn.in_transaction, "the stream holds its snapshot still"
        assert 1 + len(list(streaming)) == whole
        assert not log.conn.in_transaction
        if question not in (
            "series",
            "has_series",
            "sensors",
            "known_from",
            "arrived",
        ):  # another reading says nothing new to these
            assert ask(log, series) != before


def test_a_snapshot_lasts_as_long_as_the_last_stream(path: Path, conn: sqlite3.Connection) -> None:
    """Two streams end in the order in which they began; the second goes on in the snapshot that the first began."""
    configure(conn, "°C", 1)
    for ts_us in (1_000_000, 2_000_000):
        store(conn, ts_us)
    with LogReader.open(path) as log:
        (series,) = log.series()
        first, second = (log.readings([series], 0, NOW_US) for _ in range(2))
        next(first)
        next(second)
        store(conn, 3_000_000)
        first.close()
        assert len(log.page([series], 0, NOW_US, None, 10)) == 2
        assert len(list(second)) == 1
        assert len(log.page([series], 0, NOW_US, None, 10)) == 3


def test_a_transaction_of_the_caller_is_left_to_him(path: Path, conn: sqlite3.Connection) -> None:
    configure(conn, "°C", 1)
    store(conn, 1_000_000)
    with LogReader.open(path) as log:
        (series,) = log.series()
        log.conn.execute("BEGIN")
        assert log.span([series]) == (1_000_000, 1_000_000)
        store(conn, 2_000_000)
        assert log.span([series]) == (1_000_000, 1_000_000)
        log.conn.execute("ROLLBACK")
        assert log.span([series]) == (1_000_000, 2_000_000)


def test_events_that_were_brought_back_are_found(path: Path, conn: sqlite3.Connection) -> None:
    """Salvage gives them ids of 0 or less, below those of the live log."""
    conn.execute("DELETE FROM event")
    ids = [-2, -1, 0, 1, 2]
    conn.executemany("INSERT INTO event(id, ts, kind, detail) VALUES (?, ?, 'lost', '')", [(each, each + 10) for each in ids])

    def found(after: int | None, before: int | None) -> list[int]:
        return [event.id for event in log.events_between(None, None, None, None, after=after, before=before, limit=10)]

    with LogReader.open(path) as log:
        assert found(None, None) == ids[::-1]
        assert found(None, 1) == [0, -1, -2]
        assert found(None, 0) == [-1, -2]
        assert found(-1, 2) == [1, 0]
        assert found(0, None) == [2, 1]
        assert [event.id for event in log.events()] == ids
        assert [event.id for event in log.events(after_id=0)] == [1, 2]


@pytest.mark.parametrize("labels", ['{"room: "x"}', "[1]", "", "[" * 50_000])
def test_a_series_whose_labels_cannot_be_parsed_has_none(path: Path, conn: sqlite3.Connection, labels: str) -> None:
    configure(conn, "°C", 1)
    conn.execute("UPDATE series SET labels = ?", (labels,))
    with LogReader.open(path) as log:
        assert [series.labels for series in log.series()] == [{}]
