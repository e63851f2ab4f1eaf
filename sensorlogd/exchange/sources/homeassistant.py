"""Reads the recorder of Home Assistant: states as they came, or the hourly statistics, which reach back further.

Series have the names of the entities: ``sensor.living_room`` is channel ``living_room`` of ``sensor``.
"""

from __future__ import annotations

import json
import math
import re
import sqlite3
from collections.abc import Iterator
from functools import lru_cache

from sensorlogd import quality
from sensorlogd.exchange.options import RecordOptions
from sensorlogd.exchange.readings import FileReading, ImportTarget, Origins, reading, target_of
from sensorlogd.exchange.source import Source
from sensorlogd.exchange.sources.sqlite import checked, columns
from sensorlogd.exchange.text.lines import FileError
from sensorlogd.exchange.times import stamps
from sensorlogd.notation.microseconds import HOUR_US, MINUTE_US

WIDTHS_US = {"statistics": HOUR_US, "statistics_short_term": 5 * MINUTE_US}
TABLES = ("states", *WIDTHS_US)
SWITCHES = {"on": 1.0, "off": 0.0}
_OF_SWITCHES = ("binary_sensor", "switch", "light", "input_boolean", "fan")
_SILENT = ("unavailable", "unknown", "", None)
_CIRCULAR = 2  # the value of mean_type for angles


def is_recorder(names: list[str]) -> bool:
    """Whether these tables are those of Home Assistant's recorder: ``states`` alone is too common a name."""
    return "states" in names and bool({"state_attributes", "statistics_meta", "recorder_runs"} & set(names))


class Recorder(Source):
    """The ``table`` of the database ``name``: states or statistics. Entities that never were a number are left out, and noted."""

    def __init__(self, conn: sqlite3.Connection, table: str, name: str, options: RecordOptions) -> None:
        super().__init__()
        self._conn = conn
        self._table = table
        self._name = name
        self._options = options
        self._origins = Origins()

    def read(self) -> Iterator[FileReading]:
        """The readings. Raises FileError."""
        if not columns(self._conn, self._table):
            raise FileError(
                self._name,
                0,
                f"this recorder has no table {self._table!r}; say --table with one of {', '.join(TABLES)} that it has",
            )
        try:
            yield from self._states() if self._table == "states" else self._statistics()
        except ValueError as error:
            raise FileError(self._name, 0, str(error)) from None

    def _target(self, entity: str, unit: str | None, kind: str | None) -> ImportTarget:
        """The target of an entity. With ``--sensor NAME`` it is a channel of that sensor, with the domain before its name unless
        that is ``sensor``."""
        domain, _, rest = re.sub(r"[^A-Za-z0-9_~.-]", "_", entity.replace(":", ".")).partition(".")
        if self._options.sensor is None:
            found = target_of(domain, rest or "state", unit, kind)
        else:
            found = target_of(self._options.sensor, rest if domain == "sensor" else f"{domain}_{rest}", unit, kind)
        other = self._origins.claim(found.name, entity)
        if other is not None:
            raise FileError(
                self._name, 0, f"{other!r} and {entity!r} would both become {found.name}; import without --sensor, or rename one"
            )
        return found

    def _states(self) -> Iterator[FileReading]:
        """The readings of all states. An entity that becomes unavailable, or anything else that is not a number, gets a missing
        reading, once it had a number."""
        known: dict[str, ImportTarget] = {}
        time_of_text = stamps.TimeReader("iso", "UTC")
        with checked(self._conn, _sql_of_states(self._conn), self._name) as rows:
            for entity, state, seconds, text, attributes in rows:
                if not isinstance(entity, str) or (seconds is None and text is None):
                    continue
                value = _number_of_state(entity, state)
                if value is None and entity not in known:
                    if state not in _SILENT:
                        self.left_out.setdefault(entity, str(state))
                    continue
                if value is not None:
                    unit, kind = _described(attributes)
                    if unit is None and entity in known:
                        unit, kind = (
                            known[entity].unit,
                            kind or known[entity].kind,
                        )  # without attributes it is like the one before
                    target = self._target(entity, unit, "state" if state in SWITCHES else kind)
                    if entity in known:
                        self._note_units(known[entity], target)
                    known[entity] = target
                    self.left_out.pop(entity, None)
                ts = _time_us(seconds) if seconds is not None else time_of_text(text)
                yield FileReading(known[entity], ts, value, self._options.quality if value is not None else quality.MISSING)

    def _note_units(self, before: ImportTarget, now: ImportTarget) -> None:
        """Note the units of an entity whose unit is another one from now on."""
        if before.unit is not None and now.unit is not None and now.unit != before.unit:
            units = self.units_of.setdefault(now.name, [before.unit])
            if now.unit not in units:
                units.append(now.unit)

    def _statistics(self) -> Iterator[FileReading]:
        """The readings of statistics. A mean gets the time at which its interval begins; the value of a meter (``state``) the time
        at which it ends, when it was read."""
        time_of_text = stamps.TimeReader("iso", "UTC")
        with checked(self._conn, _sql_of_statistics(self._conn, self._table), self._name) as rows:
            for entity, unit, mean_type, at, at_text, mean, state in rows:
                value = mean if mean is not None else state
                if value is None or (at is None and at_text is None):
                    continue
                kind = "angle" if mean_type == _CIRCULAR else None if mean is not None else "counter"
                ts = _time_us(at) if at is not None else time_of_text(at_text)
                ts += 0 if mean is not None else WIDTHS_US[self._table]
                yield reading(self._target(entity, unit, kind), ts, float(value), self._options.quality)


