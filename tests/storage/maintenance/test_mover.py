"""The mover: whatever it is doing, and wherever it is cut off, readers see every reading exactly once."""

from __future__ import annotations

import contextlib
import random
import shutil
import sqlite3
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test

from sensorlogd.batch import Block, Column
from sensorlogd.storage.ingest.append import append
from sensorlogd.storage.maintenance.mover import Mover, MoverState
from sensorlogd.storage.maintenance.retention import Retention
from sensorlogd.storage.maintenance.upkeep import Upkeep
from sensorlogd.storage.rollups.edge import set_edge, stored_edge, take_edge
from sensorlogd.storage.series import catalog
from sensorlogd.storage.watermarks import Frontier
from tests.connections import connect_writer

T0 = 1_750_000_000_000_000
SECOND = 1_000_000
SPEC = catalog.SensorSpec("s", "simulated", series=[catalog.SeriesSpec(name) for name in "abc"])

Rows = dict[tuple[int, int], float | None]


def as_a_reader_sees_it(conn: sqlite3.Connection) -> Rows:
    """History below ``moved_until``, recent from it on; fails if a reading is seen twice."""
    rows = conn.execute(
        "WITH m(t) AS (SELECT coalesce((SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'moved_until_us'), 0))"
        " SELECT series_id, ts, value FROM history, m WHERE ts < t"
        " UNION ALL SELECT series_id, ts, value FROM recent, m WHERE ts >= t"
    ).fetchall()
    found = {(series, ts): value for series, ts, value in rows}
    assert len(found) == len(rows)
    return found


