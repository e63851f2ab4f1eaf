"""Upkeep of the database between commits: moving, expiring, trimming. One small slice a call.

Belongs to one opening of one file (see ``open_database``), runs on the writer thread only, and keeps that opening's ``Frontier``
true: whatever a slice changes about where readings belong is in the frontier before the next reading is appended, also when the
slice fails half-way. So the mover and retention change the frontier themselves, each right after its COMMIT.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from typing import Literal

from sensorlogd.notation.microseconds import MINUTE_US
from sensorlogd.storage import meta, watermarks
from sensorlogd.storage.ingest import events
from sensorlogd.storage.maintenance import future_cuts
from sensorlogd.storage.maintenance.mover import Mover
from sensorlogd.storage.maintenance.retention import Retention
from sensorlogd.storage.reading_tables import survey
from sensorlogd.storage.rollups import outdated
from sensorlogd.storage.watermarks import Frontier

logger = logging.getLogger(__name__)

CHECK_EVERY_S = 5.0
EXPIRE_EVERY_S = 300.0
TRIM_EVERY_S = 600.0
BACKLOG_BLOCKS = 3
CATCH_UP_S = 0.07


class Upkeep:
    """Moves, expires and trims what is stored, a slice at a time. ``busy``: another slice is waiting. ``due``: monotonic time of
    the next check when not busy."""

    def __init__(self, mover: Mover, retention: Retention, *, when_full: Literal["stop", "drop_oldest"] = "stop") -> None:
        self.mover = mover
        self.retention = retention
        self.when_full = when_full
        self.busy = False
        self.due = 0.0
        self.backlog = 0  # readings stored since the start and not moved yet
        self._stored = 0
        self._expire_due = 0.0
        self._trim_due = 0.0

    def recover(self, conn: sqlite3.Connection, frontier: Frontier, now_us: int) -> None:
        """Bring an unfinished move to a known state, take back cuts that lie in the future, and fill the frontier; a new log gets its
        edge. Own transactions."""
        self.mover.recover(conn, frontier)
        future_cuts.take_back(conn, now_us, self.retention.zone)
        reached = watermarks.stored(conn)
        edge = reached.edge_us
        if not edge:
            first = survey.first_fresh(conn)
            edge = min(now_us, now_us if first is None else first)
            edge -= edge % MINUTE_US
            meta.put(conn, watermarks.EDGE, str(edge))
        frontier.edge_us = edge
        self.retention.recover(conn, frontier)
        frontier.generation = outdated.newest_generation(conn)

    def use_catalog(self, conn: sqlite3.Connection, frontier: Frontier) -> None:
        """Take over changed sensors: begin a new round of retention, and read the cuts that a conversion of units has stored."""
        self._expire_due = 0.0
        self.retention.read_cuts(conn, frontier)

    def note_stored(self, rows: int) -> None:
        """Count committed readings; once they are a good part of a block, the next check of the mover is due at once."""
        self.backlog += rows
        self._stored += rows
        if self._stored >= self.mover.block_rows // 3:
            self._stored = 0
            self.due = 0.0

    def slice(self, conn: sqlite3.Connection, frontier: Frontier, now_us: int) -> None:
        """Do a slice (about 40 ms) of moving; once nothing is to be moved, one each of expiring and trimming, as far as they are
        due. Each is a transaction of its own.

        While more than a few blocks wait to be moved (a flat-out source), several slices a turn, for 70 ms, so that the mover
        keeps up and fresh readings stay few; sources that can wait do so meanwhile.
        """
        now = time.monotonic()
        if not self.busy and now < self.due:
            return
        moved = self.mover.moved
        try:
            self.busy = self.mover.unpin(conn, frontier, now_us) or self.mover.step(conn, frontier, now_us)
            while self.busy and self.backlog > BACKLOG_BLOCKS * self.mover.block_rows and time.monotonic() - now < CATCH_UP_S:
                self.busy = self.mover.step(conn, frontier, now_us)
        finally:
            self.backlog = max(self.backlog - (self.mover.moved - moved), 0)
        if not self.busy and now >= self._expire_due:
            self.busy = self.retention.step(conn, frontier, now_us)
            if not self.busy:
                self._expire_due = now + EXPIRE_EVERY_S
        if not self.busy and now >= self._trim_due:
            self.busy = events.trim(conn)
            if not self.busy:
                self._trim_due = now + TRIM_EVERY_S
        if not self.busy:
            self.due = now + CHECK_EVERY_S

    def expect_the_past(self, conn: sqlite3.Connection, frontier: Frontier, now_us: int) -> None:
        """Many old readings are about to be stored: they go where they belong at once. Its own transaction."""
        self.mover.raise_border(conn, frontier, now_us)

    def make_room(self, conn: sqlite3.Connection | None, frontier: Frontier) -> bool:
        """For a disk that is nearly full: with ``when_full: drop_oldest`` expire the oldest readings. True if there is room in
        the file now."""
        if self.when_full != "drop_oldest" or conn is None:
            return False
        return self.retention.drop_oldest(conn, frontier)
