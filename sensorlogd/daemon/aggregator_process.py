"""The aggregator: a process that reads a snapshot of the database and computes roll-up rows.

It has no right to write; every row goes back through the pipe and is stored by the writer. It is started by spawn,
gets a path and never a connection, imports the standard library only (a Pi has 512 MB), and ends with its parent.

Messages, parent to child: ``("work", old_edge_us, new_edge_us, zone)``, ``("ok", seconds it took to store)``, ``("exit",)``.
Child to parent: ``("rows", rows, deletes, marks, advances)``, each answered by ok, then
``("done", seconds, more can be done at once, something is left)`` or ``("failed", text)``.
"""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import os
import signal
import sqlite3
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection, wait
from typing import Any

from sensorlogd.storage import anew, compute
from sensorlogd.storage.compute import Advance, Key, Mark, Row

# Rows per message: so many that storing them holds the writer for STORE_S; measured anew with every message.
ROWS_PER_MESSAGE = 300
LEAST_ROWS, MOST_ROWS = 20.0, 3_000.0
STORE_S = 0.015
MARKS = 20_000  # dirty minutes healed on one snapshot
RUN_S = 10.0  # healing and doing anew stop after that, so that minutes are closed in between


class _ParentGone(Exception):
    pass


def main(pipe: Connection, path: str) -> None:
    """Serve work until told to exit or the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides when to end
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with contextlib.suppress(OSError):  # a sandbox may forbid even that
        os.nice(5)  # logging first
    # No cycles are made here, and looking for them among some hundred thousand rows doubles the time (measured).
    gc.disable()
    parent = multiprocessing.parent_process()
    assert parent is not None
    try:
        while True:
            message = _receive(pipe, parent.sentinel)
            if message[0] == "exit":
                return
            started = time.monotonic()
            sender = _Sender(pipe, parent.sentinel)
            try:
                more, left = _work(sender, path, *message[1:])
            except (sqlite3.Error, OSError) as error:
                sender.settle()
                pipe.send(("failed", f"{type(error).__name__}: {error}"))
            else:
                pipe.send(("done", time.monotonic() - started, more, left))
            gc.collect()
    except (_ParentGone, EOFError, BrokenPipeError, ConnectionResetError):
        return


def _receive(pipe: Connection, sentinel: int) -> tuple[Any, ...]:
    ready = wait([pipe, sentinel])
    if pipe in ready:
        message: tuple[Any, ...] = pipe.recv()
        return message
    raise _ParentGone


def _work(sender: _Sender, path: str, old_edge_us: int, new_edge_us: int, zone: str) -> tuple[bool, bool]:
    """Whether more could be done at once, and whether anything dirty or stale is left for another run."""
    began = time.monotonic()

    def enough() -> bool:
        return time.monotonic() - began > RUN_S

    conn = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None, timeout=5.0)
    try:
        conn.execute("PRAGMA query_only = 1")
        # Every snapshot is taken after the writer acknowledged the edge, and sees all rows that were sent before: healing
        # an hour merges minutes that may have been closed just now.
        if new_edge_us > old_edge_us:
            conn.execute("BEGIN")
            for rows in compute.compute_block(conn, old_edge_us, new_edge_us, zone):
                sender.put(rows)
            sender.finish(conn)
        more = True
        while more and not enough():
            conn.execute("BEGIN")
            done = 0
            for rows, deletes, cleared in compute.compute_dirty(conn, new_edge_us, zone, MARKS):
                sender.put(rows, deletes, cleared)
                done += len(cleared)
            sender.finish(conn)
            more = done == MARKS
        if not more:
            conn.execute("BEGIN")
            for rows, deletes, advances in anew.compute_stale(conn, new_edge_us, zone, enough):
                sender.put(rows, deletes, (), advances)
            sender.finish(conn)
            more = enough() and conn.execute("SELECT 1 FROM stale LIMIT 1").fetchone() is not None
        left = conn.execute("SELECT 1 FROM dirty UNION ALL SELECT 1 FROM stale LIMIT 1").fetchone() is not None
        return more, left
    finally:
        conn.close()


class _Sender:
    """Rows on their way to the writer. While it stores some, the next are computed."""

    def __init__(self, pipe: Connection, sentinel: int) -> None:
        self.pipe = pipe
        self.sentinel = sentinel
        self.most = float(ROWS_PER_MESSAGE)
        self._pending: dict[Key, Row | None] = {}  # what is computed again later overrides; None: to be deleted
        self._marks: list[Mark] = []
        self._advances: list[Advance] = []
        self._unanswered = 0  # rows of the message that the writer has not acknowledged

    def put(
        self, rows: Sequence[Row], deletes: Sequence[Key] = (), marks: Sequence[Mark] = (), advances: Sequence[Advance] = ()
    ) -> None:
        """Marks and advances count once everything put before them is stored, with the same commit or later."""
        self._pending.update({row[:3]: row for row in rows})
        self._pending.update(dict.fromkeys(deletes))
        self._marks += marks
        self._advances += advances
        if len(self._pending) >= self.most or len(self._marks) >= 2 * self.most:
            self._send()

    def finish(self, conn: sqlite3.Connection) -> None:
        """Everything is stored and acknowledged; ends the snapshot."""
        conn.execute("COMMIT")  # the snapshot is not needed for what is computed already
        self._send()
        self.settle()

    def _send(self) -> None:
        keys = list(self._pending)
        while keys:
            now, keys = keys[: int(self.most)], keys[int(self.most) :]
            rows = [row for key in now if (row := self._pending[key]) is not None]
            deletes = [key for key in now if self._pending[key] is None]
            if keys:
                self._message(rows, deletes, [], [])
            else:
                self._message(rows, deletes, self._marks, self._advances)
                self._marks, self._advances = [], []
        if self._marks or self._advances:
            self._message([], [], self._marks, self._advances)
        self._pending, self._marks, self._advances = {}, [], []

    def _message(self, rows: list[Row], deletes: list[Key], marks: list[Mark], advances: list[Advance]) -> None:
        self.settle()
        self.pipe.send(("rows", rows, deletes, marks, advances))
        self._unanswered = max(len(rows) + len(deletes) + len(marks) // 4, 1)

    def settle(self) -> None:
        """Everything that was sent is acknowledged. Raises _ParentGone."""
        if not self._unanswered:
            return
        answer = _receive(self.pipe, self.sentinel)
        if answer[0] != "ok":
            raise _ParentGone
        # So many rows that storing them takes STORE_S. Few rows say little: a commit has a price of its own.
        if answer[1] > STORE_S or self._unanswered >= self.most / 2:
            change = min(max(STORE_S / max(answer[1], 1e-4), 0.3), 1.5)
            self.most = min(max(self.most * change, LEAST_ROWS), MOST_ROWS)
        self._unanswered = 0
