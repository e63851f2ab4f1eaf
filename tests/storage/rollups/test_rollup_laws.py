"""The law of roll-ups, as a property: every stored one equals what the readings of its bucket say, whatever happened.

Hypothesis plays writer, devices, clock, mover, retention, crashes and whoever changes the configuration, in any order. The
model keeps every reading that was ever stored; expired ones too, because the roll-ups made of them stay.
"""

from __future__ import annotations

import functools
import math
import random
import shutil
import tempfile
from bisect import bisect_left
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test

from sensorlogd.batch import Block, Column
from sensorlogd.daemon.rollups import process
from sensorlogd.notation.microseconds import DAY_US, HOUR_US, MINUTE_US
from sensorlogd.storage.corrections import conversion
from sensorlogd.storage.ingest.append import append
from sensorlogd.storage.maintenance.mover import Mover
from sensorlogd.storage.maintenance.retention import Retention, RetentionPlan
from sensorlogd.storage.pace import Pace
from sensorlogd.storage.query import engine
from sensorlogd.storage.query.engine import Query
from sensorlogd.storage.query.grid import Step
from sensorlogd.storage.rollups import outdated, resolutions, rollup, stored_rollups
from sensorlogd.storage.rollups.edge import set_edge, stored_edge, take_edge, use_day_zone
from sensorlogd.storage.rollups.rollup import RollUp, Rules
from sensorlogd.storage.rollups.snapshot import Snapshot
from sensorlogd.storage.series import catalog
from sensorlogd.storage.watermarks import Frontier
from tests.connections import connect_writer
from tests.storage import truth, working
from tests.storage.query.test_engine import OF_KIND, close, local_edges

DAYS = 4
# Days around a change of clocks in each zone.
BEGINS = {
    "Europe/Berlin": 1_774_656_000_000_000,  # 2026-03-28
    "Asia/Kathmandu": 1_774_656_000_000_000,
    "America/St_Johns": 1_772_841_600_000_000,  # 2026-03-07
    "Australia/Lord_Howe": 1_775_260_800_000_000,  # 2026-04-04
}
CHANNELS = ("gauge", "counter", "angle", "state")
HEARTBEATS = (2 * MINUTE_US, 20 * MINUTE_US, 3 * HOUR_US)

times = st.one_of(
    st.integers(0, DAYS * 24 * 12).map(lambda n: n * 5 * MINUTE_US + (n * 7919) % 1000),
    st.integers(0, 40).map(lambda n: n * 20_000_000),  # dense at the start: several a minute, the same again and again
)
readings = st.lists(
    st.tuples(times, st.integers(0, 400).map(float), st.sampled_from([1, 1, 1, 2, 3 | 32, 4 | 16, 9])), min_size=1, max_size=30
)
when = st.integers(0, DAYS * 24 * 4).map(lambda n: n * 15 * MINUTE_US)


class Crash(Exception):
    """The aggregator is gone."""


class Direct(process._Sender):
    """Stores what the aggregator sends at once, as the writer does; ``between`` may do anything before each message."""

    def __init__(self, machine: Machine, between: Any) -> None:
        self.machine = machine
        self.between = between
        self.pace = Pace(1.0, 7, 7, 7)
        self._pending, self._marks, self._advances, self._unanswered = {}, [], [], 0

    def settle(self) -> None:
        self._unanswered = 0

    def _send_rows(self, rows: Any, deletes: Any, marks: Any, advances: Any) -> None:
        self.between()
        conn = self.machine.conn
        conn.execute("BEGIN IMMEDIATE")
        stored_rollups.store_rows(conn, rows)
        stored_rollups.delete_rows(conn, deletes)
        outdated.clear_minutes(conn, marks)
        outdated.advance_each(conn, advances)
        conn.execute("COMMIT")


