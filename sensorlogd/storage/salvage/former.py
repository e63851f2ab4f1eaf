"""The small tables of a damaged file: its sensors and series, cuts, edges and marks, as far as they can be read.

All of it is small; it is read when the file is opened and held in memory.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field

from sensorlogd.notation.microseconds import END_US
from sensorlogd.storage import cuts, meta, watermarks
from sensorlogd.storage.reading_tables import damaged as statements
from sensorlogd.storage.rollups.resolutions import DAY, MINUTE
from sensorlogd.storage.salvage import plausible
from sensorlogd.storage.salvage.reading import DamagedLog, Row
from sensorlogd.storage.series.rows import NewSensor, NewSeries

_TRIES = 100


@dataclass(slots=True)
class Former:
    """What a damaged log says of itself; ids are those of its own.

    sensors         id -> sensor
    series          id -> series
    ids             all series that have a name, a cut or settled readings
    mends           ids of all mends
    moved_until_us  the border; None: it could not be read, and both tables of readings are taken whole
    edge_us         the edge of its roll-ups; None: it could not be read
    zone            of its days; None: it cannot be read
    cuts_us         (series, resolution) -> cut
    has_cuts        False: the table of cuts is damaged
    without_cut     series one of whose cuts makes no sense
    nonsense        how many rows of these tables make no sense and were left out
    outdated_us     (series, resolution) -> roll-ups that end later did not count
    dirty           series -> minutes to be healed
    newest_event    the highest id of an event
    """

    sensors: dict[int, NewSensor] = field(default_factory=dict)
    series: dict[int, NewSeries] = field(default_factory=dict)
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
        known = [self.outdated_us.get((series, resolution)) for resolution in (MINUTE, DAY)]
        return min((from_us for from_us in known if from_us is not None), default=None)


def read(damaged: DamagedLog, made_us: int) -> Former:
    """``made_us``: when the file was set aside. Raises NotNow."""
    former = Former()
    _read_names(damaged, former)
    _read_meta(damaged, former, made_us)
    _read_cuts(damaged, former)
    _read_outdated(damaged, former)
    with_cut = {series for series, _ in former.cuts_us if plausible.is_series(series)}
    former.ids = sorted(_series_in_history(damaged) | set(former.series) | with_cut)
    rows = damaged.all("SELECT id FROM mend WHERE id >= ? AND id <= ? ORDER BY id").rows
    former.mends = [row[0] for row in rows]
    former.newest_event = _newest_event_id(damaged)
    return former


def _read_names(damaged: DamagedLog, former: Former) -> None:
    """Fill ``sensors`` and ``series`` with all that have a name; what else is missing or makes no sense gets its default."""
    rows = _read_table(damaged, "sensor", ("id", "name", "driver", "labels", "created_us", "retired_us"))
    for identity, name, driver, labels, created, retired in rows:
        if plausible.name_or_none(name) is not None:
            former.sensors[identity] = NewSensor(
                name=name,
                driver=plausible.name_or_none(driver) or "unknown",
                labels=plausible.labels_or_empty(labels),
                created_us=plausible.time_or_none(created) or 0,
                retired_us=plausible.time_or_none(retired),
            )
    columns = (
        "id", "sensor_id", "channel", "unit", "kind", "heartbeat_us", "wrap", "dip", "zero", "labels", "created_us",
        "retired_us",
    )  # fmt: skip
    rows = _read_table(damaged, "series", columns)
    for identity, sensor, channel, unit, kind, heartbeat, wrap, dip, zero, labels, created, retired in rows:
        if type(sensor) is int and plausible.name_or_none(channel) is not None and plausible.is_series(identity):
            former.series[identity] = NewSeries(
                sensor=sensor,
                channel=channel,
                unit=plausible.text_or(unit, ""),
                kind=plausible.kind_or_gauge(kind),
                heartbeat_us=plausible.heartbeat_or_minute(heartbeat),
                wrap=plausible.wrap_or_none(wrap),
                dip=plausible.dip_or_usual(dip),
                zero=plausible.zero_or_usual(zero),
                labels=plausible.labels_or_empty(labels),
                created_us=plausible.time_or_none(created) or 0,
                retired_us=plausible.time_or_none(retired),
            )


def _read_table(damaged: DamagedLog, table: str, columns: Sequence[str]) -> list[Row]:
    """The rows of a small table by id; NULL for columns that an older schema has not."""
    present = set(damaged.columns(table))
    if not present:
        return []
    wanted = ", ".join(column if column in present else "NULL" for column in columns)
    return damaged.all(f"SELECT {wanted} FROM {table} WHERE id >= ? AND id <= ? ORDER BY id").rows


def _read_meta(damaged: DamagedLog, former: Former, made_us: int) -> None:
    former.moved_until_us = _mark_or_none(damaged, watermarks.MOVED_UNTIL, made_us)
    former.edge_us = _mark_or_none(damaged, watermarks.EDGE, made_us)
    try:
        zone = meta.get(damaged.conn, watermarks.DAY_ZONE)
    except (sqlite3.Error, ValueError, TypeError):
        return
    former.zone = plausible.zone_or_none(zone)


def _mark_or_none(damaged: DamagedLog, key: str, made_us: int) -> int | None:
    """How far the log had got; None where that cannot be read, or lies beyond the end of the file."""
    try:
        mark = meta.get_int(damaged.conn, key)
    except (sqlite3.Error, ValueError, TypeError):
        return None
    return mark if plausible.is_mark(mark, made_us) else None


def _read_cuts(damaged: DamagedLog, former: Former) -> None:
    """Fill ``cuts_us`` with the cuts that retention can have made: it never cuts what is not moved and rolled up yet."""
    found = damaged.all(
        "SELECT series_id, tier, cut_us FROM retention_cut WHERE series_id >= ? AND series_id <= ? ORDER BY series_id"
    )
    former.has_cuts = not found.stretches
    settled_us = min((mark for mark in (former.moved_until_us, former.edge_us) if mark is not None), default=END_US)
    for series, resolution, cut in found.rows:
        if plausible.is_cut(series, resolution, cut, settled_us):
            former.cuts_us[series, resolution] = cut
        else:
            former.without_cut.add(series)
            former.nonsense += 1


def _read_outdated(damaged: DamagedLog, former: Former) -> None:
    """Fill ``outdated_us`` and ``dirty`` with the marks that make sense."""
    rows = damaged.all(
        "SELECT series_id, tier, from_us FROM stale WHERE series_id >= ? AND series_id <= ? ORDER BY series_id"
    ).rows
    for series, resolution, from_us in rows:
        if plausible.is_outdated_mark(series, resolution, from_us):
            former.outdated_us[series, resolution] = from_us
        else:
            former.nonsense += 1
    rows = damaged.all("SELECT series_id, start FROM dirty WHERE series_id >= ? AND series_id <= ? ORDER BY series_id").rows
    for series, start in rows:
        if plausible.is_dirty_minute(series, start):
            former.dirty.setdefault(series, []).append(start)
        else:
            former.nonsense += 1


def _series_in_history(damaged: DamagedLog) -> set[int]:
    """The series that settled readings are of, whether or not their names can be read."""
    series_ids: set[int] = set()
    series, missed = 0, 0
    while series <= plausible.MAX_SERIES_ID and missed < _TRIES:
        first = damaged.first(statements.SERIES, series, plausible.MAX_SERIES_ID)
        if first is None:  # the page with the next one is damaged: try after it
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
    return row[0] if row and plausible.is_newest_event(row[0]) else plausible.MAX_ID
