"""A computed sensor. It has no thread: the writer hands it what was computed, and ``status`` asks it as any other sensor.

``treat`` and ``seed`` are the writer thread's; the rest is for any thread.
"""

from __future__ import annotations

import dataclasses

from sensorlogd.batch import Column
from sensorlogd.calibration.scaling import divisor
from sensorlogd.computed.channel import Made
from sensorlogd.config.computed import ComputedOptions
from sensorlogd.daemon.sensing.channel_treatment import ChannelTreatment, steps_of
from sensorlogd.daemon.sensing.sensor_status import SensorSnapshot, SensorState, SensorStatus
from sensorlogd.daemon.timekeeping.clock import Clock
from sensorlogd.drivers.tap import Tap
from sensorlogd.event_kinds import Emit, EventKind
from sensorlogd.notation.durations import format_duration
from sensorlogd.quality import GOOD, NOT_EVALUATED, combine


class ComputedSensor:
    """A computed sensor, as the daemon sees sensors. ``emit``: called when no reading was computed for a heartbeat, and when
    there is one again."""

    driver = None  # nothing that a reload could find changed beside its options

    def __init__(self, name: str, options: ComputedOptions, clock: Clock, emit: Emit) -> None:
        self.name = name
        self.options = options
        self.tap = Tap()  # no port, so nothing ever passes
        self._clock = clock
        self._emit = emit
        self._heartbeat_us = options.heartbeat_us()
        self._channels = fresh_treatments(options)
        self._status = SensorStatus(name, clock)
        self._heard_us = clock.monotonic_us()
        self._reported_stale = False

    # ---- as a sensor thread ----------------------------------------------------------------------------------------

    def start(self) -> None:
        """Count silence from now on. There is no thread to start."""
        if self._status.state is SensorState.STOPPED:
            self._heard_us = self._clock.monotonic_us()
            self._status.move(SensorState.STARTING, only_from=SensorState.STOPPED)

    def stop(self) -> None:
        """Idempotent."""
        self._status.move(SensorState.STOPPED)

    def leave_behind(self) -> None:
        """There is no thread that could hang."""

    def join(self, timeout_s: float | None = None) -> bool:
        """There is no thread to wait for."""
        return True

    def status(self) -> SensorSnapshot:
        """What it is doing now; stale when no reading was computed for a heartbeat."""
        now = self._status.snapshot()
        quiet_us = self._clock.monotonic_us() - self._heard_us
        if now.state not in (SensorState.STARTING, SensorState.READING) or quiet_us <= self._heartbeat_us:
            return now
        error = f"no reading for {format_duration(self._heartbeat_us)}"
        return dataclasses.replace(now, state=SensorState.STALE, since_us=self._clock.now_us() - quiet_us, last_error=error)

    def watch(self) -> None:
        """Called now and then: emits one event when no reading was computed for a heartbeat, and one when there are readings
        again."""
        now = self.status()
        is_stale = now.state is SensorState.STALE
        if is_stale != self._reported_stale:
            self._reported_stale = is_stale
            self._emit(EventKind.STALE if is_stale else EventKind.CONNECTED, self.name, now.last_error or "readings again")

    def examples(self) -> dict[str, str]:
        """For each counter the last example of what was counted."""
        return self._status.examples()

    def count(self, counter: str, n: int, example: str) -> None:
        """Add to a counter that ``status`` shows."""
        self._status.count(counter, n, example)

    # ---- the writer thread -----------------------------------------------------------------------------------------

    def treat(self, channel: str, made: Made) -> Column | None:
        """Scaled, tested, thinned out as its options say; the quality is the worst of the inputs' and of its own tests."""
        column = treated(self._channels[channel], channel, made)
        self._heard_us = self._clock.monotonic_us()
        self._status.note_reading()
        self._status.move(SensorState.READING, only_from=SensorState.STARTING)
        suppressed = len(made.times) - (0 if column is None else len(column.times_us))
        if suppressed:
            self.count("suppressed", suppressed, "")
        return column

    def go_on_from(self, former: ComputedSensor) -> None:
        """Take the place of ``former``, the same sensor before a reload: each deadband goes on. Quality tests, counters
        and the state begin anew."""
        for name, treatment in self._channels.items():
            before = former._channels.get(name)
            if treatment.deadband is not None and before is not None and before.deadband is not None:
                treatment.deadband.go_on_from(before.deadband)

    def seed(self, channel: str, ts: int, value: float | None, quality: int) -> None:
        """The newest reading that is stored: the deadband goes on from it."""
        deadband = self._channels[channel].deadband
        if deadband is not None:
            deadband.resume(ts, value, quality)


def fresh_treatments(options: ComputedOptions) -> dict[str, ChannelTreatment]:
    """The treatment of each channel, without any memory of earlier readings."""
    return {name: ChannelTreatment(name, channel, options.heartbeat_us()) for name, channel in options.channels.items()}


def treated(treatment: ChannelTreatment, channel: str, made: Made, *, thinned: bool = True) -> Column | None:
    """What of ``made`` is to be stored. ``thinned`` False: all of it, whatever the deadband says."""
    times = made.times
    values, own = treatment.treat(times, made.values, steps_of(times))
    owns = [own] * len(times) if isinstance(own, int) else own
    qualities = [
        theirs if mine in (GOOD, NOT_EVALUATED) else combine(mine, theirs)
        for mine, theirs in zip(owns, made.qualities, strict=True)
    ]
    if treatment.deadband is not None and thinned:
        kept = treatment.deadband.keep(times, values, qualities)
        if not kept:
            return None
        times, values, qualities = (
            [times[index] for index in kept],
            [values[index] for index in kept],
            [qualities[index] for index in kept],
        )
    return Column(channel, times, values, qualities)


def is_rescaled(old: ComputedOptions, new: ComputedOptions, channel: str) -> bool:
    """Whether what is stored of a channel means another value of its formula by the new options than by the old."""
    before, after = old.channels.get(channel), new.channels.get(channel)
    return before is not None and after is not None and (before.scale, before.offset) != (after.scale, after.offset)


def unscaled(options: ComputedOptions, channel: str, stored: float) -> float:
    """The value that the formula gave, computed back from the stored value."""
    calibrated = options.channels[channel]
    by = divisor(calibrated.scale)
    return (stored - calibrated.offset) * by if by is not None else (stored - calibrated.offset) / calibrated.scale
