"""Mends as they are listed: table ``mend``. All that is written to it is here, and all access but what counts rows or damage.

A mend is one series over one range. It is ordered by ``mend_order`` and done by ``mend_work``: kept work, one piece of a series
after the other, so of two mends over the same readings the later one always finds what the earlier one left. ``mend.at_us`` says
how far it has got. What the readings were lies in ``mended`` (see ``originals``); taking a mend back restores exactly that.

The caller of what writes owns the transaction.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Set
from dataclasses import dataclass
from typing import Any

from sensorlogd.calibration import curves
from sensorlogd.quality import describe
from sensorlogd.storage.corrections.change import Change, MendError

CHANGE = "change"  # flag or recalibrate
REPLACE = "replace"  # what an import with --replace changed
RECOMPUTE = "recompute"  # what computing a computed sensor anew changed
RECOMPUTED = "recomputed"  # the note of those
LARGEST_ID = (1 << 63) - 1  # that SQLite can be asked for


class NoSuchMend(MendError):
    """No mend has that number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMend:
    """A row of ``mend`` that has no id yet. Readings in [since, at) were dealt with; ``undone_us``: since then it is (being) taken
    back."""

    kind: str
    made_us: int
    series: int
    since_us: int
    until_us: int
    at_us: int
    change: Change
    note: str
    readings: int = 0
    done_us: int | None = None
    undone_us: int | None = None

    def message(self) -> str:
        """What it does, in words."""
        if self.kind == RECOMPUTE:
            return "computed anew"
        if self.kind == REPLACE:
            return "replaced by an import"
        if self.change.quality is not None:
            return f"flagged {describe(self.change.quality)}"
        by = f"* {self.change.scale!r} + {self.change.offset!r}"
        return f"recalibrated by {by}" if self.change.curve is None else f"recalibrated by {self.change.curve}, then {by}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mend(NewMend):
    """A row of ``mend``."""

    id: int


# ---- looking -----------------------------------------------------------------------------------------------------------

# What was computed anew before it had a kind of its own: such a note of an import into a computed sensor is not to be expected.
_KIND = (
    f"CASE WHEN kind = '{REPLACE}' AND note = '{RECOMPUTED}' AND EXISTS (SELECT 1 FROM series JOIN sensor ON sensor.id = sensor_id"
    f" WHERE series.id = mend.series_id AND driver = 'computed') THEN '{RECOMPUTE}' ELSE kind END"
)
_MENDS = (
    f'SELECT id, {_KIND}, made_us, series_id, since_us, until_us, at_us, quality, scale, "offset", note, readings, done_us,'
    " undone_us, curve FROM mend"
)


def all_mends(conn: sqlite3.Connection, series: int | None = None) -> list[Mend]:
    """All mends, the newest first; with ``series`` only those of that series."""
    rows = conn.execute(f"{_MENDS} WHERE ?1 IS NULL OR series_id = ?1 ORDER BY id DESC", (series,))
    return [_mend_from_row(row) for row in rows]


def find(conn: sqlite3.Connection, identity: int) -> Mend:
    """Raises NoSuchMend."""
    row = None
    if abs(identity) <= LARGEST_ID:
        row = conn.execute(f"{_MENDS} WHERE id = ?", (identity,)).fetchone()
    if row is None:
        raise NoSuchMend(f"there is no mend {identity}")
    return _mend_from_row(row)


def _mend_from_row(row: tuple[Any, ...]) -> Mend:
    identity, kind, made, series, since, until, at_us, quality, scale, offset, note, readings, done, undone, curve = row
    change = Change(quality, scale, offset, None if curve is None else curves.parse(curve))
    return Mend(
        id=identity, kind=kind, made_us=made, series=series, since_us=since, until_us=until, at_us=at_us, change=change, note=note,
        readings=readings, done_us=done, undone_us=undone,
    )  # fmt: skip


def newest(conn: sqlite3.Connection, series: int) -> Mend | None:
    """The mend of a series that was made last."""
    row = conn.execute(f"{_MENDS} WHERE series_id = ? ORDER BY id DESC LIMIT 1", (series,)).fetchone()
    return None if row is None else _mend_from_row(row)


def find_same(conn: sqlite3.Connection, new: NewMend) -> int | None:
    """The id of a mend that was made of the same series at the same time, from the same instant on and with the same note."""
    row = conn.execute(
        "SELECT id FROM mend WHERE made_us = ? AND series_id = ? AND since_us = ? AND note = ?",
        (new.made_us, new.series, new.since_us, new.note),
    ).fetchone()
    return None if row is None else row[0]


def lowest_id(conn: sqlite3.Connection, beside: Set[int]) -> int | None:
    """The lowest id that is not one of ``beside``; None: there is no such mend."""
    return min((row[0] for row in conn.execute("SELECT id FROM mend") if row[0] not in beside), default=None)


# ---- writing -----------------------------------------------------------------------------------------------------------


def insert(conn: sqlite3.Connection, new: NewMend, identity: int | None = None) -> int:
    """Store a new row. Returns its id: ``identity``, or the next one. Raises sqlite3.IntegrityError if that is taken."""
    change = new.change
    cursor = conn.execute(
        'INSERT INTO mend(id, kind, made_us, series_id, since_us, until_us, at_us, quality, scale, "offset", curve, note, readings,'
        " done_us, undone_us) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
        (
            identity, new.kind, new.made_us, new.series, new.since_us, new.until_us, new.at_us, change.quality, change.scale,
            change.offset, None if change.curve is None else change.curve.text(), new.note, new.readings, new.done_us,
            new.undone_us,
        ),
    )  # fmt: skip
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def advance(conn: sqlite3.Connection, identity: int, at_us: int, readings: int, done_us: int | None) -> None:
    """It has got to ``at_us``, and has changed this many more readings. ``done_us``: when it was finished; None: it is not yet."""
    conn.execute(
        "UPDATE mend SET at_us = ?, readings = readings + ?, done_us = ? WHERE id = ?", (at_us, readings, done_us, identity)
    )


def extend(conn: sqlite3.Connection, identity: int, until_us: int, readings: int, done_us: int) -> None:
    """It covers, and has dealt with, all up to ``until_us`` now, and has changed this many more readings."""
    conn.execute(
        "UPDATE mend SET until_us = ?1, at_us = ?1, readings = readings + ?2, done_us = ?3 WHERE id = ?4",
        (until_us, readings, done_us, identity),
    )


def undo(conn: sqlite3.Connection, identity: int, now_us: int) -> None:
    """From now on it is (being) taken back; what is not finished ends."""
    conn.execute(
        "UPDATE mend SET undone_us = coalesce(undone_us, ?1), done_us = coalesce(done_us, ?1) WHERE id = ?2", (now_us, identity)
    )


def carry(conn: sqlite3.Connection, old: int, new: int, now_us: int) -> None:
    """The readings of series ``old`` are those of ``new``; mends that are not finished end."""
    conn.execute("UPDATE mend SET series_id = ?1, done_us = coalesce(done_us, ?2) WHERE series_id = ?3", (new, now_us, old))
