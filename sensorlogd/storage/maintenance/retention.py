"""Retention: expire readings and roll-ups older than configured, in short slices.

Cuts fall on edges of the coarsest bucket only (a day in the configured zone), so that no stored roll-up ever loses a
part of its readings. The cut of a series and resolution is stored first; from then on an older arrival is refused and counted
as too_old, never allowed to replace an exact roll-up; then rows are deleted. A crash in between leaves rows older than
their cut, which the next round deletes. Where days do not begin on a UTC hour (+05:45) what lies between the hour and
the cut stays: the hour that the cut goes through keeps all it is made of.

Never expired: readings that the roll-ups do not cover yet (from ``edge_us`` on), a series from its oldest dirty minute
on, a series whose unit is being converted, and what the mover has not moved yet. Space goes back to the file system by
incremental vacuum.
"""

from __future__ import annotations

import fnmatch
import sqlite3
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

from sensorlogd.storage import cuts, watermarks
from sensorlogd.storage.corrections import conversion
from sensorlogd.storage.cuts import Cut
from sensorlogd.storage.file.transaction import transaction
from sensorlogd.storage.pace import Pace
from sensorlogd.storage.reading_tables import moving, survey
from sensorlogd.storage.rollups import outdated, resolutions, stored_rollups
from sensorlogd.storage.watermarks import Frontier

_ENOUGH_FREE_PAGES = 500  # one megabyte that new readings can use before the file grows
_DROP_FOR_S = 0.25  # how long a call of drop_oldest may take
_MIN_ROWS_AT_ONCE = 100.0
_SERIES = "SELECT series.id, sensor.name FROM series JOIN sensor ON sensor.id = series.sensor_id"


@dataclass(frozen=True, slots=True)
class RetentionPlan:
    """How long to keep the roll-ups of each resolution (0: readings), in microseconds; None or absent = for ever.

    ``sensors``: overrides by glob of the sensor's name, the first that matches wins.
    """

    default: Mapping[int, int | None] = field(default_factory=dict)
    sensors: Sequence[tuple[str, Mapping[int, int | None]]] = ()

    def of(self, sensor: str) -> dict[int, int | None]:
        """Resolution -> how long the roll-ups (0: readings) of this sensor are kept."""
        kept = dict(self.default)
        for glob, override in self.sensors:
            if fnmatch.fnmatchcase(sensor, glob):
                kept.update(override)
                break
        return kept

    def is_forever(self) -> bool:
        """True if nothing ever expires."""
        overrides = [kept for _, override in self.sensors for kept in override.values()]
        return all(kept is None for kept in (*self.default.values(), *overrides))


