"""The views, and the page that explains the file: what people see who open it themselves."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import pytest

from sensorlogd.storage.migrations import tables
from sensorlogd.storage.series import catalog

PAGE = Path(__file__).parents[2] / "docs" / "data-model.md"
T0 = 1_750_000_000_000_000
SPEC = catalog.SensorSpec("s", "simulated", series=[catalog.SeriesSpec("x", unit="V"), catalog.SeriesSpec("y")])


def test_readings_shows_each_reading_once_with_its_names(conn: sqlite3.Connection) -> None:
    """While a block is moved its rows are in both tables; the border decides."""
    catalog.sync(conn, [SPEC], T0)
    conn.execute("INSERT INTO meta VALUES ('moved_until_us', ?)", (str(T0 + 10),))
    conn.executemany("INSERT INTO history VALUES (1, ?, 1.5, 1)", [(T0 + n,) for n in (5, 10, 15)])
    conn.executemany("INSERT INTO recent VALUES (?, 1, 1.5, 1)", [(T0 + n,) for n in (5, 10, 15)])
    conn.execute("INSERT INTO recent VALUES (?, 2, NULL, 9)", (T0 + 1_000_010,))
    assert conn.execute("SELECT * FROM readings ORDER BY ts").fetchall() == [
        (T0 + 5, "2025-06-15T15:06:40.000005Z", "s", "x", 1.5, "V", 1),
        (T0 + 10, "2025-06-15T15:06:40.000010Z", "s", "x", 1.5, "V", 1),
        (T0 + 15, "2025-06-15T15:06:40.000015Z", "s", "x", 1.5, "V", 1),
        (T0 + 1_000_010, "2025-06-15T15:06:41.000010Z", "s", "y", None, "", 9),
    ]


def test_readings_works_before_anything_was_moved(conn: sqlite3.Connection) -> None:
    """No border yet: all is in recent."""
    catalog.sync(conn, [SPEC], T0)
    conn.execute("INSERT INTO recent VALUES (?, 1, 1.5, 1)", (T0,))
    assert conn.execute("SELECT count(*) FROM readings").fetchone() == (1,)


def test_rollups_shows_names_and_derived_values(conn: sqlite3.Connection) -> None:
    """A standard deviation needs two readings."""
    catalog.sync(conn, [SPEC], T0)
    insert = "INSERT INTO rollup(series_id, resolution, start, n, mean, m2) VALUES (1, 60, ?, ?, 5.0, ?)"
    conn.executemany(insert, [(60_000_000, 3, 8.0), (120_000_000, 1, 0.0)])
    found = conn.execute("SELECT time, resolution, sensor, channel, count, mean, stddev FROM rollups ORDER BY start").fetchall()
    assert found == [
        ("1970-01-01T00:01:00Z", 60, "s", "x", 3, 5.0, 2.0),
        ("1970-01-01T00:02:00Z", 60, "s", "x", 1, 5.0, None),
    ]


@pytest.mark.parametrize("condition", ["sensor = 's' AND channel = 'x'", "sensor = 's' AND channel = 'x' AND ts >= 5 AND ts < 9"])
def test_naming_a_series_searches_history_by_its_key(conn: sqlite3.Connection, condition: str) -> None:
    """Joins inside each arm: otherwise all readings of all series are read (a day took 6.4 s instead of 0.5)."""
    plan = [row[3] for row in conn.execute(f"EXPLAIN QUERY PLAN SELECT value FROM readings WHERE {condition}")]
    assert any(re.search(r"SEARCH r USING PRIMARY KEY \(series_id=\? AND ts", step) for step in plan)
    assert not any(step.startswith(("SCAN r ", "SCAN series", "SCAN sensor")) for step in plan)


def test_the_page_names_every_table_and_every_progress_mark() -> None:
    """docs/data-model.md explains all there is."""
    text = PAGE.read_text()
    missing = [name for name in tables.metadata.tables if f"`{name}`" not in text]
    assert missing == []


def test_the_sql_on_the_page_runs(conn: sqlite3.Connection) -> None:
    """Examples that fail teach the wrong thing."""
    catalog.sync(conn, [SPEC], T0)
    examples = re.findall(r"(?:^    (?:SELECT|   AND|FROM|WHERE|  AND|UNION).*\n)+", PAGE.read_text(), re.MULTILINE)
    assert len(examples) == 2
    for example in examples:
        conn.execute(example).fetchall()