def _sql_of_states(conn: sqlite3.Connection) -> str:
    """The query for the states, whatever the age of the schema: entities moved to a table of their own, and times from text to
    seconds."""
    there = set(columns(conn, "states"))
    with_meta = bool(columns(conn, "states_meta")) and "metadata_id" in there
    entity = (
        "coalesce(m.entity_id, s.entity_id)"
        if with_meta and "entity_id" in there
        else "m.entity_id"
        if with_meta
        else "s.entity_id"
    )
    seconds = "s.last_updated_ts" if "last_updated_ts" in there else "NULL"
    text = "s.last_updated" if "last_updated" in there else "NULL"
    with_attributes = "attributes_id" in there and bool(columns(conn, "state_attributes"))
    attributes = "a.shared_attrs" if with_attributes else "s.attributes" if "attributes" in there else "NULL"
    joins = " LEFT JOIN states_meta m ON m.metadata_id = s.metadata_id" if with_meta else ""
    joins += " LEFT JOIN state_attributes a ON a.attributes_id = s.attributes_id" if with_attributes else ""
    return f"SELECT {entity}, s.state, {seconds}, {text}, {attributes} FROM states s{joins} ORDER BY s.state_id"  # no name is from outside


def _time_us(seconds: object) -> int:
    """Microseconds UTC from what a column of seconds holds. Raises ValueError."""
    if not isinstance(seconds, (int, float)) or not math.isfinite(seconds * 1_000_000):
        raise ValueError(f"{seconds!r} is not a number of seconds since 1970")
    return stamps.within(round(seconds * 1_000_000), str(seconds))


def _number_of_state(entity: str, state: object) -> float | None:
    """The state as a number, on and off as 1 and 0 for entities that switch; None if it is none. SQLite may hold bytes instead of
    text in any column."""
    if not isinstance(state, str):
        return None
    if state in SWITCHES:
        return SWITCHES[state] if entity.partition(".")[0] in _OF_SWITCHES else None
    try:
        value = float(state)
    except ValueError:
        return None
    return value if math.isfinite(value) and "_" not in state else None


@lru_cache(maxsize=4096)
def _described(attributes: str | None) -> tuple[str | None, str | None]:
    """(unit, kind) from the attributes, a JSON object; None for what they do not say."""
    try:
        found = json.loads(attributes or "{}")
    except (ValueError, RecursionError):
        return None, None
    if not isinstance(found, dict):
        return None, None
    unit = found.get("unit_of_measurement")
    state_class = found.get("state_class")
    kind = (
        {"total_increasing": "counter", "measurement_angle": "angle"}.get(state_class) if isinstance(state_class, str) else None
    )
    return unit if isinstance(unit, str) else None, kind


def _sql_of_statistics(conn: sqlite3.Connection, table: str) -> str:
    """The query for the statistics, whatever the age of the schema."""
    circular = "m.mean_type" if "mean_type" in columns(conn, "statistics_meta") else "NULL"
    there = set(columns(conn, table))
    seconds, text = ("start_ts" if "start_ts" in there else "NULL"), ("start" if "start" in there else "NULL")
    return f"SELECT m.statistic_id, m.unit_of_measurement, {circular}, {seconds}, {text}, mean, state FROM {table} s JOIN statistics_meta m ON m.id = s.metadata_id ORDER BY s.id"  # no name is from outside
