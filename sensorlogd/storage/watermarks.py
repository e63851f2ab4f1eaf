"""How far the log has got: the edge of the roll-ups, the border of the mover, the cuts of retention.

``Watermarks`` are those that are stored (table ``meta``), for whoever reads. ``Frontier`` is what the writer knows of them in
memory, before and between commits, and decides where a reading goes.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field

from sensorlogd.storage import meta

EDGE = "edge_us"
MOVED_UNTIL = "moved_until_us"
MOVING_UNTIL = "moving_until_us"
DAY_ZONE = "day_zone"
LATEST_WRITTEN = "latest_written_us"
_KEYS = (EDGE, MOVED_UNTIL, MOVING_UNTIL, LATEST_WRITTEN, DAY_ZONE)


@dataclass(frozen=True, slots=True)
class Watermarks:
    """How far the daemon has got with the log; a time of 0: not yet.

    edge_us            older buckets are rolled up, or their minutes marked dirty
    moved_until_us     older readings are in ``history``
    moving_until_us    the end of the block that is being copied there; 0: none
    latest_written_us  readings that were stamped before are in ``latest``
    day_zone           of the days of stored roll-ups; None: there are none yet
    """

    edge_us: int
    moved_until_us: int
    moving_until_us: int
    latest_written_us: int
    day_zone: str | None


def stored(conn: sqlite3.Connection) -> Watermarks:
    """All at one instant. Raises sqlite3.Error, ValueError for a number that is none."""
    found = meta.some(conn, _KEYS)
    edge, moved, moving, written = (int(found.get(key) or 0) for key in (EDGE, MOVED_UNTIL, MOVING_UNTIL, LATEST_WRITTEN))
    return Watermarks(edge, moved, moving, written, found.get(DAY_ZONE))


@dataclass(slots=True)
class Frontier:
    """The times that decide where a reading goes. Owned by the writer thread.

    moved_until_us  below: the reading is settled; from it on: fresh (see ``reading_tables``)
    copying         the block [a, b) the mover is copying now: a reading inside is stored in both places
    edge_us         below: the minute is (or is being) rolled up; it is marked dirty with ``generation``
    cuts_us         series id -> readings older than this were expired by retention; older arrivals are refused
    generation      grows with every transaction that marks minutes, so that a mark newer than a snapshot is known as such
    """

    moved_until_us: int = 0
    copying: tuple[int, int] | None = None
    edge_us: int = 0
    cuts_us: dict[int, int] = field(default_factory=dict)
    generation: int = 0

    def set_edge(self, edge_us: int) -> None:
        """The edge that is stored; called once its transaction is committed."""
        self.edge_us = edge_us

    def raise_edge(self, edge_us: int) -> None:
        """The edge that is about to be stored, if it is higher."""
        self.edge_us = max(self.edge_us, edge_us)

    def plain_from_us(self) -> int:
        """Readings at or after this time need no care at all."""
        floor = max(self.moved_until_us, self.edge_us)
        if self.copying is not None:
            floor = max(floor, self.copying[1])
        if self.cuts_us:
            floor = max(floor, max(self.cuts_us.values()))
        return floor
