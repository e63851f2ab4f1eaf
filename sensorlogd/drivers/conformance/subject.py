"""The driver that is put to the test, what it is tried with, and how it is made, opened and read: as the daemon does it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sensorlogd.batch import Batch, Sample
from sensorlogd.config.models import SensorOptions
from sensorlogd.drivers.conformance.watched import Broken, Lent
from sensorlogd.drivers.contract import Driver, DriverError, EndOfData


@dataclass(frozen=True, slots=True)
class Subject:
    """The driver and what there is to try it with; see ``check_driver``."""

    driver: type[Driver]
    options: Mapping[str, Any]
    bad_options: Sequence[Mapping[str, Any]]
    missing: Mapping[str, Any] | None
    feed: Callable[[], object]
    spoil: Callable[[], object] | None
    lose: Callable[[], object] | None
    rows: int
    deadline_s: float

    def model(self, options: Mapping[str, Any]) -> SensorOptions:
        """The options as the loader would make them. Raises ValidationError."""
        return self.driver.Options.variant(options).model_validate(options)

    def fields(self) -> set[str]:
        """What the sensor's channels take from the driver's samples."""
        return {channel.source or name for name, channel in self.model(self.options).channel_options().items()}


@contextmanager
def opened(subject: Subject, host: Lent) -> Iterator[Driver]:
    """An open driver, which is closed in any case; the call that is running can be seen from outside."""
    driver = made(subject, subject.options, host)
    try:
        host.call = "open()"
        driver.open()
        yield driver
    finally:
        call, host.call = host.call, "close()"
        driver.close()
        host.call = call


def made(subject: Subject, options: Mapping[str, Any], host: Lent) -> Driver:
    """A driver that is not open yet. Raises ValidationError for options that its model refuses, and what the driver raises."""
    host.call = "__init__()"
    return subject.driver(subject.model(options), host.context)


def read(driver: Driver, host: Lent, timeout_s: float) -> Batch | Sequence[Sample]:
    """What one call of ``read`` gives. Raises what drivers may raise, and Broken for anything else."""
    host.call = f"read({timeout_s:g})"
    try:
        return driver.read(timeout_s)
    except (DriverError, OSError, EndOfData):
        raise
    except Exception as error:
        raise Broken(
            f"{host.call} raised {type(error).__name__}: {error}; only DriverError, OSError and EndOfData tell the daemon what happened"
        ) from error
