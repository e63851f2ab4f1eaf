"""Sensors and series: what the configuration names, what the database remembers.

Names are identity. Nothing is ever deleted here: a sensor or channel that leaves the configuration is retired with its
history, and un-retired when it comes back; ``was`` carries history over a rename.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sensorlogd.calibration.curves import Curve
from sensorlogd.counters import DIP
from sensorlogd.event_kinds import EventKind, Kind
from sensorlogd.notation.durations import format_duration
from sensorlogd.notation.microseconds import MINUTE_US
from sensorlogd.notation.symbols import micro
from sensorlogd.notation.times import format_time
from sensorlogd.storage import calibrations, meta
from sensorlogd.storage.corrections import conversion
from sensorlogd.storage.corrections.conversion import Linear
from sensorlogd.storage.ingest import latest, status
from sensorlogd.storage.meta import DECIMALS, VALID
from sensorlogd.storage.reading_tables import survey
from sensorlogd.storage.rollups import outdated, stored_rollups
from sensorlogd.storage.rollups.rollup import Rules
from sensorlogd.storage.series import rows
from sensorlogd.storage.series.rows import NewSensor, NewSeries


@dataclass(frozen=True, slots=True)
class SeriesSpec:
    """A configured channel. ``wrap``, ``dip``: see ``counters.Law``. ``decimals``: how it is shown. ``unit_change``: convert,
    relabel or new_series; what to do with history in another unit. ``valid``: lowest and highest possible value."""

    channel: str
    unit: str = ""
    kind: str = "gauge"
    heartbeat_us: int = MINUTE_US
    wrap: float | None = None
    dip: float = DIP
    scale: float = 1.0
    offset: float = 0.0
    curve: Curve | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    was: str | None = None
    unit_change: str | None = None
    decimals: int | None = None
    valid: tuple[float | None, float | None] | None = None

    def rules(self) -> Rules:
        """What its roll-ups depend on. A counter begins at its ``offset``."""
        return Rules(self.kind, self.heartbeat_us, self.wrap, self.dip, self.offset if self.kind == "counter" else 0.0)


@dataclass(frozen=True, slots=True)
class SensorSpec:
    """A configured sensor. ``unread``: its driver cannot be loaded; what is known of it stays as it is."""

    name: str
    driver: str
    labels: Mapping[str, str] = field(default_factory=dict)
    was: str | None = None
    series: Sequence[SeriesSpec] = ()
    unread: bool = False


@dataclass(slots=True)
class Catalog:
    """What the writer needs to store readings under the right series. ``notes``: (kind, sensor, detail) of events to record."""

    ids: dict[tuple[str, str], int] = field(default_factory=dict)
    sensor_ids: dict[str, int] = field(default_factory=dict)
    heartbeats_us: dict[int, int] = field(default_factory=dict)
    notes: list[tuple[Kind, str | None, str]] = field(default_factory=list)


def sync(conn: sqlite3.Connection, specs: Sequence[SensorSpec], now_us: int) -> Catalog:
    """Make the database know ``specs``; the caller owns the transaction. Running it again changes nothing."""
    catalog = Catalog()
    conversion.tidy(conn)
    _rename_sensors(conn, specs, catalog)
    for spec in specs:
        sensor_id = _ensure_sensor(conn, spec, now_us)
        catalog.sensor_ids[spec.name] = sensor_id
        _rename_channels(conn, sensor_id, spec, catalog)
        for series in spec.series:
            series_id = _ensure_series(conn, sensor_id, spec.name, series, now_us, catalog)
            catalog.ids[spec.name, series.channel] = series_id
            catalog.heartbeats_us[series_id] = series.heartbeat_us
            curve = None if series.curve is None else series.curve.text()
            calibrations.record(conn, series_id, (series.scale, series.offset, curve), now_us)
            _put_note(conn, f"{DECIMALS}{series_id}", None if series.decimals is None else str(series.decimals))
            _put_note(conn, f"{VALID}{series_id}", None if series.valid is None else json.dumps(series.valid))
    _retire_unconfigured(conn, catalog, {spec.name for spec in specs if spec.unread}, now_us)
    return catalog


def _rename_sensors(conn: sqlite3.Connection, specs: Sequence[SensorSpec], catalog: Catalog) -> None:
    """Rename sensors, before anything is looked up by name: a new sensor may carry the old name of a renamed one."""
    renames = {spec.name: spec.was for spec in specs if spec.was is not None}
    for new, old in _renames_in_order(renames, {name for (name,) in conn.execute("SELECT name FROM sensor")}):
        conn.execute("UPDATE sensor SET name = ? WHERE name = ?", (new, old))
        catalog.notes.append((EventKind.RENAMED, new, f"was {old}; its history goes on under the new name"))


def _rename_channels(conn: sqlite3.Connection, sensor_id: int, spec: SensorSpec, catalog: Catalog) -> None:
    renames = {series.channel: series.was for series in spec.series if series.was is not None}
    if not renames:
        return
    known = {channel for (channel,) in conn.execute("SELECT channel FROM series WHERE sensor_id = ?", (sensor_id,))}
    for new, old in _renames_in_order(renames, known):
        conn.execute("UPDATE series SET channel = ? WHERE sensor_id = ? AND channel = ?", (new, sensor_id, old))
        detail = f"channel {old} is now {new}; its history goes on under the new name"
        catalog.notes.append((EventKind.RENAMED, spec.name, detail))


def _renames_in_order(renames: Mapping[str, str], known: set[str]) -> list[tuple[str, str]]:
    """(new, old) in an order that works: in ``c: was b, b: was a`` b becomes c before a becomes b.

    A rename whose new name is taken was done at an earlier start: ``was`` may stay in the configuration.
    """
    done: list[tuple[str, str]] = []
    taken = set(known)
    while True:
        found = next(((new, old) for new, old in renames.items() if new not in taken and old in taken), None)
        if found is None:
            return done
        done.append(found)
        taken.remove(found[1])
        taken.add(found[0])


def _ensure_sensor(conn: sqlite3.Connection, spec: SensorSpec, now_us: int) -> int:
    """The id of the sensor, made or brought up to date. One that is ``unread`` keeps what is stored of it."""
    labels = json.dumps(dict(spec.labels), sort_keys=True, ensure_ascii=False)
    row = conn.execute("SELECT id FROM sensor WHERE name = ?", (spec.name,)).fetchone()
    if row is None:
        return rows.insert_sensor(conn, NewSensor(name=spec.name, driver=spec.driver, labels=labels, created_us=now_us))
    if spec.unread:
        return int(row[0])
    conn.execute(
        "UPDATE sensor SET driver = ?2, labels = ?3, retired_us = NULL WHERE id = ?1"
        " AND (driver <> ?2 OR labels <> ?3 OR retired_us IS NOT NULL)",
        (row[0], spec.driver, labels),
    )
    return int(row[0])


def _ensure_series(conn: sqlite3.Connection, sensor_id: int, sensor: str, spec: SeriesSpec, now_us: int, catalog: Catalog) -> int:
    """The id of the series of a channel, made or brought up to date. Another unit is dealt with as ``unit_change`` says;
    other rules make its roll-ups outdated."""
    find = "SELECT id, unit, kind, heartbeat_us, wrap, dip, zero FROM series WHERE sensor_id = ? AND channel = ?"
    row = conn.execute(find, (sensor_id, spec.channel)).fetchone()
    labels = json.dumps(dict(spec.labels), sort_keys=True, ensure_ascii=False)
    former: int | None = None
    linear: Linear | None = None
    if row is not None and row[1] != spec.unit and micro(row[1]) == micro(spec.unit):
        conn.execute("UPDATE series SET unit = ? WHERE id = ?", (spec.unit, row[0]))  # the same unit, spelled otherwise
    elif row is not None and row[1] != spec.unit:
        is_same, linear = _change_unit(conn, row[0], row[1], sensor, spec, now_us, catalog)
        if not is_same:
            former, row = row[0], None
    if row is None:
        new = NewSeries(
            sensor=sensor_id, channel=spec.channel, unit=spec.unit, **spec.rules()._asdict(), labels=labels, created_us=now_us
        )
        made = rows.insert_series(conn, new)
        if former is not None and linear is not None:
            conversion.begin(conn, former, made, linear, now_us)
        return made
    series_id = row[0]
    changed = _changed_rules(Rules(*row[2:]), spec.rules())
    if changed:
        way_on = _offset_hint(f"{sensor}.{spec.channel}", Rules(*row[2:]), spec.rules(), now_us)
        detail = f"{spec.channel}: {changed}; its roll-ups are computed anew{way_on}"
        catalog.notes.append((EventKind.ROLLUPS_STALE, sensor, detail))
        outdated.mark(conn, [series_id], now_us)
    conn.execute(
        "UPDATE series SET kind = ?2, heartbeat_us = ?3, wrap = ?4, dip = ?5, zero = ?6, labels = ?7, retired_us = NULL"
        " WHERE id = ?1 AND (kind <> ?2 OR heartbeat_us <> ?3 OR wrap IS NOT ?4 OR dip <> ?5 OR zero <> ?6 OR labels <> ?7"
        " OR retired_us IS NOT NULL)",
        (series_id, *spec.rules(), labels),
    )
    return int(series_id)


def _changed_rules(old: Rules, new: Rules) -> str:
    """What changed of the settings that roll-ups depend on, for people; empty: nothing."""
    parts = []
    if old.kind != new.kind:
        parts.append(f"kind {old.kind} becomes {new.kind}")
    if old.heartbeat_us != new.heartbeat_us:
        parts.append(f"heartbeat {format_duration(old.heartbeat_us)} becomes {format_duration(new.heartbeat_us)}")
    if new.kind == "counter" and old.kind == "counter":
        if old.wrap != new.wrap:
            parts.append(f"wrap {old.wrap} becomes {new.wrap}")
        if old.dip != new.dip:
            parts.append(f"dip {old.dip} becomes {new.dip}")
        if old.zero != new.zero:
            parts.append(f"offset {old.zero} becomes {new.zero}")
    return ", ".join(parts)


def _offset_hint(name: str, old: Rules, new: Rules, now_us: int) -> str:
    """What to do with the readings from before a counter's offset was changed, which have the old one in them, for people; empty:
    it was not changed."""
    if old.kind != "counter" or new.kind != "counter" or old.zero == new.zero:
        return ""
    return (
        "; readings from before keep the old offset, and the step to the first one with the new counts as a rise or a reset; if"
        f" the new one holds for them, too: sensorlogd recalibrate {name} --offset {new.zero - old.zero:.15g}"
        f" --since 1970-01-01 --until {format_time(now_us)}"
    )


def _has_readings(conn: sqlite3.Connection, series_id: int) -> bool:
    if any(series_id == new for _, new in conversion.waiting(conn)):
        return True  # they are on their way
    # Readings last: the fresh ones have to be read through, and only a series never seen before comes that far.
    return latest.is_saved(conn, series_id) or stored_rollups.any_of(conn, series_id) or survey.exists(conn, series_id)


def _change_unit(
    conn: sqlite3.Connection, series_id: int, old: str, sensor: str, spec: SeriesSpec, now_us: int, catalog: Catalog
) -> tuple[bool, Linear | None]:
    """Apply ``unit_change``. (False, ...): the series was retired under another name, a new one is to be made and, if there is a Linear,
    filled."""
    what = spec.unit_change
    if what in (None, "convert") and not _has_readings(conn, series_id):
        what = "relabel"  # nothing was stored yet: nothing can become wrong
    linear = conversion.exact_conversion(old, spec.unit) if what == "convert" else None
    if what == "relabel" or linear == conversion.SAME:
        conn.execute("UPDATE series SET unit = ? WHERE id = ?", (spec.unit, series_id))
        catalog.notes.append((EventKind.UNIT_CHANGED, sensor, f"{spec.channel}: {what} from {old!r} to {spec.unit!r}"))
        return True, None
    if linear is not None:
        aside = _retire_as(conn, series_id, f"{spec.channel}~converting", now_us)
        detail = f"{spec.channel}: from {old!r} to {spec.unit!r}; until all is converted the rest is {aside}"
        catalog.notes.append((EventKind.UNIT_CHANGE_BEGUN, sensor, detail))
        return False, linear
    if what == "convert":
        detail = f"{spec.channel}: no exact conversion from {old!r} to {spec.unit!r} is known"
        catalog.notes.append((EventKind.UNIT_CHANGE_REFUSED, sensor, f"{detail}; a new series was begun"))
    aside = _retire_as(conn, series_id, spec.channel, now_us)
    detail = f"{spec.channel}: from {old!r} to {spec.unit!r}; the old readings are {aside} now"
    catalog.notes.append((EventKind.UNIT_CHANGED, sensor, detail))
    return False, None


def _retire_as(conn: sqlite3.Connection, series_id: int, name: str, now_us: int) -> str:
    """Retire a series and rename its channel. Returns the new name: ``name`` if that is free, else ~1, ~2 and so on after it."""
    query = "SELECT channel FROM series WHERE sensor_id = (SELECT sensor_id FROM series WHERE id = ?)"
    taken = {channel for (channel,) in conn.execute(query, (series_id,))}
    free, number = name, 0
    while free in taken:
        number += 1
        free = f"{name}~{number}"
    conn.execute("UPDATE series SET channel = ?, retired_us = ? WHERE id = ?", (free, now_us, series_id))
    return free


def _put_note(conn: sqlite3.Connection, key: str, value: str | None) -> None:
    """A note for programs that read the log. No stored value depends on it, so it lies in ``meta`` and is no column of the
    series. ``value`` None deletes it."""
    if value is None:
        meta.remove(conn, [key])
    else:
        meta.put(conn, key, value)


def _retire_unconfigured(conn: sqlite3.Connection, catalog: Catalog, unread: set[str], now_us: int) -> None:
    """Retire the series and sensors that are not configured any more, but no series of a sensor that is ``unread``."""
    live = set(catalog.ids.values())
    for series_id, sensor, channel in conn.execute(
        "SELECT series.id, sensor.name, channel FROM series JOIN sensor ON sensor.id = sensor_id WHERE series.retired_us IS NULL"
    ).fetchall():
        if series_id not in live and sensor not in unread:
            conn.execute("UPDATE series SET retired_us = ? WHERE id = ?", (now_us, series_id))
            catalog.notes.append((EventKind.RETIRED, sensor, f"{channel} is not configured any more; its history stays"))
    names = set(catalog.sensor_ids)
    for sensor_id, name in conn.execute("SELECT id, name FROM sensor WHERE retired_us IS NULL").fetchall():
        if name not in names:
            conn.execute("UPDATE sensor SET retired_us = ? WHERE id = ?", (now_us, sensor_id))
            status.forget_sensor(conn, sensor_id)
