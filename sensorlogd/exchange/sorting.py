"""Sorts the readings of a file between reading and importing: all of it is read and checked before anything is imported.

Readings go into a temporary SQLite file, so that a file of any size costs little memory, and come back series by series in order of
time. Two different readings at the same instant in a file of another program are two readings (loggers that stamp whole seconds,
clocks set back): the later gets the next free microsecond, always in the same way, so importing the file again finds it.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import tempfile
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

from sensorlogd.exchange.readings import FileReading, ImportTarget
from sensorlogd.exchange.temporary_files import roomy_folder

ROWS_AT_ONCE = 5_000  # into the temporary file
BLOCK_ROWS = 10_000  # in what is handed out at once
MAX_SPACINGS = 5_000  # that are looked at for the usual one
MIN_HEARTBEAT_US = 5_000_000


class NoRoom(Exception):
    """The temporary file cannot be written, as when the disk is full."""


Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class SeriesInFile:
    """What a file holds for one series. ``heartbeat_us``: three times the usual spacing, if there are two readings."""

    number: int
    target: ImportTarget
    readings: int
    first_us: int
    last_us: int
    heartbeat_us: int | None


@dataclass(slots=True)
class SortedReadings:
    """Readings of one series in order of time, without two at the same instant.

    repeated  how many were left out among these because they are repeated
    shifted   how many of these were moved to the next free microsecond
    """

    times: list[int] = field(default_factory=list)
    values: list[float | None] = field(default_factory=list)
    qualities: list[int] = field(default_factory=list)
    repeated: int = 0
    shifted: int = 0


class ReadingSorter:
    """The readings of one file, series by series; a context manager. ``folder``: for the temporary file (about 30 bytes a
    reading)."""

    def __init__(self, folder: Path | None = None) -> None:
        self.readings = 0
        self._numbers: dict[ImportTarget, int] = {}
        self._folder = folder

    def __enter__(self) -> ReadingSorter:
        handle, name = tempfile.mkstemp(".import", "sensorlogd-", self._folder or roomy_folder())
        os.close(handle)
        self._path = Path(name)
        self._conn = sqlite3.connect(name, isolation_level=None)
        self._path.unlink()  # it is open: so nothing is left behind by a process that is killed
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "temp_store = FILE", "cache_size = -16000"):
            self._conn.execute(f"PRAGMA {pragma}").fetchall()
        self._conn.execute("CREATE TABLE found(series INTEGER, ts INTEGER, value REAL, quality INTEGER)")
        return self

    def __exit__(self, *_: object) -> None:
        self._conn.close()

    def take(self, readings: Generator[FileReading, None, Result], go_on: Callable[[], object]) -> Result:
        """Take every reading of ``readings`` and close it; returns what it returns. ``go_on`` is called now and then. Raises NoRoom,
        and whatever ``readings`` raises."""
        rows: list[tuple[int, int, float | None, int]] = []
        numbers = self._numbers
        self._conn.execute("BEGIN")
        with contextlib.closing(readings):
            while True:
                try:
                    target, ts, value, code = next(readings)
                except StopIteration as end:
                    result: Result = end.value
                    break
                number = numbers.get(target)
                if number is None:
                    number = numbers[target] = len(numbers)
                rows.append((number, ts, value, code))
                if len(rows) == ROWS_AT_ONCE:
                    self._store(rows)
                    go_on()
                    rows = []
        self._store(rows)
        with self._clear_errors():
            self._conn.execute("COMMIT")
        go_on()
        return result

    def _store(self, rows: list[tuple[int, int, float | None, int]]) -> None:
        with self._clear_errors():
            self._conn.executemany("INSERT INTO found VALUES (?,?,?,?)", rows)
        self.readings += len(rows)

    @contextlib.contextmanager
    def _clear_errors(self) -> Iterator[None]:
        """Raises NoRoom for what SQLite raises."""
        try:
            yield
        except sqlite3.OperationalError as error:
            raise NoRoom(
                f"the temporary file in {self._path.parent} cannot be written: {error}; make room there, or set TMPDIR to a folder"
                " with room"
            ) from None

    def series(self) -> list[SeriesInFile]:
        """What was taken for each series, by name. Raises NoRoom."""
        with self._clear_errors():  # equal times stay in the order of the file
            self._conn.execute("CREATE INDEX IF NOT EXISTS in_order ON found(series, ts)")
        result = []
        for target, number in sorted(self._numbers.items(), key=lambda pair: pair[0].name):
            n, first, last = self._conn.execute(
                "SELECT count(*), min(ts), max(ts) FROM found WHERE series = ?", (number,)
            ).fetchone()
            result.append(SeriesInFile(number, target, n, first, last, self._estimate_heartbeat(number)))
        return result

    def _estimate_heartbeat(self, number: int) -> int | None:
        """Three times the usual spacing of the first readings, in µs, at least MIN_HEARTBEAT_US; None if there are no two."""
        times = [
            ts
            for (ts,) in self._conn.execute(
                "SELECT DISTINCT ts FROM found WHERE series = ? ORDER BY ts LIMIT ?", (number, MAX_SPACINGS)
            )
        ]
        spacings = sorted(after - before for before, after in pairwise(times))
        return max(3 * spacings[len(spacings) // 2], MIN_HEARTBEAT_US) if spacings else None

    def sorted_readings(self, series: SeriesInFile, *, same_is_one: bool) -> Iterator[SortedReadings]:
        """The readings of a series, some thousands at a time. ``same_is_one``: an identical reading later in the file is left
        out."""
        cursor = self._conn.execute("SELECT ts, value, quality FROM found WHERE series = ? ORDER BY ts, rowid", (series.number,))
        block = SortedReadings()
        before_us: int | None = None
        at_us: int | None = None
        known: set[tuple[float | None, int]] = set()  # the readings at that instant
        for ts, value, code in cursor:
            if ts != at_us:
                at_us = ts
                known.clear()
            if same_is_one and (value, code) in known:
                block.repeated += 1
                continue
            known.add((value, code))
            if before_us is not None and ts <= before_us:
                block.shifted += 1
                stored = before_us + 1
            else:
                stored = ts
            before_us = stored
            block.times.append(stored)
            block.values.append(value)
            block.qualities.append(code)
            if len(block.times) == BLOCK_ROWS:
                yield block
                block = SortedReadings()
        if block.times or block.repeated:
            yield block
