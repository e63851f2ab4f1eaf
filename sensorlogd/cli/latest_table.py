"""Lays out the table of ``latest``: grouped by sensor, no wider than the terminal, numbers never cut."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sensorlogd.cli import appearance, table
from sensorlogd.cli.output import PLACES, quality_look
from sensorlogd.notation import numbers

PLAIN = ("good", "not_evaluated", "")  # qualities that need no word
COLUMNS = (
    table.Column("sensor", "sensor"),
    table.Column("channel", "channel"),
    table.Column("value", "value", "point"),
    table.Column("unit", "", close=True),
    table.Column("time", "time", spare=1),  # where it is too wide: the age says it as well
    table.Column("age", "age", "right"),
    table.Column("state", "state"),
)
RETIRED = "retired"  # state of a row whose series is not configured now, or was imported: nothing new is expected of it
LOOKS = {"stale": "warn", "never": "bad"}


def lines(rows: Sequence[Mapping[str, Any]], today: str, width: int | None = None) -> Iterator[str]:
    """``rows``: as they go to JSON, with ``ago``: the age in words. ``today``: the date in the zone of their times; a time of
    another day has its date. ``width``: in columns, 0: no limit; default: the terminal's.
    """
    room = appearance.width() if width is None else width
    cells, looks = [_cells(row, today) for row in rows], [_looks(row) for row in rows]
    if not table.fits(COLUMNS, cells, room):
        yield from _below_names(cells, looks, room)
        return
    for index, row in enumerate(rows):
        if index and row["sensor"] == rows[index - 1]["sensor"]:
            cells[index]["sensor"] = ""
    yield from table.lines(COLUMNS, cells, room, looks)


def _below_names(cells: Sequence[Mapping[str, str]], looks: Sequence[Mapping[str, str]], room: int) -> Iterator[str]:
    """The table for narrow terminals: each sensor's name, and its channels below; a quality that is good is left out."""
    columns = [column for column in COLUMNS if column.name not in ("sensor", "time")]
    inner = [{**row, "channel": f"  {row['channel']}", "state": "" if row["state"] == "ok" else row["state"]} for row in cells]
    if not any(row["state"] for row in inner):
        columns.pop()
    head, found = table.laid(columns, inner, room, looks)
    yield head
    for index, row in enumerate(cells):
        if not index or row["sensor"] != cells[index - 1]["sensor"]:
            yield appearance.painted(row["sensor"], "bold")
        yield from found[index]


def _cells(row: Mapping[str, Any], today: str) -> dict[str, str]:
    quality = str(row["quality"] or "")
    word = "" if quality.partition(":")[0] in PLAIN else f" {quality}"
    return {
        "sensor": row["sensor"],
        "channel": row["channel"],
        "value": numbers.text(row["value"], "-", (row.get(PLACES) or {}).get("value")),
        "unit": row["unit"] or "",
        "time": "" if row["time"] is None else _short(row["time"], today),
        "age": row.get("ago") or row["age"] or "",
        "state": ("history" if row.get(RETIRED) else row["state"]) + word,
    }


def _looks(row: Mapping[str, Any]) -> dict[str, str]:
    """The colours of a row: what is stale or flagged stands out."""
    state = "dim" if row.get(RETIRED) else LOOKS.get(row["state"], "")
    flagged = quality_look(str(row["quality"] or ""))
    worst = "bad" if "bad" in (state, flagged) else state or flagged
    return {"sensor": "bold", "unit": "dim", "time": "dim", "value": flagged, "age": state or "dim", "state": worst or "good"}


def _short(time: str, today: str) -> str:
    """The time in short: to the second; on another day than ``today`` the date, and the time to the minute; always with the
    offset."""
    try:
        at = datetime.fromisoformat(time)
    except ValueError:
        return time
    offset = "Z" if time.endswith("Z") else at.strftime("%z")[:3] + ":" + at.strftime("%z")[3:5]
    return f"{at:%H:%M:%S}{offset}" if time.startswith(today) else f"{at:%Y-%m-%d %H:%M}{offset}"
