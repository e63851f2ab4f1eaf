"""Kept work: long work that is ordered once and done in slices, resumed after any end. Table ``work`` holds order and pointer.

A ``Worker`` (``storage.worker``) does one kind. Each slice is one transaction in which what it changes and how far it has got are stored
together; so a crash undoes the slice under way and nothing else. Work on one series is done in the order of the requests; work on
different series, and work on none in particular (salvage), takes turns. All access to the table is here; ``request`` is the JSON of
a dataclass that stands with its worker (``MendOrder``, ``ConvertOrder``, ``RecomputeOrder``, ``SalvageOrder``).
``after`` in a request is the id of work that comes first.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sensorlogd.event_kinds import Kind
from sensorlogd.storage.ingest import events

SALVAGE = "salvage"  # the kind of work that brings back what a damaged file holds


class State(StrEnum):
    """Where a piece of work stands."""

    WAITING = "waiting"  # ordered; not begun, or between two slices
    DONE = "done"
    FAILED = "failed"  # it cannot be done; ``outcome`` says why


@dataclass(frozen=True, slots=True)
class Work:
    """A row of ``work``. ``done`` and ``total`` count readings (or rows); ``total`` None: not known (yet)."""

    id: int
    kind: str
    series: int | None
    request: Mapping[str, Any]
    progress: Mapping[str, Any]
    state: State
    made_us: int
    updated_us: int
    ended_us: int | None
    done: int
    total: int | None
    outcome: str


@dataclass(frozen=True, slots=True)
class Slice:
    """What one slice did. ``progress``: the pointer from which the next one goes on. ``more`` False: this was the last.

    ``done``: readings (or rows) dealt with by this slice. ``outcome``: a sentence for people, once it is over.
    ``failed``: it is over because it cannot be done. ``events``: (kind, sensor, detail), stored with the slice.
    ``rolls_up``: readings changed below the edge, so a roll-up run is due. ``touched``: series whose stored readings changed.
    """

    progress: Mapping[str, Any]
    done: int
    more: bool
    outcome: str = ""
    failed: bool = False
    total: int | None = None
    events: Sequence[tuple[Kind, str | None, str]] = ()
    rolls_up: bool = False
    touched: Sequence[int] = field(default=())


_COLUMNS = "id, kind, series_id, request, progress, state, made_us, updated_us, ended_us, done, total, outcome"


def order(
    conn: sqlite3.Connection,
    kind: str,
    request: Mapping[str, Any],
    now_us: int,
    *,
    series: int | None = None,
    progress: Mapping[str, Any] | None = None,
    total: int | None = None,
) -> int:
    """Store a piece of work that is to be done; the caller owns the transaction. Returns its id."""
    cursor = conn.execute(
        "INSERT INTO work(kind, series_id, request, progress, state, made_us, updated_us, total) VALUES (?,?,?,?,?,?,?,?)",
        (kind, series, json.dumps(dict(request)), json.dumps(dict(progress or {})), State.WAITING, now_us, now_us, total),
    )
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def find(conn: sqlite3.Connection, identity: int) -> Work | None:
    """One piece of work, or None."""
    row = conn.execute(f"SELECT {_COLUMNS} FROM work WHERE id = ?", (identity,)).fetchone()
    return None if row is None else _work_from_row(row)


def waiting(conn: sqlite3.Connection) -> list[Work]:
    """The work that is not finished; what was ordered first comes first."""
    query = f"SELECT {_COLUMNS} FROM work WHERE state = ? ORDER BY id"
    return [_work_from_row(row) for row in conn.execute(query, (State.WAITING,))]


def everything(conn: sqlite3.Connection) -> list[Work]:
    """All work that was ever ordered, the newest last."""
    return [_work_from_row(row) for row in conn.execute(f"SELECT {_COLUMNS} FROM work ORDER BY id")]


def of_kind(conn: sqlite3.Connection, kind: str, state: State | None = None) -> list[Work]:
    """All work of one kind, the newest last; with ``state`` only what stands there."""
    query = f"SELECT {_COLUMNS} FROM work WHERE kind = ?1 AND (?2 IS NULL OR state = ?2) ORDER BY id"
    return [_work_from_row(row) for row in conn.execute(query, (kind, state)).fetchall()]


def first_waiting(conn: sqlite3.Connection, series: int) -> Work | None:
    """What is done next to the readings of a series, or under way; None: nothing."""
    query = f"SELECT {_COLUMNS} FROM work WHERE series_id = ? AND state = ? ORDER BY id LIMIT 1"
    row = conn.execute(query, (series, State.WAITING)).fetchone()
    return None if row is None else _work_from_row(row)


def hand_over(conn: sqlite3.Connection, old: int, new: int) -> None:
    """What waits for the series ``old`` is from now on work on ``new``; the caller owns the transaction."""
    conn.execute("UPDATE work SET series_id = ? WHERE series_id = ? AND state = ?", (new, old, State.WAITING))


def has_been(conn: sqlite3.Connection, kind: str) -> bool:
    """Whether any work of this kind was ever ordered."""
    return conn.execute("SELECT 1 FROM work WHERE kind = ? LIMIT 1", (kind,)).fetchone() is not None


def any_lost_to_damage(conn: sqlite3.Connection) -> bool:
    """Whether any salvage of this database met a stretch that it could not read, or a row that makes no sense: readings of it may be
    lost for good."""
    query = (
        "SELECT 1 FROM work WHERE kind = ? AND (json_extract(progress, '$.skipped') > 0"
        " OR json_extract(progress, '$.counts.nonsense') > 0) LIMIT 1"
    )
    return conn.execute(query, (SALVAGE,)).fetchone() is not None


def runnable(waiting_now: Sequence[Work]) -> list[Work]:
    """The pieces of work that need not wait for an earlier piece on the same series, or for the one that they are to follow."""
    seen: set[int] = set()
    ids = {piece.id for piece in waiting_now}
    found = []
    for piece in waiting_now:
        if piece.series not in seen and piece.request.get("after") not in ids:
            found.append(piece)
        if piece.series is not None:
            seen.add(piece.series)
    return found


def store_slice(conn: sqlite3.Connection, work: Work, done: Slice, now_us: int) -> None:
    """Store what a slice did, in its transaction."""
    state = State.WAITING if done.more else State.FAILED if done.failed else State.DONE
    ended_us = None if done.more else now_us
    conn.execute(
        "UPDATE work SET progress = ?, state = ?, updated_us = ?, ended_us = ?, done = done + ?, total = coalesce(?, total),"
        " outcome = ? WHERE id = ?",
        (json.dumps(dict(done.progress)), state, now_us, ended_us, done.done, done.total, done.outcome, work.id),
    )
    for kind, sensor, detail in done.events:
        events.record(conn, now_us, kind, sensor, detail)


def _work_from_row(row: tuple[Any, ...]) -> Work:
    identity, kind, series, request, progress, state, *others = row
    return Work(identity, kind, series, json.loads(request), json.loads(progress), State(state), *others)
