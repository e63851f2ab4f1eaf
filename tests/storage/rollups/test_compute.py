"""Roll-ups equal raw, whatever happens in whatever order; and so does every answer that is made from them."""

from __future__ import annotations

import math
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sensorlogd.batch import Block, Column
from sensorlogd.notation.microseconds import HOUR_US, MINUTE_US
from sensorlogd.storage.ingest.append import append
from sensorlogd.storage.maintenance.mover import Mover
from sensorlogd.storage.rollups import compute, outdated, rebuild, resolutions, rollup, stored_rollups
from sensorlogd.storage.rollups.edge import set_edge, stored_edge, use_day_zone
from sensorlogd.storage.rollups.rollup import RollUp, Rules
from sensorlogd.storage.series import catalog
from sensorlogd.storage.watermarks import Frontier
from tests.connections import connect_writer

# The day on which Berlin loses an hour, and the one before.
T0 = 1_774_656_000_000_000  # 2026-03-28T00:00Z
HEARTBEAT = 20 * MINUTE_US


def specs(kind: str) -> list[catalog.SensorSpec]:
    """One sensor with two channels."""
    series = [
        catalog.SeriesSpec("gauge", kind=kind, heartbeat_us=HEARTBEAT),
        catalog.SeriesSpec("counter", kind="counter", heartbeat_us=HEARTBEAT),
    ]
    return [catalog.SensorSpec("s", "simulated", series=series)]


