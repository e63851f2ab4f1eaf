"""A transaction of the writing side: all of it or, whatever goes wrong, nothing."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator


@contextlib.contextmanager
def transaction(conn: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """Committed at the end, rolled back if anything is raised inside or by COMMIT. ``conn`` is in no transaction yet, and in
    none afterwards.

    Raises sqlite3.Error (BUSY with nothing begun, if another program is writing), and whatever is raised inside.
    """
    conn.execute("BEGIN IMMEDIATE")
    try:
        yield conn
        conn.execute("COMMIT")
    except BaseException:
        rollback(conn)
        raise


def rollback(conn: sqlite3.Connection) -> None:
    """Roll back what was begun, unless SQLite has done so by itself, as it does after some errors, or the connection is
    closed. Raises nothing: what went wrong before is what matters."""
    with contextlib.suppress(sqlite3.Error):
        if conn.in_transaction:
            conn.execute("ROLLBACK")
