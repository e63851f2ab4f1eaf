"""Stages a file between reading and importing: all of it is read and checked before anything is imported, then handed out in order.

Readings go into a temporary SQLite file, so that a file of any size costs little memory, and come back series by series in order of
time. Two different readings at the same instant in a file of another program are two readings (loggers that stamp whole seconds,
clocks set back): the later gets the next free microsecond, always in the same way, so importing the file again finds it.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from sensorlogd.exchange.readings import FileReading, ImportTarget
from sensorlogd.exchange.temporary_files import roomy_folder

ROWS_AT_ONCE = 5_000
BLOCK_ROWS = 10_000
SPACINGS = 5_000
LEAST_HEARTBEAT_US = 5_000_000


class StageError(Exception):
    """The temporary file cannot be written, as when the disk is full."""


@dataclass(frozen=True, slots=True)
class Staged:
    """What a file holds for one series. ``heartbeat_us``: three times the usual spacing, if there are two readings."""

    number: int
    target: ImportTarget
    readings: int
    first_us: int
    last_us: int
    heartbeat_us: int | None


@dataclass(slots=True)
class Piece:
    """Readings of one series in order of time, without two at the same instant."""

    times: list[int]
    values: list[float | None]
    qualities: list[int]


class Stage:
    """The staged readings; a context manager. ``folder``: for the temporary file (about 30 bytes a reading)."""

    def __init__(self, folder: Path | None = None) -> None:
        self.repeated = 0  # readings that were left out because they are repeated
        self.shifted = 0  # readings that were moved to the next free microsecond
        self.readings = 0
        self._numbers: dict[ImportTarget, int] = {}
        self._folder = folder

    def __enter__(self) -> Stage:
        handle, name = tempfile.mkstemp(".import", "sensorlogd-", self._folder or roomy_folder())
        os.close(handle)
        self._path = Path(name)
        self._conn = sqlite3.connect(name, isolation_level=None)
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "temp_store = FILE", "cache_size = -16000"):
            self._conn.execute(f"PRAGMA {pragma}").fetchall()
        self._conn.execute("CREATE TABLE staged(series INTEGER, ts INTEGER, value REAL, quality INTEGER)")
        return self

    def __exit__(self, *_: object) -> None:
        self._conn.close()
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()

    def take(self, found: Iterable[FileReading]) -> Iterator[int]:
        """Stage every reading of ``found``; yields the number so far, now and then. Whatever ``found`` raises is raised."""
        rows: list[tuple[int, int, float | None, int]] = []
        self._conn.execute("BEGIN")
        numbers = self._numbers
        for target, ts, value, code in found:
            number = numbers.get(target)
            if number is None:
                number = numbers[target] = len(numbers)
            rows.append((number, ts, value, code))
            if len(rows) == ROWS_AT_ONCE:
                self._store(rows)
                yield self.readings
                rows = []
        self._store(rows)
        with self._clear_errors():
            self._conn.execute("COMMIT")
        yield self.readings

    def _store(self, rows: list[tuple[int, int, float | None, int]]) -> None:
        with self._clear_errors():
            self._conn.executemany("INSERT INTO staged VALUES (?,?,?,?)", rows)
        self.readings += len(rows)

    @contextlib.contextmanager
    def _clear_errors(self) -> Iterator[None]:
        """Raises StageError for what SQLite raises."""
        try:
            yield
        except sqlite3.OperationalError as error:
            raise StageError(
                f"the temporary file in {self._path.parent} cannot be written: {error}; make room there, or set TMPDIR to a folder"
                " with room"
            ) from None

    def finish(self) -> list[Staged]:
        """Call this after ``take``. Returns what was found for each series, by name."""
        with self._clear_errors():
            self._conn.execute("CREATE INDEX staged_order ON staged(series, ts)")  # equal times stay in the order of the file
        found = []
        for target, number in sorted(self._numbers.items(), key=lambda pair: pair[0].name):
            n, first, last = self._conn.execute(
                "SELECT count(*), min(ts), max(ts) FROM staged WHERE series = ?", (number,)
            ).fetchone()
            found.append(Staged(number, target, n, first, last, self._estimate_heartbeat(number)))
        return found

    def _estimate_heartbeat(self, number: int) -> int | None:
        """Three times the usual spacing of the first readings, in µs, at least LEAST_HEARTBEAT_US; None if there are no two."""
        times = [
            ts
            for (ts,) in self._conn.execute(
                "SELECT DISTINCT ts FROM staged WHERE series = ? ORDER BY ts LIMIT ?", (number, SPACINGS)
            )
        ]
        spacings = sorted(after - before for before, after in pairwise(times))
        return max(3 * spacings[len(spacings) // 2], LEAST_HEARTBEAT_US) if spacings else None

    def pieces(self, file: Staged, *, same_is_one: bool) -> Iterator[Piece]:
        """The readings of a series, in pieces. ``same_is_one``: an identical reading later in the file is left out."""
        cursor = self._conn.execute("SELECT ts, value, quality FROM staged WHERE series = ? ORDER BY ts, rowid", (file.number,))
        piece = Piece([], [], [])
        before_us: int | None = None
        at_us: int | None = None
        known: set[tuple[float | None, int]] = set()  # the readings at that instant
        for ts, value, code in cursor:
            if ts != at_us:
                at_us = ts
                known.clear()
            if same_is_one and (value, code) in known:
                self.repeated += 1
                continue
            known.add((value, code))
            if before_us is not None and ts <= before_us:
                self.shifted += 1
                stored = before_us + 1
            else:
                stored = ts
            before_us = stored
            piece.times.append(stored)
            piece.values.append(value)
            piece.qualities.append(code)
            if len(piece.times) == BLOCK_ROWS:
                yield piece
                piece = Piece([], [], [])
        if piece.times:
            yield piece
