"""The series that a log knows, with what readers learn of each: unit, kind, labels, decimals, possible values."""

from __future__ import annotations

import fnmatch
import json
import sqlite3
from dataclasses import dataclass

from sensorlogd.notation import numbers
from sensorlogd.notation.symbols import micro
from sensorlogd.storage import meta
from sensorlogd.storage.ingest import decimals


@dataclass(frozen=True, slots=True)
class Series:
    """One channel of one sensor. ``retired_us``: when it left the configuration, if it did.

    ``decimals``: its resolution, as the configuration says. ``seen_decimals``: the most places that its values came with; None
    where nothing is known yet, or they are no decimal numbers. ``valid``: lowest and highest possible value, as far as the
    configuration says."""

    id: int
    sensor: str
    channel: str
    unit: str
    kind: str
    heartbeat_us: int
    labels: dict[str, str]
    retired_us: int | None
    decimals: int | None = None
    seen_decimals: int | None = None
    valid: tuple[float | None, float | None] | None = None

    @property
    def name(self) -> str:
        return f"{self.sensor}.{self.channel}"


def matches(pattern: str, name: str) -> bool:
    """Whether the glob means ``sensor.channel``, or a sensor. A glob without a point means sensors, with all their channels; both
    signs for micro are the same."""
    full = pattern if "." in pattern or "." not in name else f"{pattern}.*"
    return fnmatch.fnmatchcase(micro(name), micro(full))


def all_series(conn: sqlite3.Connection) -> list[Series]:
    """All series that there are, by name. Runs several selects: for a connection that holds a snapshot."""
    rows = conn.execute(
        "SELECT series.id, sensor.name, channel, unit, kind, heartbeat_us, series.labels, sensor.labels, series.retired_us"
        " FROM series JOIN sensor ON sensor.id = sensor_id ORDER BY sensor.name, channel"
    ).fetchall()
    places = meta.whole_numbers(conn, meta.DECIMALS)
    seen = {series: n for series, n in decimals.seen(conn).items() if n <= numbers.LONG}
    valid = {int(key.removeprefix(meta.VALID)): tuple(json.loads(text)) for key, text in meta.entries(conn, meta.VALID)}
    return [
        Series(
            id=identity,
            sensor=sensor,
            channel=channel,
            unit=unit,
            kind=kind,
            heartbeat_us=heartbeat,
            retired_us=retired,
            labels={**_labels(of_sensor), **_labels(own)},
            decimals=places.get(identity),
            seen_decimals=seen.get(identity),
            valid=valid.get(identity),
        )
        for identity, sensor, channel, unit, kind, heartbeat, own, of_sensor, retired in rows
    ]


def _labels(stored: str) -> dict[str, str]:
    """Labels of a sensor or a series; none where a damaged row tells none: the other series stay readable."""
    try:
        labels = json.loads(stored)
    except (ValueError, RecursionError):
        return {}
    return {key: str(text) for key, text in labels.items()} if isinstance(labels, dict) else {}
