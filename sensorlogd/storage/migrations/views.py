"""The views. The tables are in ``tables.py`` and ``versions``.

Views are made anew after every migration, because altering a table under a view fails half-way.
"""

from __future__ import annotations

# Joins stand inside each arm of the UNION ALL, sensor first: outside it a day of one series took 6.4 s, inside 0.5 s.
_ARM = """
SELECT r.ts AS ts,
       strftime('%Y-%m-%dT%H:%M:%S', r.ts / 1000000, 'unixepoch') || printf('.%06dZ', r.ts % 1000000) AS time,
       sensor.name AS sensor, series.channel AS channel, r.value AS value, series.unit AS unit, r.quality AS quality
FROM sensor
CROSS JOIN series ON series.sensor_id = sensor.id
CROSS JOIN {table} AS r ON r.series_id = series.id AND r.ts {side}
    coalesce((SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'moved_until_us'), 0)
"""

VIEWS = {
    "readings": "CREATE VIEW readings AS"
    + _ARM.format(table="history", side="<")
    + "UNION ALL"
    + _ARM.format(table="recent", side=">="),
    "rollups": """
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
CROSS JOIN rollup AS b ON b.series_id = series.id
""",
}
