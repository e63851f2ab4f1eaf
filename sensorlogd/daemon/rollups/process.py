"""The aggregator: a process that reads a snapshot of the database and computes roll-up rows.

``python -m sensorlogd.daemon.rollups.spawn_main DATABASE``; its standard input is the socket to the main process. It has no right to
write; every row goes back to the main process and is stored by the writer. It gets a path and never a connection to the
database, imports the standard library only (a Pi has 512 MB), and ends with its parent. What is said, and in which order, is in
``messages``.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sqlite3
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from sensorlogd.daemon.rollups.messages import (
    ChildEnd,
    Exit,
    Failed,
    ParentGone,
    ProtocolError,
    Rows,
    RowsStored,
    RunDone,
    TooLarge,
    Work,
)
from sensorlogd.storage.file.connecting import connect_as_aggregator
from sensorlogd.storage.file.errors import Failure, classify
from sensorlogd.storage.pace import Pace
from sensorlogd.storage.rollups import compute, outdated, rebuild
from sensorlogd.storage.rollups.outdated import Advance, Mark
from sensorlogd.storage.rollups.snapshot import Key, Row

# Rows per message: so many that storing them holds the writer for STORE_S; measured anew with every message.
ROWS_PER_MESSAGE = 300
MIN_ROWS_PER_MESSAGE, MAX_ROWS_PER_MESSAGE = 20.0, 3_000.0
STORE_S = 0.015
MARKS = 20_000  # outdated minutes computed again on one snapshot
RUN_S = 10.0  # healing and doing anew stop after that, so that minutes are closed in between


def main() -> None:
    """Serve work until told to exit or the parent is gone. Raises ProtocolError; the process then ends with its traceback."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; the parent decides
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with contextlib.suppress(OSError):  # a sandbox may forbid even that
        os.nice(5)  # logging first
    # No cycles are made here, and looking for them among some hundred thousand rows doubles the time (measured).
    gc.disable()
    with contextlib.suppress(ParentGone):
        _serve_parent(ChildEnd(0), sys.argv[1])


def _serve_parent(line: ChildEnd, path: str) -> None:
    """Do the runs that the parent asks for, until it says Exit. Raises ParentGone, ProtocolError."""
    while True:
        message = line.receive()
        if not isinstance(message, Work):
            if isinstance(message, Exit):
                return
            raise ProtocolError(f"{type(message).__name__} was not asked for")
        started = time.monotonic()
        sender = _Sender(line)
        try:
            more, left = _do_run(sender, path, message.old_edge_us, message.new_edge_us, message.zone)
        except (sqlite3.Error, OSError, TooLarge) as error:
            sender.await_acknowledgements()
            line.send(Failed(f"{type(error).__name__}: {error}", _is_damage(error)))
        else:
            line.send(RunDone(time.monotonic() - started, more, left))
        gc.collect()


def _is_damage(error: Exception) -> bool:
    return isinstance(error, sqlite3.Error) and classify(error) in (Failure.CORRUPT, Failure.NOTADB)


def _do_run(sender: _Sender, path: str, old_edge_us: int, new_edge_us: int, zone: str) -> tuple[bool, bool]:
    """Whether more could be done at once, and whether anything outdated is left for another run."""
    began = time.monotonic()

    def enough() -> bool:
        return time.monotonic() - began > RUN_S

    conn = connect_as_aggregator(Path(path))
    try:
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
            for rows, deletes, advances in rebuild.compute_outdated(conn, new_edge_us, zone, enough):
                sender.put(rows, deletes, (), advances)
            sender.finish(conn)
            more = enough() and outdated.any_in_bulk(conn)
        return more, outdated.anything_left(conn)
    finally:
        conn.close()


class _Sender:
    """Rows on their way to the writer. While it stores some, the next are computed."""

    def __init__(self, line: ChildEnd) -> None:
        self.line = line
        self.pace = Pace(STORE_S, ROWS_PER_MESSAGE, MIN_ROWS_PER_MESSAGE, MAX_ROWS_PER_MESSAGE)
        self._pending: dict[Key, Row | None] = {}  # a row that is computed again replaces the earlier one; None: delete the row
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
        if len(self._pending) >= self.pace.rows or len(self._marks) >= 2 * self.pace.rows:
            self._send_pending()

    def finish(self, conn: sqlite3.Connection) -> None:
        """Send the rest and wait until all is acknowledged; ends the snapshot."""
        conn.execute("COMMIT")  # the snapshot is not needed for what is computed already
        self._send_pending()
        self.await_acknowledgements()

    def _send_pending(self) -> None:
        """Send everything that waits, in messages of a size that the pace gives; marks and advances go with the last rows."""
        keys = list(self._pending)
        while keys:
            now, keys = keys[: int(self.pace)], keys[int(self.pace) :]
            rows = [row for key in now if (row := self._pending[key]) is not None]
            deletes = [key for key in now if self._pending[key] is None]
            if keys:
                self._send_rows(rows, deletes, [], [])
            else:
                self._send_rows(rows, deletes, self._marks, self._advances)
                self._marks, self._advances = [], []
        if self._marks or self._advances:
            self._send_rows([], [], self._marks, self._advances)
        self._pending, self._marks, self._advances = {}, [], []

    def _send_rows(self, rows: list[Row], deletes: list[Key], marks: list[Mark], advances: list[Advance]) -> None:
        """Send one message, once the one before is acknowledged; one that is too large is halved. Raises ParentGone,
        ProtocolError, TooLarge."""
        self.await_acknowledgements()
        try:
            self.line.send(Rows(rows, deletes, marks, advances))
        except TooLarge:  # states with long names
            if len(rows) < 2:
                raise
            half = len(rows) // 2
            self._send_rows(rows[:half], [], [], [])
            self._send_rows(rows[half:], deletes, marks, advances)
            return
        self._unanswered = max(len(rows) + len(deletes) + len(marks) // 4, 1)

    def await_acknowledgements(self) -> None:
        """Wait until everything that was sent is acknowledged. Raises ParentGone, ProtocolError."""
        if not self._unanswered:
            return
        answer = self.line.receive()
        if not isinstance(answer, RowsStored):
            raise ProtocolError(f"{type(answer).__name__} in place of an acknowledgement")
        # The pace is the number of rows whose storing takes STORE_S. Few rows say little: a commit has a price of its own.
        if answer.seconds > STORE_S or self._unanswered >= self.pace.rows / 2:
            self.pace.note_duration(answer.seconds)
        self._unanswered = 0
