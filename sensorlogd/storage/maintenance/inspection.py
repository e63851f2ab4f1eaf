"""Examine a database file without changing it: what is in it, and whether it is sound."""

from __future__ import annotations

import math
import random
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sensorlogd.notation.microseconds import HOUR_US
from sensorlogd.storage import watermarks, work
from sensorlogd.storage.file.identity import side
from sensorlogd.storage.ingest import events
from sensorlogd.storage.reading_tables import KEYS, survey
from sensorlogd.storage.rollups import outdated, resolutions, rollup
from sensorlogd.storage.rollups.rollup import RollUp
from sensorlogd.storage.rollups.snapshot import Snapshot

# Columns of a roll-up: those that must be equal, and those in which rounding may differ by RELATIVE.
EXACT = (
    "n", "min", "max", "first_ts", "first", "last_ts", "last", "covered_us", "resets", "transitions", "states", "second",
    "last_but_one", "n_good", "n_not_evaluated", "n_suspect", "n_fail", "n_missing",
)  # fmt: skip
CLOSE = ("mean", "m2", "integral", "increase", "sin_sum", "cos_sum")
RELATIVE = 1e-9


def facts(conn: sqlite3.Connection, path: Path) -> dict[str, Any]:
    """Sizes in bytes, counts, and how far moving, rolling up and expiring have got (times in microseconds)."""
    single_value = _single_value(conn)
    page = single_value("PRAGMA page_size")
    reached = watermarks.stored(conn)
    wal = side(path, "-wal")
    first, last = survey.extent(conn)
    return {
        "file_bytes": path.stat().st_size,
        "wal_bytes": wal.stat().st_size if wal.exists() else 0,
        "free_bytes": single_value("PRAGMA freelist_count") * page,
        "page_bytes": page,
        "schema": single_value("SELECT version_num FROM alembic_version"),
        "sensors": single_value("SELECT count(*) FROM sensor"),
        "series": single_value("SELECT count(*) FROM series"),
        "first_us": first,
        "last_us": last,
        "moved_until_us": reached.moved_until_us or None,
        "edge_us": reached.edge_us or None,
        "day_zone": reached.day_zone,
        "dirty_minutes": outdated.count_minutes(conn),
        "stale_series": outdated.count_series(conn),
        "events": events.count(conn),
        "mends": single_value("SELECT count(*) FROM mend"),
    }


def counted(conn: sqlite3.Connection) -> dict[str, int]:
    """Rows of each kind. Reads the whole file: seconds for a gigabyte."""
    settled, fresh = survey.count_all(conn, watermarks.stored(conn).moved_until_us)
    rows = {"readings": settled + fresh, "readings not moved yet": fresh}
    for resolution, n in conn.execute("SELECT resolution, count(*) FROM rollup GROUP BY resolution ORDER BY resolution"):
        rows[f"roll-ups of {resolutions.NAMES.get(resolution, f'{resolution}s')}"] = n
    return rows


def hours_to_roll_up(conn: sqlite3.Connection) -> int:
    """About how many hours of series wait to be computed anew; cheap. Raises sqlite3.Error."""
    in_bulk_us = survey.outdated_us(conn, watermarks.stored(conn).edge_us)
    return int(in_bulk_us / HOUR_US + outdated.count_minutes(conn) / 60)


def _single_value(conn: sqlite3.Connection) -> Callable[[str], Any]:
    return lambda sql: conn.execute(sql).fetchone()[0]


# ---- is it sound? ------------------------------------------------------------------------------------------------------


def faults(conn: sqlite3.Connection) -> Iterator[str]:
    """What SQLite itself finds wrong, and rows that belong to nothing; at most some hundred lines."""
    for (line,) in conn.execute("PRAGMA integrity_check(100)"):
        if line != "ok":
            yield str(line)
    for table, _, parent, _ in conn.execute("PRAGMA foreign_key_check"):
        yield f"a row of {table} refers to a {parent} that is not there"
    for table in ("rollup", "dirty", "latest", "retention_cut"):
        (orphans,) = conn.execute(f"SELECT count(*) FROM {table} WHERE series_id NOT IN (SELECT id FROM series)").fetchone()
        if orphans:
            yield f"{orphans} rows of {table} belong to no series"


LARGE = (*KEYS, "rollup", "mended")


def faults_of_small_tables(conn: sqlite3.Connection) -> Iterator[str]:
    """What is wrong with the tables that whoever writes reads at opening: some milliseconds. Raises sqlite3.Error."""
    for (table,) in conn.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").fetchall():
        if table not in LARGE:
            (line,) = conn.execute("SELECT quick_check FROM pragma_quick_check(?)", (table,)).fetchone()
            if line != "ok":
                yield f"table {table}: {str(line).splitlines()[-1]}"


