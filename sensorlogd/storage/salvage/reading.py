"""Rows of a damaged database, past what is damaged: never guessed, bounded in time, from any key on.

A query that is read here has bounds (low, high) of an integer key as its two parameters, is ordered by that key, and gives
it first. Several rows may share a key.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sensorlogd.notation.microseconds import END_US
from sensorlogd.storage.file.connecting import connect_to_read
from sensorlogd.storage.reading_tables import KEYS

FAR = END_US - 1  # the last key, be it a time or an id
NOWHERE = -FAR
Row = tuple[Any, ...]
_LONGEST_VALUE = 50_000_000
_MAX_REGIONS = 20
# What says nothing about the file, only about this moment.
_PASSING = {
    sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_INTERRUPT,
    sqlite3.SQLITE_FULL,
}  # fmt: skip


class Unreadable(Exception):
    """Nothing can be read: it is no database, or its schema is damaged."""


class NotNow(Exception):
    """It cannot be read at this moment; later perhaps."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Keys [since, until) that cannot be read; ``until`` None: to the end."""

    since: int
    until: int | None


@dataclass(slots=True)
class RowBatch:
    """Some rows in order, and the damage between them. ``low``: the key from which to go on. ``finished``: nothing comes after
    ``low``."""

    low: int
    rows: list[Row] = field(default_factory=list)
    stretches: list[Stretch] = field(default_factory=list)
    finished: bool = False


@dataclass(frozen=True, slots=True)
class _ReadRows:
    """What one statement gave before its end, or before damage."""

    rows: list[Row]
    is_damaged: bool


