"""The table ``meta``: one text value a key. Progress marks and notes that outlive the process."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

_PUT = "INSERT INTO meta(key, value) VALUES (?,?) ON CONFLICT(key) DO UPDATE SET value = excluded.value WHERE value <> excluded.value"


def get(conn: sqlite3.Connection, key: str) -> str | None:
    """The value, or None. Raises sqlite3.Error."""
    row = conn.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    return None if row is None else row[0]


def get_int(conn: sqlite3.Connection, key: str) -> int:
    """The value as a number; 0 if there is none."""
    return int(get(conn, key) or 0)


def put(conn: sqlite3.Connection, key: str, value: str) -> None:
    """Insert or change; the caller owns the transaction."""
    conn.execute(_PUT, (key, value))


def keys(conn: sqlite3.Connection, prefix: str) -> list[str]:
    """The keys that begin so."""
    return [key for (key,) in conn.execute("SELECT key FROM meta WHERE substr(key, 1, ?) = ?", (len(prefix), prefix))]


def remove(conn: sqlite3.Connection, gone: Iterable[str]) -> None:
    """Delete keys; the caller owns the transaction."""
    conn.executemany("DELETE FROM meta WHERE key = ?", [(key,) for key in gone])
