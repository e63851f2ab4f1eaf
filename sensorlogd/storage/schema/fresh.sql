CREATE TABLE alarm(
        id INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL, subject TEXT NOT NULL, definition TEXT NOT NULL,
        condition TEXT NOT NULL, severity TEXT NOT NULL, unit TEXT NOT NULL DEFAULT '', state TEXT NOT NULL,
        since_us INTEGER NOT NULL, held_at INTEGER, raised_at INTEGER NOT NULL DEFAULT 0, raised_us INTEGER NOT NULL DEFAULT 0,
        told_at INTEGER NOT NULL DEFAULT 0, last_at INTEGER NOT NULL DEFAULT 0, escalated INTEGER NOT NULL DEFAULT 0, value REAL,
        detail TEXT NOT NULL DEFAULT '', raises INTEGER NOT NULL DEFAULT 0, note TEXT NOT NULL DEFAULT '',
        shelved_until_at INTEGER NOT NULL DEFAULT 0, shelved_until_us INTEGER, text TEXT NOT NULL DEFAULT '',
        UNIQUE (name, subject)) STRICT;

CREATE TABLE alarm_change(
        id INTEGER NOT NULL PRIMARY KEY, ts INTEGER NOT NULL, name TEXT NOT NULL, subject TEXT NOT NULL, kind TEXT NOT NULL,
        "before" TEXT NOT NULL, "after" TEXT NOT NULL, value REAL, detail TEXT NOT NULL DEFAULT '') STRICT;

CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);

INSERT INTO "alembic_version" VALUES('0007');

CREATE TABLE calibration(
        series_id INTEGER NOT NULL, valid_from INTEGER NOT NULL, scale REAL NOT NULL, "offset" REAL NOT NULL, curve TEXT,
        PRIMARY KEY(series_id, valid_from)) STRICT, WITHOUT ROWID;

CREATE TABLE daemon_status(key TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL) STRICT;

CREATE TABLE dirty(
        series_id INTEGER NOT NULL, start INTEGER NOT NULL, generation INTEGER NOT NULL,
        PRIMARY KEY(series_id, start)) STRICT, WITHOUT ROWID;

CREATE TABLE event(
        id INTEGER NOT NULL PRIMARY KEY, ts INTEGER NOT NULL, kind TEXT NOT NULL, sensor TEXT,
        detail TEXT NOT NULL DEFAULT '') STRICT;

CREATE TABLE history(
        series_id INTEGER NOT NULL, ts INTEGER NOT NULL, value REAL, quality INTEGER NOT NULL,
        PRIMARY KEY(series_id, ts)) STRICT, WITHOUT ROWID;

CREATE TABLE latest(
        series_id INTEGER NOT NULL PRIMARY KEY, ts INTEGER NOT NULL, value REAL, quality INTEGER NOT NULL,
        arrived_us INTEGER NOT NULL) STRICT;

CREATE TABLE mend(
        id INTEGER NOT NULL PRIMARY KEY, made_us INTEGER NOT NULL, series_id INTEGER NOT NULL, since_us INTEGER NOT NULL,
        until_us INTEGER NOT NULL, quality INTEGER, scale REAL, "offset" REAL, note TEXT NOT NULL,
        at_us INTEGER NOT NULL, readings INTEGER NOT NULL DEFAULT 0, done_us INTEGER, undone_us INTEGER, kind TEXT NOT NULL DEFAULT 'change', curve TEXT) STRICT;

CREATE TABLE mended(
        mend_id INTEGER NOT NULL, first_ts INTEGER NOT NULL, n INTEGER NOT NULL, before BLOB NOT NULL,
        PRIMARY KEY(mend_id, first_ts)) STRICT, WITHOUT ROWID;

CREATE TABLE meta(key TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL) STRICT;

CREATE TABLE notification(
        id INTEGER NOT NULL PRIMARY KEY, identity TEXT NOT NULL UNIQUE, target TEXT NOT NULL, kind TEXT NOT NULL,
        name TEXT NOT NULL, subject TEXT NOT NULL, made_us INTEGER NOT NULL, body TEXT NOT NULL DEFAULT '{}',
        state TEXT NOT NULL, tries INTEGER NOT NULL DEFAULT 0, ended_us INTEGER, message TEXT NOT NULL DEFAULT '',
        error TEXT NOT NULL DEFAULT '') STRICT;

CREATE TABLE recent(
        ts INTEGER NOT NULL, series_id INTEGER NOT NULL, value REAL, quality INTEGER NOT NULL,
        PRIMARY KEY(ts, series_id)) STRICT, WITHOUT ROWID;

CREATE TABLE retention_cut(
        series_id INTEGER NOT NULL, tier INTEGER NOT NULL, cut_us INTEGER NOT NULL,
        PRIMARY KEY(series_id, tier)) STRICT, WITHOUT ROWID;

