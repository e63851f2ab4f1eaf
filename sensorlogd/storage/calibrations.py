"""The table ``calibration``: what was applied to the readings of each series, and from when on. All access to it is here, but for
the tables of a damaged file (``salvage.pieces``). A series without a row has been one of scale 1 and offset 0 from its beginning.

The caller of what writes owns the transaction. Everything raises sqlite3.Error.
"""

from __future__ import annotations

import sqlite3

Calibration = tuple[float, float, str | None]  # (scale, offset, curve as text)
NONE: Calibration = (1.0, 0.0, None)

_NEWEST = 'SELECT scale, "offset", curve FROM calibration WHERE series_id = ? ORDER BY valid_from DESC LIMIT 1'
_RECORD = (
    'INSERT INTO calibration(series_id, valid_from, scale, "offset", curve) VALUES (?,?,?,?,?) ON CONFLICT(series_id, valid_from)'
    ' DO UPDATE SET scale = excluded.scale, "offset" = excluded."offset", curve = excluded.curve'
)
_CARRY = (
    'INSERT INTO calibration(series_id, valid_from, scale, "offset", curve)'
    ' SELECT :new, valid_from, scale * :factor, "offset" * :factor + :shift, curve FROM calibration WHERE series_id = :old'
)
_NONE_SINCE = (
    "INSERT INTO calibration SELECT id, ?, 1.0, 0.0, NULL FROM series WHERE id = ? AND retired_us IS NULL"
    " AND NOT EXISTS (SELECT 1 FROM calibration WHERE series_id = series.id)"
)
_BRING_BACK = "INSERT INTO calibration VALUES (?,?,?,?,?) ON CONFLICT DO NOTHING"


def newest(conn: sqlite3.Connection, series: int) -> Calibration | None:
    """The one that was recorded last; None: there is none."""
    found: Calibration | None = conn.execute(_NEWEST, (series,)).fetchone()
    return found


def record(conn: sqlite3.Connection, series: int, calibration: Calibration, now_us: int) -> None:
    """Note that this calibration is valid from ``now_us`` on, if it differs from the newest one."""
    if calibration != (newest(conn, series) or NONE):
        conn.execute(_RECORD, (series, now_us, *calibration))


def carry(conn: sqlite3.Connection, old: int, new: int, factor: float, shift: float) -> None:
    """Give series ``new`` the calibrations of ``old``, for values that are those of ``old`` times ``factor`` plus ``shift``."""
    conn.execute(_CARRY, {"old": old, "new": new, "factor": factor, "shift": shift})


def forget(conn: sqlite3.Connection, series: int) -> None:
    """Delete those of a series that is going away."""
    conn.execute("DELETE FROM calibration WHERE series_id = ?", (series,))


def bring_back(conn: sqlite3.Connection, series: int, valid_from_us: int, calibration: Calibration, set_aside_us: int) -> int:
    """Store one of a damaged file that was set aside at ``set_aside_us``, unless there is one of that time. Returns how many were
    stored."""
    if calibration != NONE:
        # A configured series without any is one of NONE, which holds from the beginning of the live log.
        conn.execute(_NONE_SINCE, (set_aside_us, series))
    return conn.execute(_BRING_BACK, (series, valid_from_us, *calibration)).rowcount
