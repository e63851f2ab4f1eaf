"""Computed channels inside the writer: stored with their inputs or not at all, going on after every end, computed anew."""

from __future__ import annotations

import contextlib
import random
import shutil
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from sensorlogd.batch import Block, Column
from sensorlogd.config.computed import ComputedOptions
from sensorlogd.config.loader import load_text
from sensorlogd.config.models import Config
from sensorlogd.daemon.computing.computed_sensor import ComputedSensor
from sensorlogd.daemon.computing.computing import Computing
from sensorlogd.daemon.computing.recompute import RecomputeWorker
from sensorlogd.daemon.sensing.build import formulas, sensor_specs
from sensorlogd.daemon.sensing.sensor_status import SensorState
from sensorlogd.daemon.timekeeping.clock import Clock
from sensorlogd.drivers.registry import options_for
from sensorlogd.quality import GOOD, MISSING, Flag, Test, describe
from sensorlogd.storage import work
from sensorlogd.storage.corrections import recomputing
from sensorlogd.storage.corrections.mend_work import MendWorker, UndoWorker
from sensorlogd.storage.maintenance import incidents
from sensorlogd.storage.maintenance.retention import RetentionPlan
from sensorlogd.storage.open_database import OpenDatabase
from sensorlogd.storage.salvage.worker import Salvage
from sensorlogd.storage.worker import AnyWorker
from tests.daemon.fakes import FakeClock
from tests.daemon.writing.rig import T0, Rig, Script, events, sqlite_error

S = 1_000_000
SENSORS = """
sensors:
  m: {driver: simulated, interval: 1s, channels: {u: {unit: V, signal: {constant: {value: 1}}}, i: {unit: A, signal: {constant: {value: 1}}}}}
  p: {driver: simulated, interval: 1s, channels: {t: {signal: {constant: {value: 1}}}}}
computed:
"""
ENERGY = """
  e:
    inputs: {u: m.u, i: m.i, p: e.power}
    channels:
      power: {formula: "power(u, i)"}
      work: {formula: "integral(p, second)"}
"""
MIXED = """
  x:
    inputs: {u: m.u, t: p.t}
    channels: {sum: {formula: u + t}}
"""


def config_of(computed: str) -> Config:
    return load_text(SENSORS + computed, Path("/nowhere/sensorlogd.yaml"), options_for)