CREATE TABLE rollup(
        series_id INTEGER NOT NULL, resolution INTEGER NOT NULL, start INTEGER NOT NULL, n INTEGER NOT NULL,
        mean REAL, m2 REAL, min REAL, max REAL, first_ts INTEGER, first REAL, last_ts INTEGER, last REAL,
        integral REAL, covered_us INTEGER, increase REAL, resets INTEGER, sin_sum REAL, cos_sum REAL,
        n_good INTEGER NOT NULL DEFAULT 0, n_not_evaluated INTEGER NOT NULL DEFAULT 0,
        n_suspect INTEGER NOT NULL DEFAULT 0, n_fail INTEGER NOT NULL DEFAULT 0, n_missing INTEGER NOT NULL DEFAULT 0, transitions INTEGER, states TEXT, second REAL, last_but_one REAL,
        PRIMARY KEY(series_id, resolution, start)) STRICT, WITHOUT ROWID;

CREATE TABLE sensor(
        id INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL UNIQUE, driver TEXT NOT NULL,
        labels TEXT NOT NULL DEFAULT '{}', created_us INTEGER NOT NULL, retired_us INTEGER) STRICT;

CREATE TABLE sensor_status(
        sensor_id INTEGER NOT NULL PRIMARY KEY, state TEXT NOT NULL, since_us INTEGER NOT NULL, last_reading_us INTEGER,
        last_error TEXT, counters TEXT NOT NULL DEFAULT '{}', updated_us INTEGER NOT NULL) STRICT;

CREATE TABLE series(
        id INTEGER NOT NULL PRIMARY KEY, sensor_id INTEGER NOT NULL REFERENCES sensor(id), channel TEXT NOT NULL,
        unit TEXT NOT NULL DEFAULT '', kind TEXT NOT NULL, heartbeat_us INTEGER NOT NULL,
        labels TEXT NOT NULL DEFAULT '{}', created_us INTEGER NOT NULL, retired_us INTEGER, wrap REAL, dip REAL NOT NULL DEFAULT 0.1, zero REAL NOT NULL DEFAULT 0.0,
        UNIQUE(sensor_id, channel)) STRICT;

CREATE TABLE stale(
        series_id INTEGER NOT NULL, tier INTEGER NOT NULL, from_us INTEGER NOT NULL, generation INTEGER NOT NULL,
        PRIMARY KEY(series_id, tier)) STRICT, WITHOUT ROWID;

CREATE TABLE work(
        id INTEGER NOT NULL PRIMARY KEY, kind TEXT NOT NULL, series_id INTEGER, request TEXT NOT NULL DEFAULT '{}',
        progress TEXT NOT NULL DEFAULT '{}', state TEXT NOT NULL, made_us INTEGER NOT NULL, updated_us INTEGER NOT NULL,
        ended_us INTEGER, done INTEGER NOT NULL DEFAULT 0, total INTEGER, outcome TEXT NOT NULL DEFAULT '') STRICT;

CREATE INDEX event_ts ON event(ts);

CREATE INDEX alarm_change_ts ON alarm_change (ts);

CREATE INDEX notification_state ON notification (state);

CREATE VIEW readings AS
SELECT r.ts AS ts,
       strftime('%Y-%m-%dT%H:%M:%S', r.ts / 1000000, 'unixepoch') || printf('.%06dZ', r.ts % 1000000) AS time,
       sensor.name AS sensor, series.channel AS channel, r.value AS value, series.unit AS unit, r.quality AS quality
FROM sensor
CROSS JOIN series ON series.sensor_id = sensor.id
CROSS JOIN history AS r ON r.series_id = series.id AND r.ts <
    coalesce((SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'moved_until_us'), 0)
UNION ALL
SELECT r.ts AS ts,
       strftime('%Y-%m-%dT%H:%M:%S', r.ts / 1000000, 'unixepoch') || printf('.%06dZ', r.ts % 1000000) AS time,
       sensor.name AS sensor, series.channel AS channel, r.value AS value, series.unit AS unit, r.quality AS quality
FROM sensor
CROSS JOIN series ON series.sensor_id = sensor.id
CROSS JOIN recent AS r ON r.series_id = series.id AND r.ts >=
    coalesce((SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'moved_until_us'), 0);

CREATE VIEW rollups AS
SELECT b.start AS start,
       strftime('%Y-%m-%dT%H:%M:%SZ', b.start / 1000000, 'unixepoch') AS time,
       b.resolution AS resolution, sensor.name AS sensor, series.channel AS channel, series.unit AS unit,
       b.n AS count, b.mean AS mean, b.min AS min, b.max AS max, b.first AS first, b.last AS last,
       CASE WHEN b.n > 1 THEN sqrt(b.m2 / (b.n - 1)) END AS stddev,
       b.integral AS integral, b.covered_us / 1e6 AS covered_s, b.increase AS increase, b.resets AS resets,
       b.n_good AS n_good, b.n_not_evaluated AS n_not_evaluated, b.n_suspect AS n_suspect,
       b.n_fail AS n_fail, b.n_missing AS n_missing, b.transitions AS transitions, b.states AS states
FROM sensor
CROSS JOIN series ON series.sensor_id = sensor.id
CROSS JOIN rollup AS b ON b.series_id = series.id;

PRAGMA application_id = 1397509959
