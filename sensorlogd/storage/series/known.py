"""The series of a log that is not opened for it: for comparing a configuration with what is stored."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from sensorlogd.storage.file.connecting import connect_to_read
from sensorlogd.storage.reading_tables import survey
from sensorlogd.storage.rollups.resolutions import HOUR

_KNOWN = "SELECT series.id, name, channel, unit FROM series JOIN sensor ON sensor.id = sensor_id WHERE series.retired_us IS NULL"


@dataclass(frozen=True, slots=True)
class KnownSeries:
    """A series that is not retired. ``readings``: about how many are stored, as far as that is known without a scan."""

    sensor: str
    channel: str
    unit: str
    readings: int


def known_series(path: Path) -> Iterator[KnownSeries]:
    """The series of the log at ``path``; none if the file is missing, unreadable, or no log."""
    if not path.exists():
        return
    try:
        conn = connect_to_read(path, timeout_s=1.0)
    except sqlite3.Error:
        return
    with closing(conn):
        try:
            for series, sensor, channel, unit in conn.execute(_KNOWN).fetchall():
                yield KnownSeries(sensor, channel, unit, _count_about(conn, series))
        except sqlite3.Error:
            return


def _count_about(conn: sqlite3.Connection, series: int) -> int:
    """The hours that are rolled up; where there are none, the readings."""
    (rolled,) = conn.execute(
        "SELECT coalesce(sum(n_good + n_not_evaluated + n_suspect + n_fail + n_missing), 0) FROM rollup"
        " WHERE series_id = ? AND resolution = ?",
        (series, HOUR),
    ).fetchone()
    if rolled:
        return int(rolled)
    return survey.count(conn, series)
