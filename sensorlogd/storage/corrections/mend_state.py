"""How far mends are: which work waits to make one or to take one back, and what is said of it to people."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sensorlogd.storage import work
from sensorlogd.storage.corrections import originals
from sensorlogd.storage.corrections.mend_rows import Mend
from sensorlogd.storage.work import State, Work

MEND, UNDO = "mend", "undo"  # kinds of work
TAKEN_BACK = "taken back before it was finished"


@dataclass(frozen=True, slots=True)
class MendOrder:
    """What the work of making a mend, or of taking it back, is asked to do. ``mend``: its id."""

    mend: int

    @classmethod
    def from_json(cls, request: Mapping[str, Any]) -> MendOrder:
        return cls(request["mend"])

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


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


def what_waits(conn: sqlite3.Connection, series: int) -> str:
    """What is still to be done to the readings of a series, for people; empty: nothing."""
    first = work.first_waiting(conn, series)
    if first is None:
        return ""
    return {MEND: "a mend of it is under way", UNDO: "a mend of it is being taken back"}.get(
        first.kind, "its unit is being converted"
    )
