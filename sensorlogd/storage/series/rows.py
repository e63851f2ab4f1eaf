"""New rows of the tables ``sensor`` and ``series``: each sensor and each series there is was made here.

Who wants one looks for it first, by its name: ``catalog`` for the configuration, ``unconfigured`` for an import,
``salvage.names`` for a damaged file. The caller owns the transaction. Raises sqlite3.IntegrityError for a name that is taken.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from sensorlogd.counters import DIP
from sensorlogd.notation.microseconds import MINUTE_US


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSensor:
    """A sensor. ``labels``: a JSON object of texts. ``retired_us``: since then no configuration names it; None: one does."""

    name: str
    driver: str
    created_us: int
    labels: str = "{}"
    retired_us: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSeries:
    """A channel of the sensor with the id ``sensor``; the rest as of a sensor. ``wrap``, ``dip`` and ``zero`` matter to counters."""

    sensor: int
    channel: str
    created_us: int
    unit: str = ""
    kind: str = "gauge"
    heartbeat_us: int = MINUTE_US
    wrap: float | None = None
    dip: float = DIP
    zero: float = 0.0
    labels: str = "{}"
    retired_us: int | None = None


def insert_sensor(conn: sqlite3.Connection, new: NewSensor) -> int:
    """Returns its id."""
    cursor = conn.execute(
        "INSERT INTO sensor(name, driver, labels, created_us, retired_us) VALUES (?,?,?,?,?)",
        (new.name, new.driver, new.labels, new.created_us, new.retired_us),
    )
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def insert_series(conn: sqlite3.Connection, new: NewSeries) -> int:
    """Returns its id."""
    cursor = conn.execute(
        "INSERT INTO series(sensor_id, channel, unit, kind, heartbeat_us, wrap, dip, zero, labels, created_us, retired_us)"
        " VALUES (?,?,?,?,?,?,?,?,?,?,?)",
        (
            new.sensor, new.channel, new.unit, new.kind, new.heartbeat_us, new.wrap, new.dip, new.zero, new.labels, new.created_us,
            new.retired_us,
        ),
    )  # fmt: skip
    assert cursor.lastrowid is not None
    return cursor.lastrowid
