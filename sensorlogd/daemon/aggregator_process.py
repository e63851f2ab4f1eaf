"""The aggregator: a process that reads a snapshot of the database and computes roll-up rows.

It has no right to write; every row goes back through the pipe and is stored by the writer. It is started by spawn,
gets a path and never a connection, imports the standard library only (a Pi has 512 MB), and ends with its parent.

Messages, parent to child: ``("work", old_edge_us, new_edge_us, zone)``, ``("ok",)``, ``("exit",)``.
Child to parent: ``("rows", rows, deletes, marks)`` answered by ok, then ``("done", seconds, marks are left)`` or ``("failed", text)``.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sqlite3
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection, wait
from typing import Any

from sensorlogd.storage import compute

# Rows per message: few enough that storing them holds the writer for some milliseconds only.
ROWS_PER_MESSAGE = 500


class _ParentGone(Exception):
    pass


def main(pipe: Connection, path: str) -> None:
    """Serve work until told to exit or the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides when to end
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with contextlib.suppress(OSError):  # a sandbox may forbid even that
        os.nice(5)  # logging first
    parent = multiprocessing.parent_process()
    assert parent is not None
    try:
        while True:
            message = _receive(pipe, parent.sentinel)
            if message[0] == "exit":
                return
            started = time.monotonic()
            try:
                more = _work(pipe, parent.sentinel, path, *message[1:])
            except (sqlite3.Error, OSError) as error:
                pipe.send(("failed", f"{type(error).__name__}: {error}"))
            else:
                pipe.send(("done", time.monotonic() - started, more))
    except (_ParentGone, EOFError, BrokenPipeError, ConnectionResetError):
        return


def _receive(pipe: Connection, sentinel: int) -> tuple[Any, ...]:
    ready = wait([pipe, sentinel])
    if pipe in ready:
        message: tuple[Any, ...] = pipe.recv()
        return message
    raise _ParentGone


def _work(pipe: Connection, sentinel: int, path: str, old_edge_us: int, new_edge_us: int, zone: str) -> bool:
    """True if dirty marks are left for another run."""
    conn = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None, timeout=5.0)
    try:
        conn.execute("PRAGMA query_only = 1")
        # Two snapshots, both taken after the writer acknowledged the edge. The second one sees the rows of the first
        # phase, all of them acknowledged: healing an hour merges minutes that may have been closed just now.
        for phase in (_block(conn, old_edge_us, new_edge_us, zone), compute.compute_dirty(conn, new_edge_us, zone)):
            conn.execute("BEGIN")
            for rows, deletes, marks in phase:
                pipe.send(("rows", rows, deletes, marks))
                if _receive(pipe, sentinel)[0] != "ok":
                    raise _ParentGone
            conn.execute("COMMIT")
        return conn.execute("SELECT 1 FROM dirty LIMIT 1").fetchone() is not None
    finally:
        conn.close()


def _block(
    conn: sqlite3.Connection, old_edge_us: int, new_edge_us: int, zone: str
) -> Iterator[tuple[list[Any], list[Any], list[Any]]]:
    if new_edge_us > old_edge_us:
        for rows in compute.compute_block(conn, old_edge_us, new_edge_us, zone):
            for at in range(0, len(rows), ROWS_PER_MESSAGE):
                yield rows[at : at + ROWS_PER_MESSAGE], [], []
