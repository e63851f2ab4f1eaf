"""Which series of the live log a series of the damaged file is: the one with the same sensor, channel, unit and kind.

What was found stays so while the salvage lasts, in a row of ``meta`` (a sensor may be renamed meanwhile), unless the unit
or kind of the live series is changed: units are never mixed.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace
from typing import Any

from sensorlogd.storage import meta
from sensorlogd.storage.corrections import conversion
from sensorlogd.storage.salvage.former import Former
from sensorlogd.storage.series import rows
from sensorlogd.storage.series.rows import NewSensor, NewSeries


class SalvageMemory:
    """What one salvage has to remember, beside its pointer: former series -> live series, former mends -> live mends, how
    ids of events are shifted. In one transaction of the caller's."""

    def __init__(self, conn: sqlite3.Connection, work: int) -> None:
        self.conn = conn
        self.key = f"{meta.SALVAGE}{work}"
        stored: dict[str, Any] = json.loads(meta.get(conn, self.key) or "{}")
        self.series: dict[str, int] = stored.get("series", {})
        self.mends: dict[str, int] = stored.get("mends", {})
        self.event_shift: int | None = stored.get("event_shift")
        self._before = self._to_json()

    def save(self) -> None:
        """Store it, if it changed."""
        now = self._to_json()
        if now != self._before:
            meta.put(self.conn, self.key, now)

    def forget(self) -> None:
        meta.remove(self.conn, [self.key])

    def _to_json(self) -> str:
        facts = {"series": self.series, "mends": self.mends, "event_shift": self.event_shift}
        return json.dumps(facts, separators=(",", ":"))


class LiveIds:
    """Live ids for former ones, made where there are none; the caller owns the transaction.

    ``apart``: sentences about series that could not go where their names say.
    """

    def __init__(self, conn: sqlite3.Connection, former: Former, kept: SalvageMemory, incident: str, now_us: int) -> None:
        self.conn = conn
        self.former = former
        self.kept = kept
        self.incident = incident
        self.now_us = now_us
        self.apart: list[str] = []
        self._known: dict[int, int] = {}

    def former_name(self, former_id: int) -> str:
        """``sensor.channel`` of a former series, for people."""
        sensor, series = self._former_names(former_id)
        return f"{sensor.name}.{series.channel}"

    def of(self, former_id: int) -> int:
        """The live id."""
        if former_id not in self._known:
            self._known[former_id] = self._find_or_make(former_id)
        return self._known[former_id]

    def _find_or_make(self, former_id: int) -> int:
        """The live id, as this salvage has chosen it before or chooses it now."""
        sensor, series = self._former_names(former_id)
        kept = self.kept.series.get(str(former_id))
        if kept is not None:
            row = self.conn.execute("SELECT unit, kind FROM series WHERE id = ?", (kept,)).fetchone()
            if row is not None and _agree(series, *row):
                return kept
        found = self._ensure_series(self._ensure_sensor(sensor), sensor, series)
        self.kept.series[str(former_id)] = found
        return found

    def _former_names(self, former_id: int) -> tuple[NewSensor, NewSeries]:
        """Its names; where they are lost, names that say so."""
        series = self.former.series.get(former_id)
        if series is None:
            series = NewSeries(sensor=0, channel=f"series_{former_id}", created_us=self.now_us)
            return self._unnamed_sensor(f"salvaged_{self.incident}"), series
        sensor = self.former.sensors.get(series.sensor)
        if sensor is None:
            sensor = self._unnamed_sensor(f"salvaged_{self.incident}_{series.sensor}")
        return sensor, series

    def _unnamed_sensor(self, name: str) -> NewSensor:
        return NewSensor(name=name, driver="unknown", created_us=self.now_us)

    def _ensure_sensor(self, sensor: NewSensor) -> int:
        """The id of the live sensor of that name; where there is none it is made, retired. The earlier
        of both dates of creation stays."""
        row = self.conn.execute("SELECT id, created_us FROM sensor WHERE name = ?", (sensor.name,)).fetchone()
        if row is None:
            return rows.insert_sensor(self.conn, replace(sensor, retired_us=sensor.retired_us or self.now_us))
        if sensor.created_us < row[1]:
            self.conn.execute("UPDATE sensor SET created_us = ? WHERE id = ?", (sensor.created_us, row[0]))
        return int(row[0])

    def _ensure_series(self, sensor_id: int, sensor: NewSensor, series: NewSeries) -> int:
        """The series of that channel; another channel if its unit or kind is another one."""
        channel, number = series.channel, 0
        while True:
            row = self.conn.execute(
                "SELECT id, unit, kind, created_us FROM series WHERE sensor_id = ? AND channel = ?", (sensor_id, channel)
            ).fetchone()
            if row is None or _agree(series, row[1], row[2]):
                break
            number += 1
            channel = f"{series.channel}~salvaged{number if number > 1 else ''}"
        if number:
            self.apart.append(f"{sensor.name}.{series.channel} was a {series.kind} in {series.unit!r}: it is {channel} now")
        if row is None:
            retired = series.retired_us or self.now_us
            return rows.insert_series(self.conn, replace(series, sensor=sensor_id, channel=channel, retired_us=retired))
        if series.created_us < row[3]:
            self.conn.execute("UPDATE series SET created_us = ? WHERE id = ?", (series.created_us, row[0]))
        return int(row[0])


def _agree(series: NewSeries, unit: str, kind: str) -> bool:
    """Whether readings of both may be in one series. Two spellings of a unit count as one unit."""
    return series.kind == kind and (series.unit == unit or conversion.exact_conversion(series.unit, unit) == (1.0, 0.0))