class Retention:
    """Deletes what has expired; ``step`` does one slice. Owned by the writer thread, but for ``use_plan``. ``zone``: of the day that
    cuts fall on.

    The cuts of readings are in the ``Frontier`` that each call is given: a cut is put there right after the COMMIT that stores it,
    so whatever fails later, an older arrival is refused and counted."""

    def __init__(self, zone: str = "UTC", slice_s: float = 0.03, *, makes_cuts: bool = True) -> None:
        """``makes_cuts``: False for a verb without a daemon: it refuses what the plan does not keep, and lets nothing expire by it."""
        self.zone = zone
        self._makes_cuts = makes_cuts
        self.slice_s = slice_s
        self.deleted = 0
        self.longest_slice_s = 0.0
        self._plan = RetentionPlan()
        self._work: list[Cut] | None = None  # (series, resolution, cut) still to delete; None: no round
        self._dropping: list[Cut] = []
        self._done: dict[tuple[int, int], int] = {}  # (series, resolution) -> nothing older is left
        self._delete_pace = Pace(slice_s, 2_000, _MIN_ROWS_AT_ONCE, 50_000)
        self._page_pace = Pace(slice_s, 200, least=10, most=5_000)

    def use_plan(self, plan: RetentionPlan) -> None:
        """Use ``plan`` from the next round on (any thread)."""
        self._plan = plan

    def recover(self, conn: sqlite3.Connection, frontier: Frontier) -> None:
        """Know the cuts of a database that was just opened."""
        self.read_cuts(conn, frontier)
        self._work = None
        self._dropping = []
        self._done = {}

    def step(self, conn: sqlite3.Connection, frontier: Frontier, now_us: int) -> bool:
        """One slice in its own transaction; True while this round has more to do. Raises sqlite3.Error."""
        began = time.perf_counter()
        more = self._do_slice(conn, frontier, now_us)
        self.longest_slice_s = max(self.longest_slice_s, time.perf_counter() - began)
        return more

    def _do_slice(self, conn: sqlite3.Connection, frontier: Frontier, now_us: int) -> bool:
        """What ``step`` does: what was dropped for room goes first, then this round's expired rows, then free pages."""
        if self._dropping:
            self._delete_next(conn, self._dropping)
            return True
        if self._work is None:
            self._work = self._begin_round(conn, frontier, now_us)
        if self._work:
            self._delete_next(conn, self._work)
            return True
        if self._vacuum(conn):
            return True
        self._work = None
        return False

    # ---- a round ---------------------------------------------------------------------------------------------------

    def _begin_round(self, conn: sqlite3.Connection, frontier: Frontier, now_us: int) -> list[Cut]:
        """Store this round's cuts, one transaction, and list what is to be deleted."""
        stored = cuts.of_all(conn)
        # A COMMIT that reported an error may have stored some.
        _raise_cuts(frontier, [(*key, cut) for key, cut in stored.items()])
        expirable = _expirable_until(conn)
        due = self._due_cuts(conn, expirable, now_us)
        later = sorted((*key, cut) for key, cut in due.items() if cut > stored.get(key, 0))
        if later:
            with transaction(conn):
                cuts.raise_to(conn, later)
            _raise_cuts(frontier, later)
        # Cuts of earlier rounds too: a crash may have come between a cut and its deletions. None of them lies beyond what can
        # expire: a later one is not from here (a damaged file, a clock that was ahead), and nothing is deleted for it.
        newest = stored | {(series, resolution): cut for series, resolution, cut in later}
        return [(*key, cut) for key, cut in newest.items() if self._done.get(key, 0) < cut <= expirable]

    def _due_cuts(self, conn: sqlite3.Connection, expirable_us: int, now_us: int) -> dict[tuple[int, int], int]:
        """(series, resolution) -> the cut that the plan asks for now, on the beginning of a day."""
        plan = self._plan
        if plan.is_forever() or not self._makes_cuts:
            return {}
        dirty, held = outdated.first_of_each(conn), conversion.held(conn)
        due: dict[tuple[int, int], int] = {}

        @cache  # most series have the same few
        def beginning_of_day(us: int) -> int:
            return resolutions.bucket(us, resolutions.DAY, self.zone)[0]

        for series, sensor in conn.execute(_SERIES).fetchall():
            if series in held:
                continue
            limit = dirty.get(series, expirable_us)
            for resolution, kept_us in plan.of(sensor).items():
                if kept_us is not None:
                    due[series, resolution] = beginning_of_day(min(now_us - kept_us, expirable_us, limit))
        return due

    def kept_from_us(self, conn: sqlite3.Connection, series: int, now_us: int) -> int | None:
        """From when on the plan keeps readings of a series, on the beginning of a day; None: for ever. Once all older ones are rolled
        up and moved, it is their cut. Raises sqlite3.Error."""
        if self._plan.is_forever():
            return None
        row = conn.execute(f"{_SERIES} WHERE series.id = ?", (series,)).fetchone()
        kept_us = None if row is None else self._plan.of(row[1]).get(cuts.READINGS)
        return None if kept_us is None else resolutions.bucket(now_us - kept_us, resolutions.DAY, self.zone)[0]

    @staticmethod
    def read_cuts(conn: sqlite3.Connection, frontier: Frontier) -> None:
        """Read the cuts again after other code has stored some (a conversion of units copies them to the new series)."""
        frontier.cuts_us = cuts.of_readings(conn)

    def _delete_next(self, conn: sqlite3.Connection, work: list[Cut]) -> None:
        """One slice of the last entry of ``work``; small entries are taken together."""
        deadline = time.perf_counter() + self.slice_s / 2
        while work:
            series, resolution, cut = work[-1]
            if self._delete_slice(conn, series, resolution, cut):
                return
            self._done[series, resolution] = max(cut, self._done.get((series, resolution), 0))
            work.pop()
            if time.perf_counter() >= deadline:
                return

    def _delete_slice(self, conn: sqlite3.Connection, series: int, resolution: int, cut: int) -> bool:
        """Delete some rows of one series and resolution older than ``cut``; True if more may be left."""
        cut = cuts.kept_from(cut)
        if _oldest_time(conn, series, resolution, cut) is None:
            return False
        end = _oldest_time(conn, series, resolution, cut, int(self._delete_pace))
        with transaction(conn):
            began = time.perf_counter()
            deleted = _delete_before(conn, series, resolution, cut if end is None else end)
            took = time.perf_counter() - began
        self.deleted += deleted
        if took > self.slice_s or end is not None:  # too few to measure a pace by
            self._delete_pace.note_duration(took)
        return end is not None

    def _vacuum(self, conn: sqlite3.Connection) -> bool:
        """Give some free pages back to the file system; True while there are many."""
        (free,) = conn.execute("PRAGMA freelist_count").fetchone()
        (total,) = conn.execute("PRAGMA page_count").fetchone()
        if free < 4 * _ENOUGH_FREE_PAGES or free < total // 10:
            return False  # what is left is used again by the next readings
        with transaction(conn):
            began = time.perf_counter()
            conn.execute(f"PRAGMA incremental_vacuum({int(self._page_pace)})").fetchall()
            took = time.perf_counter() - began
        self._page_pace.note_duration(took)
        return True

    # ---- a disk without room ---------------------------------------------------------------------------------------

    def drop_oldest(self, conn: sqlite3.Connection, frontier: Frontier) -> bool:
        """Make room in the file: expire the oldest day of readings, in own transactions of a slice each.

        True once there are free pages, which new readings use before the file grows; False while there are not yet any,
        or nothing to drop: call again. Roll-ups stay. Raises sqlite3.Error.
        """
        deadline = time.perf_counter() + _DROP_FOR_S
        while not self._has_free_pages(conn):
            if not self._dropping:
                self._dropping = self._choose_day(conn, frontier)
                if not self._dropping:
                    return False
            self._delete_next(conn, self._dropping)
            if time.perf_counter() >= deadline:
                return self._has_free_pages(conn)
        return True

    @staticmethod
    def _has_free_pages(conn: sqlite3.Connection) -> bool:
        return bool(conn.execute("PRAGMA freelist_count").fetchone()[0] >= _ENOUGH_FREE_PAGES)

    def _choose_day(self, conn: sqlite3.Connection, frontier: Frontier) -> list[Cut]:
        """Cut every series after the oldest day there is; stored, and returned as work."""
        expirable, dirty, held = _expirable_until(conn), outdated.first_of_each(conn), conversion.held(conn)
        firsts = {series: first for series, first in survey.firsts_kept(conn, expirable).items() if series not in held}
        latest_cut = resolutions.bucket(expirable, resolutions.DAY, self.zone)[0]
        # Series with dirty minutes in that day come last: their roll-ups are not exact yet.
        clean = {series: first for series, first in firsts.items() if dirty.get(series, expirable) > first}
        for candidates in (clean, firsts):
            if not candidates:
                continue
            cut = resolutions.bucket(min(candidates.values()), resolutions.DAY, self.zone)[1]
            if cut > latest_cut:
                continue
            chosen = [series for series, first in candidates.items() if first < cut]
            if candidates is clean:
                chosen = [series for series in chosen if dirty.get(series, cut) >= cut]
            if not chosen:
                continue
            work = [(series, 0, cut) for series in chosen]
            with transaction(conn):
                cuts.raise_to(conn, work)
                # Minutes marked before the cut could only be computed again from the readings that expire now, so the marks go; the
                # roll-ups stay as they are.
                outdated.expire(conn, chosen, cuts.kept_from(cut))
            _raise_cuts(frontier, work)
            return work
        return []


def _raise_cuts(frontier: Frontier, stored: Iterable[Cut]) -> None:
    """Put stored cuts of readings into the frontier; never lower one there."""
    for series, resolution, cut in stored:
        if resolution == cuts.READINGS:
            frontier.cuts_us[series] = max(cut, frontier.cuts_us.get(series, cut))


def _oldest_time(
    conn: sqlite3.Connection, series: int, resolution: int, before_us: int, skipped: int | None = None
) -> int | None:
    """When the oldest row is, or the one after ``skipped`` of them; None: there is none."""
    if not resolution:
        return moving.oldest_settled(conn, series, before_us, skipped)
    return stored_rollups.oldest_start(conn, series, resolution, before_us, skipped or 0)


def _delete_before(conn: sqlite3.Connection, series: int, resolution: int, until_us: int) -> int:
    if not resolution:
        return moving.delete_before(conn, series, until_us)
    return stored_rollups.delete_before(conn, series, resolution, until_us)


def _expirable_until(conn: sqlite3.Connection) -> int:
    """The time before which all readings are rolled up and settled."""
    reached = watermarks.stored(conn)
    return min(reached.edge_us, reached.moved_until_us)