class Machine(RuleBasedStateMachine):
    """One database and all that happens to it."""

    fresh: Path

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="laws-", dir=self.fresh.parent))
        self.path = self.folder / "log.db"
        shutil.copy(self.fresh, self.path)
        self.conn = connect_writer(self.path)
        self.shadow: dict[int, dict[int, tuple[float | None, int]]] = {}
        self.frozen: dict[tuple[int, int, int], RollUp] = {}  # what the roll-ups of expired readings must stay like
        self.sorted: dict[int, list[int]] = {}
        self.rezoned_us = -1  # days that begin before were made in another zone, of what was kept

    @initialize(zone=st.sampled_from(sorted(BEGINS)), seed=st.integers(0, 1_000_000))
    def begin(self, zone: str, seed: int) -> None:
        """With some readings of all kinds: without them little could go wrong."""
        self.zone, self.t0 = zone, BEGINS[zone]
        self.now_us = self.t0 + HOUR_US
        self.unit, self.was_converted = "°C", False
        self.rules_of = {
            "gauge": Rules("gauge", HEARTBEATS[1]),
            "counter": Rules("counter", HEARTBEATS[1], 365.0, 0.1),
            "angle": Rules("angle", HEARTBEATS[0]),
            "state": Rules("state", HEARTBEATS[2]),
        }
        self.sync()
        self.transaction(lambda: set_edge(self.conn, self.t0))
        self.transaction(lambda: use_day_zone(self.conn, zone, self.now_us))
        self.restart()
        rng = random.Random(seed)
        for channel in CHANNELS:
            times = sorted(rng.sample(range(2 * 24 * 12), 60))
            batch = [
                (n * 5 * MINUTE_US + n, float(rng.randint(0, 3 if channel == "state" else 400)), rng.choice([1, 1, 1, 4]))
                for n in times
            ]
            self.store(batch, True, channel)

    def teardown(self) -> None:
        self.conn.close()
        shutil.rmtree(self.folder)

    def transaction(self, run: Any) -> Any:
        self.conn.execute("BEGIN IMMEDIATE")
        found = run()
        self.conn.execute("COMMIT")
        return found

    def sync(self) -> None:
        specs = [
            catalog.SeriesSpec(
                name,
                self.unit if name == "gauge" else "",
                r.kind,
                r.heartbeat_us,
                r.wrap,
                r.dip,
                offset=r.zero,
                unit_change="convert",
            )
            for name, r in self.rules_of.items()
        ]
        sensor = catalog.SensorSpec("s", "simulated", series=specs)
        self.ids = self.transaction(lambda: catalog.sync(self.conn, [sensor], self.now_us)).ids

    # ---- what happens ----------------------------------------------------------------------------------------------

    @rule()
    def restart(self) -> None:
        """Whatever was only in memory is gone."""
        self.mover = Mover(block_rows=40, block_us=6 * HOUR_US, lag_us=0)
        self.frontier = Frontier(edge_us=stored_edge(self.conn))
        self.mover.recover(self.conn, self.frontier)
        self.retention = Retention(self.zone)
        self.retention.recover(self.conn, self.frontier)

    @rule(batch=readings, device=st.booleans(), channel=st.sampled_from(CHANNELS))
    def store(self, batch: list[tuple[int, float, int]], device: bool, channel: str) -> None:
        """In time or late, the same again, another value for the same instant, older than what is kept."""
        at = [self.t0 + offset for offset, _, _ in batch]
        values = [None if quality & 15 == 9 else value for _, value, quality in batch]
        quality = [quality for *_, quality in batch]
        block = Block("s", [Column(channel, at, values, quality)], device_time=device)
        self.transaction(lambda: append(self.conn, [block], self.ids, self.frontier))
        self.remember(self.ids["s", channel])

    def remember(self, series: int) -> None:
        self.shadow.setdefault(series, {}).update({ts: (value, quality) for ts, value, quality in self.raw(series)})

    @rule(
        channel=st.sampled_from(CHANNELS),
        pick=st.integers(0, 10**6),
        value=st.integers(0, 400).map(float),
        flag=st.sampled_from([1, 4]),
    )
    def correct(self, channel: str, pick: int, value: float, flag: int) -> None:
        """Somebody mends what is stored: the reading changes and its minute is dirty, in one transaction."""
        series = self.ids["s", channel]
        stored = self.raw(series)
        if not stored:
            return
        ts = stored[pick % len(stored)][0]
        if ts < self.frontier.cuts_us.get(series, ts):
            return

        def change() -> None:
            for table in ("recent", "history"):
                self.conn.execute(
                    f"UPDATE {table} SET value = ?, quality = ? WHERE series_id = ? AND ts = ?", (value, flag, series, ts)
                )
            if ts < self.frontier.edge_us:
                self.frontier.generation += 1
                self.conn.execute(
                    "INSERT INTO dirty VALUES (?,?,?) ON CONFLICT DO UPDATE SET generation = max(generation + 1, excluded.generation)",
                    (series, ts - ts % MINUTE_US, self.frontier.generation),
                )

        self.transaction(change)
        self.remember(series)

    @rule(steps=st.integers(1, 8))
    def move(self, steps: int) -> None:
        """Some slices of the mover."""
        for _ in range(steps):
            self.mover.step(self.conn, self.frontier, self.now_us)

    @rule(offset=when)
    def set_clock(self, offset: int) -> None:
        """Forward, as time goes, or in a step; or back."""
        self.now_us = self.t0 + offset + 12_345_678

    @rule(
        late=st.lists(st.tuples(readings, st.sampled_from(CHANNELS)), max_size=3),
        crash_after=st.none() | st.integers(0, 12),
        most=st.sampled_from([HOUR_US, 90 * DAY_US]),
    )
    def roll_up(self, late: list[Any], crash_after: int | None, most: int) -> None:
        """A run of the aggregator; readings arrive and slices are moved between its steps, and it may crash at any of them."""
        edge = self.now_us - 5_000_000
        edge -= edge % MINUTE_US
        stored, target = self.transaction(lambda: take_edge(self.conn, edge, most))
        self.frontier.edge_us = target
        sent = 0

        def between() -> None:
            nonlocal sent
            if crash_after is not None and sent >= crash_after:
                raise Crash
            sent += 1
            if late:
                batch, channel = late.pop()
                self.store(batch, True, channel)
            self.move(1)

        try:
            process._do_run(Direct(self, between), str(self.path), stored, target, self.zone)
            between()
        except Crash:
            return
        self.transaction(lambda: set_edge(self.conn, target))

    @rule(
        channel=st.sampled_from(CHANNELS),
        heartbeat=st.sampled_from(HEARTBEATS),
        kind=st.sampled_from(CHANNELS),
        dip=st.sampled_from([0.0, 0.1]),
        zero=st.sampled_from([0.0, 40.0, -40.0]),
    )
    def change_settings(self, channel: str, heartbeat: int, kind: str, dip: float, zero: float) -> None:
        """A reload with another heartbeat, kind, tolerance or offset."""
        if channel == "gauge" and kind == "state" and self.was_converted:
            return  # states are whole numbers
        is_counter = kind == "counter"
        self.rules_of[channel] = Rules(kind, heartbeat, 365.0, dip, zero) if is_counter else Rules(kind, heartbeat)
        self.sync()

    @rule(unit=st.sampled_from(["°C", "°F", "K"]), moves=st.integers(0, 2), runs=st.integers(0, 12))
    def change_unit(self, unit: str, moves: int, runs: int) -> None:
        """A reload with another unit: its history is converted while the mover and the aggregator go on."""
        if self.rules_of["gauge"].kind == "state":
            return
        old, before = self.ids["s", "gauge"], self.unit
        self.was_converted = True
        has_readings = bool(self.raw(old)) or any(series == old for series, *_ in self.frozen)
        self.unit = unit
        self.sync()
        new = self.ids["s", "gauge"]
        by_kind, number = working.workers(7), 0
        while working.one_slice(self.conn, self.frontier, by_kind, self.now_us, crash=number % 5 == 4) is not None:
            number += 1
            self.move(moves)
            if number == runs:
                self.roll_up([], None, 90 * DAY_US)
            if number % 5 == 0:
                by_kind = working.workers(7)
                self.restart()
        assert (new != old) == (before != unit and has_readings)
        if new == old:
            return
        linear = conversion.exact_conversion(before, unit)
        assert linear is not None
        self.retention.read_cuts(self.conn, self.frontier)
        self.shadow[new] = {
            ts: (None if value is None else value * linear.factor + linear.shift, quality)
            for ts, (value, quality) in self.shadow.pop(old, {}).items()
        }
        for series, resolution, start in list(self.frozen):
            if series == old:
                self.frozen[new, resolution, start] = converted(self.frozen.pop((old, resolution, start)), linear)

    @rule(zone=st.sampled_from(sorted(BEGINS)))
    def change_zone(self, zone: str) -> None:
        """A restart with days of another zone."""
        if zone != self.zone:
            self.zone = zone
            self.transaction(lambda: use_day_zone(self.conn, zone, self.now_us))
            cuts = [cut for (cut,) in self.conn.execute("SELECT cut_us FROM retention_cut")]
            self.rezoned_us = max([self.rezoned_us, *cuts])
        self.restart()

    @rule(channel=st.sampled_from(CHANNELS), offset=when)
    def rebuild(self, channel: str, offset: int) -> None:
        """Somebody does not trust the roll-ups."""
        self.transaction(lambda: outdated.mark(self.conn, [self.ids["s", channel]], self.now_us, self.t0 + offset))

    @rule(channel=st.sampled_from(CHANNELS), pick=st.integers(0, 10**6))
    def damage(self, channel: str, pick: int) -> None:
        """Roll-ups that are wrong, whyever: a rebuild mends them."""
        series = self.ids["s", channel]
        cut = self.frontier.cuts_us.get(series, -1)
        self.transaction(
            lambda: self.conn.execute(
                "UPDATE rollup SET n = n + 1, mean = 17 WHERE series_id = ? AND start >= ? AND (start / 60000000 + resolution) % 3 = ?",
                (series, cut, pick % 3),
            )
        )
        self.transaction(lambda: outdated.mark(self.conn, [series], self.now_us))

    @rule(steps=st.integers(1, 12), days=st.integers(1, 3), minutes=st.integers(1, 3), hours=st.sampled_from([None, 2 * DAY_US]))
    def expire(self, steps: int, days: int, minutes: int, hours: int | None) -> None:
        """Some slices of retention."""
        before = {channel: self.frontier.cuts_us.get(series) for (_, channel), series in self.ids.items()}
        self.retention.use_plan(RetentionPlan({0: days * DAY_US, 60: minutes * DAY_US, 900: minutes * DAY_US, 3600: hours}))
        for _ in range(steps):
            if not self.retention.step(self.conn, self.frontier, self.now_us):
                break
        self.freeze(before)

    @rule()
    def drop_oldest(self) -> None:
        """The disk is full: a day of readings goes, dirty or not."""
        before = {channel: self.frontier.cuts_us.get(series) for (_, channel), series in self.ids.items()}
        if self.conn.execute("SELECT 1 FROM stale UNION ALL SELECT 1 FROM dirty").fetchone():
            return  # what is not right yet stays wrong then: told in docs/data-model.md
        self.retention._dropping = self.retention._choose_day(self.conn, self.frontier)
        while self.retention._dropping:
            self.retention._delete_next(self.conn, self.retention._dropping)
        self.freeze(before)

    def freeze(self, before: dict[str, int | None]) -> None:
        for (_, channel), series in self.ids.items():
            cut = self.frontier.cuts_us.get(series)
            if cut is not None and cut != before[channel]:
                for resolution, start, end in self.buckets(series):
                    if start < cut - cut % HOUR_US and (series, resolution, start) not in self.frozen:
                        expected = self.expected(series, channel, start, end)
                        if expected is not None:
                            self.frozen[series, resolution, start] = expected

    @rule(
        channel=st.sampled_from(CHANNELS), step=st.sampled_from(["10min", "1h", "7h", "1d", "2d"]), zone=st.sampled_from(sorted(BEGINS)),
        border=when, other=when,
    )  # fmt: skip
    def ask(self, channel: str, step: str, zone: str, border: int, other: int) -> None:
        """A question in any zone, whatever roll-ups there are: the answer is what the readings give."""
        series, rules = self.ids["s", channel], self.rules_of[channel]
        since, until = self.t0 + min(border, other) + 17, self.t0 + max(border, other) + 4242
        since = max(since, self.frontier.cuts_us.get(series, since))  # what has expired is not asked for here
        if since >= until:
            return
        names = OF_KIND[rules.kind]
        wanted = Query(since, until, Step.parse(step), None, tuple(names), zone)
        self.conn.execute("BEGIN")
        rows = {row.start_us: row for row in engine.buckets(Snapshot.of(self.conn, zone), series, wanted).rows}
        self.conn.execute("ROLLBACK")
        raw = [(ts, *rest) for ts, rest in sorted(self.shadow.get(series, {}).items())]
        for start, end in local_edges(step, since, until, zone):
            expected = truth.bucket(raw, max(start, since), min(end, until), *rules[1:])
            row = rows.pop(start, None)
            assert (row is None) == (expected is None), (zone, step, start, row, expected)
            if row is not None and expected is not None:
                for name, value in zip(names.values(), row.values, strict=True):
                    close(name, value, expected[name])
        assert not rows

    # ---- what must be true -----------------------------------------------------------------------------------------

    def raw(self, series: int) -> list[tuple[int, float | None, int]]:
        return self.conn.execute(
            "SELECT ts, value, quality FROM history WHERE series_id = ?1 AND ts < ?2 UNION ALL"
            " SELECT ts, value, quality FROM recent WHERE series_id = ?1 AND ts >= ?2 ORDER BY ts",
            (series, self.frontier.moved_until_us),
        ).fetchall()

    def buckets(self, series: int) -> set[tuple[int, int, int]]:
        """Every bucket that ever held a reading."""
        return {
            (resolution, *_bucket(ts, resolution, self.zone))
            for ts in self.shadow.get(series, {})
            for resolution in resolutions.DEFAULT_RESOLUTIONS
        }

    def expected(self, series: int, channel: str, start: int, end: int) -> RollUp | None:
        shadow = self.shadow.get(series, {})
        if len(shadow) != len(self.sorted.get(series, ())):
            self.sorted[series] = sorted(shadow)
        times = self.sorted.get(series, [])
        rows = tuple((ts, *shadow[ts]) for ts in times[bisect_left(times, start) : bisect_left(times, end)])
        return _rolled_up(rows, self.rules_of[channel])

    @invariant()
    def stored_roll_ups_are_right(self) -> None:
        """Those that queries use: behind the edge, neither dirty nor stale; those of expired readings wherever the edge is."""
        if not hasattr(self, "frontier"):
            return
        edge = stored_edge(self.conn)
        dirty = {(series, start) for series, start, _ in self.conn.execute("SELECT * FROM dirty")}
        snapshot = Snapshot.of(self.conn, self.zone)
        for (_, channel), series in self.ids.items():
            stored = {
                (row[0], row[1]): RollUp(*row[2:])
                for row in self.conn.execute(
                    f"SELECT resolution, start, {', '.join(RollUp._fields)} FROM rollup WHERE series_id = ?", (series,)
                )
            }
            kept_from = snapshot.kept_from(series, 0)
            wanted = self.buckets(series) | {
                (resolution, start, resolutions.bucket(start, resolution, self.zone)[1]) for resolution, start in stored
            }
            for resolution, start, end in sorted(wanted):
                valid_until = snapshot.valid_until(series, resolution)
                is_frozen = kept_from is not None and start < kept_from and (series, resolution, start) in self.frozen
                if (end > edge and not is_frozen) or (valid_until is not None and end > valid_until):
                    continue
                if any(dirty_series == series and start <= minute < end for dirty_series, minute in dirty):
                    continue
                if resolution == resolutions.DAY and start < self.rezoned_us:
                    continue
                found = stored.get((resolution, start))
                if found is None and start < snapshot.cuts_us.get((series, resolution), start):
                    continue
                if is_frozen:
                    same(found, self.frozen[series, resolution, start], (self.zone, channel, resolution, start))
                if kept_from is not None and start < kept_from:
                    continue
                same(found, self.expected(series, channel, start, end), (self.zone, channel, resolution, start))

    @precondition(lambda self: hasattr(self, "frontier"))
    @rule()
    def settle(self) -> None:
        """Left alone, everything becomes right: nothing stays dirty or stale behind the edge."""
        self.now_us = max(self.now_us, self.t0 + (DAYS + 2) * DAY_US)
        for _ in range(3):
            self.roll_up([], None, 90 * DAY_US)
        assert self.conn.execute("SELECT count(*) FROM dirty").fetchone() == (0,)
        assert self.conn.execute("SELECT count(*) FROM stale").fetchone() == (0,)


