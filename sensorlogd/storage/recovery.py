"""When the file is damaged: set it aside whole, and read from it whatever can still be read.

A database, its WAL and its shm belong together: without the WAL, committed rows are gone. So the three are moved
together, and nothing is ever deleted here.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sensorlogd.batch import Block, Column
from sensorlogd.quality import FLAG_MASK, Flag
from sensorlogd.storage.append import Frontier, append

SUFFIXES = ("", "-wal", "-shm")
_CHUNK = 5_000
_FAR = (1 << 62) - 1
_FAR_FUTURE_US = 253_402_300_800_000_000  # the year 10000
_MOST_DAMAGES = 100_000
_MOST_SERIES = 1_000_000


def quarantine(path: Path, now_us: int) -> Path:
    """Move the database and its side files to ``NAME.corrupt-YYYYMMDDTHHMMSSZ[-n]``; the new name. Raises OSError.

    The side files go first: alone under the old name, a WAL would be deleted with the first look at a fresh database.
    Cut off in between, the next call finds them waiting for their main file and completes the set.
    """
    aside = _unfinished(path)
    if aside is None:
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now_us / 1e6))
        aside = path.with_name(f"{path.name}.corrupt-{stamp}")
        number = 0
        while any(_beside(aside, suffix).exists() for suffix in SUFFIXES):
            number += 1
            aside = path.with_name(f"{path.name}.corrupt-{stamp}-{number}")
    for suffix in reversed(SUFFIXES):
        target = _beside(aside, suffix)
        if not target.exists():
            with contextlib.suppress(FileNotFoundError):
                _beside(path, suffix).rename(target)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return aside


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _unfinished(path: Path) -> Path | None:
    """A set that an earlier ``quarantine`` did not complete: side files without their main file."""
    for suffix in SUFFIXES[1:]:
        for side in path.parent.glob(f"{path.name}.corrupt-*{suffix}"):
            aside = side.with_name(side.name.removesuffix(suffix))
            if not aside.exists():
                return aside
    return None


@dataclass(frozen=True, slots=True)
class Salvaged:
    """Readings of one series that could be read: (ts, value, quality)."""

    sensor: str
    driver: str
    channel: str
    unit: str
    kind: str
    heartbeat_us: int
    rows: Sequence[tuple[int, float | None, int]]


def salvage(path: Path) -> Iterator[Salvaged]:
    """What a damaged database still gives, series by series. Damaged stretches are skipped, never guessed.

    Opens the file read-only (with its WAL, which it needs). Ends early when nothing can be read at all.
    """
    conn = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
    try:
        try:
            conn.execute("PRAGMA cell_size_check = ON")  # rather an error than nonsense
            conn.execute("PRAGMA writable_schema = ON")  # or a file shorter than its header says is not read at all
            conn.execute("SELECT 1 FROM sqlite_schema").fetchone()
        except sqlite3.Error:
            return
        named = _catalog(conn)
        for series in _series_in_history(conn, named):
            query = f"SELECT ts, value, quality FROM history WHERE series_id = {series} AND ts >= ? AND ts <= ? ORDER BY ts"
            for rows in _readable(conn, query):
                yield replace(
                    named.get(series) or _nameless(series), rows=[(t, v, q) for t, v, q in rows if _is_reading(t, v, q)]
                )
        query = "SELECT ts, series_id, value, quality FROM recent WHERE ts >= ? AND ts <= ? ORDER BY ts, series_id"
        for rows in _readable(conn, query):
            found: dict[int, list[tuple[int, float | None, int]]] = {}
            for ts, series, value, quality in rows:
                if type(series) is int and _is_reading(ts, value, quality):
                    found.setdefault(series, []).append((ts, value, quality))
            for series, readings in found.items():
                yield replace(named.get(series) or _nameless(series), rows=readings)
    finally:
        conn.close()


def _catalog(conn: sqlite3.Connection) -> dict[int, Salvaged]:
    """Series id -> its names, as far as they can be read."""
    sensors: dict[int, tuple[str, str]] = {}
    for rows in _readable(conn, "SELECT id, name, driver FROM sensor WHERE id >= ? AND id <= ? ORDER BY id"):
        sensors.update({identity: (name, driver) for identity, name, driver in rows})
    named: dict[int, Salvaged] = {}
    query = "SELECT id, sensor_id, channel, unit, kind, heartbeat_us FROM series WHERE id >= ? AND id <= ? ORDER BY id"
    for rows in _readable(conn, query):
        for identity, sensor, channel, unit, kind, heartbeat_us in rows:
            name, driver = sensors.get(sensor, (f"salvaged_{sensor}", "unknown"))
            named[identity] = Salvaged(name, driver, channel, unit, kind, heartbeat_us, [])
    return named


def _nameless(series: int) -> Salvaged:
    """The names of this series are lost; its readings are not."""
    return Salvaged("salvaged", "unknown", f"series_{series}", "", "gauge", 60_000_000, [])


def _series_in_history(conn: sqlite3.Connection, named: dict[int, Salvaged]) -> list[int]:
    """The named series, and those that only ``history`` still knows of."""
    found = set(named)
    series = -1
    while len(found) < _MOST_SERIES:
        try:
            row = conn.execute(
                "SELECT series_id FROM history WHERE series_id > ? ORDER BY series_id LIMIT 1", (series,)
            ).fetchone()
        except sqlite3.Error:
            series += 1  # the page with the next one is damaged: try behind it
            if series > max(found, default=0) + 100:
                break
            continue
        if row is None or type(row[0]) is not int or row[0] <= series:
            break
        series = row[0]
        found.add(series)
    return sorted(found)


def _readable(conn: sqlite3.Connection, query: str) -> Iterator[list[tuple[Any, ...]]]:
    """The rows of ``query`` in chunks, without those on damaged pages.

    The query has bounds (low, high) of an integer key, is ordered by it and gives it first.
    """
    low = -_FAR
    for _ in range(_MOST_DAMAGES):
        chunk: list[tuple[Any, ...]] = []
        try:
            for row in conn.execute(query, (low, _FAR)):
                if type(row[0]) is not int or row[0] < low:
                    raise sqlite3.DatabaseError  # out of order: a page that is not what it should be, perhaps a circle
                low = row[0]
                chunk.append(row)
                if len(chunk) >= _CHUNK:
                    yield chunk
                    chunk = []
        except sqlite3.Error:
            if chunk:
                yield chunk
        else:
            yield chunk
            return
        # The row before the damage is still to be had, alone: a cursor steps on before it hands a row out.
        try:
            last = _first(conn, query, low + 1)
        except sqlite3.Error:
            beyond = _beyond_damage(conn, query, low + 1)
            if beyond is None:
                return
            low = beyond
        else:
            if last is None:
                return
            yield [last]
            low = last[0] + 1


def _beyond_damage(conn: sqlite3.Connection, query: str, bad: int) -> int | None:
    """A key above ``bad`` from which reading works again, the first one if there is one gap; None if nowhere."""
    step = 1
    while not _works(conn, query, bad + step):
        bad += step
        step += step // 4 + 1  # a quarter of the gap at a time: what is readable between two gaps is not leapt over
        if bad + step > _FAR:
            return None
    good = bad + step
    while good - bad > 1:
        middle = (bad + good) // 2
        if _works(conn, query, middle):
            good = middle
        else:
            bad = middle
    return good


def _works(conn: sqlite3.Connection, query: str, low: int) -> bool:
    try:
        _first(conn, query, low)
    except sqlite3.Error:
        return False
    return True


def _first(conn: sqlite3.Connection, query: str, low: int) -> tuple[Any, ...] | None:
    """The row with the lowest key from ``low`` on. Raises sqlite3.Error on damage."""
    row = conn.execute(f"{query} LIMIT 1", (low, _FAR)).fetchone()
    if row is not None and (type(row[0]) is not int or row[0] < low):
        raise sqlite3.DatabaseError("out of order")
    return None if row is None else tuple(row)


def _is_reading(ts: Any, value: Any, quality: Any) -> bool:
    """A damaged page may still look like one: what cannot be a reading is left out."""
    return (
        type(ts) is int
        and 0 <= ts < _FAR_FUTURE_US
        and (value is None or type(value) is float)
        and type(quality) is int
        and quality & FLAG_MASK in tuple(Flag)
    )


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
    if not found.rows:
        return 0
    times, values, qualities = (list(column) for column in zip(*found.rows, strict=True))
    block = Block(found.sensor, [Column(found.channel, times, values, qualities)], device_time=True)
    return append(conn, [block], {(found.sensor, found.channel): series}, frontier).stored