@dataclass
class Computer:
    """A rig with computed sensors, and what it was given. ``again``: after an end, as another process would begin."""

    make: Callable[..., Rig]
    computed: str = ENERGY
    rig: Rig = field(init=False)
    events: list[tuple[str, str | None, str]] = field(default_factory=list)
    second: int = 0
    how: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.again()

    def again(self, more: Sequence[AnyWorker] = (), **how: Any) -> None:
        config = config_of(self.computed)
        self.sensors = self.made(config)
        self.computing = Computing(formulas(config, self.sensors), lambda *event: self.events.append(event))
        worker = RecomputeWorker(self.computing, lambda: self.rig.clock.now_us(), rows=60)
        workers: list[AnyWorker] = [worker, MendWorker(), UndoWorker(), *more]
        self.rig = self.make(specs=sensor_specs(config), computing=self.computing, workers=workers, **self.how, **how)

    def made(self, config: Config) -> dict[str, Any]:
        clock: Clock = FakeClock()
        found = {}
        for name, options in config.sensors.items():
            if isinstance(options, ComputedOptions):
                found[name] = ComputedSensor(name, options, clock, lambda *event: self.events.append(event))
                found[name].start()
        return found

    def put(self, sensor: str = "m", n: int = 1, at: int | None = None, **columns: Sequence[float | None]) -> None:
        """``n`` readings, a second apart, of all channels named; later ones follow."""
        first = self.second if at is None else at
        times = [T0 + (first + second) * S for second in range(n)]
        if at is None:
            self.second += n
        made = [
            Column(channel, times, list(values), [MISSING if value is None else GOOD for value in values])
            for channel, values in columns.items()
        ]
        assert self.rig.inbox.put(Block(sensor, made, device_time=True), 0.0)

    def measure(self, n: int) -> None:
        """Hand-overs of one reading each, no two the same."""
        for _ in range(n):
            self.put(u=[float(self.second % 7 + 1)], i=[float(self.second % 5)])

    def settle(self) -> None:
        self.rig.turn_until(self.rig.is_idle, "rest")

    def read(self, series: str) -> dict[int, tuple[float | None, int]]:
        """second -> (value, quality)."""
        sensor, channel = series.split(".")
        sql = (
            "SELECT ts, value, quality FROM {} AS r JOIN series ON series.id = series_id JOIN sensor ON sensor.id = sensor_id"
            " WHERE name = ? AND channel = ? ORDER BY ts"
        )
        with contextlib.closing(sqlite3.connect(self.rig.path)) as conn:
            rows = [row for table in ("history", "recent") for row in conn.execute(sql.format(table), (sensor, channel))]
        return {(ts - T0) // S: (value, quality) for ts, value, quality in rows}

    def check(self) -> None:
        """Every computed reading is what follows from the inputs that are stored."""
        u, i = self.read("m.u"), self.read("m.i")
        power = {second: u[second][0] * i[second][0] for second in u}  # type: ignore[operator]  # none is missing
        assert {second: value for second, (value, _) in self.read("e.power").items()} == power
        total, before = 0.0, None
        expected = {}
        for second in sorted(power):
            if before is not None and second - before <= 5:
                total += (power[second] + power[before]) / 2 * (second - before)
            expected[second], before = total, second
        assert {second: value for second, (value, _) in self.read("e.work").items()} == pytest.approx(expected)


@pytest.fixture
def computer(make: Callable[..., Rig]) -> Computer:
    return Computer(make)


def test_what_is_computed_is_stored_with_its_inputs(computer: Computer) -> None:
    computer.measure(20)
    computer.settle()
    computer.check()
    assert describe(computer.read("e.power")[3][1]) == "good"
    assert computer.sensors["e"].status().state is SensorState.READING


def test_each_statement_may_fail_and_nothing_is_lost_or_doubled(make: Callable[..., Rig], script: Script) -> None:
    """Locked, full or an I/O error, before or after the statement is done."""
    computer = Computer(make)
    computer.rig.turn(2)
    for number in range(14):
        code = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)[number % 3]
        computer.measure(3)
        script.fail_at(number, partial(sqlite_error, code), done=bool(number % 2))
        computer.rig.turn(6, 0.5)
        script.heal()
        computer.settle()
        computer.check()
    assert not computer.events


@pytest.mark.parametrize("seed", range(8))
def test_kills_at_any_moment_neither_lose_nor_repeat(make: Callable[..., Rig], seed: int) -> None:
    """What was committed is whole, and the next process goes on with the sum."""
    rng = random.Random(seed)
    computer = Computer(make)
    for _ in range(6):
        for _ in range(rng.randrange(8)):
            computer.measure(rng.randrange(4))
            computer.rig.turn(rng.randrange(3), 0.4)
        computer.rig.kill()
        computer.again()
    computer.measure(5)
    computer.settle()
    computer.check()


def test_what_was_spilled_is_computed_by_the_next_start(make: Callable[..., Rig], script: Script) -> None:
    """Readings that the writer held, and those that the inbox still had."""
    computer = Computer(make)
    computer.measure(5)
    computer.settle()
    script.before = lambda sql: sqlite_error(sqlite3.SQLITE_FULL) if sql.startswith(("BEGIN", "INSERT")) else None
    computer.measure(4)
    computer.rig.turn(3)
    computer.measure(4)
    computer.rig.stop(0.0)
    script.heal()
    computer.again()
    computer.measure(2)
    computer.settle()
    assert len(computer.read("m.u")) == 15
    computer.check()


def test_what_a_device_sends_again_after_a_restart_is_not_computed_twice(computer: Computer) -> None:
    """It is further back than what is remembered; the time is the reading's identity."""
    computer.measure(40)
    computer.settle()
    computer.rig.kill()
    computer.again()
    seconds = range(10)
    computer.put(n=10, at=0, u=[float(second % 7 + 1) for second in seconds], i=[float(second % 5) for second in seconds])
    computer.settle()
    computer.check()
    with contextlib.closing(sqlite3.connect(computer.rig.path)) as conn:
        (rows,) = conn.execute("SELECT (SELECT count(*) FROM recent) + (SELECT count(*) FROM history)").fetchone()
    assert rows == 4 * 40
    assert "conflict" not in computer.rig.kinds()


