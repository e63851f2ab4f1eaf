"""The cuts of retention (table ``retention_cut``): how far each series has expired. All access to the table is here, but for a join
with the readings (``reading_tables.survey``) and the tables of a damaged file (``salvage.former``).

A cut is one instant (microseconds) of one series and one resolution (seconds of a roll-up; READINGS, which is 0: its readings). Cuts
lie on beginnings of days in the configured zone. Two questions are asked of a cut, and they have different answers:

``cut`` itself: may a reading still arrive or be changed? Whatever is older than the cut of READINGS is refused, and so is a mend of
it. Where a day counts as expired or not (days that are computed again, the day that is dropped next), the cut decides, too, because
days end on cuts.

``kept_from(cut)``: what is there to compute from? Deletion stops at the beginning of the hour that the cut goes through (where a zone
is +05:45, say), so that each bucket of an hour or less keeps all it is made of, or nothing.

The caller of what writes owns the transaction. Everything raises sqlite3.Error.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from sensorlogd.notation.microseconds import HOUR_US

READINGS = 0  # the resolution under which the cut of readings is stored

Cut = tuple[int, int, int]  # (series, resolution, cut in microseconds)

_RAISE = (
    "INSERT INTO retention_cut(series_id, tier, cut_us) VALUES (?,?,?)"
    " ON CONFLICT(series_id, tier) DO UPDATE SET cut_us = excluded.cut_us WHERE cut_us < excluded.cut_us"
)


def kept_from(cut_us: int) -> int:
    """From when on all that a cut leaves is there: the beginning of the hour that it goes through."""
    return cut_us - cut_us % HOUR_US


def of_series(conn: sqlite3.Connection, series: int, resolution: int = READINGS) -> int | None:
    """The cut of one series and resolution; None: nothing of it has expired."""
    row = conn.execute("SELECT cut_us FROM retention_cut WHERE series_id = ? AND tier = ?", (series, resolution)).fetchone()
    return None if row is None else row[0]


def of_readings(conn: sqlite3.Connection) -> dict[int, int]:
    """Series -> cut of its readings; only those that have one."""
    return dict(conn.execute("SELECT series_id, cut_us FROM retention_cut WHERE tier = ?", (READINGS,)).fetchall())


def of_all(conn: sqlite3.Connection) -> dict[tuple[int, int], int]:
    """(series, resolution) -> cut."""
    rows = conn.execute("SELECT series_id, tier, cut_us FROM retention_cut").fetchall()
    return {(series, resolution): cut for series, resolution, cut in rows}


def extent(conn: sqlite3.Connection) -> list[Cut]:
    """(resolution, oldest cut, newest cut) of every resolution that something has expired of."""
    return conn.execute("SELECT tier, min(cut_us), max(cut_us) FROM retention_cut GROUP BY tier ORDER BY tier").fetchall()


def any_there(conn: sqlite3.Connection) -> bool:
    """Whether anything has ever expired."""
    return conn.execute("SELECT 1 FROM retention_cut LIMIT 1").fetchone() is not None


def raise_to(conn: sqlite3.Connection, cuts: Iterable[Cut]) -> None:
    """Store cuts; one that is there and later stays."""
    conn.executemany(_RAISE, cuts)


def copy(conn: sqlite3.Connection, old: int, new: int) -> None:
    """Give a new series the cuts of the one whose readings it takes over."""
    conn.execute("INSERT INTO retention_cut SELECT ?, tier, cut_us FROM retention_cut WHERE series_id = ?", (new, old))


def count_series_later(conn: sqlite3.Connection, than_us: int) -> int:
    """How many series have a cut after an instant."""
    (series,) = conn.execute("SELECT count(DISTINCT series_id) FROM retention_cut WHERE cut_us > ?", (than_us,)).fetchone()
    return int(series)


def lower_later(conn: sqlite3.Connection, than_us: int, to_us: int) -> None:
    """Move all cuts after an instant back to ``to_us``: they were made by a clock that was ahead."""
    conn.execute("UPDATE retention_cut SET cut_us = ? WHERE cut_us > ?", (to_us, than_us))


def forget(conn: sqlite3.Connection, series: int) -> None:
    """Delete all cuts of a series that is going away."""
    conn.execute("DELETE FROM retention_cut WHERE series_id = ?", (series,))
