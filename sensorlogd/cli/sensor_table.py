"""Lays out the table of sensors for ``status`` and its live screen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sensorlogd.cli import appearance, table

LOOKS = {"reading": "good", "finished": "dim", "disabled": "dim", "imported": "dim", "starting": "warn", "not running": "dim"}
AGO = "_ago"  # keys that begin so are for people only: JSON has none of them
RATE = "_rate"


def laid(
    rows: Sequence[Mapping[str, Any]], room: int, paint: Callable[..., str] = appearance.painted
) -> tuple[str, list[list[str]]]:  # fmt: skip
    """(head, the lines of each sensor). A column that no sensor has a value for (reconnects, counts, errors) is left out."""
    columns = [table.Column("sensor", "sensor"), table.Column("state", "state"), table.Column("last", "last", "right")]
    if any(RATE in row for row in rows):
        columns.append(table.Column("rate", "rate/s", "right"))
    columns.append(table.Column("readings", "readings", "right"))
    if any(row["reconnects"] for row in rows):
        columns.append(table.Column("reconnects", "reconnects", "right"))
    columns += [table.Column(name, name, folds=True) for name in ("counts", "error") if any(row[name] for row in rows)]
    cells = [_cells(row) for row in rows]
    looks = [{"sensor": "bold", "state": LOOKS.get(row["state"], "bad"), "error": "bad", "counts": "warn"} for row in rows]
    return table.laid(columns, cells, room, looks, paint)


def _cells(row: Mapping[str, Any]) -> dict[str, str]:
    return {
        "sensor": row["sensor"],
        "state": row["state"],
        "last": row.get(AGO) or row["last"] or "never",
        "rate": "" if row.get(RATE) is None else f"{row[RATE]:,.1f}",
        "readings": "" if row["readings"] is None else f"{row['readings']:,}",
        "reconnects": str(row["reconnects"] or ""),
        "counts": row["counts"],
        "error": "".join(letter if letter.isprintable() else "?" for letter in row["error"] or ""),
    }
