"""Mends and their undoing as kept work: done in slices, one transaction each, and resumed after a stop, a kill or a power cut."""

from __future__ import annotations

import sqlite3
import time
from bisect import bisect_left
from dataclasses import dataclass

from sensorlogd.notation.microseconds import BEGINNING_US
from sensorlogd.notation.plurals import plural
from sensorlogd.storage import cuts
from sensorlogd.storage.corrections import mend_rows, mend_state, originals
from sensorlogd.storage.corrections.change import MendError
from sensorlogd.storage.corrections.mend_rows import Mend
from sensorlogd.storage.corrections.mend_state import MendOrder
from sensorlogd.storage.pace import Pace
from sensorlogd.storage.reading_tables.readings import Reading, Readings
from sensorlogd.storage.watermarks import Frontier
from sensorlogd.storage.work import Slice, Work, any_lost_to_damage
from sensorlogd.storage.worker import Worker

SLICE_S = 0.015  # beside it the commit takes its time
MAX_ROWS_AT_ONCE = 1_000  # readings changed, and kept, together
MIN_ROWS_AT_ONCE = 20
SCAN_ROWS = 40_000  # fresh readings lie in order of time: this many rows of all series are read at once to find those of one


@dataclass(frozen=True, slots=True)
class _Changed:
    """How far a mend has got, how many readings were changed, and whether roll-ups have to follow."""

    at_us: int
    readings: int
    rolls_up: bool


class MendWorker(Worker[None]):
    """Changes readings from ``mend.at_us`` on. ``slice_s``: about how long a slice takes, without its commit."""

    kind = mend_state.MEND
    grows = True

    def __init__(self, slice_s: float = SLICE_S, rows: int = MAX_ROWS_AT_ONCE) -> None:
        self.slice_s = slice_s
        self._pace = Pace(slice_s / 2, rows, min(MIN_ROWS_AT_ONCE, rows), rows)

    def fetch(self, work: Work) -> None:
        """Nothing: all that is needed is in the log."""

    def store(self, conn: sqlite3.Connection, frontier: Frontier, work: Work, fetched: None, now_us: int) -> Slice:
        """One slice."""
        try:
            mend = mend_rows.find(conn, MendOrder.from_json(work.request).mend)
        except MendError as error:
            return Slice({}, 0, False, str(error), failed=True)
        if mend.undone_us is not None:
            return Slice({}, 0, False, mend_state.TAKEN_BACK)
        at_us, changed, rolls_up, failure = mend.at_us, 0, False, ""
        began = time.perf_counter()
        while at_us < mend.until_us:
            started = time.perf_counter()
            try:
                some = self._change_some(conn, frontier, mend, at_us)
            except MendError as error:
                failure = str(error)
                break
            at_us, changed, rolls_up = some.at_us, changed + some.readings, rolls_up or some.rolls_up
            took = time.perf_counter() - started
            if some.readings == int(self._pace) or took > self.slice_s:
                self._pace.note_duration(took)
            if time.perf_counter() - began + took > self.slice_s:
                break
        more = at_us < mend.until_us
        mend_rows.advance(conn, mend.id, at_us, changed, None if more else mend.done_us or now_us)
        outcome = failure or f"{mend.readings + changed:,} {plural(mend.readings + changed, 'reading')} changed"
        return Slice(
            {}, changed, more and not failure, "" if more and not failure else outcome, failed=bool(failure),
            rolls_up=rolls_up, touched=[mend.series] if changed else [],
        )  # fmt: skip

    def _change_some(self, conn: sqlite3.Connection, frontier: Frontier, mend: Mend, at_us: int) -> _Changed:
        """Raises MendError with nothing changed."""
        readings = Readings(conn, frontier.moved_until_us)
        rows, got_to = readings.some(mend.series, at_us, mend.until_us, int(self._pace), SCAN_ROWS)
        rolls_up = False
        if rows:
            changed = [(ts, *mend.change.apply(value, quality)) for ts, value, quality in rows]
            originals.remember(conn, mend.id, rows)
            rolls_up = originals.write(conn, frontier, mend.series, changed)
        return _Changed(got_to, len(rows), rolls_up)


class UndoWorker(Worker[None]):
    """Gives readings back the values and flags that they had before the mend, the newest slice first."""

    kind = mend_state.UNDO
    grows = False

    def __init__(self, slice_s: float = SLICE_S) -> None:
        self.slice_s = slice_s

    def fetch(self, work: Work) -> None:
        """Nothing: all that is needed is in the log."""

    def store(self, conn: sqlite3.Connection, frontier: Frontier, work: Work, fetched: None, now_us: int) -> Slice:
        """One slice: at least one of those that the mend kept."""
        try:
            mend = mend_rows.find(conn, MendOrder.from_json(work.request).mend)
        except MendError as error:
            return Slice({}, 0, False, str(error), failed=True)
        restored, rolls_up = 0, False
        expired = work.progress.get("expired", 0)
        cut_us = frontier.cuts_us.get(mend.series)
        kept_from = BEGINNING_US if cut_us is None else cuts.kept_from(cut_us)
        some_are_lost = any_lost_to_damage(conn)  # originals may have come back without their readings
        began = time.perf_counter()
        while rows := originals.newest(conn, mend.id):
            started = time.perf_counter()
            rolls_up = originals.write(conn, frontier, mend.series, rows, some_are_lost=some_are_lost) or rolls_up
            originals.forget(conn, mend.id, rows)
            restored += len(rows)
            expired += bisect_left(rows, kept_from, key=_ts)
            if 2 * time.perf_counter() - began - started > self.slice_s:  # another round would take as long
                break
        more = bool(rows)
        total = work.done + restored - expired
        outcome = f"{total:,} {plural(total, 'reading is what it was', 'readings are what they were')}"
        if expired:
            outcome += f", {expired:,} {plural(expired, 'has', 'have')} expired"
        outcome = "" if more else outcome
        return Slice(
            {"expired": expired} if expired else {},
            restored,
            more,
            outcome,
            rolls_up=rolls_up,
            touched=[mend.series] if restored else [],
        )


def _ts(row: Reading) -> int:
    return row[0]
