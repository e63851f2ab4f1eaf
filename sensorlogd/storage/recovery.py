"""When the file is damaged: set it aside whole, and read from it whatever can still be read.

A database, its WAL and its shm belong together: without the WAL, committed rows are gone. So the three are moved
together, and nothing is ever deleted here.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from sensorlogd.batch import Block, Column
from sensorlogd.storage.append import Frontier, append

SUFFIXES = ("", "-wal", "-shm")
_CHUNK = 5_000


def quarantine(path: Path, now_us: int) -> Path:
    """Move the database and its side files to ``NAME.corrupt-YYYYMMDDTHHMMSSZ[-n]``; the new name. Raises OSError."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now_us / 1e6))
    number = 0
    while True:
        aside = path.with_name(f"{path.name}.corrupt-{stamp}" + (f"-{number}" if number else ""))
        if not any(aside.with_name(aside.name + suffix).exists() for suffix in SUFFIXES):
            break
        number += 1
    # The side files first: should we be cut off in between, the main file is still there to be found damaged again.
    for suffix in reversed(SUFFIXES):
        source = path.with_name(path.name + suffix)
        with contextlib.suppress(FileNotFoundError):
            source.rename(aside.with_name(aside.name + suffix))
    return aside


@dataclass(frozen=True, slots=True)
class Salvaged:
    """Readings of one series that could be read: (ts, value, quality)."""

    sensor: str
    driver: str
    channel: str
    unit: str
    kind: str
    heartbeat_us: int
    rows: list[tuple[int, float | None, int]]


def salvage(path: Path) -> Iterator[Salvaged]:
    """What a damaged database still gives, series by series. Damaged stretches are skipped, never guessed.

    Opens the file read-only (with its WAL, which it needs). Ends early when not even the catalog can be read.
    """
    conn = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
    try:
        try:
            catalog = conn.execute(
                "SELECT series.id, sensor.name, sensor.driver, channel, unit, kind, heartbeat_us"
                " FROM series JOIN sensor ON sensor.id = sensor_id"
            ).fetchall()
        except sqlite3.Error:
            return
        for series, sensor, driver, channel, unit, kind, heartbeat in catalog:
            for rows in _history(conn, series):
                yield Salvaged(sensor, driver, channel, unit, kind, heartbeat, rows)
        by_id = {row[0]: row for row in catalog}
        for found in _recent(conn):
            for series, rows in found.items():
                if series in by_id:
                    _, sensor, driver, channel, unit, kind, heartbeat = by_id[series]
                    yield Salvaged(sensor, driver, channel, unit, kind, heartbeat, rows)
    finally:
        conn.close()


def _history(conn: sqlite3.Connection, series: int) -> Iterator[list[tuple[int, float | None, int]]]:
    """Forward until damage, then backward from the newest until damage: what lies between is lost."""
    low, high = -(1 << 62), 1 << 62
    columns = "SELECT ts, value, quality FROM history WHERE series_id = ? AND ts > ? AND ts < ?"
    for order in ("ASC", "DESC"):
        while True:
            try:
                rows = conn.execute(f"{columns} ORDER BY ts {order} LIMIT {_CHUNK}", (series, low, high)).fetchall()
            except sqlite3.Error:
                rows = _one_by_one(conn, f"{columns} ORDER BY ts {order}", (series, low, high))
                if rows:
                    yield rows
                break
            if not rows:
                return
            yield rows
            if order == "ASC":
                low = rows[-1][0]
            else:
                high = rows[-1][0]
        if order == "ASC" and rows:
            low = rows[-1][0]


def _one_by_one(conn: sqlite3.Connection, query: str, key: tuple[int, ...]) -> list[tuple[int, float | None, int]]:
    """The rows before the damage."""
    rows: list[tuple[int, float | None, int]] = []
    try:
        for row in conn.execute(query, key):
            rows.append(row)
            if len(rows) >= _CHUNK:
                break
    except sqlite3.Error:
        return rows
    return rows


def _recent(conn: sqlite3.Connection) -> Iterator[dict[int, list[tuple[int, float | None, int]]]]:
    """``recent`` is ordered by time: forward until damage, then backward."""
    low, high = -(1 << 62), 1 << 62
    for order in ("ASC", "DESC"):
        damaged = False
        while not damaged:
            rows: list[tuple[int, int, float | None, int]] = []
            try:
                for row in conn.execute(
                    f"SELECT series_id, ts, value, quality FROM recent WHERE ts > ? AND ts < ? ORDER BY ts {order}", (low, high)
                ):
                    rows.append(row)
                    if len(rows) >= _CHUNK and row[1] != rows[-2][1]:
                        rows.pop()  # the next chunk begins with this instant, whole
                        break
            except sqlite3.Error:
                damaged = True
            if not rows:
                break
            found: dict[int, list[tuple[int, float | None, int]]] = {}
            for series, ts, value, quality in rows:
                found.setdefault(series, []).append((ts, value, quality))
            yield found
            if order == "ASC":
                low = rows[-1][1]
            else:
                high = rows[-1][1]
        if not damaged:
            return


def part_of(found: Salvaged, start: int, end: int) -> Salvaged:
    """Some of its rows."""
    return replace(found, rows=found.rows[start:end])


def restore(conn: sqlite3.Connection, found: Salvaged, frontier: Frontier, now_us: int) -> int:
    """Store salvaged readings in the fresh database, as late ones; the caller owns the transaction.

    Returns how many were not there yet. Sensors and channels that are not configured any more come back as retired.
    """
    conn.execute(
        "INSERT INTO sensor(name, driver, created_us, retired_us) VALUES (?,?,?,?) ON CONFLICT(name) DO NOTHING",
        (found.sensor, found.driver, now_us, now_us),
    )
    (sensor,) = conn.execute("SELECT id FROM sensor WHERE name = ?", (found.sensor,)).fetchone()
    conn.execute(
        "INSERT INTO series(sensor_id, channel, unit, kind, heartbeat_us, created_us, retired_us) VALUES (?,?,?,?,?,?,?)"
        " ON CONFLICT(sensor_id, channel) DO NOTHING",
        (sensor, found.channel, found.unit, found.kind, found.heartbeat_us, now_us, now_us),
    )
    (series,) = conn.execute("SELECT id FROM series WHERE sensor_id = ? AND channel = ?", (sensor, found.channel)).fetchone()
    times, values, qualities = (list(column) for column in zip(*found.rows, strict=True))
    block = Block(found.sensor, [Column(found.channel, times, values, qualities)], device_time=True)
    return append(conn, [block], {(found.sensor, found.channel): series}, frontier).stored