def waiting(computer: Computer) -> list[work.Work]:
    with contextlib.closing(sqlite3.connect(computer.rig.path)) as conn:
        return work.waiting(conn)


@pytest.mark.parametrize("goes_on", ["while it is salvaged", "when all is back", "after another start"])
def test_an_integral_goes_on_behind_what_is_salvaged(make: Callable[..., Rig], path: Path, fresh: Path, goes_on: str) -> None:
    """Its sums began at 0 in the database that was begun beside a damaged one; they end as if nothing had happened."""
    computer = Computer(make)
    computer.measure(20)
    computer.settle()
    computer.rig.stop()
    incidents.set_aside(path, T0, "damaged")
    computer.second, computer.rig.time.now = 120, computer.rig.time.now + 100
    salvage = partial(Salvage, path, lambda at: shutil.copy(fresh, at))  # type: ignore[arg-type]
    computer.again(more=[salvage()])
    computer.rig.turn()
    if goes_on == "while it is salvaged":
        computer.measure(10)
    if goes_on == "after another start":
        computer.measure(10)
        computer.rig.turn(2)
        computer.rig.kill()
        computer.again(more=[salvage()])
    computer.rig.turn_until(lambda: not waiting(computer), "all to be back", 300.0)
    computer.measure(5)
    computer.settle()
    assert len(computer.read("e.work")) == (25 if goes_on == "when all is back" else 35)
    computer.check()
    told = [detail for kind, detail in events(path) if kind == "recompute"]
    assert ["as soon as the readings of the damaged database are back" in detail for detail in told] == [True]


def test_what_the_inbox_drops_is_not_computed(make: Callable[..., Rig], script: Script) -> None:
    computer = Computer(make, how={"inbox_limit": 1000})
    computer.rig.turn(3)
    for _ in range(300):
        computer.put(n=10, u=[1.0] * 10, i=[2.0] * 10)
    computer.settle()
    assert len(computer.read("m.u")) < 3000
    computer.check()
    assert "dropped" in computer.rig.kinds()


def test_a_fault_of_ours_costs_the_computed_readings_only(computer: Computer, monkeypatch: pytest.MonkeyPatch) -> None:
    computer.rig.turn(2)
    with monkeypatch.context() as patch:
        patch.setattr(computer.computing.engine, "feed", lambda *_: 1 / 0)
        computer.measure(10)
        computer.settle()
    computer.measure(2)
    computer.settle()
    assert len(computer.read("m.u")) == 12
    assert sorted(computer.read("e.power")) == [10, 11]
    assert [kind for kind, *_ in computer.events] == ["computed_failed"] * 3


def test_quality_treatment_and_deadband_are_those_of_any_channel(make: Callable[..., Rig]) -> None:
    computer = Computer(
        make,
        """
  y:
    inputs: {u: m.u}
    channels:
      tested: {formula: u * 2, valid: [0, 10], scale: 10, offset: 1}
      thin: {formula: u, deadband: 5}
""",
    )
    computer.put(n=4, u=[0.4, 3.0, None, 0.5])
    computer.settle()
    found = {second: (value, describe(quality)) for second, (value, quality) in computer.read("y.tested").items()}
    assert found == {0: (9.0, "good"), 1: (61.0, "fail:gross_range"), 2: (None, "missing:input"), 3: (11.0, "fail:gross_range")}
    assert 1 not in computer.read("y.thin")
    assert computer.sensors["y"].status().counters["suppressed"] >= 1


def test_an_integral_with_a_deadband_goes_on_exactly(make: Callable[..., Rig]) -> None:
    """The sum is not stored with every reading; what is missing follows from the inputs since."""
    computer = Computer(make, "\n  e: {inputs: {u: m.u}, channels: {work: {formula: integral(u), deadband: 10, scale: 2}}}")
    for _ in range(5):
        computer.put(n=7, u=[1.0] * 7)
        computer.settle()
        computer.rig.kill()
        computer.again()
    computer.put(u=[1.0])
    computer.put(u=[100.0])
    computer.settle()
    assert computer.read("e.work")[36] == (2 * (35 + 50.5), GOOD)


