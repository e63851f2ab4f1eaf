"""Conversion of units as kept work: readings and roll-ups move, converted, from the old series to the new one.

Each slice is one transaction and does some rows of the first of these that has any left:

    originals   what mends of the old series have kept, in the old unit: gone, they cannot be taken back any more
    roll-ups    whose readings have expired: moved, for nothing could compute them anew; the others are deleted
    readings    those that are settled, the oldest first; then the fresh ones, which are passed over once
    marks       of the old series' dirty minutes

and the last one deletes the old series. What was moved is gone from where it was, so hardly a pointer is needed.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable

from sensorlogd.event_kinds import EventKind
from sensorlogd.notation.microseconds import BEGINNING_US, END_US
from sensorlogd.notation.plurals import plural
from sensorlogd.storage import calibrations, cuts, meta
from sensorlogd.storage.corrections import mend_rows, originals
from sensorlogd.storage.corrections.conversion import CONVERT, ConvertOrder, Linear
from sensorlogd.storage.ingest import latest
from sensorlogd.storage.pace import Pace
from sensorlogd.storage.reading_tables import moving
from sensorlogd.storage.reading_tables.moving import Carried, Carry
from sensorlogd.storage.rollups import outdated, resolutions, stored_rollups
from sensorlogd.storage.watermarks import Frontier
from sensorlogd.storage.work import Slice, Work
from sensorlogd.storage.worker import Worker

SLICE_S = 0.015  # beside it the commit takes its time
_ORIGINALS = 50


class ConvertWorker(Worker[None]):
    """The worker that moves a series into another unit. ``slice_s``: about how long a slice takes, without its commit. ``rows``:
    how many at once, until measured."""

    kind = CONVERT
    grows = True

    def __init__(self, slice_s: float = SLICE_S, rows: int = 2_000) -> None:
        self._slice_s = slice_s
        self._rows = Pace(slice_s, rows, min(50, rows), 20_000)
        self._passed = Pace(slice_s, 5 * rows, min(200, 5 * rows), 100_000)

    def fetch(self, work: Work) -> None:
        """Nothing: all that is needed is in the log."""

    def store(self, conn: sqlite3.Connection, frontier: Frontier, work: Work, fetched: None, now_us: int) -> Slice:
        """One slice."""
        request = ConvertOrder.from_json(work.request)
        move = _Move(conn, frontier, request.old, request.new, request.linear, now_us)
        if originals.forget_some(conn, move.old, _ORIGINALS) or _run_at_pace(self._rows, move.roll_ups):
            return Slice(work.progress, 0, True)
        differing = work.progress.get("differing", 0)
        moved = _run_at_pace(self._rows, move.settled)
        if moved:
            return Slice({**work.progress, "differing": differing + move.differing}, moved, True, touched=move.both)
        passed_us = work.progress.get("passed_us", BEGINNING_US)
        if passed_us < END_US:
            moved, passed_us = self._move_fresh(move, passed_us)
            progress = {"passed_us": passed_us, "differing": differing + move.differing}
            return Slice(progress, moved, True, touched=move.both if moved else [])
        if _run_at_pace(self._rows, move.marks):
            return Slice(work.progress, 0, True)
        sensor, outcome = move.finish(work.done, differing)
        return Slice({}, 0, False, outcome, events=[(EventKind.UNIT_CHANGED, sensor, outcome)], rolls_up=True, touched=move.both)

    def _move_fresh(self, move: _Move, passed_us: int) -> tuple[int, int]:
        began = time.perf_counter()
        moved, passed_us = move.fresh(passed_us, int(self._passed))
        took = time.perf_counter() - began
        if passed_us < END_US or took > self._slice_s:
            self._passed.note_duration(took)
        return moved, passed_us


def _run_at_pace(pace: Pace, some: Callable[[int], int]) -> int:
    """Call ``some`` with as many rows as the pace allows, and measure that. Returns how many rows it has dealt with."""
    began = time.perf_counter()
    most = int(pace)
    done = some(most)
    if done >= most:  # too few to measure a pace by
        pace.note_duration(time.perf_counter() - began)
    return done


class _Move:
    """The steps of one slice; each returns how many rows it has dealt with. ``differing``: how many readings of the new series
    gave way to another value."""

    def __init__(self, conn: sqlite3.Connection, frontier: Frontier, old: int, new: int, linear: Linear, now_us: int) -> None:
        self.conn = conn
        self.frontier = frontier
        self.old, self.new = old, new
        self.both = [old, new]
        self.linear = linear
        self.now_us = now_us
        self.differing = 0
        self._carry = Carry(old, new, linear.factor, linear.shift)

    def roll_ups(self, limit: int) -> int:
        """Convert and move roll-ups whose readings have expired; delete the others, which readings give again."""
        cut = cuts.of_series(self.conn, self.old)
        kept_from = BEGINNING_US if cut is None else cuts.kept_from(cut)
        for resolution in resolutions.DEFAULT_RESOLUTIONS:
            start = stored_rollups.oldest_start(self.conn, self.old, resolution, END_US, limit)
            until = END_US if start is None else start
            stored_rollups.carry(self.conn, self.old, self.new, resolution, min(until, kept_from), **self.linear._asdict())
            done = stored_rollups.delete_before(self.conn, self.old, resolution, until)
            if done:
                return done
        return 0

    def settled(self, limit: int) -> int:
        return self._note(moving.carry_settled(self.conn, self.frontier, self._carry, limit))

    def fresh(self, passed_us: int, limit: int) -> tuple[int, int]:
        """(readings moved, how far it has got)."""
        carried = moving.carry_fresh(self.conn, self.frontier, self._carry, passed_us, limit)
        return self._note(carried), carried.until_us

    def _note(self, carried: Carried | None) -> int:
        """Mark the roll-ups of both series as outdated, for they do not match the readings that have moved; count what gave way,
        also where it is the newest reading. Returns how many have moved."""
        if carried is None or not carried.rows:
            return 0
        self.differing += len(carried.differing)
        latest.change(self.conn, self.new, carried.differing)
        outdated.mark(self.conn, self.both, self.now_us, carried.since_us)
        return carried.rows

    def marks(self, limit: int) -> int:
        return outdated.forget_first_minutes(self.conn, self.old, limit)

    def finish(self, readings: int, differing: int) -> tuple[str, str]:
        """Delete the old series, which is empty now. ``differing``: how many readings gave way, of all slices. Returns (sensor, a
        sentence for people about what was done)."""
        conn, old, new = self.conn, self.old, self.new
        names = "SELECT sensor.name, channel, unit FROM series JOIN sensor ON sensor.id = sensor_id WHERE series.id = ?"
        _, _, before = conn.execute(names, (old,)).fetchone()
        sensor, channel, after = conn.execute(names, (new,)).fetchone()
        latest.carry(conn, old, new, *self.linear)
        mend_rows.carry(conn, old, new, self.now_us)
        outdated.forget(conn, old)
        cuts.forget(conn, old)
        calibrations.forget(conn, old)
        conn.execute("DELETE FROM series WHERE id = ?", (old,))
        meta.forget_series(conn, old)
        outcome = f"{channel}: convert from {before!r} to {after!r}, {readings:,} {plural(readings, 'reading')}"
        if differing:
            gave_way = plural(differing, "reading in the new unit gave way", "readings in the new unit gave way")
            outcome += f"; {differing:,} {gave_way} to another value that was stored before at the same time"
        return sensor, outcome
