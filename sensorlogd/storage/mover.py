"""Move readings from ``recent`` (by time) to ``history`` (by series), a block at a time, in short slices.

A block is at most 300,000 readings and one hour. It is copied by ranges of series, so that the rows of one series land
next to each other in ``history`` and few pages are written; then ``moved_until_us`` advances in one small transaction,
and from that commit on readers look in ``history``; then the block is deleted from ``recent`` by time. Whatever is
interrupted, by a crash too, leaves the union that readers see unchanged:

    copying    history holds stray rows >= moved_until_us; readers ignore them; ``recover`` removes them
    advanced   recent holds left-over rows < moved_until_us; readers ignore them; they are deleted later
"""

from __future__ import annotations

import sqlite3
import time
from enum import Enum

_SET = "INSERT INTO meta(key, value) VALUES (?,?) ON CONFLICT(key) DO UPDATE SET value = excluded.value"
_COPY = (
    "INSERT INTO history(series_id, ts, value, quality) SELECT series_id, ts, value, quality FROM recent"
    " WHERE ts >= ? AND ts < ? AND series_id >= ? AND series_id <= ? ORDER BY series_id, ts ON CONFLICT DO NOTHING"
)


class MoverState(Enum):
    """Where the mover stands with its block."""

    IDLE = "idle"
    COPYING = "copying"
    DELETING = "deleting"