def test_inputs_of_two_sensors_and_what_is_missing(make: Callable[..., Rig]) -> None:
    computer = Computer(make, MIXED)
    computer.put(u=[1.0])
    computer.put("p", t=[2.0])
    computer.put(u=[3.0])
    computer.settle()
    assert computer.read("x.sum") == {0: (None, MISSING | int(Test.INPUT)), 1: (3.0, GOOD), 2: (5.0, GOOD)}
    assert "t (p.t)" in computer.sensors["x"].examples()["no_input"]
    computer.rig.kill()
    computer.again()
    computer.put(u=[4.0])
    computer.settle()
    assert computer.read("x.sum")[3] == (6.0, GOOD)  # the other input is known again


def test_formulas_that_cannot_be_taken_over_leave_the_former_ones_and_lose_nothing(
    computer: Computer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The block in which they travel has left the inbox already, and so have the readings around it."""
    computer.measure(5)
    computer.settle()
    with monkeypatch.context() as patch:
        patch.setattr("sensorlogd.daemon.computing.computing.Engine", lambda *_: 1 / 0)
        config = config_of(ENERGY + MIXED)
        computer.rig.writer.use_specs(sensor_specs(config), RetentionPlan(), formulas(config, computer.made(config)))
        computer.measure(5)
        computer.settle()
    assert len(computer.read("m.u")) == 10
    assert len(computer.read("e.power")) == 10
    assert "computed_failed" in [kind for kind, *_ in computer.events]


def test_a_reload_goes_on_with_what_stays(computer: Computer) -> None:
    computer.measure(5)
    computer.settle()
    config = config_of(ENERGY + MIXED)
    sensors = {**computer.made(config), "e": computer.sensors["e"]}
    computer.rig.writer.use_specs(sensor_specs(config), RetentionPlan(), formulas(config, sensors))
    computer.measure(5)
    computer.put("p", t=[2.0])
    computer.settle()
    assert len(computer.read("x.sum")) == 6
    config = config_of("  e: {inputs: {u: m.u, i: m.i}, channels: {work: {formula: integral(u * i)}}}")
    computer.rig.writer.use_specs(sensor_specs(config), RetentionPlan(), formulas(config, computer.made(config)))
    before = computer.read("e.work")[9][0]
    assert before is not None
    computer.put(u=[1.0], i=[1.0])
    computer.settle()
    assert computer.read("e.work")[11][0] == before + (3 * 4 + 1) / 2 * 2  # with its sum, from the last reading on


# ---- computing anew ------------------------------------------------------------------------------------------------


def order(computer: Computer, sensor: str = "e", since: int = 0) -> int:
    texts = {channel.key[1]: channel.formula.text for channel in computer.computing.formulas.channels if channel.key[0] == sensor}
    now = computer.rig.clock.now_us()
    future = computer.rig.writer.submit("recompute", lambda db: recomputing.order(db.conn, sensor, T0 + since * S, texts, now))
    computer.rig.turn_until(future.done, "the order")
    return future.result()


def ended(computer: Computer, identity: int) -> work.Work | None:
    with contextlib.closing(sqlite3.connect(computer.rig.path)) as conn:
        piece = work.find(conn, identity)
    return piece if piece is not None and piece.state is not work.State.WAITING else None


def finish(computer: Computer, identity: int) -> work.Work:
    computer.rig.turn_until(lambda: ended(computer, identity), "the end of the work", 120.0)
    piece = ended(computer, identity)
    assert piece is not None
    return piece


def spoil(computer: Computer, sql: str = "UPDATE {} SET value = value + 1000") -> None:
    """The computed readings become wrong, wherever they are."""
    which = " WHERE series_id IN (SELECT series.id FROM series JOIN sensor ON sensor.id = sensor_id WHERE name = 'e')"

    def run(db: Any) -> None:
        for table in ("history", "recent"):
            db.conn.execute(sql.format(table) + which)

    future = computer.rig.writer.submit("spoil", run)
    computer.rig.turn_until(future.done, "the harm")
    future.result()


def test_computed_anew_after_harm_is_what_it_should_be(computer: Computer) -> None:
    computer.measure(400)
    computer.settle()
    right = computer.read("e.work") | {}
    spoil(computer)
    assert computer.read("e.work") != right
    db = computer.rig.writer._log.db
    assert db is not None
    db.frontier.edge_us = T0 + 200 * S
    done = finish(computer, order(computer, since=-5))
    assert done.state is work.State.DONE
    computer.check()
    assert "800 others than they were" in done.outcome
    assert computer.rig.rolls_up
    with contextlib.closing(sqlite3.connect(computer.rig.path)) as conn:
        assert conn.execute("SELECT count(DISTINCT start), count(*) FROM dirty").fetchone() == (4, 8)
    computer.measure(3)
    computer.settle()
    computer.check()


def test_readings_that_are_missing_are_added_and_the_right_ones_stay(computer: Computer) -> None:
    computer.measure(100)
    computer.settle()
    spoil(computer, "DELETE FROM {}")
    done = finish(computer, order(computer, since=-5))
    computer.check()
    assert "200 readings are new, 0 others" in done.outcome
    again = finish(computer, order(computer, since=50))
    assert "0 readings are new, 0 others" in again.outcome


@pytest.mark.parametrize("seed", range(6))
def test_interrupted_at_any_slice_it_goes_on(make: Callable[..., Rig], seed: int) -> None:
    """Killed, with new readings coming meanwhile: in the end the log, and the sum that goes on, are right."""
    rng = random.Random(seed)
    computer = Computer(make)
    computer.measure(300)
    computer.settle()
    spoil(computer)
    computer.rig.kill()
    computer.again()  # the daemon goes on with the wrong sum
    computer.rig.turn(2)
    identity = order(computer, since=-5)
    for _ in range(8):
        computer.measure(rng.randrange(3))
        computer.rig.turn(rng.randrange(6), 0.3)
        if rng.random() < 0.7:
            computer.rig.kill()
            computer.again()
    assert finish(computer, identity).state is work.State.DONE
    computer.measure(4)
    computer.settle()
    computer.check()


def test_readings_on_their_way_while_a_sum_is_put_right(make: Callable[..., Rig]) -> None:
    """There are always some between inbox and commit."""
    computer = Computer(make)
    computer.measure(100)
    computer.settle()
    spoil(computer)
    computer.rig.kill()
    computer.again()
    computer.rig.turn(2)
    identity = order(computer, since=-5)
    while not ended(computer, identity):
        computer.measure(1)
        computer.rig.turn(1, 0.3)
    computer.settle()
    computer.check()


def test_what_it_changed_is_taken_back_by_the_mends_undo(computer: Computer) -> None:
    from sensorlogd.storage.corrections import mend_order

    def undo(identity: int, db: OpenDatabase) -> tuple[int, int]:
        return mend_order.order_undo(db.conn, identity, T0)

    computer.measure(100)
    computer.settle()
    spoil(computer)
    wrong = computer.read("e.work")
    done = finish(computer, order(computer, since=-5))
    for identity in filter(None, done.progress["mends"].values()):
        future = computer.rig.writer.submit("undo", partial(undo, identity))
        computer.rig.turn_until(future.done, "the order")
        finish(computer, future.result()[1])
    assert computer.read("e.work") == wrong


def test_other_formulas_than_ordered_are_refused(computer: Computer) -> None:
    computer.measure(3)
    computer.settle()
    now = computer.rig.clock.now_us()
    future = computer.rig.writer.submit("x", lambda db: recomputing.order(db.conn, "e", T0, {"power": "u + i"}, now))
    computer.rig.turn_until(future.done, "the order")
    done = finish(computer, future.result())
    assert (done.state, "reload, then order it again" in done.outcome) == (work.State.FAILED, True)


def test_late_inputs_are_put_right_by_computing_anew(make: Callable[..., Rig]) -> None:
    """What came in time used what was there; computed anew, it uses what is there by now."""
    computer = Computer(make, MIXED)
    computer.put("p", t=[1.0], at=0)
    computer.put(n=4, u=[10.0] * 4, at=1)
    computer.put("p", t=[2.0], at=2)  # late
    computer.settle()
    computer.rig.time.now += 100.0
    assert [value for value, _ in computer.read("x.sum").values()] == [None, 11.0, 11.0, 11.0, 11.0]
    finish(computer, order(computer, "x", since=-5))
    assert [value for value, _ in computer.read("x.sum").values()] == [None, 11.0, 12.0, 12.0, 12.0]
    assert int(Flag.GOOD) == GOOD
    assert events(computer.rig.path)[-1][0] in ("recomputed", "recompute")
