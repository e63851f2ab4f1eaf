"""The statements by which readings of a damaged file are read: table by table, because either may be damaged alone.

As ``salvage/reading.py`` wants them: two parameters (low, high), bounds of the key that comes first and orders the rows.
"""

from __future__ import annotations

SERIES = "SELECT series_id FROM history WHERE series_id >= ? AND series_id <= ? ORDER BY series_id"
FRESH = "SELECT ts, series_id, value, quality FROM recent WHERE ts >= ? AND ts <= ? ORDER BY ts"


def settled(series: int) -> str:
    """(ts, value, quality) of one series."""
    return f"SELECT ts, value, quality FROM history WHERE series_id = {series} AND ts >= ? AND ts <= ? ORDER BY ts"
