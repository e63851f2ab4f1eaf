"""Runs drivers on a bus, each in a thread of its own as in the daemon, until enough questions have been asked."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sensorlogd.batch import Batch, Sample
from sensorlogd.drivers.conformance.bus.dialects import Asked, Dialect
from sensorlogd.drivers.conformance.bus.manners import LATEST, Manner, Unit
from sensorlogd.drivers.conformance.bus.oracle import Ledger
from sensorlogd.drivers.conformance.bus.wires import NOTHING, PtyWire, TcpWire, Wire
from sensorlogd.drivers.conformance.watched import WatchedContext
from sensorlogd.drivers.contract import Driver, DriverError

READ_S = 0.2
AGAIN_S = 0.02  # before a driver that failed is made anew
STUCK_S = 60.0  # without a single question


@dataclass(frozen=True, slots=True)
class Bus:
    """What is to be run: the line, the units on it, and the sensors that ask.

    driver     of all sensors
    dialect    of all units
    sensors    name -> keys as in YAML; ``port`` is put in
    expected   (sensor, field) -> the (unit, register)s whose values it may have
    manners    unit -> manner; what is left out is drawn from all of ``of``
    turnaround_s  the one that the sensors' keys say
    tcp, forgets  a TCP connection instead of a pty; what a closed one was owed does not come in the next
    echoes, closes  the line sends back what is sent; the connection is closed after each answer
    """

    driver: type[Driver]
    dialect: Dialect
    sensors: Mapping[str, Mapping[str, Any]]
    expected: Mapping[tuple[str, str], set[tuple[int, int]]]
    turnaround_s: float
    of: Sequence[Manner] = tuple(Manner)
    manners: Mapping[int, Manner] = field(default_factory=dict)
    tcp: bool = False
    echoes: bool = False
    closes: bool = False
    forgets: bool = False


def check_bus(bus: Bus, *, seed: int, questions: int) -> Ledger:
    """Raise NotConforming if any sensor has stored a value of another unit, or an old value."""
    from sensorlogd.drivers.conformance import NotConforming

    ledger = run_bus(bus, seed=seed, questions=questions)
    if findings := ledger.findings():
        raise NotConforming(bus.driver.__name__, [f"seed {seed}: {finding}" for finding in findings])
    return ledger


def run_bus(bus: Bus, *, seed: int, questions: int, deadline_s: float = 3600.0) -> Ledger:
    """Run until this many questions have been asked, nobody asks any more, or the time is over."""
    ledger = Ledger(bus.expected)
    units = _Units(bus, seed, ledger)
    wire = TcpWire(units.hear, forgets=bus.forgets) if bus.tcp else PtyWire(units.hear)
    units.wire = wire
    hosts = {name: WatchedContext() for name in bus.sensors}
    stop = threading.Event()
    threads = [
        threading.Thread(
            target=_run_sensor, args=(bus, name, wire.port, hosts[name], ledger, stop), name=f"sensor-{name}", daemon=True
        )
        for name in bus.sensors
    ]
    with wire:
        for thread in threads:
            thread.start()
        end, seen, since = time.monotonic() + deadline_s, 0, time.monotonic()
        while ledger.questions < questions and time.monotonic() < min(end, since + STUCK_S):
            time.sleep(0.02)
            if ledger.questions != seen:
                seen, since = ledger.questions, time.monotonic()
        stop.set()
        for host in hosts.values():
            host.wake()
        for thread in threads:
            thread.join(60)
    for name, host in hosts.items():
        ledger.counts[name] = Counter(host.counts)
        host.close()
    ledger.manners["left out by a busy machine"] += wire.left_out
    return ledger


class _Units:
    """All units on the bus."""

    def __init__(self, bus: Bus, seed: int, ledger: Ledger) -> None:
        """Draw the manners of the units from the seed."""
        self.bus = bus
        self.ledger = ledger
        self.wire: Wire
        self.chance = random.Random(seed)
        numbers = sorted({unit for expected in bus.expected.values() for unit, _ in expected})
        drawn = {unit: self.chance.choice(list(bus.of)) for unit in numbers} | dict(bus.manners)
        self.units = {unit: Unit(manner, random.Random(seed * 1000 + unit)) for unit, manner in drawn.items()}
        self._rest = b""

    def hear(self, data: bytes, earliest: float, now: float) -> None:
        """Decide what happens to each question in the data."""
        if self.bus.echoes:
            self.wire.say(now, now + 1.0, self.bus.dialect.echo(data))
        found, self._rest = self.bus.dialect.take(self._rest + data)
        for question in found:
            self.ledger.questions += 1
            self._plan_answer(question, earliest, now)

    def _plan_answer(self, question: Asked, earliest: float, now: float) -> None:
        """Put on the wire what the unit says to one question, and when. A question to nobody is not answered."""
        unit = self.units.get(question.unit)
        if unit is None:
            return
        act, turnaround_s, dialect = unit.act(), self.bus.turnaround_s, self.bus.dialect
        self.ledger.manners[act.name] += 1
        parts = dialect.answer(question, self.ledger.round_of)
        latest = earliest + LATEST * turnaround_s
        if act.after is not None and parts:
            answer_at = now + act.after * turnaround_s
            said = dialect.damage(parts[0], self.chance) if act.damaged else parts[0]
            again = (act.again_after * turnaround_s, parts[-1]) if act.again_after is not None else NOTHING
            if said:
                self.wire.say(answer_at, latest, said, again)
            if self.bus.closes:
                self.wire.hang_up(answer_at + 0.001)
        if act.chatter_after is not None:
            self.wire.say(now + act.chatter_after * turnaround_s, latest, dialect.chatter(self.chance))


def _run_sensor(bus: Bus, name: str, port: str, host: WatchedContext, ledger: Ledger, stop: threading.Event) -> None:
    """Run one sensor as the daemon does: after an error the driver is made again."""
    options = bus.driver.Options.variant(bus.sensors[name]).model_validate({**bus.sensors[name], "port": port})
    while not stop.is_set():
        driver = bus.driver(options, host.context)
        try:
            driver.open()
            while not stop.is_set():
                _note_values(name, driver.read(READ_S), ledger)
        except (DriverError, OSError) as error:
            ledger.errors[f"{name}: {error}".replace(port, "the port")] += 1
            stop.wait(AGAIN_S)
        finally:
            driver.close()


def _note_values(name: str, got: Batch | Sequence[Sample], ledger: Ledger) -> None:
    if isinstance(got, Batch):
        for field_name, column in got.values.items():
            for value in column:
                if value is not None:
                    ledger.stored(name, field_name, value)
        return
    for sample in got:
        for field_name, value in sample.values.items():
            ledger.stored(name, field_name, value)
