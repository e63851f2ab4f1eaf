"""Readings from elsewhere find their place: nothing is doubled, nothing overwritten unless asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sensorlogd.notation.microseconds import HOUR_US
from sensorlogd.storage.corrections.replacing import Replace
from sensorlogd.storage.corrections.upsert import upsert
from tests.storage.rollups.test_compute import T0, Machine, _readings

UNTIL = T0 + 4 * 24 * HOUR_US


def put(machine: Machine, series: int, readings: list[Any], *, replace: bool = False) -> Any:
    machine.conn.execute("BEGIN IMMEDIATE")
    times, values, qualities = (list(column) for column in zip(*readings, strict=True))
    found = upsert(
        machine.conn, machine.frontier, series, times, values, qualities, UNTIL, replace=Replace() if replace else None
    )
    machine.conn.execute("COMMIT")
    return found


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(_readings, _readings, st.integers(0, 8), st.integers(0, 2), st.booleans())
def test_importing_again_changes_nothing(
    tmp_path: Path, fresh: Path, stored: list[Any], imported: list[Any], moves: int, days: int, replace: bool
) -> None:
    """What is there stays or is replaced, what is new is there, roll-ups follow; a second time finds it all."""
    machine = Machine(tmp_path, fresh, "Europe/Berlin")
    try:
        machine.store(stored)
        machine.move(moves, UNTIL)
        machine.roll_up(T0 + days * 24 * HOUR_US, [])
        series = machine.ids["s", "gauge"]
        before = {ts: (value, code) for ts, value, code in machine.raw(series)}
        imported = [
            (ts, None if code == 9 else value, code) for ts, value, code in {ts: (ts, v, c) for ts, v, c in imported}.values()
        ]
        found = put(machine, series, imported, replace=replace)
        expected = dict(before)
        for ts, value, code in imported:
            if replace or ts not in expected:
                expected[ts] = (value, code)
        assert {ts: (value, code) for ts, value, code in machine.raw(series)} == expected
        assert found.new == len(expected) - len(before)
        assert found.new + found.same + found.differing + found.replaced == len(imported)
        machine.check()
        again = put(machine, series, imported, replace=replace)
        assert (again.new, again.replaced) == (0, 0)
        machine.move(20, UNTIL)
        assert {ts: (value, code) for ts, value, code in machine.raw(series)} == expected
        machine.roll_up(T0 + 3 * 24 * HOUR_US, [])
        machine.check()
    finally:
        machine.close()


def test_what_retention_let_go_stays_away(tmp_path: Path, fresh: Path) -> None:
    """Older than the cut: refused and counted, for the roll-ups stand."""
    machine = Machine(tmp_path, fresh, "UTC")
    series = machine.ids["s", "gauge"]
    machine.frontier.cuts_us = {series: T0 + HOUR_US}
    found = put(machine, series, [(T0, 1.0, 1), (T0 + HOUR_US, 2.0, 1)])
    assert (found.new, found.too_old) == (1, 1)
    assert machine.conn.execute("SELECT ts, value FROM latest WHERE series_id = ?", (series,)).fetchall() == [(T0 + HOUR_US, 2.0)]
    machine.close()