class Machine:
    """A database, its mover and the edge protocol, step by step in the test's hand."""

    def __init__(self, folder: Path, fresh: Path, zone: str, kind: str = "gauge") -> None:
        """``kind``: of the channel ``gauge``."""
        path = folder / "log.db"
        for suffix in ("", "-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        shutil.copy(fresh, path)
        self.path, self.zone = path, zone
        self.conn = connect_writer(path)
        self.conn.execute("BEGIN IMMEDIATE")
        self.ids = catalog.sync(self.conn, specs(kind), T0).ids
        set_edge(self.conn, T0)
        use_day_zone(self.conn, zone, T0)
        self.conn.execute("COMMIT")
        self.restart()

    def restart(self) -> None:
        """A crash: whatever was only in memory is gone."""
        self.mover = Mover(block_rows=40, block_us=6 * HOUR_US, lag_us=0)
        self.frontier = Frontier(edge_us=stored_edge(self.conn))
        self.mover.recover(self.conn, self.frontier)

    def store(self, readings: list[tuple[int, float, int]]) -> None:
        times, values, quality = ([r[0] for r in readings], [r[1] for r in readings], [r[2] for r in readings])
        column = [None if q == 9 else v for v, q in zip(values, quality, strict=True)]
        block = Block("s", [Column(name, times, list(column), list(quality)) for name in ("gauge", "counter")], device_time=True)
        self.conn.execute("BEGIN IMMEDIATE")
        append(self.conn, [block], self.ids, self.frontier)
        self.conn.execute("COMMIT")

    def move(self, steps: int, now_us: int) -> None:
        for _ in range(steps):
            self.mover.step(self.conn, self.frontier, now_us)

    def roll_up(self, edge_us: int, late: list[tuple[int, float, int]], *, crash_after: int | None = None) -> None:
        """One run of the protocol; ``late`` arrives while the aggregator computes; it may crash after some messages."""
        old = stored_edge(self.conn)
        edge_us = max(edge_us, old)
        self.frontier.edge_us = edge_us
        reader = sqlite3.connect(f"file:{self.path}?mode=ro", uri=True, isolation_level=None)
        sent = 0
        try:
            none: list[Any] = []
            block = ((rows, none, none) for rows in compute.compute_block(reader, old, edge_us, self.zone))
            afresh: Iterator[Any] = rebuild.compute_outdated(reader, edge_us, self.zone)
            phases: tuple[Iterator[Any], ...] = (block, compute.compute_dirty(reader, edge_us, self.zone), afresh)
            for phase in phases:
                reader.execute("BEGIN")
                reader.execute("SELECT count(*) FROM meta").fetchone()  # the snapshot is taken here
                if late:
                    self.store(late)
                    late = []
                for rows, deletes, marks in phase:
                    if crash_after is not None and sent >= crash_after:
                        return
                    self.conn.execute("BEGIN IMMEDIATE")
                    stored_rollups.store_rows(self.conn, rows)
                    stored_rollups.delete_rows(self.conn, deletes)
                    if phase is afresh:
                        outdated.advance_each(self.conn, marks)
                    else:
                        outdated.clear_minutes(self.conn, marks)
                    self.conn.execute("COMMIT")
                    sent += 1
                reader.execute("COMMIT")
        finally:
            reader.close()
        if crash_after is None:
            set_edge(self.conn, edge_us)

    # ---- the truth -----------------------------------------------------------------------------------------------------

    def raw(self, series: int) -> list[tuple[int, float | None, int]]:
        moved = self.frontier.moved_until_us
        return self.conn.execute(
            "SELECT ts, value, quality FROM history WHERE series_id = ?1 AND ts < ?2 UNION ALL"
            " SELECT ts, value, quality FROM recent WHERE series_id = ?1 AND ts >= ?2 ORDER BY ts",
            (series, moved),
        ).fetchall()

    def expected(self, series: int, kind: str, start: int, end: int) -> RollUp | None:
        rows = [row for row in self.raw(series) if start <= row[0] < end]
        return rollup.of(*zip(*rows, strict=True), Rules(kind, HEARTBEAT)) if rows else None  # type: ignore[arg-type, call-arg]  # three columns

    def check(self) -> None:
        """Every stored bucket behind the edge, and every bucket that should be stored; dirty ones are excused."""
        edge = stored_edge(self.conn)
        dirty = {(s, start) for s, start, _ in self.conn.execute("SELECT * FROM dirty")}
        for channel in ("gauge", "counter"):
            series = self.ids["s", channel]
            stored = {
                (row[0], row[1]): RollUp(*row[2:])
                for row in self.conn.execute(
                    f"SELECT resolution, start, {', '.join(RollUp._fields)} FROM rollup WHERE series_id = ?", (series,)
                )
            }
            wanted = {
                (resolution, *resolutions.bucket(ts, resolution, self.zone))
                for ts, *_ in self.raw(series)
                for resolution in resolutions.DEFAULT_RESOLUTIONS
            }
            wanted |= {(resolution, start, resolutions.bucket(start, resolution, self.zone)[1]) for resolution, start in stored}
            for resolution, start, end in wanted:
                if end > edge or any(s == series and start <= minute < end for s, minute in dirty):
                    continue
                same(stored.get((resolution, start)), self.expected(series, channel, start, end), (resolution, start))

    def close(self) -> None:
        self.conn.close()


def same(rollup: RollUp | None, expected: RollUp | None, what: object) -> None:
    assert (rollup is None) == (expected is None), (what, rollup, expected)
    if rollup is None or expected is None:
        return
    for name in ("n", "min", "max", "first_ts", "first", "last_ts", "last", "covered_us", "resets", *RollUp._fields[15:20]):
        assert getattr(rollup, name) == getattr(expected, name), (what, name)
    for name in ("mean", "m2", "integral", "increase"):
        a, b = getattr(rollup, name), getattr(expected, name)
        assert (a is None) == (b is None), (what, name)
        assert a is None or math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-6), (what, name, a, b)


_when = st.integers(0, 3 * 24 * 12).map(lambda n: T0 + n * 5 * MINUTE_US + (n * 7919) % 1000)
_readings = st.lists(
    st.tuples(_when, st.integers(-50, 50).map(float), st.sampled_from([1, 1, 1, 2, 4, 9])), min_size=1, max_size=25
)
_edge = st.integers(0, 3 * 24 * 4).map(lambda n: T0 + n * 15 * MINUTE_US)
_step = st.one_of(
    st.tuples(st.just("store"), _readings),
    st.tuples(st.just("move"), st.integers(1, 8)),
    st.tuples(st.just("roll_up"), _edge, st.one_of(st.just([]), _readings), st.one_of(st.none(), st.integers(0, 3))),
    st.tuples(st.just("restart")),
)


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(_step, min_size=2, max_size=12), st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kathmandu"]))
def test_rollups_equal_raw_whatever_happens(tmp_path: Path, fresh: Path, steps: list[tuple[Any, ...]], zone: str) -> None:
    """Late data, data that arrives while the aggregator computes, its crashes, restarts, moving: all in any order."""
    machine = Machine(tmp_path, fresh, zone)
    now = T0 + 4 * 24 * HOUR_US
    try:
        for step in steps:
            if step[0] == "store":
                machine.store(step[1])
            elif step[0] == "move":
                machine.move(step[1], now)
            elif step[0] == "roll_up":
                machine.roll_up(step[1], step[2], crash_after=step[3])
                if step[3] is not None:
                    machine.restart()
            else:
                machine.restart()
            machine.check()
        machine.roll_up(T0 + 3 * 24 * HOUR_US, [])
        machine.roll_up(T0 + 3 * 24 * HOUR_US, [])
        assert machine.conn.execute("SELECT count(*) FROM dirty").fetchone() == (0,)
        machine.check()
    finally:
        machine.close()


