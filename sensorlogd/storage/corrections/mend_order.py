"""Ordering a mend, going on with one, taking one back: each is work that waits (see ``mend_work``).

Taking a mend back is refused while a later change of the same readings stands: what lies under that one is not what it kept.
"""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from sensorlogd.event_kinds import EventKind
from sensorlogd.storage import cuts, work
from sensorlogd.storage.corrections import conversion, mend_rows, originals
from sensorlogd.storage.corrections.change import Change, MendError
from sensorlogd.storage.corrections.mend_rows import CHANGE, RECOMPUTE, REPLACE, Mend, NewMend
from sensorlogd.storage.corrections.mend_state import MEND, TAKEN_BACK, UNDO, MendOrder, work_of
from sensorlogd.storage.ingest import events
from sensorlogd.storage.work import Slice


class OrderedMend(NamedTuple):
    """The id of a mend, and that of the work which makes it or takes it back."""

    mend: int
    work: int


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
) -> OrderedMend:
    """Have readings of [since, until) changed; the caller owns the transaction.

    ``total``: how many readings there are, about. Raises MendError.
    """
    _check_series(conn, series)
    cut = cuts.of_series(conn, series)
    if cut is not None:
        since_us = max(since_us, cut)  # what is older is never changed any more, even where it is still there
    new = NewMend(
        kind=CHANGE, made_us=now_us, series=series, since_us=since_us, until_us=until_us, at_us=since_us, change=change, note=note
    )
    identity = mend_rows.insert(conn, new)
    _record_event(conn, mend_rows.find(conn, identity), EventKind.MENDED, now_us)
    return OrderedMend(identity, work.order(conn, MEND, MendOrder(identity).to_json(), now_us, series=series, total=total))


def order_resume(conn: sqlite3.Connection, identity: int, now_us: int) -> OrderedMend:
    """Go on with a mend of an older release, which was cut off, or with one that failed. Asked again: the same work.

    Raises MendError.
    """
    waits = work_of(conn, MEND, identity)
    if waits is not None:
        return OrderedMend(identity, waits.id)
    mend = check_resume(conn, identity)
    return OrderedMend(identity, work.order(conn, MEND, MendOrder(identity).to_json(), now_us, series=mend.series))


def check_resume(conn: sqlite3.Connection, identity: int) -> Mend:
    """Raises MendError if nothing is left to do, or if it would come after what was made later."""
    mend = mend_rows.find(conn, identity)
    if mend.undone_us is not None or mend.done_us is not None:
        raise MendError(f"mend {identity} is finished; nothing is left to do (--list shows all)")
    _check_series(conn, mend.series)
    _check_later(conn, mend, mend.at_us, mend.until_us)
    return mend


def order_undo(conn: sqlite3.Connection, identity: int, now_us: int) -> OrderedMend:
    """Have a mend taken back, finished or not; the caller owns the transaction. Asked again: the same work.

    Raises MendError.
    """
    waits = work_of(conn, UNDO, identity)
    if waits is not None:
        return OrderedMend(identity, waits.id)
    mend = check_undo(conn, identity)
    unfinished = work_of(conn, MEND, identity)
    if unfinished is not None:
        work.store_slice(conn, unfinished, Slice(unfinished.progress, 0, False, TAKEN_BACK), now_us)
    mend_rows.undo(conn, identity, now_us)
    _record_event(conn, mend, EventKind.MEND_UNDONE, now_us)
    total = originals.kept(conn, identity)
    return OrderedMend(identity, work.order(conn, UNDO, MendOrder(identity).to_json(), now_us, series=mend.series, total=total))


def check_undo(conn: sqlite3.Connection, identity: int) -> Mend:
    """Raises MendError if it was taken back already, if what was there before was lost to damage, if the unit was converted since,
    or if something later stands on it."""
    mend = mend_rows.find(conn, identity)
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
    for later in mend_rows.all_mends(conn, mend.series):
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
