"""Cuts of retention that lie in the future: the clock was ahead when they were made, and every reading since then is refused.

Readings are kept for at least an hour, so a cut in the future is certainly wrong. It is moved back to the beginning of today,
because all cuts lie on beginnings of days. What it has made expire is gone, so the roll-ups of that day may be computed again
from fewer readings.
"""

from __future__ import annotations

import sqlite3

from sensorlogd.storage import cuts
from sensorlogd.storage.file.transaction import transaction
from sensorlogd.storage.rollups import resolutions


def take_back(conn: sqlite3.Connection, now_us: int, zone: str) -> int:
    """Returns for how many series readings are accepted again. Own transaction; ``now_us``: a time that can be relied on. Raises
    sqlite3.Error.

    Afterwards ``Retention.recover`` has to read the cuts again, and the frontier to take them over.
    """
    series = cuts.count_series_later(conn, now_us)
    if series:
        with transaction(conn):
            begin, _ = resolutions.bucket(now_us, resolutions.DAY, zone)
            cuts.lower_later(conn, now_us, begin)
    return series
