"""Which incident is salvaged next, and what the order of a salvage says."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sensorlogd.storage import work
from sensorlogd.storage.maintenance import incidents


@dataclass(frozen=True, slots=True)
class SalvageOrder:
    """``incident``: the name of its folder. ``database``: the path of the log that it is brought back into."""

    incident: str
    database: str

    @classmethod
    def from_json(cls, request: Mapping[str, Any]) -> SalvageOrder:
        return cls(str(request.get("incident")), str(request.get("database")))

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def order(conn: sqlite3.Connection, path: Path, now_us: int, *, ending: int | None = None) -> int | None:
    """Order the salvage of the newest incident that has not had its turn in this database; one at a time, so that what is
    newer stays. The caller owns the transaction. The id of the work; None: there is nothing to do, or one is under way.

    ``ending``: the work that is over with this transaction.
    """
    known = work.of_kind(conn, work.SALVAGE)
    if any(piece.state is work.State.WAITING and piece.id != ending for piece in known):
        return None
    had = {SalvageOrder.from_json(piece.request).incident for piece in known}
    for incident in reversed(incidents.unfinished_salvage(path)):
        if incident.name not in had:
            return work.order(conn, work.SALVAGE, SalvageOrder(incident.name, str(path)).to_json(), now_us)
    return None
