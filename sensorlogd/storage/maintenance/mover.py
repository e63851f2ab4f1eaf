"""Move readings from ``recent`` (by time) to ``history`` (by series), a block at a time, in short slices.

A block is at most 300,000 readings, and begun once there are that many or the oldest is an hour old. It is copied by ranges of
series, so that the rows of one series land next to each other in ``history`` and few pages are written; then ``moved_until_us``
advances in one small transaction, and from that commit on readers look in ``history``; then the block is deleted from ``recent``
by time. Whatever is interrupted, by a crash too, leaves the union that readers see unchanged:

    copying    history holds copies >= moved_until_us; readers ignore them; after a start the copying begins again,
               which is safe because what is there already is left alone
    advanced   recent holds left-over rows < moved_until_us; readers ignore them; they are deleted later

A clock that was years ahead for a while may have left ``moved_until_us`` in the future: every reading since would go to
``history`` one by one, the expensive way. ``unpin`` brings what is newer than now back, the newest first, ``moved_until_us``
falling with every slice in the slice's own transaction; so there is no state between to recover from.

While a block is copied a reading that arrives inside it goes to both tables, and whoever changes or deletes a reading
there changes or deletes it in both.
"""

from __future__ import annotations

import sqlite3
import time
from enum import Enum

from sensorlogd.notation.microseconds import HOUR_US, MINUTE_US
from sensorlogd.storage import watermarks
from sensorlogd.storage.file.transaction import transaction
from sensorlogd.storage.pace import Pace
from sensorlogd.storage.reading_tables import moving
from sensorlogd.storage.watermarks import Frontier

_PINNED_US = MINUTE_US  # ``moved_until_us`` so far in the future is no matter of a clock that was set back a little
_SERIES_ROWS = 10_000  # readings of one series copied at once, until measured
_MIN_ROWS_AT_ONCE = 1_000
_PAGE_ROWS = 100  # readings a page holds, about: fewer of a series at once would write the same page again and again
_SCAN_SHARE = 4  # at most this part of a slice goes into reading over the window
_FILTER_COST = 1.5  # passing a row over in moving.copy takes this many times as long as in moving.count (measured: 62 and 45 ns)


class MoverState(Enum):
    """Where the mover stands with its block."""

    IDLE = "idle"
    COPYING = "copying"
    DELETING = "deleting"


