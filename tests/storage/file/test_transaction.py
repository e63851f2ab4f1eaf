"""A transaction is all or nothing, and leaves the connection free for the next one."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from sensorlogd.storage.file.transaction import rollback, transaction
from tests.connections import connect_writer


def kept(conn: sqlite3.Connection) -> list[str]:
    return [value for (value,) in conn.execute("SELECT value FROM meta WHERE key LIKE 'test%' ORDER BY key")]


def put(conn: sqlite3.Connection, key: str) -> None:
    conn.execute("INSERT INTO meta(key, value) VALUES (?, ?)", (key, key))


def test_it_is_committed_at_the_end(conn: sqlite3.Connection) -> None:
    """What is inside is stored, and nothing stays open."""
    with transaction(conn) as same:
        put(same, "test")
    assert not conn.in_transaction
    assert kept(conn) == ["test"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_whatever_is_raised_inside_undoes_it(conn: sqlite3.Connection, error: type[BaseException]) -> None:
    """A fault of ours and the end of the process too."""
    with pytest.raises(error), transaction(conn):
        put(conn, "test")
        raise error
    assert not conn.in_transaction
    assert kept(conn) == []


def test_an_error_at_commit_undoes_it(conn: sqlite3.Connection) -> None:
    """A constraint that SQLite looks at when the transaction ends."""
    conn.execute("PRAGMA foreign_keys = ON")
    conn.execute("CREATE TABLE one(id INTEGER PRIMARY KEY)")
    conn.execute("CREATE TABLE two(id REFERENCES one(id) DEFERRABLE INITIALLY DEFERRED)")
    with pytest.raises(sqlite3.IntegrityError), transaction(conn):
        put(conn, "test")
        conn.execute("INSERT INTO two VALUES (1)")
    assert not conn.in_transaction
    assert kept(conn) == []


def test_what_sqlite_has_rolled_back_itself_is_left_alone(conn: sqlite3.Connection) -> None:
    """After ``INSERT OR ROLLBACK`` there is no transaction any more; the error that is raised is the first one."""
    put(conn, "test")
    with pytest.raises(sqlite3.IntegrityError, match="UNIQUE"), transaction(conn):
        conn.execute("INSERT OR ROLLBACK INTO meta(key, value) VALUES ('test', '')")
    assert not conn.in_transaction
    assert kept(conn) == ["test"]


def test_where_another_program_writes_nothing_is_begun(conn: sqlite3.Connection, path: Path) -> None:
    """BUSY is raised before anything inside is run, and the other's transaction is not touched."""
    other = connect_writer(path)
    try:
        conn.execute("PRAGMA busy_timeout = 0")
        with transaction(other):
            with pytest.raises(sqlite3.OperationalError, match="locked"), transaction(conn):
                raise AssertionError("nothing is run")
            put(other, "test")
        assert kept(conn) == ["test"]
    finally:
        other.close()


def test_a_closed_connection_has_nothing_to_roll_back(path: Path) -> None:
    """The error inside is the one that is raised."""
    conn = connect_writer(path)
    with pytest.raises(ValueError, match="mine"), transaction(conn):
        put(conn, "test")
        conn.close()
        raise ValueError("mine")
    rollback(conn)
