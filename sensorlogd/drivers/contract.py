"""The interface of a driver: options, ``open``, ``read``, ``close``. Nothing else.

The daemon gives every driver a thread of its own and does the rest: retry with backoff, staleness, scaling, quality
checks, storage. A driver therefore has no threads, no retries, no globals, and never sleeps: it waits in ``read`` on
its device and on ``context.wake_fd`` (or on ``context.wait``), so that it can be stopped at once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from sensorlogd.batch import Batch, Sample
from sensorlogd.config.models import SensorOptions

Count = Callable[[str, int, str], None]  # count(name, n, example), see DriverContext


class DriverError(Exception):
    """The device cannot be used now. The daemon closes the driver, waits, and tries again.

    ``str(error)`` is one line that says what was found; ``hint`` says what to do about it.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class EndOfData(Exception):
    """The source has no more data and never will (a replay has ended). The sensor stops without an error."""


def _nobody_listens(now_us: int, data: bytes, direction: str) -> None:
    pass


@dataclass(frozen=True, slots=True)
class DriverContext:
    """What the daemon gives to a driver.

    wake_fd  a descriptor that becomes readable when the driver must return from ``read`` (never read from it)
    wait     wait(seconds) sleeps until then or until the stop; True means stop
    now_us   wall clock, microseconds UTC
    count    count(name, n, example) adds n to a counter of this sensor, e.g. count("bad_lines", 1, repr(line)).
             Counters are shown in ``status``; everything a driver discards must pass here.
    event    event(kind, detail) records something that happened once (e.g. "device_reset")
    tap      tap(now_us, data, "rx" or "tx") shows bytes that passed to whoever listens (``sensorlogd listen``)
    """

    sensor: str
    wake_fd: int
    wait: Callable[[float], bool]
    now_us: Callable[[], int]
    count: Count
    event: Callable[[str, str], None]
    tap: Callable[[int, bytes, str], None] = _nobody_listens


class Driver(ABC):
    """One sensor. A driver is made anew for each attempt to connect; ``__init__`` never touches the device."""

    Options: ClassVar[type[SensorOptions]]
    summary: ClassVar[str] = ""
    # Whether the source waits while it is not read (a simulation, a file, a program). A serial port does not: when the
    # database cannot keep up, its oldest readings are dropped and counted, because not reading would lose newer ones.
    waits: ClassVar[bool] = False

    def __init__(self, options: Any, context: DriverContext) -> None:
        self.options = options
        self.context = context

    @abstractmethod
    def open(self) -> None:
        """Connect. Raises DriverError (or OSError, ValueError) if that is not possible now."""

    @abstractmethod
    def read(self, timeout_s: float) -> Batch | Sequence[Sample]:
        """What has arrived, after waiting at most ``timeout_s``. Empty if nothing has, or when woken for a stop.

        Raises DriverError or OSError when the device is lost, EndOfData when there will never be more.
        """

    @abstractmethod
    def close(self) -> None:
        """Release the device. The daemon calls it once after every ``open``, also after a failed one. A second call, or one without
        ``open``, does nothing. Must not raise."""