class Mover:
    """Moves readings from ``recent`` to ``history``, block by block; ``step`` does one slice. Owned by the writer thread.

    How far it has got is in the ``Frontier`` that each call is given, and nowhere else in memory: it is changed right after the
    COMMIT that makes it true, so whatever fails later, the next reading goes where it belongs.

    ``lag_us``: readings younger than this stay where they are, so that ordinary lateness does not meet the mover.
    ``slice_s``: how long a slice should take; it is measured and kept there on any machine.
    """

    def __init__(
        self, block_rows: int = 300_000, block_us: int = HOUR_US, lag_us: int = 2_000_000, slice_s: float = 0.03
    ) -> None:
        self.block_rows = block_rows
        self.block_us = block_us
        self.lag_us = lag_us
        self.slice_s = slice_s
        self.state = MoverState.IDLE
        self.moved = 0  # readings, since the start
        self.longest_slice_s = 0.0
        self._until_us = 0
        # How many readings wait, counted once each: ``_counted`` of them before ``_counted_until_us``.
        self._counted = 0
        self._counted_until_us = 0
        # A slice copies some series of a window of time. Windows are as long as reading over all their rows, to pick
        # those of a few series, allows: every further window touches each series' last page once more.
        self._series: list[int] = []
        self._window = (0, 0)
        self._next_series = 0  # index of the series to copy next in this window
        self._window_rows = float(block_rows)
        self._copy_pace = Pace(slice_s, 15_000, _MIN_ROWS_AT_ONCE, block_rows, slower=0.2)  # readings to copy at once, about
        self._row_s = 0.0  # what passing over one row of the window takes, as measured
        self._was_slow = False  # one series alone took too long in this window
        self._delete_pace = Pace(slice_s, 5_000, _MIN_ROWS_AT_ONCE, 100_000)
        self._unpinning = False
        self._back_pace = Pace(slice_s, 2_000, 100, block_rows)  # readings to bring back at once, about

    def recover(self, conn: sqlite3.Connection, frontier: Frontier) -> None:
        """Know where things stand in a database that was just opened, and put it into the frontier. Reads only."""
        reached = watermarks.stored(conn)
        frontier.moved_until_us, frontier.copying = reached.moved_until_us, None
        self._counted = self._counted_until_us = 0
        if moving.is_left_over(conn, frontier.moved_until_us):
            self.state = MoverState.DELETING
        elif reached.moving_until_us:
            self._begin_copying(frontier, reached.moving_until_us, _series_ids(conn))
        else:
            self.state = MoverState.IDLE

    def step(self, conn: sqlite3.Connection, frontier: Frontier, now_us: int) -> bool:
        """One slice in its own transaction; True if there is more to do at once.

        Raises sqlite3.Error, with nothing changed; the next call tries the same slice again.
        """
        began = time.perf_counter()
        if self.state is MoverState.IDLE:
            more = self._choose_block(conn, frontier, now_us)
        elif self.state is MoverState.COPYING:
            more = self._copy_slice(conn, frontier)
        else:
            more = self._delete_slice(conn, frontier)
        self.longest_slice_s = max(self.longest_slice_s, time.perf_counter() - began)
        return more

    def raise_border(self, conn: sqlite3.Connection, frontier: Frontier, now_us: int) -> None:
        """Raise ``moved_until_us`` as far as no reading waits to be moved, but not into the last ``block_us``: many readings of
        the past that are to arrive then go to ``history`` at once. Does nothing while a block is being moved. Its own
        transaction; stored readings stay where they are. Raises sqlite3.Error."""
        if self.state is not MoverState.IDLE:
            return
        oldest = moving.oldest(conn, frontier.moved_until_us)
        target = now_us - self.block_us if oldest is None else min(oldest, now_us - self.block_us)
        if target > frontier.moved_until_us:
            with transaction(conn):
                moving.set_border(conn, target)
            frontier.moved_until_us = target
            self._counted = self._counted_until_us = 0

    def unpin(self, conn: sqlite3.Connection, frontier: Frontier, now_us: int) -> bool:
        """One slice of bringing ``moved_until_us`` back from the future, if it is there; True if there is more to do at once.

        Its own transaction. ``now_us``: a time that can be relied on. Raises sqlite3.Error, with nothing changed.
        """
        if self.state is not MoverState.IDLE:
            return False  # what is being moved first comes to its end
        target = now_us - self.lag_us
        if frontier.moved_until_us <= (target if self._unpinning else now_us + _PINNED_US):
            self._unpinning = False
            return False
        if moving.is_left_over(conn, frontier.moved_until_us):
            self.state = MoverState.DELETING  # left over: it must not be seen again when the limit falls below it
            return True
        self._bring_back_slice(conn, frontier, target)
        self._unpinning = frontier.moved_until_us > target
        return self._unpinning

    # ---- choosing --------------------------------------------------------------------------------------------------

    def _choose_block(self, conn: sqlite3.Connection, frontier: Frontier, now_us: int) -> bool:
        """Begin to copy a block, if enough readings wait for one, or the oldest has waited for ``block_us``. Returns whether
        it has."""
        limit = now_us - self.lag_us  # nothing newer is touched: a reading dated tomorrow is just not moved yet
        oldest = moving.oldest(conn, frontier.moved_until_us)
        if oldest is None or oldest >= limit:
            return False
        until = self._end_of_full_block(conn, oldest, limit)
        if until is None and limit - oldest < self.block_us:
            return False
        end = limit if until is None else until
        series = _series_ids(conn)
        with transaction(conn):
            moving.begin(conn, end)
        self._begin_copying(frontier, end, series)
        return True

    def _end_of_full_block(self, conn: sqlite3.Connection, oldest: int, limit: int) -> int | None:
        """Where a block of ``block_rows`` readings ends; None while fewer wait. Each row is counted once."""
        if limit < self._counted_until_us - self.block_us:  # the clock was set back
            self._counted = self._counted_until_us = 0
        start = max(oldest, self._counted_until_us)
        if start >= limit:
            return None
        began = time.perf_counter()
        more, last = moving.count(conn, start, limit, self.block_rows - self._counted)
        if more >= _MIN_ROWS_AT_ONCE:
            self._row_s = (time.perf_counter() - began) * _FILTER_COST / more
        if last is not None and self._counted + more >= self.block_rows:
            return last + 1
        self._counted += more
        self._counted_until_us = limit
        return None

    def _begin_copying(self, frontier: Frontier, until_us: int, series: list[int]) -> None:
        frontier.copying = (frontier.moved_until_us, until_us)
        self._series = series
        self._until_us = until_us
        self._window_rows = min(self._window_rows, float(_SERIES_ROWS * max(len(self._series), 1)))
        self._window = (frontier.moved_until_us, frontier.moved_until_us)
        self._next_series = len(self._series)
        self.state = MoverState.COPYING

    # ---- copying ---------------------------------------------------------------------------------------------------

    def _copy_slice(self, conn: sqlite3.Connection, frontier: Frontier) -> bool:
        """Copy the next series of the window; after the last one open the next window, or end the copying of the block. Returns
        True: there is always more to do."""
        if self._next_series >= len(self._series):
            if self._window[1] >= self._until_us:
                self._end_copying(conn, frontier)
                return True
            self._open_next_window(conn)
        many = max(int(self._copy_pace.rows * len(self._series) / self._window_rows), 1)
        group = self._series[self._next_series : self._next_series + many]
        if not group:  # no series at all: nothing can be in the block
            self._end_copying(conn, frontier)
            return True
        with transaction(conn):
            began = time.perf_counter()
            copied = moving.copy(conn, self._window, group[0], group[-1])
            took = time.perf_counter() - began
        self.moved += copied
        self._next_series += len(group)
        self._adapt_pace(took, len(group), len(group) == many)
        return True

    def _open_next_window(self, conn: sqlite3.Connection) -> None:
        """Go on to the next window of the block. It holds about as many rows as can be passed over in a part of a slice."""
        if not self._was_slow:
            self._window_rows = min(self._window_rows * 1.25, float(self.block_rows))
        if self._row_s:
            self._window_rows = min(self._window_rows, self.slice_s / _SCAN_SHARE / self._row_s)
        least = _PAGE_ROWS * len(self._series) if not self._was_slow else 0
        self._window_rows = max(self._window_rows, min(least, self.block_rows), _MIN_ROWS_AT_ONCE)
        start = self._window[1]
        last = moving.end_of(conn, start, self._until_us, int(self._window_rows))
        self._window = (start, self._until_us if last is None else min(last + 1, self._until_us))
        self._next_series = 0
        self._was_slow = False

    def _adapt_pace(self, took: float, many: int, is_full: bool) -> None:
        """Learn from a slice that took ``took`` seconds. ``many``: series in it; ``is_full``: as many as were wanted."""
        scan = min(self._row_s * self._window_rows, self.slice_s / _SCAN_SHARE)
        room = self.slice_s - scan
        work = max(took - scan, took / 4, 1e-5)
        if many == 1 and work > 1.2 * room:  # one series is more than a slice: shorter windows
            self._window_rows *= max(room / work, 0.1)
            self._was_slow = True
        if work > room or is_full:  # the few series at the end of a window say nothing about more
            self._copy_pace.note_duration(work, room)

    def _end_copying(self, conn: sqlite3.Connection, frontier: Frontier) -> None:
        with transaction(conn):
            moving.advance(conn, self._until_us)
        frontier.moved_until_us, frontier.copying = self._until_us, None
        self._counted = self._counted_until_us = 0
        self.state = MoverState.DELETING

    # ---- deleting --------------------------------------------------------------------------------------------------

    def _delete_slice(self, conn: sqlite3.Connection, frontier: Frontier) -> bool:
        last = moving.end_of_left_over(conn, frontier.moved_until_us, int(self._delete_pace))
        with transaction(conn):
            began = time.perf_counter()
            # All rows of an instant go together; what is left of it would be passed over again.
            moving.delete_left_over(conn, frontier.moved_until_us if last is None else last + 1)
            took = time.perf_counter() - began
        self._delete_pace.note_duration(took)
        if last is None:
            self.state = MoverState.IDLE
        return True

    # ---- bringing back ---------------------------------------------------------------------------------------------

    def _bring_back_slice(self, conn: sqlite3.Connection, frontier: Frontier, target: int) -> None:
        """Bring the newest rows of ``history`` back to ``recent``: about as many as fit a slice, all of an instant together."""
        began = time.perf_counter()
        (series,) = conn.execute("SELECT count(*) FROM series").fetchone()
        each = max(int(self._back_pace.rows / max(series, 1)), 1)
        newest = moving.newest_settled(conn, target, frontier.moved_until_us, each)
        begin = target if newest is None else newest + 1
        with transaction(conn):
            moving.bring_back(conn, begin, frontier.moved_until_us)
        frontier.moved_until_us = begin
        self._counted = self._counted_until_us = 0
        took = time.perf_counter() - began
        self.longest_slice_s = max(self.longest_slice_s, took)
        self._back_pace.note_duration(took)


def _series_ids(conn: sqlite3.Connection) -> list[int]:
    return [series for (series,) in conn.execute("SELECT id FROM series ORDER BY id")]