def fill(conn: sqlite3.Connection, rows: int, series: int, spacing_us: int = 1000) -> Rows:
    """``rows`` readings interleaved over ``series`` series, in ``recent``."""
    names = [catalog.SeriesSpec(f"c{n}") for n in range(series)]
    catalog.sync(conn, [catalog.SensorSpec("s", "simulated", series=names)], T0)
    model = {(n % series + 1, T0 + n // series * spacing_us): random.random() for n in range(rows)}
    conn.execute("BEGIN IMMEDIATE")
    conn.executemany("INSERT INTO recent VALUES (?,?,?,1)", [(ts, series_id, value) for (series_id, ts), value in model.items()])
    conn.execute("COMMIT")
    return dict(model)


def run(mover: Mover, conn: sqlite3.Connection, frontier: Frontier, now_us: int, most: int = 10_000) -> int:
    """Slices until there is nothing to do."""
    for done in range(most):
        if not mover.step(conn, frontier, now_us):
            return done
    raise AssertionError("the mover does not come to an end")


@pytest.mark.parametrize(("rows", "series"), [(30_000, 1), (30_000, 7), (30_000, 3_000), (10, 5_000)])
def test_everything_old_enough_is_moved(conn: sqlite3.Connection, rows: int, series: int) -> None:
    """One series or thousands, many readings or few: all of them, once, and ``recent`` ends empty."""
    model = fill(conn, rows, series)
    mover = Mover(block_rows=10_000, slice_s=0.002)
    frontier = Frontier()
    mover.recover(conn, frontier)
    run(mover, conn, frontier, T0 + 3 * 3600 * SECOND)
    assert as_a_reader_sees_it(conn) == model
    assert conn.execute("SELECT count(*) FROM recent").fetchone() == (0,)
    assert conn.execute("SELECT count(*) FROM history").fetchone() == (rows,)
    assert mover.moved == rows


def test_young_and_future_readings_stay_and_block_nothing(conn: sqlite3.Connection) -> None:
    """A reading dated tomorrow is not moved, and what is really old still is."""
    fill(conn, 30, 3, spacing_us=SECOND)
    now = T0 + 2 * 3600 * SECOND
    future = [(now + day * 86_400 * SECOND, 1, 1.0, 1) for day in (1, 30, 30_000)]
    conn.executemany("INSERT INTO recent VALUES (?,?,?,?)", [*future, (now - SECOND, 1, 1.0, 1)])
    mover = Mover()
    frontier = Frontier()
    mover.recover(conn, frontier)
    run(mover, conn, frontier, now)
    assert [ts for (ts,) in conn.execute("SELECT ts FROM recent ORDER BY ts")] == [now - SECOND, *(row[0] for row in future)]
    assert conn.execute("SELECT count(*) FROM history").fetchone() == (30,)


def test_few_readings_wait_for_their_hour(conn: sqlite3.Connection) -> None:
    """Small blocks would wear the card: below the row limit nothing moves before an hour has passed."""
    fill(conn, 300, 3)
    mover = Mover()
    frontier = Frontier()
    mover.recover(conn, frontier)
    assert not mover.step(conn, frontier, T0 + 3599 * SECOND)
    assert mover.state is MoverState.IDLE
    assert mover.step(conn, frontier, T0 + 3603 * SECOND)


def test_many_readings_move_at_once(conn: sqlite3.Connection) -> None:
    """A full block does not wait; waiting readings are counted as they come, not over and over."""
    mover = Mover(block_rows=1000)
    frontier = Frontier()
    mover.recover(conn, frontier)
    model = fill(conn, 900, 3)
    assert not mover.step(conn, frontier, T0 + 10 * SECOND)
    more = [(T0 + 11 * SECOND + n, 1, 0.5, 1) for n in range(150)]
    conn.executemany("INSERT INTO recent VALUES (?,?,?,?)", more)
    model |= {(1, ts): 0.5 for ts, *_ in more}
    assert mover.step(conn, frontier, T0 + 14 * SECOND)
    assert mover.state is MoverState.COPYING
    run(mover, conn, frontier, T0 + 14 * SECOND)
    assert as_a_reader_sees_it(conn) == model
    assert conn.execute("SELECT count(*) FROM history").fetchone() == (1000,)


def test_a_clock_set_back_does_not_stop_it(conn: sqlite3.Connection) -> None:
    """Counting begins anew where the clock stands now."""
    ahead = T0 + 30 * 86_400 * SECOND
    mover = Mover(block_rows=1000)
    frontier = Frontier()
    mover.recover(conn, frontier)
    conn.execute("INSERT INTO recent VALUES (?, 1, 0.5, 1)", (ahead,))
    assert not mover.step(conn, frontier, ahead + 10 * SECOND)
    fill(conn, 2000, 2)
    run(mover, conn, frontier, T0 + 10 * SECOND)
    assert conn.execute("SELECT count(*) FROM history").fetchone() == (2000,)
    assert conn.execute("SELECT ts FROM recent").fetchall() == [(ahead,)]


def test_a_block_at_one_microsecond_is_moved(conn: sqlite3.Connection) -> None:
    """More series than a block has room for, all sampled at the same instant."""
    model = fill(conn, 3000, 3000)
    mover = Mover(block_rows=100)
    frontier = Frontier()
    mover.recover(conn, frontier)
    run(mover, conn, frontier, T0 + 10 * SECOND)
    assert as_a_reader_sees_it(conn) == model
    assert conn.execute("SELECT count(*) FROM recent").fetchone() == (0,)


def test_slices_are_short(conn: sqlite3.Connection) -> None:
    """Half a million readings, and no slice moves more than a small part of them, however long it takes here."""
    fill(conn, 500_000, 40)
    mover = Mover()
    frontier = Frontier()
    mover.recover(conn, frontier)
    slices, left, most = 0, 500_000, 0
    while mover.step(conn, frontier, T0 + 3 * 3600 * SECOND):
        slices += 1
        (now_left,) = conn.execute("SELECT count(*) FROM recent").fetchone()
        most, left = max(most, left - now_left), now_left
    assert (slices > 15, left) == (True, 0)
    assert most <= 500_000 / 4


@pytest.mark.parametrize("stop_after", range(0, 40, 3))
def test_a_crash_between_slices_loses_and_doubles_nothing(path: Path, tmp_path: Path, stop_after: int) -> None:
    """The files as they are after any slice, opened elsewhere, give the same readings and the move comes to its end."""
    conn = connect_writer(path)
    model = fill(conn, 6000, 6)
    mover = Mover(block_rows=2500, slice_s=1e-6)
    frontier = Frontier()
    mover.recover(conn, frontier)
    for _ in range(stop_after):
        mover.step(conn, frontier, T0 + 9 * 3600 * SECOND)
    elsewhere = tmp_path / "crashed"
    elsewhere.mkdir()
    for file in path.parent.glob("log.db*"):
        shutil.copy(file, elsewhere)
    conn.close()
    conn = connect_writer(elsewhere / "log.db")
    assert as_a_reader_sees_it(conn) == model
    again = Mover(block_rows=2500)
    frontier = Frontier()
    again.recover(conn, frontier)
    run(again, conn, frontier, T0 + 9 * 3600 * SECOND)
    assert as_a_reader_sees_it(conn) == model
    assert conn.execute("SELECT count(*) FROM recent").fetchone() == (0,)
    conn.close()


def test_a_slice_that_fails_is_tried_again(path: Path) -> None:
    """Somebody holds the write lock: nothing is half done, the next call goes on."""
    conn = connect_writer(path)
    model = fill(conn, 600, 3)
    mover = Mover(block_rows=200, slice_s=1e-6)
    frontier = Frontier()
    mover.recover(conn, frontier)
    conn.execute("PRAGMA busy_timeout = 0")
    other = sqlite3.connect(path, isolation_level=None)
    steps = 0
    while True:
        other.execute("BEGIN IMMEDIATE")
        try:
            more = mover.step(conn, frontier, T0 + 3 * 3600 * SECOND)
        except sqlite3.OperationalError:
            assert not conn.in_transaction
            other.execute("ROLLBACK")
            more = mover.step(conn, frontier, T0 + 3 * 3600 * SECOND)
        else:
            other.execute("ROLLBACK")
        steps += 1
        assert as_a_reader_sees_it(conn) == model
        if not more:
            break
    assert steps > 9
    assert conn.execute("SELECT count(*) FROM history").fetchone() == (600,)
    other.close()
    conn.close()


# ---- a clock that was ahead --------------------------------------------------------------------------------------------

YEAR = 365 * 86_400 * SECOND


def pin(mover: Mover, conn: sqlite3.Connection, frontier: Frontier, until_us: int) -> None:
    """As a clock that stood at ``until_us`` for a while has left it: all is in ``history``, and the limit in the future."""
    conn.execute("INSERT INTO recent VALUES (?, 1, 0.25, 1)", (until_us - 10_000 * SECOND,))
    run(mover, conn, frontier, until_us)
    assert conn.execute("SELECT count(*) FROM recent").fetchone() == (0,)


def seen_through_the_view(path: Path) -> list[tuple[object, ...]]:
    reader = sqlite3.connect(path)
    rows = reader.execute("SELECT ts, sensor, channel, value, quality FROM readings ORDER BY ts, sensor, channel").fetchall()
    reader.close()
    return rows


@pytest.mark.parametrize("series", [1, 7, 300])
def test_a_limit_in_the_future_is_brought_back(conn: sqlite3.Connection, path: Path, series: int) -> None:
    """What is older than now stays in history, newer readings are in recent again, and the view shows the same at every commit."""
    fill(conn, 20_000, series, spacing_us=SECOND)
    mover = Mover(slice_s=0.005)
    frontier = Frontier()
    mover.recover(conn, frontier)
    pin(mover, conn, frontier, T0 + YEAR)
    now = T0 + 3 * SECOND
    before = seen_through_the_view(path)
    slices = 1
    while mover.unpin(conn, frontier, now):
        slices += 1
        assert seen_through_the_view(path) == before
    assert seen_through_the_view(path) == before
    assert slices > 2
    assert frontier.moved_until_us == now - mover.lag_us
    assert conn.execute("SELECT value FROM meta WHERE key = 'moved_until_us'").fetchone() == (str(now - mover.lag_us),)
    assert conn.execute("SELECT count(*) FROM history WHERE ts >= ?", (now - mover.lag_us,)).fetchone() == (0,)
    assert not mover.unpin(conn, frontier, now)
    run(mover, conn, frontier, T0 + 2 * YEAR)
    assert seen_through_the_view(path) == before, "and they can be moved again"


def test_a_limit_in_the_past_is_left_alone(conn: sqlite3.Connection) -> None:
    """Also one that lies in the future by what a clock is set back ordinarily."""
    fill(conn, 10, 1)
    mover = Mover()
    frontier = Frontier()
    mover.recover(conn, frontier)
    run(mover, conn, frontier, T0 + 7200 * SECOND)
    before = conn.total_changes
    for now in (T0 + 7200 * SECOND, T0 + 7198 * SECOND - 60 * SECOND):
        assert not mover.unpin(conn, frontier, now)
    assert conn.total_changes == before
    assert mover.unpin(conn, frontier, frontier.moved_until_us - 61 * SECOND) is False, "nothing lies between: done in one"
    assert conn.total_changes == before + 1


def test_what_was_left_in_recent_below_the_limit_does_not_come_back(conn: sqlite3.Connection) -> None:
    """Rows that nobody sees, one of another value and one that history has lost, are deleted before the limit falls below."""
    mover = Mover()
    frontier = Frontier()
    mover.recover(conn, frontier)
    fill(conn, 10, 1)
    pin(mover, conn, frontier, T0 + YEAR)
    model = as_a_reader_sees_it(conn)
    conn.executemany("INSERT INTO recent VALUES (?, 1, -1.0, 1)", [(T0 + 5000,), (T0 + 5001,)])
    while mover.unpin(conn, frontier, T0 - 60 * SECOND) or mover.step(conn, frontier, T0 - 60 * SECOND):
        assert as_a_reader_sees_it(conn) == model
    assert frontier.moved_until_us == T0 - 62 * SECOND
    assert as_a_reader_sees_it(conn) == model


def test_bringing_back_takes_short_slices(conn: sqlite3.Connection) -> None:
    """A hundred thousand readings of a wrong year (a loaded machine may stall for a while)."""
    fill(conn, 100_000, 40)
    mover = Mover()
    frontier = Frontier()
    mover.recover(conn, frontier)
    pin(mover, conn, frontier, T0 + YEAR)
    mover.longest_slice_s = 0.0
    while mover.unpin(conn, frontier, T0):
        pass
    assert conn.execute("SELECT count(*) FROM history").fetchone() == (0,)
    assert mover.longest_slice_s < 0.5


def test_an_edge_in_the_future_is_pulled_back_by_the_next_run(conn: sqlite3.Connection) -> None:
    """The same clock left the roll-ups' edge there; from then on answers come from readings until it gets there again."""
    set_edge(conn, T0 + YEAR)
    assert take_edge(conn, T0, 3600 * SECOND) == (T0, T0)
    assert stored_edge(conn) == T0


class MoverStory(RuleBasedStateMachine):
    """Readings on time, late, doubled and from the future, slices, crashes: compared with a plain dictionary."""

    template: Path

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="mover"))
        self.generation = 0
        self.now = T0
        self.model: Rows = {}
        self.open(Path(shutil.copy(self.template, self.folder / "0.db")))

    def open(self, path: Path) -> None:
        self.path = path
        self.conn = connect_writer(path)
        self.ids = catalog.sync(self.conn, [SPEC], self.now).ids
        self.mover = Mover(block_rows=40, block_us=60 * SECOND, lag_us=2 * SECOND, slice_s=1e-7)
        self.mover._copy_pace.rows = 10.0
        self.mover._back_pace.rows = 1.0
        self.frontier = Frontier()
        self.all_upkeep = Upkeep(self.mover, Retention())
        self.all_upkeep.recover(self.conn, self.frontier, T0)
        self.all_upkeep.backlog = 1 << 40  # as of a source that never rests: several slices a call

    @rule(
        ages=st.lists(st.integers(-100, 200), min_size=1, max_size=30, unique=True),
        channel=st.sampled_from("abc"),
        quick=st.booleans(),
    )
    def arrive(self, ages: list[int], channel: str, quick: bool) -> None:
        """Readings so many seconds (or, ``quick``, milliseconds) old; negative ages are future ones."""
        times = [self.now - age * (1000 if quick else SECOND) for age in ages]
        values: list[float | None] = [float(len(self.model) + n) for n in range(len(times))]
        self.conn.execute("BEGIN IMMEDIATE")
        append(self.conn, [Block("s", [Column(channel, times, values, 1)], device_time=True)], self.ids, self.frontier)
        self.conn.execute("COMMIT")
        series = self.ids["s", channel]
        for ts, value in zip(times, values, strict=True):
            self.model.setdefault((series, ts), value)

    @rule(seconds=st.sampled_from([0, 1, 5, 60, 4000, -300]))
    def pass_time(self, seconds: int) -> None:
        self.now += seconds * SECOND

    @rule(slices=st.integers(1, 8))
    def upkeep(self, slices: int) -> None:
        for _ in range(slices):
            self.mover.step(self.conn, self.frontier, self.now)

    @rule(steps=st.integers(0, 6))
    def upkeep_fails(self, steps: int) -> None:
        """A call does so many slices; the next one meets an error."""
        done = 0

        def refuse_later(made: Mover, *args: Any) -> bool:
            nonlocal done
            done += 1
            if done > steps:
                raise sqlite3.OperationalError("database is locked")
            return Mover.step(made, *args)

        with pytest.MonkeyPatch.context() as patch, contextlib.suppress(sqlite3.OperationalError):
            patch.setattr(self.mover, "step", partial(refuse_later, self.mover))
            self.all_upkeep.due = 0.0
            self.all_upkeep.slice(self.conn, self.frontier, self.now)

    @rule()
    def leap(self) -> None:
        """Many old readings are expected."""
        self.mover.raise_border(self.conn, self.frontier, self.now)

    @rule(seconds=st.sampled_from([100, 1000, 100_000]), slices=st.integers(1, 12))
    def wrong_year(self, seconds: int, slices: int) -> None:
        """Slices by a clock that is ahead."""
        for _ in range(slices):
            self.mover.step(self.conn, self.frontier, self.now + seconds * SECOND)

    @rule(slices=st.integers(1, 8))
    def unpin(self, slices: int) -> None:
        for _ in range(slices):
            self.mover.unpin(self.conn, self.frontier, self.now)
            self.mover._back_pace.rows = 1.0

    @rule(bringing_back=st.booleans())
    def fail(self, bringing_back: bool) -> None:
        """A slice meets a lock."""
        other = sqlite3.connect(self.path, isolation_level=None)
        self.conn.execute("PRAGMA busy_timeout = 0")
        other.execute("BEGIN IMMEDIATE")
        try:
            (self.mover.unpin if bringing_back else self.mover.step)(self.conn, self.frontier, self.now)
        except sqlite3.OperationalError:
            pass
        finally:
            other.close()

    @precondition(lambda self: self.generation < 6)
    @rule()
    def crash(self) -> None:
        """The files as they are now are what the next start finds."""
        self.generation += 1
        target = self.folder / f"{self.generation}.db"
        for suffix in ("", "-wal"):
            source = self.path.with_name(self.path.name + suffix)
            if source.exists():
                shutil.copy(source, target.with_name(target.name + suffix))
        self.conn.close()
        self.open(target)

    @invariant()
    def union_is_the_model(self) -> None:
        if hasattr(self, "conn"):
            assert as_a_reader_sees_it(self.conn) == self.model

    def teardown(self) -> None:
        if hasattr(self, "conn"):
            while self.mover.step(self.conn, self.frontier, self.now) or self.mover.unpin(self.conn, self.frontier, self.now):
                assert as_a_reader_sees_it(self.conn) == self.model
            assert self.frontier.moved_until_us <= self.now + 60 * SECOND
            run(self.mover, self.conn, self.frontier, self.now + 10_000 * SECOND)
            assert as_a_reader_sees_it(self.conn) == self.model
            self.conn.close()
            shutil.rmtree(self.folder)


def test_the_mover_is_invisible_to_readers(fresh: Path) -> None:
    """Any order of arrivals, slices, failures and crashes leaves the union equal to what was stored."""
    MoverStory.template = fresh
    run_state_machine_as_test(
        MoverStory,
        settings=settings(max_examples=40, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)),
    )
