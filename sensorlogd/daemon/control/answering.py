"""What the daemon answers on its control socket about itself; what it does to the database is in ``operations``."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from sensorlogd import __version__
from sensorlogd.daemon.control import clock_request
from sensorlogd.daemon.control.requests import Listen
from sensorlogd.daemon.main.process.signals import Requested
from sensorlogd.daemon.main.reloading.change import ConfigChange
from sensorlogd.daemon.sensing.build import Sensor
from sensorlogd.daemon.sensing.sensor_thread import SensorThread
from sensorlogd.daemon.timekeeping.judged_clock import JudgedClock
from sensorlogd.daemon.writing.writer import Writer

ANSWER_S = 25.0


class DaemonRequests:
    """Called on the threads of the control socket. ``status``: gives the answer to ``status``. ``sensors``: the sensors that run,
    by name. ``requested``: takes requests for the main thread, whose wait ``wake`` ends."""

    def __init__(
        self,
        writer: Writer,
        clock: JudgedClock,
        sensors: Mapping[str, Sensor],
        status: Callable[[], dict[str, Any]],
        requested: Requested,
        wake: Callable[[], None],
    ) -> None:
        self._writer = writer
        self._clock = clock
        self._sensors = sensors
        self._status = status
        self._requested = requested
        self._wake = wake

    def handlers(self) -> Mapping[str, Callable[[dict[str, Any]], dict[str, Any]]]:
        """The handler of each request, by the name of the request."""
        return {
            "ping": self.ping,
            "commit": self.commit,
            "reload": self.reload,
            "status": self.status,
            "listen": self.listen,
            "clock": self.clock,
        }

    def ping(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"pid": os.getpid(), "version": __version__}

    def commit(self, _: dict[str, Any]) -> dict[str, Any]:
        """Answers once everything received so far is committed."""
        self._writer.flush().result(ANSWER_S)
        return {"committed": self._writer.stats().committed}

    def status(self, _: dict[str, Any]) -> dict[str, Any]:
        return self._status()

    def clock(self, request: dict[str, Any]) -> dict[str, Any]:
        """What is thought of the clock; with ``believe`` its owner says that it is right, which is written down at once."""
        answer = clock_request.handler(self._clock)(request)
        if request.get("believe"):
            self._writer.status_changed()
            self._wake()
        return answer

    def listen(self, request: dict[str, Any]) -> dict[str, Any]:
        """What passed over a sensor's port since the place given (none: from now on); see ``drivers.tap``."""
        listen = Listen.of(request)
        sensor = self._sensors.get(listen.sensor)
        if not isinstance(sensor, SensorThread):
            raise ValueError(f"no sensor {listen.sensor!r} is running")
        following, missed, passed = sensor.tap.since(listen.after)
        return {"next": following, "missed": missed, "passed": [[at, direction, data.hex()] for at, direction, data in passed]}

    def reload(self, _: dict[str, Any]) -> dict[str, Any]:
        """Answers with the outcome."""
        pending = self._requested.ask_reload()
        self._wake()
        outcome = pending.result(ANSWER_S)
        if isinstance(outcome, ConfigChange):
            return {
                "ok": True, "errors": [], "outcome": outcome.message(), "restart_needed": list(outcome.restart_needed),
                "problems": list(outcome.problems),
            }  # fmt: skip
        return {"ok": False, "errors": outcome}
