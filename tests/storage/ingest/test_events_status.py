"""Events stay bounded, the status tables say what is so now."""

from __future__ import annotations

import json
import sqlite3

import pytest

from sensorlogd.event_kinds import OtherKind
from sensorlogd.storage.ingest import events, status


def test_an_event_holds_whatever_text_comes(conn: sqlite3.Connection) -> None:
    """Port names may hold bytes that are no UTF-8; a traceback may be long."""
    events.record(conn, 5, OtherKind("lost"), "s", "port \udcff gone")
    events.record(conn, 6, OtherKind("lost"), None, "x" * 10_000)
    found = conn.execute("SELECT ts, kind, sensor, detail FROM event ORDER BY id").fetchall()
    assert found[0] == (5, "lost", "s", "port \\udcff gone")
    assert (found[1][2], len(found[1][3])) == (None, 4000)


def test_the_newest_events_are_kept(conn: sqlite3.Connection) -> None:
    """Trimmed in slices, each a transaction of its own; nothing to do is noticed without reading the table."""
    conn.execute("BEGIN")
    for n in range(7_000):
        events.record(conn, n, OtherKind("k"), None, "")
    conn.execute("COMMIT")
    slices = 1
    while events.trim(conn, keep=500):
        slices += 1
        assert not conn.in_transaction
    assert slices > 2
    assert conn.execute("SELECT count(*), min(ts), max(ts) FROM event").fetchone() == (500, 6_500, 6_999)
    before = conn.total_changes
    assert not events.trim(conn, keep=500)
    assert conn.total_changes == before


def test_a_slice_that_fails_leaves_no_transaction_open(conn: sqlite3.Connection) -> None:
    """All events are still there, and the connection is free for the next commit."""
    for n in range(20):
        events.record(conn, n, OtherKind("k"), None, "")
    conn.execute("CREATE TEMP TRIGGER fails AFTER DELETE ON event WHEN old.ts = 5 BEGIN SELECT raise(FAIL, 'no'); END")
    with pytest.raises(sqlite3.IntegrityError):
        events.trim(conn, keep=10)
    assert not conn.in_transaction
    assert conn.execute("SELECT count(*) FROM event").fetchone() == (20,)


def test_trimming_no_events_does_nothing(conn: sqlite3.Connection) -> None:
    """A new database."""
    assert not events.trim(conn)


def test_a_sensors_row_is_replaced_and_strangers_are_left_out(conn: sqlite3.Connection) -> None:
    """One row a sensor; a sensor the catalog does not know yet is written once it does."""
    row = status.SensorRow("s", "reading", 1, None, None, {"readings": 3})
    stranger = status.SensorRow("t", "waiting", 1, None, "no such port", {})
    status.save_sensors(conn, [row, stranger], {"s": 7}, 10)
    status.save_sensors(conn, [status.SensorRow("s", "stale", 9, 8, "silent", {"readings": 4})], {"s": 7}, 20)
    found = conn.execute("SELECT * FROM sensor_status").fetchall()
    assert [(*row[:5], json.loads(row[5]), row[6]) for row in found] == [(7, "stale", 9, 8, "silent", {"readings": 4}, 20)]
    status.save_sensors(conn, [stranger], {"s": 7, "t": 8}, 30)
    assert conn.execute("SELECT * FROM sensor_status").fetchall()[1:] == [(8, "waiting", 1, None, "no such port", "{}", 30)]


def test_daemon_facts_are_json_and_written_only_when_they_change(conn: sqlite3.Connection) -> None:
    """A fact that stays as it is costs no page on the card."""
    status.save_daemon(conn, {"pid": 1, "config_errors": ["a"], "clean_shutdown": False})
    before = conn.total_changes
    status.save_daemon(conn, {"pid": 1, "config_errors": ["a"], "clean_shutdown": True})
    assert conn.total_changes == before + 1
    found = dict(conn.execute("SELECT key, value FROM daemon_status").fetchall())
    assert {key: json.loads(value) for key, value in found.items()} == {"pid": 1, "config_errors": ["a"], "clean_shutdown": True}


def test_more_facts_than_one_statement_holds_are_all_stored(conn: sqlite3.Connection) -> None:
    """Statements are cut where they become too long; nothing is lost at a cut."""
    facts = {f"fact{n}": n for n in range(2_345)}
    status.save_daemon(conn, facts)
    stored = dict(conn.execute("SELECT key, value FROM daemon_status WHERE key LIKE 'fact%'"))
    assert {key: json.loads(value) for key, value in stored.items()} == facts
    status.save_daemon(conn, {})
    assert conn.execute("SELECT count(*) FROM daemon_status WHERE key LIKE 'fact%'").fetchone() == (2_345,)