@dataclass(frozen=True, slots=True)
class ComparedRollups:
    """A sample of stored roll-ups, compared with their readings. ``wrong``: (series id, what differs) of each that is not what its
    readings give. ``outlived``: how many know more than is left, because readings were lost to damage. ``compared``: how many in
    all."""

    wrong: Sequence[tuple[int, str]]
    outlived: int
    compared: int


def compare_rollups(conn: sqlite3.Connection, sample: int, seed: int = 0) -> ComparedRollups:
    """Compare a sample of stored roll-ups with their readings. Raises sqlite3.Error.

    Those that are known to be out of date (dirty, outdated) or whose readings have expired are not looked at."""
    reached = watermarks.stored(conn)
    zone, edge = reached.day_zone or "UTC", reached.edge_us
    snapshot = Snapshot.of(conn, zone)
    names = {row[0]: f"{row[1]}.{row[2]}" for row in conn.execute(
        "SELECT series.id, sensor.name, channel FROM series JOIN sensor ON sensor.id = sensor_id")}  # fmt: skip
    columns = ", ".join(RollUp._fields)
    compared = outlived = 0
    wrong: list[tuple[int, str]] = []
    damaged = work.any_lost_to_damage(conn)
    for series, resolution, start in _random_roll_ups(conn, snapshot, sample, random.Random(seed)):
        end = resolutions.bucket(start, resolution, zone)[1]
        if end > edge or not snapshot.is_kept(series, 0, start) or not _is_valid(snapshot, conn, series, resolution, start, end):
            continue
        stored = conn.execute(
            f"SELECT {columns} FROM rollup WHERE series_id = ? AND resolution = ? AND start = ?", (series, resolution, start)
        ).fetchone()
        rules = snapshot.rules_of(series)
        parts = [rollup.of(times, values, qualities, rules) for times, values, qualities in snapshot.columns(series, start, end)]
        expected = rollup.merge_all(parts, rules) if parts else None
        compared += 1
        if damaged and (expected is None or stored[0] > expected.n):
            outlived += 1  # some of its readings were lost with a page, and it came back: it knows more than is left
            continue
        name = resolutions.NAMES.get(resolution, resolution)
        different = _differing_columns(RollUp(*stored), expected)
        if different:
            wrong.append((series, f"{names.get(series, series)}: the {name} roll-up at {start} differs in {different}"))
    return ComparedRollups(wrong, outlived, compared)


def _random_roll_ups(
    conn: sqlite3.Connection, snapshot: Snapshot, sample: int, rng: random.Random
) -> Iterator[tuple[int, int, int]]:
    """Roll-ups at random times of random series, the coarse resolutions as often as the fine ones; none twice."""
    spans = [
        row
        for series in snapshot.rules
        for resolution in resolutions.DEFAULT_RESOLUTIONS
        for row in conn.execute(
            "SELECT ?1, ?2, (SELECT min(start) FROM rollup WHERE series_id = ?1 AND resolution = ?2),"
            " (SELECT max(start) FROM rollup WHERE series_id = ?1 AND resolution = ?2)",
            (series, resolution),
        )
        if row[2] is not None
    ]
    drawn: set[tuple[int, int, int]] = set()
    for _ in range(sample if spans else 0):
        series, resolution, first, last = rng.choice(spans)
        at_us = rng.randint(first, last)
        (start,) = conn.execute(
            "SELECT min(start) FROM rollup WHERE series_id = ? AND resolution = ? AND start >= ?", (series, resolution, at_us)
        ).fetchone()
        if (series, resolution, start) not in drawn:
            drawn.add((series, resolution, start))
            yield series, resolution, start


def _is_valid(snapshot: Snapshot, conn: sqlite3.Connection, series: int, resolution: int, start: int, end: int) -> bool:
    """Whether the roll-up is valid: neither outdated nor with a dirty minute."""
    valid_until = snapshot.valid_until(series, resolution)
    if valid_until is not None and end > valid_until:
        return False
    return not outdated.has_minute(conn, series, start, end)


def _differing_columns(stored: RollUp, expected: RollUp | None) -> str:
    """Names of the columns that differ, for people; empty: none. Sums and means may differ by RELATIVE."""
    if expected is None:
        return "that there are no readings"
    wrong = [name for name in EXACT if getattr(stored, name) != getattr(expected, name)]
    for name in CLOSE:
        a, b = getattr(stored, name), getattr(expected, name)
        if (a is None) != (b is None) or (a is not None and not math.isclose(a, b, rel_tol=RELATIVE, abs_tol=1e-9)):
            wrong.append(name)
    return ", ".join(dict.fromkeys(wrong))
