"""The small tables of a damaged file: its sensors and series, cuts, edges and marks, as far as they can be read.

All of it is small; it is read when the file is opened and held in memory.
"""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sensorlogd.counters import DIP
from sensorlogd.notation import times
from sensorlogd.notation.microseconds import DAY_US, END_US, MINUTE_US
from sensorlogd.series_kinds import SERIES_KINDS
from sensorlogd.storage import cuts, meta, watermarks
from sensorlogd.storage.rollups import resolutions
from sensorlogd.storage.salvage.reading import DamagedLog, Row
from sensorlogd.storage.stages import damaged as statements

MOST_SERIES = 1_000_000
_TRIES = 100
_LATEST_US = 253_402_300_800_000_000  # the year 10000
_LONGEST_HEARTBEAT_US = 10 * 366 * DAY_US
_WITH_CUTS = (cuts.READINGS, *resolutions.DEFAULT_RESOLUTIONS)


@dataclass(frozen=True, slots=True)
class FormerSensor:
    """A row of ``sensor``. ``retired_us`` None: it was in use."""

    name: str
    driver: str
    labels: str
    created_us: int
    retired_us: int | None


@dataclass(frozen=True, slots=True)
class FormerSeries:
    """A row of ``series``. ``sensor``: its id there."""

    sensor: int
    channel: str
    unit: str
    kind: str
    heartbeat_us: int
    wrap: float | None
    dip: float
    zero: float
    labels: str
    created_us: int
    retired_us: int | None


@dataclass(slots=True)
class Former:
    """What a damaged log says of itself. ``ids``: all series that have a name, a cut or settled readings. ``moved_until_us``
    None: it could not be read, and both tables of readings are taken whole. ``zone``: of its days; None: it cannot be read. ``cuts_us``: (series, resolution) -> cut.
    ``outdated_us``: (series, resolution) -> roll-ups that end later did not count. ``dirty``: series -> minutes to be healed.
    ``has_cuts`` False: the table of cuts is damaged. ``without_cut``: series one of whose cuts makes no sense. ``nonsense``: how
    many rows of these tables make no sense and were left out."""

    sensors: dict[int, FormerSensor] = field(default_factory=dict)
    series: dict[int, FormerSeries] = field(default_factory=dict)
    ids: list[int] = field(default_factory=list)
    mends: list[int] = field(default_factory=list)
    moved_until_us: int | None = None
    edge_us: int | None = None
    zone: str | None = None
    cuts_us: dict[tuple[int, int], int] = field(default_factory=dict)
    has_cuts: bool = True
    without_cut: set[int] = field(default_factory=set)
    nonsense: int = 0
    outdated_us: dict[tuple[int, int], int] = field(default_factory=dict)
    dirty: dict[int, list[int]] = field(default_factory=dict)
    newest_event: int = 0

    def kept_from(self, series: int, resolution: int = cuts.READINGS) -> int | None:
        """Older ones had expired; see ``cuts.kept_from``."""
        cut = self.cuts_us.get((series, resolution))
        return None if cut is None else cuts.kept_from(cut)

    def has_lost_cut(self, series: int) -> bool:
        """Whether its readings may have had a cut that cannot be read."""
        return (series, cuts.READINGS) not in self.cuts_us and (not self.has_cuts or series in self.without_cut)

    def valid_until(self, series: int) -> int | None:
        """Roll-ups that end later did not count; None: all did."""
        known = [self.outdated_us.get((series, resolution)) for resolution in (60, 86400)]
        return min((from_us for from_us in known if from_us is not None), default=None)


def read(damaged: DamagedLog, made_us: int) -> Former:
    """``made_us``: when the file was set aside. Raises NotNow."""
    former = Former()
    _read_names(damaged, former)
    _read_meta(damaged, former, made_us)
    _read_cuts(damaged, former)
    rows, _ = damaged.all("SELECT series_id, tier, from_us FROM stale WHERE series_id >= ? AND series_id <= ? ORDER BY series_id")
    former.outdated_us = {
        (series, resolution): from_us for series, resolution, from_us in rows if _all_int(series, resolution, from_us)
    }
    rows, _ = damaged.all("SELECT series_id, start FROM dirty WHERE series_id >= ? AND series_id <= ? ORDER BY series_id")
    for series, start in rows:
        if _all_int(series, start):
            former.dirty.setdefault(series, []).append(start)
    with_cut = {series for series, _ in former.cuts_us if 0 < series <= MOST_SERIES}
    former.ids = sorted(_series_in_history(damaged) | set(former.series) | with_cut)
    rows, _ = damaged.all("SELECT id FROM mend WHERE id >= ? AND id <= ? ORDER BY id")
    former.mends = [row[0] for row in rows]
    former.newest_event = _newest_event_id(damaged)
    return former


