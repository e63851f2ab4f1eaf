"""Retention: expire readings and roll-ups older than configured, in short slices.

Cuts fall on edges of the coarsest bucket only (a day in the configured zone), so that no stored roll-up ever loses a
part of its readings. The cut of a series and tier is stored first; from then on an older arrival is refused and counted
as too_old, never allowed to replace an exact roll-up; then rows are deleted. Readings that the roll-ups do not cover yet,
or whose minutes are dirty, are never expired. Space goes back to the file system by incremental vacuum.
"""

from __future__ import annotations

import fnmatch
import sqlite3
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

TIERS = (0, 60, 900, 3600, 86400)  # 0: readings; else the resolution in seconds of a roll-up tier
_CUT = (
    "INSERT INTO retention_cut(series_id, tier, cut_us) VALUES (?,?,?)"
    " ON CONFLICT(series_id, tier) DO UPDATE SET cut_us = max(cut_us, excluded.cut_us)"
)
_VACUUM_PAGES = 500


@dataclass(frozen=True, slots=True)
class RetentionPlan:
    """How long to keep each tier, in microseconds; None or absent = for ever.

    ``sensors``: overrides by glob of the sensor's name, the first that matches wins.
    """

    default: Mapping[int, int | None] = field(default_factory=dict)
    sensors: Sequence[tuple[str, Mapping[int, int | None]]] = ()

    def of(self, sensor: str) -> dict[int, int | None]:
        kept = dict(self.default)
        for glob, override in self.sensors:
            if fnmatch.fnmatchcase(sensor, glob):
                kept.update(override)
                break
        return kept

    def is_forever(self) -> bool:
        return not any(kept for kept in self.default.values()) and not any(
            kept for _, override in self.sensors for kept in override.values()
        )


