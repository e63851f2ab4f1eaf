"""How the conversion of a channel's history to another unit begins (``unit_change: convert``).

The old series is renamed ``CHANNEL~converting`` and keeps its unit; a new series in the new unit takes the name. Kept work
(``conversion_work``) then moves the readings, one slice after the other, from the old series to the new one. At each moment a
reading is in exactly one of the two series, and in the unit of that series. So nobody ever sees a wrong number; the history of
the new series only comes back slice by slice.

The new series may have a reading already at the time of one that is brought to it: a device tells its past again, now in the
new unit, or the clock was set back and the host stamped the same microsecond twice. Which of the two it was is not stored, so
the rule for devices holds: the first stays, that is the one that is brought, and the other one gives way. Moving it to the
next free microsecond, as for host stamps that collide in one series, would double all that a device tells again. Where the two
differ by more than rounding it is counted, and the outcome says so.

Work that waits for the old series is from now on work before the conversion; so is a conversion into it that is not
finished when the unit changes again: the readings then pass through both.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from sensorlogd.storage import calibrations, cuts, work
from sensorlogd.storage.ingest import latest
from sensorlogd.storage.rollups import outdated, stored_rollups
from sensorlogd.storage.work import State

CONVERT = "convert"  # the kind of work


class Linear(NamedTuple):
    """new = old * factor + shift"""

    factor: float
    shift: float


@dataclass(frozen=True, slots=True)
class ConvertOrder:
    """What the work of a conversion is asked to do: move all of series ``old`` to ``new``, converted by ``linear``."""

    old: int
    new: int
    linear: Linear

    @classmethod
    def from_json(cls, request: Mapping[str, Any]) -> ConvertOrder:
        return cls(request["old"], request["new"], Linear(request["factor"], request["shift"]))

    def to_json(self) -> dict[str, Any]:
        return {"old": self.old, "new": self.new, **self.linear._asdict()}


SAME = Linear(1.0, 0.0)
# Conversions of what is stored: temperatures only, where the factors are exact by definition. What is only shown in another
# unit may be any (``query.units``), for nothing is lost by it.
_SPELLINGS = {
    "degC": "°C", "C": "°C", "celsius": "°C", "degF": "°F", "F": "°F", "fahrenheit": "°F", "kelvin": "K",
}  # fmt: skip
_CONVERSIONS = {
    ("°C", "K"): Linear(1.0, 273.15),
    ("K", "°C"): Linear(1.0, -273.15),
    ("°C", "°F"): Linear(1.8, 32.0),
    ("°F", "°C"): Linear(5 / 9, -160 / 9),
    ("K", "°F"): Linear(1.8, -459.67),
    ("°F", "K"): Linear(5 / 9, 459.67 * 5 / 9),
}


def exact_conversion(old: str, new: str) -> Linear | None:
    """How stored values change with their unit; None = not known exactly. Spellings of one unit convert by (1, 0)."""
    old, new = _SPELLINGS.get(old, old), _SPELLINGS.get(new, new)
    return SAME if old == new else _CONVERSIONS.get((old, new))


def converts(old: str, new: str) -> bool:
    """Whether stored values in ``old`` can be converted exactly."""
    return exact_conversion(old, new) is not None


def waiting(conn: sqlite3.Connection) -> list[tuple[int, int]]:
    """(old series, new series) of each conversion that is not finished."""
    requests = [ConvertOrder.from_json(piece.request) for piece in work.of_kind(conn, CONVERT, State.WAITING)]
    return [(request.old, request.new) for request in requests]


def is_old(conn: sqlite3.Connection, series: int) -> bool:
    """Whether ``series`` is the old series of a conversion that is not finished."""
    return any(series == old for old, _ in waiting(conn))


def held(conn: sqlite3.Connection) -> set[int]:
    """Both series of every unfinished conversion. Nothing of them may expire, because their roll-ups are still being moved."""
    return {series for pair in waiting(conn) for series in pair}


def begin(conn: sqlite3.Connection, old: int, new: int, linear: Linear, now_us: int) -> int:
    """Order the move of all that is stored in ``old`` to ``new``, in the transaction that has just made ``new``. Returns the id
    of the work."""
    work.hand_over(conn, old, new)
    conn.execute("UPDATE series SET created_us = (SELECT created_us FROM series WHERE id = ?) WHERE id = ?", (old, new))
    # The cuts first: what is older is refused from now on, and no roll-up of it is ever computed anew.
    cuts.copy(conn, old, new)
    calibrations.carry(conn, old, new, *linear)
    latest.carry(conn, old, new, *linear)
    # Until the work is done queries answer from readings for both series, because their roll-ups do not know which readings have
    # moved.
    outdated.mark(conn, [old, new], now_us)
    return work.order(conn, CONVERT, ConvertOrder(old, new, linear).to_json(), now_us, series=new)


def tidy(conn: sqlite3.Connection) -> None:
    """Delete what was stored for a converted series after its end: roll-ups may come late, from a snapshot that still has it."""
    for piece in work.of_kind(conn, CONVERT, State.DONE):
        old = ConvertOrder.from_json(piece.request).old
        if conn.execute("SELECT 1 FROM series WHERE id = ?", (old,)).fetchone() is None:
            stored_rollups.forget(conn, old)
            outdated.forget(conn, old)
            latest.forget(conn, old)