def _read_names(damaged: DamagedLog, former: Former) -> None:
    """Fill ``sensors`` and ``series`` with all that have a name; what else is missing or makes no sense gets its default."""
    rows, _ = _read_table(damaged, "sensor", ("id", "name", "driver", "labels", "created_us", "retired_us"))
    for identity, name, driver, labels, created, retired in rows:
        if isinstance(name, str) and name:
            former.sensors[identity] = FormerSensor(
                name,
                _text_or_none(driver) or "unknown",
                _labels_or_none(labels) or "{}",
                _time_or_none(created) or 0,
                _time_or_none(retired),
            )
    columns = (
        "id", "sensor_id", "channel", "unit", "kind", "heartbeat_us", "wrap", "dip", "zero", "labels", "created_us",
        "retired_us",
    )  # fmt: skip
    rows, _ = _read_table(damaged, "series", columns)
    for identity, sensor, channel, unit, kind, heartbeat, wrap, dip, zero, labels, created, retired in rows:
        if type(sensor) is int and isinstance(channel, str) and channel and 0 < identity <= MOST_SERIES:
            former.series[identity] = FormerSeries(
                sensor,
                channel,
                _text_or_none(unit) or "",
                kind if kind in SERIES_KINDS else "gauge",
                heartbeat if type(heartbeat) is int and 0 < heartbeat <= _LONGEST_HEARTBEAT_US else MINUTE_US,
                wrap if type(wrap) is float and 0 < wrap < math.inf else None,
                dip if type(dip) is float and 0 <= dip < math.inf else DIP,
                zero if type(zero) is float and math.isfinite(zero) else 0.0,
                _labels_or_none(labels) or "{}",
                _time_or_none(created) or 0,
                _time_or_none(retired),
            )


def _read_table(damaged: DamagedLog, table: str, columns: Sequence[str]) -> tuple[list[Row], list[tuple[int, int | None]]]:
    """The rows of a small table by id; NULL for columns that an older schema has not."""
    present = set(damaged.columns(table))
    if not present:
        return [], [(0, None)]
    wanted = ", ".join(column if column in present else "NULL" for column in columns)
    return damaged.all(f"SELECT {wanted} FROM {table} WHERE id >= ? AND id <= ? ORDER BY id")


def _read_meta(damaged: DamagedLog, former: Former, made_us: int) -> None:
    former.moved_until_us = _mark_or_none(damaged, watermarks.MOVED_UNTIL, made_us)
    former.edge_us = _mark_or_none(damaged, watermarks.EDGE, made_us)
    try:
        former.zone = times.zone(meta.get(damaged.conn, watermarks.DAY_ZONE) or "")
    except (sqlite3.Error, ValueError, TypeError):
        return


def _mark_or_none(damaged: DamagedLog, key: str, made_us: int) -> int | None:
    """How far the log had got; None where that cannot be read, or lies beyond the end of the file."""
    try:
        mark = meta.get_int(damaged.conn, key)
    except (sqlite3.Error, ValueError, TypeError):
        return None
    return mark if 0 < mark <= made_us + DAY_US else None


def _read_cuts(damaged: DamagedLog, former: Former) -> None:
    """Fill ``cuts_us`` with the cuts that retention can have made: it never cuts what is not moved and rolled up yet."""
    rows, stretches = damaged.all(
        "SELECT series_id, tier, cut_us FROM retention_cut WHERE series_id >= ? AND series_id <= ? ORDER BY series_id"
    )
    former.has_cuts = not stretches
    settled_us = min((mark for mark in (former.moved_until_us, former.edge_us) if mark is not None), default=END_US)
    for series, resolution, cut in rows:
        if _all_int(series, resolution, cut) and resolution in _WITH_CUTS and 0 < cut <= settled_us:
            former.cuts_us[series, resolution] = cut
        else:
            former.without_cut.add(series)
            former.nonsense += 1


def _series_in_history(damaged: DamagedLog) -> set[int]:
    """The series that settled readings are of, whether or not their names can be read."""
    series_ids: set[int] = set()
    series, missed = 0, 0
    while series <= MOST_SERIES and missed < _TRIES:
        first = damaged.first(statements.SERIES, series, MOST_SERIES)
        if first is None:  # the page with the next one is damaged: try behind it
            missed += 1
            series += 1
        elif not first:
            break
        else:
            series = first[0][0] + 1
            series_ids.add(first[0][0])
    return series_ids


def _newest_event_id(damaged: DamagedLog) -> int:
    """The highest id of an event; 2 to the power of 40 where that cannot be read or makes no sense, and where there is none."""
    try:
        row = damaged.conn.execute("SELECT max(id) FROM event").fetchone()
    except sqlite3.Error:
        row = None
    return row[0] if row and type(row[0]) is int and 0 <= row[0] < 1 << 40 else 1 << 40


def _all_int(*values: Any) -> bool:
    return all(type(value) is int for value in values)


def _text_or_none(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _labels_or_none(value: Any) -> str | None:
    """Labels as they are stored: a JSON object of texts. What cannot be parsed would make the live log unreadable."""
    try:
        labels = json.loads(value)
    except (TypeError, ValueError, RecursionError):
        return None
    is_sound = isinstance(labels, dict) and all(isinstance(text, str) for text in labels.values())
    return value if is_sound and isinstance(value, str) else None


def _time_or_none(value: Any) -> int | None:
    return value if type(value) is int and abs(value) < _LATEST_US else None