class Mover:
    """``step`` does one slice. Owned by the writer thread.

    ``lag_us``: readings younger than this stay where they are, so that ordinary lateness does not meet the mover.
    ``rows_in_recent``: an estimate that the writer keeps current with ``note_stored``.
    """

    def __init__(
        self, block_rows: int = 300_000, block_us: int = 3_600_000_000, lag_us: int = 2_000_000, slice_s: float = 0.03
    ) -> None:
        self.block_rows = block_rows
        self.block_us = block_us
        self.lag_us = lag_us
        self.slice_s = slice_s
        self.state = MoverState.IDLE
        self.moved_until_us = 0
        self.rows_in_recent = 0
        self.longest_slice_s = 0.0
        self._until_us = 0
        self._series: list[int] = []
        self._at = 0  # the next series (index) to copy
        self._series_per_slice = 8.0
        self._windows = 1  # a series too long for one slice is copied in so many windows of time
        self._window = 0
        self._delete_rows = 5_000.0

    @property
    def copying_range(self) -> tuple[int, int] | None:
        """The block [a, b) being copied: a reading that arrives inside must go to both tables."""
        return (self.moved_until_us, self._until_us) if self.state is MoverState.COPYING else None

    def note_stored(self, rows: int) -> None:
        """So many readings were appended."""
        self.rows_in_recent += rows

    def recover(self, conn: sqlite3.Connection) -> None:
        """Know where things stand after a start. Own transaction."""
        meta = dict(conn.execute("SELECT key, value FROM meta WHERE key IN ('moved_until_us', 'moving_until_us')"))
        self.moved_until_us = int(meta.get("moved_until_us") or 0)
        if meta.get("moving_until_us"):
            conn.execute("BEGIN IMMEDIATE")
            for (series,) in conn.execute("SELECT id FROM series").fetchall():
                conn.execute("DELETE FROM history WHERE series_id = ? AND ts >= ?", (series, self.moved_until_us))
            conn.execute("DELETE FROM meta WHERE key = 'moving_until_us'")
            conn.execute("COMMIT")
        (self.rows_in_recent,) = conn.execute("SELECT count(*) FROM recent").fetchone()
        left = conn.execute("SELECT 1 FROM recent WHERE ts < ? LIMIT 1", (self.moved_until_us,)).fetchone()
        self.state = MoverState.DELETING if left else MoverState.IDLE

    def step(self, conn: sqlite3.Connection, now_us: int) -> bool:
        """One slice in its own transaction; True if there is more to do at once. Raises sqlite3.Error."""
        began = time.perf_counter()
        if self.state is MoverState.IDLE:
            more = self._choose_block(conn, now_us)
        elif self.state is MoverState.COPYING:
            more = self._copy_slice(conn)
        else:
            more = self._delete_slice(conn)
        self.longest_slice_s = max(self.longest_slice_s, time.perf_counter() - began)
        return more

    def _choose_block(self, conn: sqlite3.Connection, now_us: int) -> bool:
        row = conn.execute("SELECT min(ts) FROM recent WHERE ts >= ?", (self.moved_until_us,)).fetchone()
        oldest = row[0]
        newest_allowed = now_us - self.lag_us
        if oldest is None or oldest >= newest_allowed:
            return False
        until = None
        if self.rows_in_recent >= self.block_rows:
            full = conn.execute(
                "SELECT ts FROM recent WHERE ts >= ? ORDER BY ts LIMIT 1 OFFSET ?", (oldest, self.block_rows)
            ).fetchone()
            if full is not None:
                until = max(full[0], oldest + 1)  # more than a block at one microsecond is still moved
        if until is None and oldest < newest_allowed - self.block_us:
            until = oldest + self.block_us
        if until is None:
            return False
        until = min(until, oldest + self.block_us, newest_allowed)
        self._series = [series for (series,) in conn.execute("SELECT id FROM series ORDER BY id")]
        conn.execute("BEGIN IMMEDIATE")
        conn.execute(_SET, ("moving_until_us", str(until)))
        conn.execute("COMMIT")
        self._until_us = until
        self._at = self._window = 0
        self.state = MoverState.COPYING
        return True

    def _copy_slice(self, conn: sqlite3.Connection) -> bool:
        if self._at >= len(self._series):
            conn.execute("BEGIN IMMEDIATE")
            conn.execute(_SET, ("moved_until_us", str(self._until_us)))
            conn.execute("DELETE FROM meta WHERE key = 'moving_until_us'")
            conn.execute("COMMIT")
            self.moved_until_us = self._until_us
            self.state = MoverState.DELETING
            return True
        many = max(int(self._series_per_slice), 1) if self._windows == 1 else 1
        group = self._series[self._at : self._at + many]
        start, length = self.moved_until_us, self._until_us - self.moved_until_us
        oldest = max(start, self._until_us - self.block_us)  # before the first block, moved_until_us may be 0
        length = self._until_us - oldest
        low = start if self._window == 0 else oldest + length * self._window // self._windows
        high = oldest + length * (self._window + 1) // self._windows
        began = time.perf_counter()
        conn.execute("BEGIN IMMEDIATE")
        conn.execute(_COPY, (low, high, group[0], group[-1]))
        conn.execute("COMMIT")
        took = time.perf_counter() - began
        self._window += 1
        if self._window >= self._windows:
            self._window = 0
            self._at += len(group)
        self._adapt(took, many)
        return True

    def _adapt(self, took: float, many: int) -> None:
        if took > self.slice_s:
            if many > 1:
                self._series_per_slice = max(self._series_per_slice * min(0.9 * self.slice_s / took, 0.8), 1.0)
            elif self._windows < 1024:
                self._windows, self._window = self._windows * 2, self._window * 2
        elif took < self.slice_s / 3:
            if self._windows > 1 and self._window % 2 == 0:
                self._windows, self._window = self._windows // 2, self._window // 2
            elif self._windows == 1:
                self._series_per_slice = min(self._series_per_slice * 1.5, 4096.0)

    def _delete_slice(self, conn: sqlite3.Connection) -> bool:
        row = conn.execute(
            "SELECT ts FROM recent WHERE ts < ? ORDER BY ts LIMIT 1 OFFSET ?",
            (self.moved_until_us, int(self._delete_rows)),
        ).fetchone()
        until = self.moved_until_us if row is None else min(row[0] + 1, self.moved_until_us)
        began = time.perf_counter()
        conn.execute("BEGIN IMMEDIATE")
        deleted = conn.execute("DELETE FROM recent WHERE ts < ?", (until,)).rowcount
        conn.execute("COMMIT")
        took = time.perf_counter() - began
        self.rows_in_recent = max(self.rows_in_recent - deleted, 0)
        if took > self.slice_s:
            self._delete_rows = max(self._delete_rows * 0.6, 500.0)
        elif took < self.slice_s / 2:
            self._delete_rows = min(self._delete_rows * 1.5, 50_000.0)
        if row is None:
            self.state = MoverState.IDLE
        return True
