"""Reads SQLite files of other programs: any table or view of them, and the schemas that are known."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

from sensorlogd.exchange.sources.table import TableLines
from sensorlogd.exchange.text.lines import FileError
from sensorlogd.storage.file.connecting import connect_to_read

MAGIC = b"SQLite format 3\0"


def connect(path: Path, stack: ExitStack) -> sqlite3.Connection:
    """Open a file to read it as a single snapshot, even while another program writes to it. Raises FileError."""
    try:
        conn = connect_to_read(path)
        stack.callback(conn.close)
        conn.execute("BEGIN")
        conn.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except sqlite3.Error as error:
        raise FileError(str(path), 0, f"the database cannot be read: {error}") from None
    return conn


def tables(conn: sqlite3.Connection) -> list[str]:
    """The names of tables and views, without SQLite's own."""
    sql = "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite!_%' ESCAPE '!' ORDER BY name"
    return [name for (name,) in conn.execute(sql)]


def columns(conn: sqlite3.Connection, table: str) -> list[str]:
    """The names of a table's columns in their order; empty if there is no such table."""
    return [row[1] for row in conn.execute(f"PRAGMA table_info({quoted(table)})")]


def quoted(name: str) -> str:
    """The name as an identifier of SQL, whatever is in it."""
    return '"' + name.replace('"', '""') + '"'


@contextmanager
def checked(conn: sqlite3.Connection, sql: str, name: str) -> Iterator[sqlite3.Cursor]:
    """The rows of a query of the database ``name``. Raises FileError if the database is damaged."""
    try:
        with closing(conn.execute(sql)) as rows:
            yield rows
    except sqlite3.Error as error:
        raise FileError(
            name, 0, f"the database cannot be read any further: {error}; try a copy that 'sqlite3 FILE .recover' has written"
        ) from None


def lines(conn: sqlite3.Connection, name: str, table: str | None, decimal: str, stack: ExitStack) -> tuple[TableLines, str]:
    """(the rows of a table in the order of their ids, the name of the table). Raises FileError."""
    there = tables(conn)
    if {"series", "rollup", "history"} <= set(there):
        raise FileError(
            name, 0, f"this is a log of sensorlogd; first write a file of it: sensorlogd export '*.*' --db {name} -o all.csv"
        )
    if table is None and len(there) != 1:
        raise FileError(name, 0, f"it has {len(there)} tables; say --table NAME: {', '.join(there[:20])}")
    if table is not None and table not in there:
        raise FileError(name, 0, f"there is no table {table!r}; there are {', '.join(there[:20])}")
    chosen = table or there[0]
    rows = _rows(conn, chosen)
    stack.callback(rows.close)
    return TableLines(rows, name, decimal), f"table {chosen!r}"


def _rows(conn: sqlite3.Connection, table: str) -> Generator[Sequence[Any]]:
    with closing(conn.execute(f"SELECT * FROM {quoted(table)}")) as cursor:
        yield [column[0] for column in cursor.description]
        for row in cursor:  # noqa: UP028  # delegation would close the cursor a second time, of a database that is closed
            yield row