def test_days_across_a_change_of_clocks(tmp_path: Path, fresh: Path) -> None:
    """A reading every five minutes: Berlin's 29 March 2026 has 23 hours and so 276 readings, its neighbours 288."""
    machine = Machine(tmp_path, fresh, "Europe/Berlin")
    machine.store([(T0 + n * 5 * MINUTE_US, 1.0, 1) for n in range(3 * 288)])
    machine.roll_up(T0 + 3 * 24 * HOUR_US, [])
    found = machine.conn.execute(
        "SELECT start, n FROM rollup WHERE resolution = 86400 AND series_id = ? ORDER BY start", (machine.ids["s", "gauge"],)
    ).fetchall()
    machine.close()
    assert [n for _, n in found] == [276, 276, 288]  # the first day began an hour before the readings did
    assert found[1][0] == T0 + 23 * HOUR_US


def test_another_zone_makes_other_days(tmp_path: Path, fresh: Path) -> None:
    """The days of the old zone go, those of the new one are built from readings and equal them."""
    machine = Machine(tmp_path, fresh, "UTC")
    machine.store([(T0 + n * 5 * MINUTE_US, float(n % 7), 1) for n in range(3 * 288)])
    machine.roll_up(T0 + 3 * 24 * HOUR_US, [])
    machine.zone = "Asia/Kathmandu"
    machine.conn.execute("BEGIN IMMEDIATE")
    use_day_zone(machine.conn, machine.zone, T0)
    machine.conn.execute("COMMIT")
    machine.roll_up(T0 + 3 * 24 * HOUR_US, [])
    machine.check()
    starts = [start for (start,) in machine.conn.execute("SELECT DISTINCT start FROM rollup WHERE resolution = 86400")]
    machine.close()
    assert len(starts) == 3
    assert all((start + 5 * HOUR_US + 45 * MINUTE_US) % (24 * HOUR_US) == 0 for start in starts)


def expire_and_set_back(machine: Machine, cut: int, deleted_until: int, edge: int) -> None:
    """The readings of ``gauge`` before the cut expire, and are deleted so far; then the clock is set back, and the edge with it."""
    series = machine.ids["s", "gauge"]
    machine.conn.execute("BEGIN IMMEDIATE")
    for table in ("recent", "history"):
        machine.conn.execute(f"DELETE FROM {table} WHERE series_id = ? AND ts < ?", (series, deleted_until))
    machine.conn.execute("INSERT INTO retention_cut VALUES (?, 0, ?)", (series, cut))
    set_edge(machine.conn, edge)
    machine.conn.execute("COMMIT")
    machine.restart()


def stored_before(machine: Machine, end: int) -> list[Any]:
    """The roll-ups of ``gauge`` whose readings are all before ``end``."""
    return machine.conn.execute(
        "SELECT * FROM rollup WHERE series_id = ? AND start < ? AND last_ts < ? ORDER BY resolution, start",
        (machine.ids["s", "gauge"], end, end),
    ).fetchall()


def test_an_edge_set_back_behind_the_cut_keeps_what_expired_readings_have_left(tmp_path: Path, fresh: Path) -> None:
    """The clock was wrong for a run: the edge goes back and on again over a day whose readings have gone but for its end."""
    machine = Machine(tmp_path, fresh, "America/St_Johns")
    machine.store([(T0 + n * 5 * MINUTE_US, float(n % 7), 1) for n in range(3 * 288)])
    machine.roll_up(T0 + 3 * 24 * HOUR_US, [])
    series = machine.ids["s", "gauge"]
    cut = T0 + 26 * HOUR_US + 30 * MINUTE_US  # a local midnight, half an hour past the hour on which readings are cut
    cut_hour = cut - cut % HOUR_US
    days = "SELECT start, n, mean FROM rollup WHERE resolution = 86400 AND series_id = ? ORDER BY start"
    before = machine.conn.execute(days, (series,)).fetchall()
    expire_and_set_back(machine, cut, cut_hour, T0)
    machine.roll_up(T0 + 3 * 24 * HOUR_US, [])
    after = machine.conn.execute(days, (series,)).fetchall()
    machine.close()
    assert before[0][0] < cut_hour < before[0][0] + 24 * HOUR_US or before[1][0] < cut_hour < before[1][0] + 24 * HOUR_US
    assert after == before


