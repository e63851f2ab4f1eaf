"""Retention's cuts that lie in the future: a clock was ahead when they were made, and every reading since is refused.

No cut is younger than what is kept, so one in the future is wrong for certain. It is taken back to the begin of the day that
is now, where all cuts lie on. What was expired by it is gone: of that one day the roll-ups may be made anew from less.
"""

from __future__ import annotations

import sqlite3

from sensorlogd.storage.maintenance.mover import transaction
from sensorlogd.storage.rollups import resolutions


def take_back(conn: sqlite3.Connection, now_us: int, zone: str) -> int:
    """How many series may be stored again. Own transaction; ``now_us``: a time that can be relied on. Raises sqlite3.Error.

    Afterwards ``Retention.recover`` has to read the cuts again, and the frontier to take them over.
    """
    (series,) = conn.execute("SELECT count(DISTINCT series_id) FROM retention_cut WHERE cut_us > ?", (now_us,)).fetchone()
    if series:
        with transaction(conn):
            begin, _ = resolutions.bucket(now_us, resolutions.DAY, zone)
            conn.execute("UPDATE retention_cut SET cut_us = ? WHERE cut_us > ?", (begin, now_us))
    return int(series)
