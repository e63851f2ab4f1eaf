"""The driver under test, and how it is made, opened and read, as in the daemon."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sensorlogd.batch import Batch, Sample
from sensorlogd.config.models import SensorOptions
from sensorlogd.drivers.conformance.watched import Broken, WatchedContext
from sensorlogd.drivers.contract import Driver, DriverError, EndOfData


@dataclass(frozen=True, slots=True)
class Subject:
    """The driver under test, with the options and devices to test it with; see ``check_driver``."""

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
        """The options as the configuration loader makes them. Raises ValidationError."""
        return self.driver.Options.variant(options).model_validate(options)

    def fields(self) -> set[str]:
        """The fields of the driver's samples that the sensor's channels use."""
        return {channel.source or name for name, channel in self.model(self.options).channel_options().items()}


@contextmanager
def opened(subject: Subject, host: WatchedContext) -> Iterator[Driver]:
    """An open driver, which is closed in any case. Another thread can see which of its methods is running."""
    driver = made(subject, subject.options, host)
    try:
        host.call = "open()"
        driver.open()
        yield driver
    finally:
        call, host.call = host.call, "close()"
        driver.close()
        host.call = call


def made(subject: Subject, options: Mapping[str, Any], host: WatchedContext) -> Driver:
    """A driver that has not been opened. Raises ValidationError for options that its model refuses, and whatever the driver
    raises."""
    host.call = "__init__()"
    return subject.driver(subject.model(options), host.context)


def read(driver: Driver, host: WatchedContext, timeout_s: float) -> Batch | Sequence[Sample]:
    """What one call of ``read`` returned. Raises what drivers may raise; anything else becomes Broken."""
    host.call = f"read({timeout_s:g})"
    try:
        return driver.read(timeout_s)
    except (DriverError, OSError, EndOfData):
        raise
    except Exception as error:
        raise Broken(
            f"{host.call} raised {type(error).__name__}: {error}; only DriverError, OSError and EndOfData tell the daemon what happened"
        ) from error
