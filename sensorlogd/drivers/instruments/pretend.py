"""Runs a pretend instrument on a line: when it sends, which faults it has, and what it has truly measured."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sensorlogd.drivers.instruments.faults import Faults, Plan
from sensorlogd.drivers.instruments.instrument import Instrument, Values
from sensorlogd.drivers.instruments.line import PretendPort
from sensorlogd.drivers.simulated.signals import SignalChoice, Source

LINGER_S = 0.3  # before the port goes: the kernel throws away what was sent and not yet read
Truth = Callable[[int, Mapping[str, float]], None]


@dataclass(slots=True)
class Counts:
    """How many frames were sent, how many of them damaged, and how many while nobody listened."""

    sent: int = 0
    damaged: int = 0
    unheard: int = 0


@dataclass(slots=True)
class Pretend:
    """A pretend instrument on its line. ``truth(time_us, values)`` is given every frame that went out as the device meant it.
    ``fixed``: channels with one value."""

    instrument: Instrument
    line: PretendPort
    faults: Faults
    truth: Truth
    interval_us: int
    seed: int = 0
    fixed: Mapping[str, float] = field(default_factory=dict)
    counts: Counts = field(default_factory=Counts)
    _sources: dict[str, Source] = field(default_factory=dict)
    _values: dict[str, float] = field(default_factory=dict)

    def run(self, count: int | None, for_s: float | None) -> None:
        """Run until this many frames have been sent to a listener, for this long, or until a stop. The line is plugged in first, and
        unplugged at the end."""
        started = time.monotonic()
        self._sources = {
            name: SignalChoice.model_validate(channel.signal).source(f"{self.seed}/{name}", self.interval_us, 0)
            for name, channel in self.instrument.channels.items()
        }
        end = None if for_s is None else started + for_s
        due = started
        self.line.plug()
        try:
            while (count is None or self.counts.sent + self.counts.damaged < count) and not self.line.wait(0):
                now = time.monotonic()
                if end is not None and now >= end:
                    return
                if now < due:
                    self._wait_or_answer(min(due, end or due) - now)
                    continue
                due = max(due + self.interval_us / 1e6, now - 1.0)
                self._draw_values()
                if self.instrument.build is not None:
                    self._send_reading(started)
        finally:
            self.line.wait(LINGER_S)
            self.line.unplug()

    def _wait_or_answer(self, for_s: float) -> None:
        """Wait until the next values are due; an instrument that is asked answers at most one question meanwhile."""
        if self.instrument.answer is None:
            self.line.wait(for_s)
            return
        if not self.line.is_heard():
            self.line.wait(min(for_s, 0.05))
            return
        request = self.line.read(for_s)
        if not request:
            return
        while more := self.line.read(0.01):  # a question may come in pieces
            request += more
        answer = self.instrument.answer(request, self._values)
        if answer is not None:
            self._send_with_faults(answer, time.time_ns() // 1000)

    def _draw_values(self) -> Values:
        """Draw the next values, at the resolution of the protocol."""
        raw = {name: source.values(1)[0] or 0.0 for name, source in self._sources.items()}
        self._values = self.instrument.rounded({**raw, **self.fixed})
        return self._values

    def _send_reading(self, started: float) -> None:
        assert self.instrument.build is not None
        if not self.line.is_heard():
            self.counts.unheard += 1
            return
        now_us = time.time_ns() // 1000
        drift = self.faults.drifted(round((time.monotonic() - started) * 1e6))
        self._send_with_faults(self.instrument.build(self._values, now_us + drift), now_us)

    def _send_with_faults(self, frame: bytes, now_us: int) -> None:
        """Send one frame, unless a fault keeps it back, and count what happened to it. ``now_us``: when its values were true."""
        plan = self.faults.plan(frame, self.instrument.damage, self.instrument.tail)
        self._interrupt(plan)
        if plan.data is None or not self.line.is_heard():
            self.counts.damaged += plan.data is None
            self.counts.unheard += plan.data is not None
            return
        if not self.line.write(plan.data, plan.byte_pause_s):
            self.counts.unheard += 1
        elif plan.intact:
            self.counts.sent += 1
            self.truth(now_us, self._values)
        else:
            self.counts.damaged += 1

    def _interrupt(self, plan: Plan) -> None:
        """Be silent, babble, or be unplugged and plugged in again, as planned before the frame."""
        if plan.silent_s:
            self.line.wait(plan.silent_s)
        if plan.babble_s:
            self.line.babble(plan.babble_s, self.faults.noise)
        if plan.away_s:
            self.line.wait(LINGER_S)
            self.line.unplug()
            self.line.wait(plan.away_s)
            self.line.plug()
            self._wait_until_heard()

    def _wait_until_heard(self) -> None:
        """Wait until a program has the port open, because frames sent to nobody would be lost. A program that reconnects gets the
        time for it."""
        while not self.line.is_heard() and not self.line.wait(0.05):
            pass
