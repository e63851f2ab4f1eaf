"""Computing a computed sensor's readings anew from what is stored: how it is ordered, and how its results are stored.

The work is ``daemon.computing.recompute``. What it changes is kept as an import with --replace keeps it: a mend of each
channel, listed with the others and taken back like them; readings that it adds stay.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sensorlogd.event_kinds import EventKind
from sensorlogd.notation.microseconds import BEGINNING_US
from sensorlogd.storage import cuts, work
from sensorlogd.storage.corrections import mend_rows, upsert
from sensorlogd.storage.corrections.replacing import Replace
from sensorlogd.storage.corrections.upsert import UpsertCounts
from sensorlogd.storage.ingest import events
from sensorlogd.storage.watermarks import Frontier

RECOMPUTE = "recompute"  # kind of work


@dataclass(frozen=True, slots=True)
class RecomputeOrder:
    """What the work is asked to do: compute readings of ``sensor`` in [since, until) anew, by ``formulas`` (channel -> formula).
    ``after``: the id of the work that comes first; None: it need not wait."""

    sensor: str
    since_us: int
    until_us: int
    formulas: Mapping[str, str]
    after: int | None = None

    @classmethod
    def from_json(cls, request: Mapping[str, Any]) -> RecomputeOrder:
        return cls(
            str(request["sensor"]), int(request["since_us"]), int(request["until_us"]), request["formulas"], request.get("after")
        )

    def to_json(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if value is not None}


def order(
    conn: sqlite3.Connection,
    sensor: str,
    since_us: int,
    formulas: Mapping[str, str],
    now_us: int,
    *,
    after: int | None = None,
    why: str = "",
) -> int:
    """Have all that is stored of a computed sensor from then on computed anew; the caller owns the transaction. The work's id.

    ``formulas``: channel -> its formula; if the daemon's are others by then, nothing is done. ``after``: the work that comes first.
    ``why``: for people, after "is computed anew". Raises ValueError.
    """
    if conn.execute("SELECT 1 FROM sensor WHERE name = ?", (sensor,)).fetchone() is None:
        raise ValueError(f"nothing is known of {sensor} yet; let the daemon take the configuration first (sensorlogd reload)")
    texts = "; ".join(f"{channel} = {text}" for channel, text in formulas.items())
    events.record(conn, now_us, EventKind.RECOMPUTE, sensor, f"is computed anew{why}: {texts}")
    request = RecomputeOrder(sensor, since_us, now_us, dict(formulas), after)
    return work.order(conn, RECOMPUTE, request.to_json(), now_us, progress={"at_us": since_us})


def order_after_salvage(
    conn: sqlite3.Connection, formulas: Mapping[str, Mapping[str, str]], since_us: int, now_us: int
) -> list[str]:
    """Have these sensors, name -> formulas, computed anew from then on as soon as the salvage that waits is done; the caller owns
    the transaction. The sensors for which it was ordered: none if no salvage waits or it was ordered before."""
    waiting = work.waiting(conn)
    salvage = next((piece.id for piece in waiting if piece.kind == work.SALVAGE), None)
    if salvage is None:
        return []
    had = {RecomputeOrder.from_json(piece.request).sensor for piece in waiting if piece.kind == RECOMPUTE}
    wanted = [sensor for sensor in formulas if sensor not in had]
    for sensor in wanted:
        why = " as soon as the readings of the damaged database are back, for its sum began at 0"
        order(conn, sensor, since_us, formulas[sensor], now_us, after=salvage, why=why)
    return wanted


def expired_until_us(conn: sqlite3.Connection, series: Iterable[int]) -> int:
    """The time before which readings of at least one of these series have expired; far in the past if none have. Their cuts, not
    ``cuts.kept_from``: readings computed for an earlier time would be refused where the computed series has the same cut."""
    found = (cuts.of_series(conn, identity) for identity in series)
    return max((cut for cut in found if cut is not None), default=BEGINNING_US)


@dataclass(frozen=True, slots=True)
class Result:
    """Readings of one series, in order of time."""

    series: int
    times: Sequence[int]
    values: Sequence[float | None]
    qualities: Sequence[int]


def store_results(conn: sqlite3.Connection, frontier: Frontier, result: Result, mend: int | None, now_us: int) -> UpsertCounts:
    """Store what was computed in place of what is there. ``mend``: the one that keeps what earlier slices replaced.

    Raises ``upsert.Busy`` while a mend of the series waits, ``upsert.UpsertError``.
    """
    replace = Replace(mend, mend_rows.RECOMPUTED, mend_rows.RECOMPUTE)
    return upsert.upsert(conn, frontier, result.series, result.times, result.values, result.qualities, now_us, replace=replace)