MIDNIGHTS = {"America/St_Johns": T0 + 26 * HOUR_US + 30 * MINUTE_US, "Asia/Kathmandu": T0 + 42 * HOUR_US + 15 * MINUTE_US}


@pytest.mark.parametrize("minutes", [-60 * 20 - 7, -5])
@pytest.mark.parametrize("zone", sorted(MIDNIGHTS))
def test_what_expired_readings_have_left_keeps_the_kind_it_was_made_with(
    tmp_path: Path, fresh: Path, zone: str, minutes: int
) -> None:
    """A state becomes a gauge after its readings have expired, then the edge is set back so far from the cut: whatever is merged
    again now would lose its transitions."""
    machine = Machine(tmp_path, fresh, zone, "state")
    machine.store([(T0 + n * 5 * MINUTE_US, float(n % 7), 1) for n in range(3 * 288)])
    machine.roll_up(T0 + 3 * 24 * HOUR_US, [])
    cut = MIDNIGHTS[zone]
    before = stored_before(machine, cut)
    expire_and_set_back(machine, cut, cut - cut % HOUR_US, cut + minutes * MINUTE_US)
    machine.conn.execute("BEGIN IMMEDIATE")
    catalog.sync(machine.conn, specs("gauge"), T0)
    machine.conn.execute("COMMIT")
    machine.roll_up(T0 + 3 * 24 * HOUR_US, [])
    kept = cut - cut % HOUR_US  # what lies between the hour and the cut is made anew from its readings, but for the day
    after = stored_before(machine, cut)
    machine.close()
    assert [row for row in after if row[2] < kept] == [row for row in before if row[2] < kept]


def test_readings_that_are_not_deleted_yet_replace_no_roll_up(tmp_path: Path, fresh: Path) -> None:
    """Retention has deleted up to the middle of a minute when the clock is set back: the rest is not all of that minute."""
    machine = Machine(tmp_path, fresh, "UTC")
    machine.store([(T0 + n * MINUTE_US // 3, float(n % 7), 1) for n in range(30 * 180)])
    machine.move(1000, T0 + 2 * 24 * HOUR_US)
    machine.roll_up(T0 + 30 * HOUR_US, [])
    cut = T0 + 24 * HOUR_US
    before = stored_before(machine, cut)
    expire_and_set_back(machine, cut, T0 + 10 * HOUR_US + 30 * MINUTE_US + MINUTE_US // 2, T0 + 5 * HOUR_US)
    machine.roll_up(T0 + 30 * HOUR_US, [])
    after = stored_before(machine, cut)
    machine.close()
    assert after == before


def test_another_zone_makes_days_of_what_has_expired_though_the_edge_was_set_back(tmp_path: Path, fresh: Path) -> None:
    """Their hours are closed for good, wherever the edge is; no later run would come by them again."""
    machine = Machine(tmp_path, fresh, "UTC")
    machine.store([(T0 + n * 5 * MINUTE_US, float(n % 7), 1) for n in range(3 * 288)])
    machine.roll_up(T0 + 3 * 24 * HOUR_US, [])
    cut = T0 + 48 * HOUR_US
    expire_and_set_back(machine, cut, cut, T0 + 5 * HOUR_US)
    machine.zone = "Europe/Berlin"
    machine.conn.execute("BEGIN IMMEDIATE")
    use_day_zone(machine.conn, machine.zone, T0)
    machine.conn.execute("COMMIT")
    machine.roll_up(T0 + 6 * HOUR_US, [])
    machine.roll_up(T0 + 3 * 24 * HOUR_US, [])
    days = "SELECT start, n FROM rollup WHERE resolution = 86400 AND series_id = ? ORDER BY start"
    found = machine.conn.execute(days, (machine.ids["s", "gauge"],)).fetchall()
    machine.close()
    assert found == [(T0 - HOUR_US, 276), (T0 + 23 * HOUR_US, 276), (T0 + 46 * HOUR_US, 288)]
