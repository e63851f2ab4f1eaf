"""What is there at last: ``read(data)`` -> log, after a clean stop. It opens the files itself and uses nothing of the product."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from tests.torture.ledger import Event, origin

MINUTE_US = 60_000_000
NOT_USED = (4, 9)  # flags fail and missing: such readings are in no aggregate


class Reading(NamedTuple):
    sensor: str  # as it is called now
    value: float | None
    quality: int


@dataclass(slots=True)
class Log:
    """The database after all, and what lies beside it. ``readings``: (first name of the sensor, time) -> what is stored there."""

    readings: dict[tuple[str, int], list[Reading]] = field(default_factory=dict)
    events: set[Event] = field(default_factory=set)
    cuts_us: dict[str, int] = field(default_factory=dict)
    wrong_rollups: list[str] = field(default_factory=list)
    integrity: list[str] = field(default_factory=list)
    incidents: list[str] = field(default_factory=list)
    aside: dict[tuple[str, int], set[float | None]] = field(default_factory=dict)  # readings in incidents
    spills: list[str] = field(default_factory=list)

    def nameless(self) -> set[tuple[int, float | None]]:
        """Salvaged readings whose names were lost."""
        return {
            (ts, reading.value) for (name, ts), found in self.readings.items() if name.startswith("salvaged") for reading in found
        }


def read(data: Path) -> Log:
    """The log of a data directory in which nothing runs."""
    path, log = data / "sensorlogd.db", Log()
    log.spills = sorted(found.name for found in data.glob("sensorlogd.db.spill-*"))
    try:
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as conn:
            log.integrity = [line for (line,) in conn.execute("PRAGMA integrity_check(20)") if line != "ok"]
            for sensor, ts, value, quality in _rows(conn):
                log.readings.setdefault((origin(sensor), ts), []).append(Reading(sensor, value, quality))
            log.events |= {Event(*row) for row in conn.execute("SELECT ts, kind, sensor, detail FROM event")}
            cuts = conn.execute(
                "SELECT sensor.name, cut_us FROM retention_cut JOIN series ON series.id = series_id"
                " JOIN sensor ON sensor.id = sensor_id WHERE tier = 0"
            )
            log.cuts_us = {origin(sensor): cut for sensor, cut in cuts}
            log.wrong_rollups = list(_wrong_minutes(conn))
    except sqlite3.Error as error:
        log.integrity.append(f"{path} cannot be read: {error}")
    for folder in sorted((data / "damaged").glob("*/")):
        log.incidents.append(folder.name)
        _read_incident(folder, log)
    return log


def _rows(conn: sqlite3.Connection) -> Iterator[tuple[str, int, float | None, int]]:
    moved = conn.execute("SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'moved_until_us'").fetchone()
    yield from conn.execute(
        "SELECT sensor.name, r.ts, r.value, r.quality FROM (SELECT * FROM history WHERE ts < ?1"
        " UNION ALL SELECT series_id, ts, value, quality FROM recent WHERE ts >= ?1) AS r"
        " JOIN series ON series.id = r.series_id JOIN sensor ON sensor.id = sensor_id",
        (moved[0] if moved else 0,),
    )


def _read_incident(folder: Path, log: Log) -> None:
    """From a copy: looking must not change an incident."""
    with tempfile.TemporaryDirectory() as copy:
        shutil.copytree(folder, copy, dirs_exist_ok=True)
        for path in Path(copy).glob("*.db"):
            with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(path)) as conn:
                for sensor, ts, value, _ in _rows(conn):
                    log.aside.setdefault((origin(sensor), ts), set()).add(value)
                log.events |= {Event(*row) for row in conn.execute("SELECT ts, kind, sensor, detail FROM event")}


def _wrong_minutes(conn: sqlite3.Connection) -> Iterator[str]:
    """Minutes whose stored count, lowest or highest value is not that of their readings; marked ones are not looked at."""
    meta = dict(conn.execute("SELECT key, value FROM meta WHERE key IN ('edge_us', 'moved_until_us')").fetchall())
    edge, moved = int(meta.get("edge_us") or 0), int(meta.get("moved_until_us") or 0)
    outdated = {series for (series,) in conn.execute("SELECT DISTINCT series_id FROM stale")}
    dirty = {(series, start // MINUTE_US) for series, start in conn.execute("SELECT series_id, start FROM dirty")}
    cuts = dict(
        conn.execute("SELECT series_id, max(cut_us) FROM retention_cut WHERE tier IN (0, 60) GROUP BY series_id").fetchall()
    )
    expected: dict[tuple[int, int], list[float]] = {}
    for series, ts, value, quality in conn.execute(
        "SELECT series_id, ts, value, quality FROM history WHERE ts < ?1"
        " UNION ALL SELECT series_id, ts, value, quality FROM recent WHERE ts >= ?1", (moved,),
    ):  # fmt: skip
        values = expected.setdefault((series, ts // MINUTE_US), [])
        if quality & 15 not in NOT_USED and value is not None:
            values.append(value)
    stored = {
        (series, start // MINUTE_US): (n, low, high)
        for series, start, n, low, high in conn.execute("SELECT series_id, start, n, min, max FROM rollup WHERE resolution = 60")
    }
    for series, minute in sorted(expected.keys() | stored.keys()):
        at, start = (series, minute), minute * MINUTE_US
        if series in outdated or at in dirty or start + MINUTE_US > edge or start < cuts.get(series, start):
            continue
        values = expected.get(at, [])
        right = (len(values), min(values, default=None), max(values, default=None)) if at in expected else None
        if stored.get(at) != right:
            yield f"series {series}, minute {start}: stored {stored.get(at)}, by its readings {right}"