# After each step all buckets are looked at, of which it has changed few.
_bucket = functools.lru_cache(maxsize=100_000)(resolutions.bucket)


@functools.lru_cache(maxsize=20_000)
def _rolled_up(rows: tuple[tuple[int, float | None, int], ...], rules: rollup.Rules) -> RollUp | None:
    return rollup.of(*zip(*rows, strict=True), rules) if rows else None  # type: ignore[arg-type, call-arg]  # three columns


def converted(rollup: RollUp, linear: conversion.Linear) -> RollUp:
    """A roll-up in another unit."""
    factor, shift = linear
    values = {name: getattr(rollup, name) for name in ("mean", "min", "max", "first", "last")}
    changed: dict[str, Any] = {name: None if value is None else value * factor + shift for name, value in values.items()}
    return rollup._replace(
        **changed,
        m2=None if rollup.m2 is None else rollup.m2 * factor**2,
        increase=None if rollup.increase is None else rollup.increase * factor,
        integral=None if rollup.integral is None else rollup.integral * factor + shift * (rollup.covered_us or 0) / 1e6,
    )


def same(rollup: RollUp | None, expected: RollUp | None, what: object) -> None:
    if rollup == expected:
        return  # nearly always, and to compare field by field is what takes longest here
    assert rollup is not None, (what, expected)
    assert expected is not None, (what, rollup)
    exact = ("n", "min", "max", "first_ts", "first", "last_ts", "last", "covered_us", "resets", "transitions", "states")
    for name in (*exact, *RollUp._fields[15:20]):
        assert getattr(rollup, name) == getattr(expected, name), (what, name, rollup, expected)
    for name in ("mean", "m2", "integral", "increase", "sin_sum", "cos_sum"):
        a, b = getattr(rollup, name), getattr(expected, name)
        assert (a is None) == (b is None), (what, name)
        assert a is None or math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-6), (what, name, a, b)


def test_stored_roll_ups_equal_readings_whatever_happened(fresh: Path) -> None:
    """Late data, corrections, duplicates, conflicts, clock steps, crashes, moves, retention, rebuilds, reloads, zones."""
    Machine.fresh = fresh
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=40,
            stateful_step_count=50,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        ),
    )
