"""How fast a log grows. Only reads; what the file is full of: ``reading_tables.survey``."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from sensorlogd.notation.microseconds import DAY_US, HOUR_US
from sensorlogd.storage import cuts, watermarks
from sensorlogd.storage.rollups import resolutions

# By hours: cheap, whatever came in them. A minute has a roll-up if anything came in it: an hour has no more than sixty.
_LAST_DAY = (
    "SELECT coalesce(sum(n), 0), coalesce(sum(min(n, 60)), 0), min(start) FROM series JOIN rollup"
    " ON rollup.series_id = series.id AND resolution = ? AND start >= ? AND start < ?"
)


@dataclass(frozen=True, slots=True)
class Growth:
    """Measured over the last day that is rolled up, or the part of it that there is. ``readings_per_day``: readings not flagged
    as wrong. ``minutes_per_day``: minutes that have a roll-up, summed over all series. ``expires``: old readings expire already,
    so the file grows by less than what arrives."""

    readings_per_day: float
    minutes_per_day: float
    expires: bool


def growth(conn: sqlite3.Connection) -> Growth | None:
    """None while less than an hour is rolled up. Raises sqlite3.Error."""
    edge = watermarks.stored(conn).edge_us
    edge -= edge % HOUR_US
    readings, minutes, first = conn.execute(_LAST_DAY, (resolutions.HOUR, edge - DAY_US, edge)).fetchone()
    if first is None:
        return None
    share = DAY_US / (edge - first)
    return Growth(readings * share, minutes * share, expires=cuts.any_there(conn))
