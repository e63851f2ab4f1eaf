"""The ``simulated`` driver: paces its signals, in real time or as fast as possible, at the wall clock or from a start."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import Field, model_validator

from sensorlogd.batch import Batch, Sample
from sensorlogd.config.models import ChannelOptions, DurationUs, Instant, Name, SensorOptions
from sensorlogd.drivers.contract import Driver, DriverContext, EndOfData
from sensorlogd.drivers.simulated.faults import FaultOptions, Faults
from sensorlogd.drivers.simulated.signals import SignalChoice
from sensorlogd.stamping.judging import TimeLimits


class SimulatedChannel(ChannelOptions):
    """A channel and the signal it follows."""

    signal: SignalChoice = Field(description="exactly one of constant, sine, square, ramp, random_walk, noise, diurnal, counter")
    faults: FaultOptions | None = Field(None, description="what goes wrong: spike, stuck, drift, gap, nan")


class SimulatedOptions(SensorOptions):
    """Keys of ``driver: simulated``."""

    interval: DurationUs = Field(1_000_000, ge=0, le=86_400_000_000, description="time between samples; 0s: as fast as possible")
    batch: int = Field(1, ge=1, le=100_000, description="samples per hand-over")
    seed: int = Field(0, description="two runs with the same seed give the same values")
    count: int | None = Field(None, ge=1, description="end after this many samples")
    start: Instant | None = Field(None, description="simulated time of the first sample (ISO 8601); default: the wall clock")
    pace: Literal["realtime", "fast"] = Field("realtime", description="fast: with start, do not wait between samples")
    channels: Mapping[Name, SimulatedChannel]

    def time_limits(self) -> TimeLimits | None:
        """It may begin whenever it likes."""
        return None

    @model_validator(mode="after")
    def _consistent(self) -> SimulatedOptions:
        if self.pace == "fast" and self.start is None:
            raise ValueError("pace: fast needs start:, or the samples would all be now; interval: 0s is as fast as possible")
        if self.start is not None and not self.interval:
            raise ValueError("start: needs an interval above 0s, or all samples would have one time; write e.g. interval: 1s")
        return self


class SimulatedDriver(Driver):
    """Gives the values of its signals at their pace; see the module. Times are the device's (``device_time``) when ``start`` is
    given."""

    Options = SimulatedOptions
    summary = "signals for trying and testing"
    waits = True

    def __init__(self, options: SimulatedOptions, context: DriverContext) -> None:
        super().__init__(options, context)
        self.options: SimulatedOptions = options

    def open(self) -> None:
        """Begin all signals and faults anew from ``seed``: two openings with one ``start:`` give the same values."""
        options = self.options
        self.sent = 0
        start_us = options.start if options.start is not None else self.context.now_us()
        self.sources = {
            name: channel.signal.source(f"{options.seed}/{self.context.sensor}/{name}", options.interval, start_us)
            for name, channel in options.channels.items()
        }
        self.faults = {
            name: Faults(channel.faults, f"{options.seed}/{self.context.sensor}/{name}/faults", options.interval)
            for name, channel in options.channels.items()
            if channel.faults is not None
        }
        self.due = time.monotonic()

    def read(self, timeout_s: float) -> Batch | Sequence[Sample]:
        """One batch of ``batch`` samples, when the last of them is due. What a pause longer than a
        batch (a suspended machine) has held up is not made up for in a burst. Raises EndOfData after ``count`` samples."""
        options = self.options
        n = options.batch
        if options.count is not None:
            n = min(n, options.count - self.sent)
            if n <= 0:
                raise EndOfData
        interval = options.interval
        if interval and options.pace == "realtime":
            # A batch is handed over when its last sample is due, as a real device's buffer would be.
            last_due = self.due + (n - 1) * interval / 1e6
            wait = last_due - time.monotonic()
            if wait > timeout_s:
                self.context.wait(timeout_s)
                return []
            if wait > 0 and self.context.wait(wait):
                return []
            # Behind by more than a batch (a suspended machine): do not make up for it in a burst.
            self.due = max(self.due + n * interval / 1e6, time.monotonic() - n * interval / 1e6)
        if options.start is not None:
            first = options.start + self.sent * interval
            times = list(range(first, first + n * interval, interval))
        else:
            now = self.context.now_us()
            step = interval or 1
            times = list(range(now - (n - 1) * step, now + 1, step))
        self.sent += n
        columns = {name: source.values(n) for name, source in self.sources.items()}
        for name, faults in self.faults.items():
            columns[name] = faults.applied(columns[name])
        return Batch(times, columns, device_time=options.start is not None)

    def close(self) -> None:
        self.sources = {}
