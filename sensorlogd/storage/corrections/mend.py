"""Mending what is stored: readings that are flagged, recalibrated or replaced afterwards, and how that is taken back.

A mend is one series over one range. It is ordered here and done by ``mend_work``: kept work, one piece of a series after
the other, so of two mends over the same readings the later one always finds what the earlier one left. ``mend.at_us`` says
how far it has got. What the readings were lies in ``mended`` (see ``originals``); taking a mend back restores exactly that,
and is refused while a later change of the same readings stands: what lies under that one is not what it kept.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sensorlogd import curves
from sensorlogd.curves import Curve
from sensorlogd.event_kinds import EventKind
from sensorlogd.quality import FLAG_MASK, Flag, Test, combine, describe
from sensorlogd.storage import cuts, work
from sensorlogd.storage.corrections import conversion, originals
from sensorlogd.storage.ingest import events
from sensorlogd.storage.work import Slice, State, Work

CHANGE = "change"  # flag or recalibrate
REPLACE = "replace"  # what an import with --replace changed
RECOMPUTE = "recompute"  # what computing a computed sensor anew changed
RECOMPUTED = "recomputed"  # the note of those
MEND, UNDO = "mend", "undo"  # kinds of work
LARGEST_ID = (1 << 63) - 1  # that SQLite can be asked for
TAKEN_BACK = "taken back before it was finished"


class MendError(Exception):
    """The mend cannot be made or taken back; the text says why and what to do."""


class NoSuchMend(MendError):
    """No mend has that number."""


@dataclass(frozen=True, slots=True)
class Change:
    """What a mend does to readings. ``quality``: the flag that readings get; None: they keep theirs. Values become curve(value) *
    scale + offset."""

    quality: int | None = None
    scale: float = 1.0
    offset: float = 0.0
    curve: Curve | None = None

    def apply(self, value: float | None, quality: int) -> tuple[float | None, int]:
        """Raises MendError for a result that is no number."""
        if self.quality is not None:
            quality = (quality & ~FLAG_MASK) | self.quality | int(Test.OPERATOR)
        if value is not None and (self.curve is not None or (self.scale, self.offset) != (1.0, 0.0)):
            changed = (value if self.curve is None else self.curve.value(value)) * self.scale + self.offset
            if not math.isfinite(changed):
                replacement = repr(value) if self.curve is None else f"{value!r} by {self.curve}"
                raise MendError(f"{replacement} * {self.scale!r} + {self.offset!r} is no number that can be stored")
            if self.curve is not None and not self.curve.knows(value):
                quality = combine(quality, int(Flag.SUSPECT) | int(Test.CALIBRATION))
            value = changed
        return value, quality


@dataclass(frozen=True, slots=True)
class MendOrder:
    """What the work of making a mend, or of taking it back, is asked to do. ``mend``: its id."""

    mend: int

    @classmethod
    def from_json(cls, request: Mapping[str, Any]) -> MendOrder:
        return cls(request["mend"])

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Mend:
    """A row of ``mend``. Readings in [since, at) were dealt with; ``undone_us``: since then it is (being) taken back."""

    id: int
    kind: str
    made_us: int
    series: int
    since_us: int
    until_us: int
    at_us: int
    change: Change
    note: str
    readings: int
    done_us: int | None
    undone_us: int | None

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
    return Mend(identity, kind, made, series, since, until, at_us, change, note, readings, done, undone)


def work_of(conn: sqlite3.Connection, kind: str, identity: int) -> Work | None:
    """The work of that kind that waits for a mend to be made, or taken back."""
    waiting = work.of_kind(conn, kind, State.WAITING)
    return next((piece for piece in waiting if MendOrder.from_json(piece.request).mend == identity), None)


def state_of(conn: sqlite3.Connection, mend: Mend) -> str:
    """The state of a mend in a word or two, for people."""
    if mend.undone_us is not None:
        if work_of(conn, UNDO, mend.id) is not None:
            return "being taken back"
        return "taken back in part" if originals.kept(conn, mend.id) else "taken back"
    if mend.done_us is not None:
        return "done"
    waits = work_of(conn, MEND, mend.id)
    if waits is not None:
        return "under way" if mend.readings else "waiting"
    states = [piece.state for piece in work.of_kind(conn, MEND) if MendOrder.from_json(piece.request).mend == mend.id]
    return "failed" if states and states[-1] is State.FAILED else "interrupted"


# ---- ordering ----------------------------------------------------------------------------------------------------------


def order(
    conn: sqlite3.Connection,
    series: int,
    since_us: int,
    until_us: int,
    change: Change,
    note: str,
    now_us: int,
    *,
    total: int | None = None,
) -> tuple[int, int]:
    """Have readings of [since, until) changed; the caller owns the transaction. (id of the mend, id of the work).

    ``total``: how many readings there are, about. Raises MendError.
    """
    _check_series(conn, series)
    cut = cuts.of_series(conn, series)
    if cut is not None:
        since_us = max(since_us, cut)  # what is older is never changed any more, even where it is still there
    identity = insert(conn, CHANGE, series, since_us, until_us, since_us, change, note, now_us)
    _record_event(conn, find(conn, identity), EventKind.MENDED, now_us)
    return identity, work.order(conn, MEND, MendOrder(identity).to_json(), now_us, series=series, total=total)


def insert(
    conn: sqlite3.Connection,
    kind: str,
    series: int,
    since_us: int,
    until_us: int,
    at_us: int,
    change: Change,
    note: str,
    now_us: int,
) -> int:
    """A new row; its id."""
    cursor = conn.execute(
        'INSERT INTO mend(kind, made_us, series_id, since_us, until_us, at_us, quality, scale, "offset", note, curve)'
        " VALUES (?,?,?,?,?,?,?,?,?,?,?)",
        (
            kind,
            now_us,
            series,
            since_us,
            until_us,
            at_us,
            change.quality,
            change.scale,
            change.offset,
            note,
            None if change.curve is None else change.curve.text(),
        ),
    )
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def order_resume(conn: sqlite3.Connection, identity: int, now_us: int) -> tuple[int, int]:
    """Go on with a mend of an older release, which was cut off, or with one that failed. Asked again: the same work.

    (id of the mend, id of the work). Raises MendError.
    """
    waits = work_of(conn, MEND, identity)
    if waits is not None:
        return identity, waits.id
    mend = check_resume(conn, identity)
    return identity, work.order(conn, MEND, MendOrder(identity).to_json(), now_us, series=mend.series)


def check_resume(conn: sqlite3.Connection, identity: int) -> Mend:
    """Raises MendError if nothing is left to do, or if it would come after what was made later."""
    mend = find(conn, identity)
    if mend.undone_us is not None or mend.done_us is not None:
        raise MendError(f"mend {identity} is finished")
    _check_series(conn, mend.series)
    _check_later(conn, mend, mend.at_us, mend.until_us)
    return mend


def order_undo(conn: sqlite3.Connection, identity: int, now_us: int) -> tuple[int, int]:
    """Have a mend taken back, finished or not; the caller owns the transaction. Asked again: the same work.

    (id of the mend, id of the work). Raises MendError.
    """
    waits = work_of(conn, UNDO, identity)
    if waits is not None:
        return identity, waits.id
    mend = check_undo(conn, identity)
    unfinished = work_of(conn, MEND, identity)
    if unfinished is not None:
        work.store_slice(conn, unfinished, Slice(unfinished.progress, 0, False, TAKEN_BACK), now_us)
    conn.execute(
        "UPDATE mend SET undone_us = coalesce(undone_us, ?1), done_us = coalesce(done_us, ?1) WHERE id = ?2", (now_us, identity)
    )
    _record_event(conn, mend, EventKind.MEND_UNDONE, now_us)
    total = originals.kept(conn, identity)
    return identity, work.order(conn, UNDO, MendOrder(identity).to_json(), now_us, series=mend.series, total=total)


def check_undo(conn: sqlite3.Connection, identity: int) -> Mend:
    """Raises MendError if it was taken back already, if what was there before was lost to damage, if the unit was converted since,
    or if something later stands on it."""
    mend = find(conn, identity)
    kept = originals.kept(conn, identity)
    if mend.undone_us is not None:
        if work_of(conn, UNDO, identity) is not None:
            return mend
        if not kept:
            raise MendError(f"mend {identity} was taken back already")
    if (kept == 0 and mend.readings) or mend.series in {old for old, _ in conversion.waiting(conn)}:
        lost = not conversion.is_old(conn, mend.series) and work.has_been(conn, work.SALVAGE)
        raise MendError(
            f"mend {identity} cannot be taken back: "
            + ("what was there before was lost to damage (sensorlogd db incidents)" if lost else "the unit was converted since")
        )
    if kept:
        _check_later(conn, mend, mend.since_us, mend.at_us)
    return mend


def _check_series(conn: sqlite3.Connection, series: int) -> None:
    if conn.execute("SELECT 1 FROM series WHERE id = ?", (series,)).fetchone() is None:
        raise MendError("this series is not there any more (its unit was converted); look at its channel again")
    if series in {old for old, _ in conversion.waiting(conn)}:
        raise MendError("its readings are being converted to another unit; wait until that is done")


def _check_later(conn: sqlite3.Connection, mend: Mend, since_us: int, until_us: int) -> None:
    """Raises MendError if a later change of readings in [since, until) stands, or is to come."""
    for later in all_mends(conn, mend.series):
        if later.id <= mend.id:
            return
        comes = work_of(conn, MEND, later.id) is not None
        if later.since_us >= until_us or since_us >= (later.until_us if comes else later.at_us):
            continue
        if later.undone_us is None:
            if later.kind in (REPLACE, RECOMPUTE):
                by = "computing anew" if later.kind == RECOMPUTE else f"an import ({later.note})"
                what = f"{by} changed the same readings after mend {mend.id}"
                raise MendError(f"{what}; take mend {later.id} back first")
            raise MendError(f"mend {later.id} was made after {mend.id} over the same time; take it back first")
        if work_of(conn, UNDO, later.id) is None and originals.kept(conn, later.id):
            raise MendError(
                f"mend {later.id}, made after {mend.id} over the same time, is only in part taken back; do that first"
            )


def _record_event(conn: sqlite3.Connection, mend: Mend, kind: EventKind, now_us: int) -> None:
    sensor, channel = conn.execute(
        "SELECT sensor.name, channel FROM series JOIN sensor ON sensor.id = sensor_id WHERE series.id = ?", (mend.series,)
    ).fetchone()
    note = f": {mend.note}" if mend.note and kind is EventKind.MENDED else ""
    events.record(conn, now_us, kind, sensor, f"{channel}: mend {mend.id}, {mend.message()}{note}")


def what_waits(conn: sqlite3.Connection, series: int) -> str:
    """What is still to be done to the readings of a series, for people; empty: nothing."""
    first = work.first_waiting(conn, series)
    if first is None:
        return ""
    return {MEND: "a mend of it is under way", UNDO: "a mend of it is being taken back"}.get(
        first.kind, "its unit is being converted"
    )
