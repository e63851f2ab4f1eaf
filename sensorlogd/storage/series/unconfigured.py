"""Make series that no configuration names, for readings that are imported."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from sensorlogd.notation.microseconds import MINUTE_US
from sensorlogd.notation.symbols import micro
from sensorlogd.storage.series import rows
from sensorlogd.storage.series.rows import NewSensor, NewSeries

IMPORTED = "import"  # the driver of a sensor that only ever came from files


@dataclass(frozen=True, slots=True)
class WantedSeries:
    """A series as an import asks for it. ``unit``, ``kind`` and ``heartbeat_us`` None: as stored; a new series is then a
    gauge."""

    sensor: str
    channel: str
    unit: str | None = None
    kind: str | None = None
    heartbeat_us: int | None = None


class SeriesMismatch(Exception):
    """The series that is stored under that name has another unit or kind."""


def ensure(conn: sqlite3.Connection, spec: WantedSeries, now_us: int) -> int:
    """The id of a series, made if there is none; the caller owns the transaction. Raises SeriesMismatch.

    One that is not configured counts as retired: its history stays, nobody waits for new readings. It goes on when the
    configuration names it.
    """
    found = conn.execute(
        "SELECT series.id, unit, kind FROM series JOIN sensor ON sensor.id = sensor_id WHERE name = ? AND channel = ?",
        (spec.sensor, spec.channel),
    ).fetchone()
    if found is not None:
        identity, unit, kind = found
        if spec.unit is not None and micro(spec.unit) != micro(unit):
            raise SeriesMismatch(
                f"{spec.sensor}.{spec.channel} is stored in {unit!r}, the file is in {spec.unit!r}; convert the file's values first,"
                f" give them another channel (--column 'COLUMN={spec.sensor}.CHANNEL:{spec.unit}'), or leave the unit out if they"
                f" are in {unit!r}"
            )
        if spec.kind is not None and spec.kind != kind:
            raise SeriesMismatch(
                f"{spec.sensor}.{spec.channel} is stored as a {kind}, the file is said to hold a {spec.kind}; give it another"
                f" channel (--column 'COLUMN={spec.sensor}.CHANNEL:UNIT:{spec.kind}'), or leave the kind out if it is a {kind}"
            )
        return int(identity)
    row = conn.execute("SELECT id FROM sensor WHERE name = ?", (spec.sensor,)).fetchone()
    if row is None:
        sensor = rows.insert_sensor(conn, NewSensor(name=spec.sensor, driver=IMPORTED, created_us=now_us, retired_us=now_us))
    else:
        sensor = row[0]
    new = NewSeries(
        sensor=sensor,
        channel=spec.channel,
        unit=spec.unit or "",
        kind=spec.kind or "gauge",
        heartbeat_us=spec.heartbeat_us or MINUTE_US,
        created_us=now_us,
        retired_us=now_us,
    )
    return rows.insert_series(conn, new)


def all_ids(conn: sqlite3.Connection) -> dict[tuple[str, str], int]:
    """(sensor, channel) -> id of every series there is."""
    found = conn.execute("SELECT sensor.name, channel, series.id FROM series JOIN sensor ON sensor.id = sensor_id")
    return {(sensor, channel): identity for sensor, channel, identity in found}
