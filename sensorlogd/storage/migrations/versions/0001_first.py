"""The first schema.

Written out in SQL: STRICT and WITHOUT ROWID are the point of it, and a migration must not change when the code does.
"""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None

TABLES = (
    """CREATE TABLE sensor(
        id INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL UNIQUE, driver TEXT NOT NULL,
        labels TEXT NOT NULL DEFAULT '{}', created_us INTEGER NOT NULL, retired_us INTEGER) STRICT""",
    """CREATE TABLE series(
        id INTEGER NOT NULL PRIMARY KEY, sensor_id INTEGER NOT NULL REFERENCES sensor(id), channel TEXT NOT NULL,
        unit TEXT NOT NULL DEFAULT '', kind TEXT NOT NULL, heartbeat_us INTEGER NOT NULL,
        labels TEXT NOT NULL DEFAULT '{}', created_us INTEGER NOT NULL, retired_us INTEGER,
        UNIQUE(sensor_id, channel)) STRICT""",
    """CREATE TABLE recent(
        ts INTEGER NOT NULL, series_id INTEGER NOT NULL, value REAL, quality INTEGER NOT NULL,
        PRIMARY KEY(ts, series_id)) STRICT, WITHOUT ROWID""",
    """CREATE TABLE history(
        series_id INTEGER NOT NULL, ts INTEGER NOT NULL, value REAL, quality INTEGER NOT NULL,
        PRIMARY KEY(series_id, ts)) STRICT, WITHOUT ROWID""",
    """CREATE TABLE latest(
        series_id INTEGER NOT NULL PRIMARY KEY, ts INTEGER NOT NULL, value REAL, quality INTEGER NOT NULL,
        arrived_us INTEGER NOT NULL) STRICT""",
    """CREATE TABLE calibration(
        series_id INTEGER NOT NULL, valid_from INTEGER NOT NULL, scale REAL NOT NULL, "offset" REAL NOT NULL,
        PRIMARY KEY(series_id, valid_from)) STRICT, WITHOUT ROWID""",
    """CREATE TABLE rollup(
        series_id INTEGER NOT NULL, resolution INTEGER NOT NULL, start INTEGER NOT NULL, n INTEGER NOT NULL,
        mean REAL, m2 REAL, min REAL, max REAL, first_ts INTEGER, first REAL, last_ts INTEGER, last REAL,
        integral REAL, covered_us INTEGER, increase REAL, resets INTEGER, sin_sum REAL, cos_sum REAL,
        n_good INTEGER NOT NULL DEFAULT 0, n_not_evaluated INTEGER NOT NULL DEFAULT 0,
        n_suspect INTEGER NOT NULL DEFAULT 0, n_fail INTEGER NOT NULL DEFAULT 0, n_missing INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY(series_id, resolution, start)) STRICT, WITHOUT ROWID""",
    """CREATE TABLE dirty(
        series_id INTEGER NOT NULL, start INTEGER NOT NULL, generation INTEGER NOT NULL,
        PRIMARY KEY(series_id, start)) STRICT, WITHOUT ROWID""",
    """CREATE TABLE retention_cut(
        series_id INTEGER NOT NULL, tier INTEGER NOT NULL, cut_us INTEGER NOT NULL,
        PRIMARY KEY(series_id, tier)) STRICT, WITHOUT ROWID""",
    """CREATE TABLE event(
        id INTEGER NOT NULL PRIMARY KEY, ts INTEGER NOT NULL, kind TEXT NOT NULL, sensor TEXT,
        detail TEXT NOT NULL DEFAULT '') STRICT""",
    "CREATE INDEX event_ts ON event(ts)",
    """CREATE TABLE sensor_status(
        sensor_id INTEGER NOT NULL PRIMARY KEY, state TEXT NOT NULL, since_us INTEGER NOT NULL, last_reading_us INTEGER,
        last_error TEXT, counters TEXT NOT NULL DEFAULT '{}', updated_us INTEGER NOT NULL) STRICT""",
    "CREATE TABLE daemon_status(key TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL) STRICT",
    "CREATE TABLE meta(key TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL) STRICT",
)


def upgrade() -> None:
    for statement in TABLES:
        op.execute(statement)


def downgrade() -> None:
    raise RuntimeError("schemas only go forward; restore a backup instead")