class DamagedLog:
    """One damaged file, opened read-only; for one thread. ``alone``: without its WAL, which holds nothing."""

    def __init__(self, path: Path, *, alone: bool = False) -> None:
        """Raises Unreadable, NotNow."""
        self.path = path
        try:
            self.conn = connect_to_read(path, timeout_s=0.02, unchanging=alone)
        except sqlite3.Error as error:
            raise NotNow(str(error)) from error
        self.conn.text_factory = lambda raw: raw.decode("utf-8", "replace")
        self.conn.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST_VALUE)  # a damaged length is an error, not all the memory
        try:
            self.conn.execute("PRAGMA cell_size_check = ON")  # an error for a malformed cell, instead of wrong values
            self.conn.execute("PRAGMA writable_schema = ON")  # else a file that is too short is not read at all
            self.conn.execute("PRAGMA cache_size = -4000")
            if not KEYS.keys() & {name for (name,) in self.conn.execute("SELECT name FROM sqlite_schema")}:
                raise Unreadable("it has no table of readings")
        except sqlite3.Error as error:
            self.conn.close()
            self._raise_if_passing(error)
            raise Unreadable(str(error)) from error
        except Unreadable:
            self.conn.close()
            raise

    def close(self) -> None:
        self.conn.close()

    def columns(self, table: str) -> list[str]:
        """The columns of a table; none if there is no such table, or its columns are not known."""
        try:
            cursor = self.conn.execute(f"SELECT * FROM {table} LIMIT 0")
        except sqlite3.Error as error:
            self._raise_if_passing(error)
            return []
        return [column[0] for column in cursor.description]

    def all(self, query: str, limit: int = 1_000_000) -> RowBatch:
        """A small table."""
        whole = RowBatch(NOWHERE)
        while not whole.finished and len(whole.rows) < limit:
            batch = self.batch(query, whole.low, limit=5_000)
            whole.low, whole.finished = batch.low, batch.finished
            whole.rows += batch.rows
            whole.stretches += batch.stretches
        return whole

    def batch(self, query: str, low: int, high: int = FAR, *, limit: int = 1_000, deadline: float = float("inf")) -> RowBatch:
        """Up to about ``limit`` rows with keys from ``low`` on, up to and with ``high``; all rows of a key together.

        Ends early once ``deadline`` (of ``time.perf_counter``) has passed. Raises NotNow.
        """
        batch = RowBatch(low)
        while not batch.finished and len(batch.rows) < limit:
            self._read_step(batch, query, high, limit - len(batch.rows))
            if time.perf_counter() >= deadline:
                break
        return batch

    def first(self, query: str, low: int, high: int) -> Sequence[Row] | None:
        """The first row from ``low`` on, up to and with ``high``, or no row; None if that cannot be read."""
        found = self._read_rows(query, low, high, 1)
        return None if found.is_damaged else found.rows

    # ---- steps -----------------------------------------------------------------------------------------------------

    def _read_step(self, batch: RowBatch, query: str, high: int, limit: int) -> None:
        """Add to ``batch`` what one step finds: rows, or one stretch of damage."""
        found = self._read_rows(query, batch.low, high, limit)
        rows, is_damaged = found.rows, found.is_damaged
        if not is_damaged and len(rows) < limit:
            batch.rows += rows
            batch.finished = True
            return
        if rows and rows[0][0] != rows[-1][0]:
            # Rows of the last key may be missing: they are read again in the next step.
            batch.low = rows[-1][0]
            batch.rows += [row for row in rows if row[0] != batch.low]
        elif not is_damaged:
            self._add_key(batch, query, high, rows)
        else:
            self._add_damaged(batch, query, high, rows)

    def _add_key(self, batch: RowBatch, query: str, high: int, rows: list[Row]) -> None:
        """Add all rows of one key, which fills a batch alone: it may span many pages, any of which may be damaged. ``rows``: the
        first of them."""
        key = rows[0][0]
        found = self._read_rows(query, key, key, 1_000_000)
        more = found.rows if len(found.rows) > len(rows) else rows
        if found.is_damaged:
            self._add_damaged(batch, query, high, more)
            return
        batch.rows += more
        batch.low = key + 1
        batch.finished = batch.low > FAR

    def _add_damaged(self, batch: RowBatch, query: str, high: int, rows: list[Row]) -> None:
        """Add a stretch of damage. ``rows``: those of the first key that came before the error."""
        # A cursor steps on before it hands a row out, so the row before the damage is still to be had, with a limit.
        found = self._read_rows(query, batch.low, high, len(rows) + 1)
        more = found.rows
        if not found.is_damaged and len(more) > len(rows):
            key = more[0][0]
            batch.rows += [row for row in more if row[0] == key]
            if more[-1][0] != key:
                batch.low = more[-1][0]
                return
            bad = key + 1
        else:
            batch.rows += rows
            bad = rows[-1][0] + 1 if rows else batch.low
        # Where nothing was read before it, the beginning of the damage may be ages before the first row.
        is_anchored = bool(rows or batch.rows or batch.stretches)
        beyond = self._first_key_beyond(query, bad, high, is_anchored)
        batch.stretches.append(Stretch(bad, beyond))
        batch.finished = beyond is None
        batch.low = high + 1 if beyond is None else beyond

    def _read_rows(self, query: str, low: int, high: int, limit: int) -> _ReadRows:
        """Keys that go back are damage: a page that is not what it should be."""
        rows: list[Row] = []
        if low > high:
            return _ReadRows(rows, is_damaged=False)
        last = low
        try:
            for row in self.conn.execute(f"{query} LIMIT {limit}", (low, high)):
                if type(row[0]) is not int or not last <= row[0] <= high:
                    return _ReadRows(rows, is_damaged=True)
                last = row[0]
                rows.append(row)
        except sqlite3.Error as error:
            self._raise_if_passing(error)
            return _ReadRows(rows, is_damaged=True)
        return _ReadRows(rows, is_damaged=False)

    def _first_key_beyond(self, query: str, bad: int, high: int, is_anchored: bool) -> int | None:
        """The first key above ``bad`` that can be read again, if there is one gap; None if there is none up to ``high``.

        ``is_anchored``: ``bad`` is next to a row. Otherwise the search, whose steps grow with the gap, has leapt far, and
        what it found is gone back from in steps that begin small.
        """
        if self.first(query, bad, high) is not None:
            return self._first_key(query, bad, high)  # only rows of the key before were lost
        first_bad, step = bad, 1
        while True:
            if bad + step > high:
                step = (high - bad) // 2  # near the end the gap may be the larger part: half of the rest at a time
                if step <= 0:
                    return None
            if self.first(query, bad + step, high) is not None:
                break
            bad += step
            step += step // 4 + 1  # a quarter of the gap at a time: what is readable between two gaps is not leapt over
        good = self._first_readable(query, bad, bad + step, high)
        for _ in range(0 if is_anchored else _MAX_REGIONS):
            earlier = self._earlier_readable(query, first_bad, good, high)
            if earlier is None:
                break
            good = earlier
        return self._first_key(query, good, high)

    def _first_readable(self, query: str, bad: int, good: int, high: int) -> int:
        """A key that can be read from, while the one before it cannot."""
        while good - bad > 1:
            middle = (bad + good) // 2
            if self.first(query, middle, high) is not None:
                good = middle
            else:
                bad = middle
        return good

    def _earlier_readable(self, query: str, bad: int, good: int, high: int) -> int | None:
        """The beginning of what can be read before the gap that ends at ``good``; None if there is nothing above ``bad``."""
        step = 1
        while self.first(query, good - step, high) is None:
            step += step // 4 + 1
            if good - step <= bad:
                return None
        position, step = good - step, 1
        while position - step > bad and self.first(query, position - step, high) is not None:
            position -= step
            step *= 2
        return self._first_readable(query, max(position - step, bad), position, high)

    def _first_key(self, query: str, low: int, high: int) -> int | None:
        found = self.first(query, low, high)
        return int(found[0][0]) if found else None

    def _raise_if_passing(self, error: sqlite3.Error) -> None:
        """Raises NotNow if the error is a condition of this moment only (locked, out of memory, the disk is gone). If it means
        damage this returns."""
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        if code in _PASSING:
            raise NotNow(str(error)) from error
        if code in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN):
            # A bad sector is damage; a disk that is gone is not.
            try:
                with self.path.open("rb") as file:
                    file.read(512)
            except OSError as gone:
                raise NotNow(str(gone)) from error
