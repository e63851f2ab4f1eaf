"""Shares connections to a log among any number of threads: each question has a connection for itself until its answer is read.

A file that has been exchanged (set aside and salvaged, restored from a backup) is opened anew at the next question. An answer
that is being read goes on with the file it began with.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TypeVar

from sensorlogd.api import troubles
from sensorlogd.api.troubles import LogClosed
from sensorlogd.storage.file import reader
from sensorlogd.storage.file.identity import file_identity, side
from sensorlogd.storage.file.reader import LogError
from sensorlogd.storage.query.log_reader import LogReader

T = TypeVar("T")
Identity = tuple[object, ...]
MAX_IDLE_CONNECTIONS = 4


class Lease:
    """A connection that one question at a time may use. ``identity``: of the file when it was opened."""

    def __init__(self, path: Path) -> None:
        self.identity = identity_of(path)
        with troubles.translated(path):
            self.log = LogReader.open(path, any_thread=True)
        self.closed = False
        self._lock = threading.RLock()  # held while it works, not while its answer waits to be read on

    @contextmanager
    def use(self) -> Iterator[LogReader]:
        """The open log, for this thread alone. Raises LogClosed, LogUnavailable."""
        with self._lock:
            if self.closed:
                raise LogClosed(self.log.path)
            try:
                with troubles.translated(self.log.path):
                    yield self.log
            except LogError as error:
                if self.closed:  # closed by another thread meanwhile
                    raise LogClosed(self.log.path) from error
                raise

    def close(self) -> None:
        """Close it; a question that is running on it is interrupted."""
        self.closed = True
        with contextlib.suppress(sqlite3.Error):
            self.log.conn.interrupt()
        with self._lock:
            self.log.close()


class Connections:
    """The pool of connections; thread-safe. Opens the first one at once. Raises LogUnavailable."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.closed = False
        first = Lease(path)
        self._lock = threading.RLock()  # reentrant: the garbage collector may give a connection back while this thread takes one
        self._idle = [first]
        self._all = {first}

    def close(self) -> None:
        """Close all of them; idempotent. Answers that are still being read end with LogClosed."""
        with self._lock:
            self.closed = True
            self._idle.clear()
            leases, self._all = self._all, set()
        for lease in leases:
            lease.close()

    def ask(self, question: Callable[[LogReader], T]) -> T:
        """Ask a question and return its answer. Raises LogClosed, LogUnavailable, and whatever the question does."""
        with self.borrow() as lease, lease.use() as log:
            return question(log)

    def stream(self, question: Callable[[LogReader], Generator[T, None, None]], at_once: int) -> Generator[T, None, None]:
        """Yield the answer in portions of ``at_once``, from a snapshot that is held until it is exhausted or closed. Raises as
        ``ask``."""
        with self.borrow() as lease:
            with lease.use() as log:
                answer = question(log)
            try:
                while True:
                    with lease.use():
                        rows = list(islice(answer, at_once))
                    yield from rows
                    if len(rows) < at_once:
                        return
            finally:
                with contextlib.suppress(sqlite3.Error):
                    answer.close()

    @contextmanager
    def borrow(self) -> Iterator[Lease]:
        """A connection for the caller alone, given back at the end. Raises LogClosed, LogUnavailable."""
        lease = self._take_lease()
        try:
            yield lease
        finally:
            self._give_back(lease)

    def _take_lease(self) -> Lease:
        """An idle connection to the file that is there now, else a new one; idle ones to a former file are closed. Raises
        LogClosed, LogUnavailable."""
        identity = identity_of(self.path)
        with self._lock:
            if self.closed:
                raise LogClosed(self.path)
            former = [lease for lease in self._idle if lease.identity != identity]
            self._idle = [lease for lease in self._idle if lease.identity == identity]
            self._all.difference_update(former)
            lease = self._idle.pop() if self._idle else None
        for connection in former:
            connection.close()
        return lease or self._open_lease()

    def _open_lease(self) -> Lease:
        """A new connection. Raises LogClosed if the log was closed meanwhile, LogUnavailable."""
        lease = Lease(self.path)
        with self._lock:
            if not self.closed:
                self._all.add(lease)
                return lease
        lease.close()
        raise LogClosed(self.path)

    def _give_back(self, lease: Lease) -> None:
        """Keep the connection for the next question, or close it if enough are idle."""
        with self._lock:
            if not self.closed and not lease.closed and len(self._idle) < MAX_IDLE_CONNECTIONS:
                self._idle.append(lease)
                return
            self._all.discard(lease)
        lease.close()


def identity_of(path: Path) -> Identity:
    """The identity of a file, which changes when the file is exchanged. A file in a folder that we may not write can have been
    opened as immutable: then any change of its content counts, too."""
    try:
        status = path.stat()
    except OSError:
        return ()
    found: Identity = file_identity(status)
    if os.access(path.parent, os.W_OK):
        return found
    return (*found, status.st_size, status.st_mtime_ns, bool(reader.size_of(side(path, "-wal"))))
