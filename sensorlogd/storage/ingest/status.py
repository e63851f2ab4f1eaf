"""The status tables: what the daemon and each sensor are doing, readable while the daemon is down.

All access to them is here, but for ``schema.check``, which reads the release that wrote last from a file of any schema.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class SensorRow:
    """One row of ``sensor_status`` as it is written. ``since_us``: when ``state`` began. ``counters``: since the daemon's start."""

    sensor: str
    state: str
    since_us: int
    last_reading_us: int | None
    last_error: str | None
    counters: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class StoredStatus:
    """A row of ``sensor_status`` as it is read, with the longest heartbeat of the sensor's series; 0: it has none."""

    sensor: str
    state: str
    since_us: int
    last_reading_us: int | None
    last_error: str | None
    counters: dict[str, int]
    updated_us: int
    heartbeat_us: int
    examples: dict[str, str] = field(default_factory=dict)  # by counter, the last one; only a running daemon knows them


# Many rows a statement: executemany would hand the GIL to busy threads at every row (see append.py).
_AT_ONCE = 1000
_SENSOR = (
    "INSERT INTO sensor_status(sensor_id, state, since_us, last_reading_us, last_error, counters, updated_us)"
    " VALUES {rows} ON CONFLICT(sensor_id) DO UPDATE SET state = excluded.state,"
    " since_us = excluded.since_us, last_reading_us = excluded.last_reading_us, last_error = excluded.last_error,"
    " counters = excluded.counters, updated_us = excluded.updated_us"
)
_SENSORS = (
    "SELECT sensor.name, state, since_us, last_reading_us, last_error, counters, updated_us,"
    " (SELECT max(heartbeat_us) FROM series WHERE sensor_id = sensor.id)"
    " FROM sensor_status JOIN sensor ON sensor.id = sensor_id ORDER BY sensor.name"
)
_DAEMON = (
    "INSERT INTO daemon_status(key, value) VALUES {rows}"
    " ON CONFLICT(key) DO UPDATE SET value = excluded.value WHERE value <> excluded.value"
)

_BACKUP = "backup_us"  # of a copy that no daemon has run on: when it was made


def save_sensors(conn: sqlite3.Connection, rows: Sequence[SensorRow], sensor_ids: Mapping[str, int], now_us: int) -> None:
    """Store the current state of every sensor the catalog knows; the caller owns the transaction."""
    _store_rows(
        conn,
        _SENSOR,
        [
            (
                sensor_ids[row.sensor],
                row.state,
                row.since_us,
                row.last_reading_us,
                row.last_error,
                json.dumps(dict(row.counters), sort_keys=True, separators=(",", ":")),
                now_us,
            )
            for row in rows
            if row.sensor in sensor_ids
        ],
    )


def save_daemon(conn: sqlite3.Connection, facts: Mapping[str, Any]) -> None:
    """Store the facts of the daemon that have changed, each value as JSON; the caller owns the transaction."""
    _store_rows(conn, _DAEMON, [(key, json.dumps(value)) for key, value in facts.items()])


def forget_sensor(conn: sqlite3.Connection, sensor_id: int) -> None:
    """Delete the state of a sensor that is not configured any more; the caller owns the transaction."""
    conn.execute("DELETE FROM sensor_status WHERE sensor_id = ?", (sensor_id,))


def _store_rows(conn: sqlite3.Connection, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """Store rows with as few statements as possible; ``{rows}`` in the statement is where they stand."""
    for start in range(0, len(rows), _AT_ONCE):
        some = rows[start : start + _AT_ONCE]
        places = ",".join([f"({','.join('?' * len(some[0]))})"] * len(some))
        conn.execute(statement.format(rows=places), [cell for row in some for cell in row])


def daemon(conn: sqlite3.Connection) -> dict[str, Any]:
    """What the daemon last wrote about itself; empty if it never ran on this file. Raises sqlite3.Error."""
    return {key: json.loads(value) for key, value in conn.execute("SELECT key, value FROM daemon_status")}


def sensors(conn: sqlite3.Connection) -> list[StoredStatus]:
    """What the daemon last wrote about each configured sensor, by name. Raises sqlite3.Error."""
    return [
        StoredStatus(name, state, since, last, error, json.loads(counters), updated, heartbeat or 0)
        for name, state, since, last, error, counters, updated, heartbeat in conn.execute(_SENSORS)
    ]


def note_backup(conn: sqlite3.Connection, made_us: int) -> None:
    """Note in a copy that it is a backup, of that time: no daemon has ended on it, whatever one wrote into the original. The caller
    owns the transaction."""
    save_daemon(conn, {_BACKUP: made_us})
    conn.execute("UPDATE daemon_status SET value = 'true' WHERE key = 'clean_shutdown'")


def backup_made_us(conn: sqlite3.Connection) -> int | None:
    """When the backup was made that this file is, and no daemon has run on it since; None: it is none. Raises sqlite3.Error."""
    row = conn.execute("SELECT value FROM daemon_status WHERE key = ?", (_BACKUP,)).fetchone()
    return None if row is None else int(json.loads(row[0]))


def forget_backup(conn: sqlite3.Connection) -> None:
    """A daemon runs on this file from now on; the caller owns the transaction."""
    conn.execute("DELETE FROM daemon_status WHERE key = ?", (_BACKUP,))


def unclean_end(conn: sqlite3.Connection) -> tuple[int, int] | None:
    """(pid, last heartbeat in µs) of a daemon that ended without closing this database; None if it closed it."""
    facts = daemon(conn)
    if facts.get("clean_shutdown", True):
        return None
    return int(facts.get("pid", 0)), int(facts.get("heartbeat_us", 0))


def last_heartbeat_us(conn: sqlite3.Connection) -> int:
    """When a daemon last wrote its status, by its clock; 0: never."""
    row = conn.execute("SELECT value FROM daemon_status WHERE key = 'heartbeat_us'").fetchone()
    return 0 if row is None else int(json.loads(row[0]))
