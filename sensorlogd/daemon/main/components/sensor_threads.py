"""The threads of all sensors: started, watched, stopped, and left behind where a driver does not return."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping

from sensorlogd.config.models import Config, SensorOptions
from sensorlogd.daemon.main.components.startables import Startables
from sensorlogd.daemon.sensing.build import Sensor

logger = logging.getLogger(__name__)

STOP_WITHIN_S = 4.0


class SensorThreads:
    """Owns a thread for each sensor that is read (``SensorThread``), and those that hang in their driver although they were
    stopped; and the computed sensors, which have none (``ComputedSensor``).

    ``running``: by the sensor's name; changed on the main thread, read by any. ``make``: a sensor thread that is not started; it
    may raise anything. ``startables``: tries again what cannot start."""

    def __init__(self, make: Callable[[str, SensorOptions, Config], Sensor], startables: Startables) -> None:
        self.running: dict[str, Sensor] = {}
        self.make = make
        self._startables = startables
        self._left_behind: list[Sensor] = []

    def start_all(self, config: Config, made: Mapping[str, Sensor] | None = None) -> None:
        """Every sensor that is enabled. ``made``: as with ``start``, by name."""
        for name, sensor in config.sensors.items():
            if sensor.enabled:
                self.start(name, sensor, config, (made or {}).get(name))

    def start(self, name: str, sensor: SensorOptions, config: Config, made: Sensor | None = None) -> None:
        """Start a sensor now, or later if that fails. ``made``: the sensor thread to use at the first try."""
        first = [] if made is None else [made]

        def start() -> None:
            thread = first.pop() if first else self._make_again(name, sensor, config)
            try:
                thread.start()
            except RuntimeError:  # no thread to be had
                thread.join()
                raise
            self.running[name] = thread

        self._startables.start(f"sensor {name}", start)

    def _make_again(self, name: str, sensor: SensorOptions, config: Config) -> Sensor:
        """Raises RuntimeError, whatever ``make`` raises: it costs this sensor only."""
        try:
            return self.make(name, sensor, config)
        except Exception as error:
            raise RuntimeError(f"{type(error).__name__}: {error}") from error

    def watch(self) -> None:
        for thread in self.running.values():
            thread.watch()

    def remove(self, leaving: Mapping[str, Sensor]) -> None:
        """Stop these sensors and forget them."""
        for name, thread, returned in _stop_all(leaving, float("inf")):
            if not returned:
                thread.leave_behind()
                self._left_behind.append(thread)
            del self.running[name]

    def forget_unstarted(self, config: Config) -> None:
        """Do not try again to start the sensors of ``config`` that could not be started so far."""
        for name in config.sensors:
            self._startables.forget(f"sensor {name}")

    def stop(self, deadline: float) -> None:
        """Stop all sensors. Waits until ``deadline`` (monotonic), STOP_WITHIN_S at most, for all of them together."""
        self._left_behind += [thread for _, thread, returned in _stop_all(self.running, deadline) if not returned]


def _stop_all(sensor_threads: Mapping[str, Sensor], deadline: float) -> Iterator[tuple[str, Sensor, bool]]:
    """Ask all to stop, then wait for one after the other. Yields (name, sensor, whether its thread has returned in time)."""
    for thread in sensor_threads.values():
        thread.stop()
    until = min(time.monotonic() + STOP_WITHIN_S, deadline)
    for name, thread in sensor_threads.items():
        returned = thread.join(max(until - time.monotonic(), 0.0))
        if not returned:
            logger.warning("%s: the driver does not return; left behind", name)
        yield name, thread, returned
