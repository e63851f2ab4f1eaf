"""A clock that the test holds in its hand, a driver that does what the test says, and ears for events."""

from __future__ import annotations

import queue
import select
import threading
from collections.abc import Callable, Sequence
from typing import Any

from sensorlogd.batch import Batch, Block, Sample
from sensorlogd.config.models import ChannelOptions, SensorOptions
from sensorlogd.daemon.backoff import Backoff
from sensorlogd.daemon.sensing.sensor_status import SensorState, SensorStatus
from sensorlogd.daemon.sensing.sensor_thread import SensorThread
from sensorlogd.daemon.sensing.treatment import Treatment
from sensorlogd.daemon.timekeeping.clock import Clock
from sensorlogd.daemon.writing.intake.inbox import Inbox
from sensorlogd.drivers.contract import Driver, DriverContext
from sensorlogd.stamping.judging import TimeLimits
from tests.rig import until

S = 1_000_000
DEADLINE = 60.0


class FakeClock(Clock):
    """Stands still until told. ``set`` moves the wall clock only, as somebody who sets it does."""

    def __init__(self, now_us: int = 1_700_000_000 * S) -> None:
        self.wall_us = now_us
        self.steady_us = 1000 * S

    def now_us(self) -> int:
        return self.wall_us

    def monotonic_us(self) -> int:
        return self.steady_us

    def advance(self, us: int) -> None:
        self.wall_us += us
        self.steady_us += us

    def set(self, us: int) -> None:
        self.wall_us += us


class Script:
    """What the drivers of one reader do, in order: values to return from read, exceptions to raise, or calls to make.

    ``opening``: for each attempt what open raises (None = it works); exhausted = it works.
    """

    def __init__(self, *reads: Any, opening: Sequence[BaseException | None] = ()) -> None:
        self.reads: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.opening = list(opening)
        self.made = self.opened = self.closed = self.read = 0
        self.then(*reads)

    def then(self, *reads: Any) -> None:
        for read in reads:
            self.reads.put(read)

    def driver(self, context: DriverContext) -> Driver:
        self.made += 1
        return ScriptedDriver(SensorOptions(driver="scripted"), context, self)

    def done(self) -> bool:
        return self.reads.empty()


class ScriptedDriver(Driver):
    Options = SensorOptions

    def __init__(self, options: SensorOptions, context: DriverContext, script: Script) -> None:
        super().__init__(options, context)
        self.script = script
        self.poll = select.poll()
        self.poll.register(context.wake_fd, select.POLLIN)

    def open(self) -> None:
        self.script.opened += 1
        error = self.script.opening.pop(0) if self.script.opening else None
        if error is not None:
            raise error

    def read(self, timeout_s: float) -> Batch | Sequence[Sample]:
        self.script.read += 1
        try:
            step = self.script.reads.get_nowait()
        except queue.Empty:
            self.poll.poll(5)  # short: tests move the clock meanwhile
            return []
        if isinstance(step, BaseException):
            raise step
        result: Batch | Sequence[Sample] = step(self.context) if callable(step) else step
        return result

    def close(self) -> None:
        self.script.closed += 1


class Rig:
    """A reader with everything around it. Use as a context manager: it is stopped at the end."""

    def __init__(
        self,
        script: Script,
        *,
        inbox_limit: int = 100_000,
        heartbeat_us: int = 10 * S,
        clock: Clock | None = None,
        make_driver: Callable[[DriverContext], Driver] | None = None,
        backoff: Backoff | None = None,
        options: ChannelOptions | None = None,
        time_limits: TimeLimits | None = None,
    ) -> None:
        self.script = script
        self.clock = clock or FakeClock()
        self.inbox = Inbox(inbox_limit)
        self.events: list[tuple[str, str]] = []
        self.synced = True
        status = SensorStatus("sensor", self.clock)
        treatment = Treatment("sensor", {"x": options or ChannelOptions()}, heartbeat_us, status.count)
        self.thread = SensorThread(
            "sensor",
            make_driver or script.driver,
            treatment,
            self.inbox,
            self.clock,
            self._hear,
            status,
            heartbeat_us=heartbeat_us,
            clock_synced=lambda: self.synced,
            backoff=backoff or Backoff(first_s=0, quick_s=0, cap_s=0),
            time_limits=time_limits,
        )

    def _hear(self, kind: str, sensor: str | None, detail: str) -> None:
        assert sensor == "sensor"
        self.events.append((kind, detail))

    def __enter__(self) -> Rig:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.thread.stop()
        assert self.thread.join(DEADLINE), "the reader did not end"

    def kinds(self) -> list[str]:
        return [kind for kind, _ in self.events]

    def state(self) -> SensorState:
        return self.thread.status().state

    def until_state(self, state: SensorState) -> None:
        until(lambda: self.state() is state, f"state {state}")

    def until_event(self, kind: str, n: int = 1) -> str:
        """The detail of the n-th event of that kind."""
        until(lambda: self.kinds().count(kind) >= n, f"{n} events {kind}, have {self.events}")
        return [detail for event_kind, detail in self.events if event_kind == kind][n - 1]

    def until_reads(self, more: int = 3) -> None:
        """Until the driver has been asked so many times more: what happened before has been dealt with."""
        want = self.script.read + more
        until(lambda: self.script.read >= want, "the driver to be read again")

    def blocks(self) -> list[Block]:
        return self.inbox.get_all(10**9, 0)


class Gate:
    """A driver call that does not return until the test opens the gate."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.release = threading.Event()

    def __call__(self, _: DriverContext) -> list[Sample]:
        self.entered.set()
        self.release.wait()
        return []