class Retention:
    """``step`` does one slice. Owned by the writer thread, but for ``plan``. ``zone``: of the day that cuts fall on."""

    def __init__(self, zone: str = "UTC", slice_s: float = 0.03) -> None:
        self.zone = zone
        self.slice_s = slice_s
        self.cuts_us: dict[int, int] = {}
        self.deleted = 0
        self._plan = RetentionPlan()
        self._work: list[tuple[int, int, int]] | None = None  # (series, tier, cut) still to delete
        self._rows = 2_000.0

    def plan(self, plan: RetentionPlan) -> None:
        """Use ``plan`` from the next round on (any thread)."""
        self._plan = plan

    def recover(self, conn: sqlite3.Connection) -> None:
        """Know the cuts of an opened database."""
        self.cuts_us = dict(conn.execute("SELECT series_id, cut_us FROM retention_cut WHERE tier = 0").fetchall())
        self._work = None

    def step(self, conn: sqlite3.Connection, now_us: int) -> bool:
        """One slice in its own transaction; True while this round has more to do. Raises sqlite3.Error."""
        if self._work is None:
            if self._plan.is_forever():
                return self._vacuum(conn)
            self._work = self._begin(conn, now_us)
            return True
        if self._work:
            series, tier, cut = self._work[-1]
            if not self._delete(conn, series, tier, cut):
                self._work.pop()
            return True
        if self._vacuum(conn):
            return True
        self._work = None
        return False

    def _begin(self, conn: sqlite3.Connection, now_us: int) -> list[tuple[int, int, int]]:
        """Store this round's cuts, one transaction, and list what is to be deleted."""
        meta = dict(conn.execute("SELECT key, value FROM meta").fetchall())
        edge = int(meta.get("edge_us") or 0)
        dirty = dict(conn.execute("SELECT series_id, min(start) FROM dirty GROUP BY series_id"))
        work: list[tuple[int, int, int]] = []
        for series, sensor in conn.execute(
            "SELECT series.id, sensor.name FROM series JOIN sensor ON sensor.id = series.sensor_id"
        ).fetchall():
            for tier, kept_us in self._plan.of(sensor).items():
                if kept_us is None:
                    continue
                limit = min(now_us - kept_us, edge, dirty.get(series, edge))
                cut = day_start(limit, self.zone)
                if cut > 0:
                    work.append((series, tier, cut))
        conn.execute("BEGIN IMMEDIATE")
        conn.executemany(_CUT, work)
        conn.execute("COMMIT")
        self.recover(conn)
        return work

    def _delete(self, conn: sqlite3.Connection, series: int, tier: int, cut: int) -> bool:
        """Delete some rows of one series and tier older than ``cut``; False when there are none left."""
        count = int(self._rows)
        began = time.perf_counter()
        conn.execute("BEGIN IMMEDIATE")
        if tier == 0:
            deleted = self._delete_range(conn, "history", "series_id = ?", "ts", (series,), cut, count)
            if not deleted:
                deleted = self._delete_recent(conn, series, cut)
        else:
            where = "series_id = ? AND resolution = ?"
            # The last bucket that begins before the cut must end before it too: cuts are edges of a day in the zone,
            # and coarser buckets than the tier do not exist in it.
            deleted = self._delete_range(conn, "rollup", where, "start", (series, tier), cut, count)
        conn.execute("COMMIT")
        took = time.perf_counter() - began
        self.deleted += deleted
        self._rows = max(self._rows * 0.6, 100.0) if took > self.slice_s else min(self._rows * 1.2, 50_000.0)
        return deleted > 0

    @staticmethod
    def _delete_range(
        conn: sqlite3.Connection, table: str, where: str, column: str, key: tuple[int, ...], cut: int, count: int
    ) -> int:
        row = conn.execute(
            f"SELECT {column} FROM {table} WHERE {where} AND {column} < ? ORDER BY {column} LIMIT 1 OFFSET ?",
            (*key, cut, count),
        ).fetchone()
        until = cut if row is None else row[0]
        return conn.execute(f"DELETE FROM {table} WHERE {where} AND {column} < ?", (*key, until)).rowcount

    @staticmethod
    def _delete_recent(conn: sqlite3.Connection, series: int, cut: int) -> int:
        """Rows the mover has not moved yet are few that old; usually none (the table begins after the cut)."""
        oldest = conn.execute("SELECT min(ts) FROM recent").fetchone()[0]
        if oldest is None or oldest >= cut:
            return 0
        return conn.execute("DELETE FROM recent WHERE ts < ? AND series_id = ?", (cut, series)).rowcount

    def _vacuum(self, conn: sqlite3.Connection) -> bool:
        """Give some free pages back to the file system; True while there are many."""
        (free,) = conn.execute("PRAGMA freelist_count").fetchone()
        (total,) = conn.execute("PRAGMA page_count").fetchone()
        if free < 4 * _VACUUM_PAGES or free < total // 10:
            return False  # what is left is used again by the next readings
        conn.execute(f"PRAGMA incremental_vacuum({_VACUUM_PAGES})").fetchall()
        return True

    def drop_oldest(self, conn: sqlite3.Connection) -> bool:
        """Make room on a full disk: expire the oldest day of readings of every series. True if pages became free.

        The freed pages are used again by new readings, so the file stops growing.
        """
        (free,) = conn.execute("PRAGMA freelist_count").fetchone()
        if free >= _VACUUM_PAGES:
            return True
        row = conn.execute(
            "SELECT min(first) FROM (SELECT (SELECT min(ts) FROM history WHERE series_id = series.id) AS first FROM series)"
        ).fetchone()
        meta = dict(conn.execute("SELECT key, value FROM meta").fetchall())
        edge = min(int(meta.get("edge_us") or 0), int(meta.get("moved_until_us") or 0))
        if row[0] is None:
            return False
        cut = min(day_start(row[0], self.zone, days=1), day_start(edge, self.zone))
        if cut <= row[0]:
            return False
        series = [identity for (identity,) in conn.execute("SELECT id FROM series").fetchall()]
        conn.execute("BEGIN IMMEDIATE")
        conn.executemany(_CUT, [(identity, 0, cut) for identity in series])
        conn.executemany("DELETE FROM history WHERE series_id = ? AND ts < ?", [(identity, cut) for identity in series])
        conn.execute("COMMIT")
        self.recover(conn)
        return True


def day_start(ts_us: int, zone: str, days: int = 0) -> int:
    """The start (microseconds UTC) of the local day that holds ``ts_us``, or of the ``days``-th day after it."""
    local = datetime.fromtimestamp(max(ts_us, 0) / 1e6, ZoneInfo(zone)).replace(hour=0, minute=0, second=0, microsecond=0)
    local = (local.replace(tzinfo=None) + timedelta(days=days)).replace(tzinfo=ZoneInfo(zone))
    return int(local.timestamp()) * 1_000_000
