"""Rows of a damaged file: what cannot be read is named, whichever page it was on."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from sensorlogd.storage.file.connecting import close_cleanly
from sensorlogd.storage.file.identity import PAGE_SIZE
from sensorlogd.storage.reading_tables import damaged
from sensorlogd.storage.salvage.reading import NOWHERE, DamagedLog, Stretch
from tests.connections import connect_writer
from tests.storage.salvage_rig import NOW, SECOND, pages_of, spoil

INSTANTS, SERIES = 4, 400  # the readings of one instant take some six pages


@pytest.fixture
def fresh_log(path: Path) -> Path:
    """Readings of many series at the same instants."""
    conn = connect_writer(path)
    rows = [(NOW + n * SECOND, series, 1.5) for n in range(INSTANTS) for series in range(1, SERIES + 1)]
    with conn:
        conn.executemany("INSERT INTO recent(ts, series_id, value, quality) VALUES (?, ?, ?, 1)", rows)
    close_cleanly(conn)
    return path


def read_all(path: Path, limit: int) -> tuple[set[tuple[int, int]], int, list[Stretch]]:
    """(time and series of what was read, how many rows that were, the damage between them)."""
    found: list[tuple[int, int]] = []
    stretches: list[Stretch] = []
    low = NOWHERE
    with closing(DamagedLog(path, alone=True)) as log:
        while True:
            batch = log.batch(damaged.FRESH, low, limit=limit)
            found += [(ts, series) for ts, series, *_ in batch.rows]
            stretches += batch.stretches
            low = batch.low
            if batch.finished:
                return set(found), len(found), stretches


@pytest.mark.parametrize("limit", [50, 300, 1_000])
def test_damage_inside_one_instant_is_named(fresh_log: Path, limit: int) -> None:
    """Each page in turn is garbage. With a limit smaller than the readings of one instant they are read as a batch of their
    own: that such a batch ends early is damage, not its end."""
    whole = {(NOW + n * SECOND, series) for n in range(INSTANTS) for series in range(1, SERIES + 1)}
    assert read_all(fresh_log, limit) == (whole, len(whole), [])
    sound = fresh_log.read_bytes()
    try:
        leaves = pages_of(fresh_log, "recent", kind="leaf")
    except sqlite3.OperationalError:
        pytest.skip("this SQLite was built without dbstat")
    assert len(leaves) > 3 * INSTANTS
    for page in leaves:
        fresh_log.write_bytes(sound)
        spoil(fresh_log, {page: b"\x77" * PAGE_SIZE})
        found, rows, stretches = read_all(fresh_log, limit)
        assert rows == len(found)
        assert found < whole
        assert len(whole - found) < 2 * SERIES  # the rest of one instant, and the next one if that page holds its first rows
        assert len(stretches) == 1
