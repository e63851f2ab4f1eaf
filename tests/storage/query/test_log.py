"""The questions that a log answers, beside a writer that commits in the middle of them."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from sensorlogd.storage import meta
from sensorlogd.storage.query.log import Log

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
    with Log.open(path) as log:
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
    with Log.open(path) as log:
        stream = log.readings(log.series(), 0, 3_000_000)
        next(stream)
        configure(conn, "K", 2)
        assert [series.unit for series in log.series()] == ["°C"]
        assert next(stream).ts_us == 2_000_000
        stream.close()
        assert [series.unit for series in log.series()] == ["K"]
