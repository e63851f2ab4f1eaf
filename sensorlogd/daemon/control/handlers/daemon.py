"""What the daemon answers on its control socket about itself."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from sensorlogd import __version__
from sensorlogd.daemon.control.answers import Json
from sensorlogd.daemon.control.handlers.clock import answer_clock
from sensorlogd.daemon.control.handlers.dispatch import Handlers
from sensorlogd.daemon.control.requests.daemon import (
    ClockRequest,
    CommitRequest,
    ListenRequest,
    PingRequest,
    ReloadRequest,
    StatusRequest,
)
from sensorlogd.daemon.control.requests.request import ANSWER_S
from sensorlogd.daemon.control.waiting import OperationError, answer_of
from sensorlogd.daemon.main.process.signals import Requested
from sensorlogd.daemon.main.reloading.change import ConfigChange
from sensorlogd.daemon.sensing.build import Sensor
from sensorlogd.daemon.sensing.sensor_thread import SensorThread
from sensorlogd.daemon.timekeeping.judged_clock import JudgedClock
from sensorlogd.daemon.writing.writer import Writer


class DaemonHandlers:
    """Called on the threads of the control socket. ``status``: gives the answer to ``status``. ``sensors``: the sensors that run,
    by name. ``config_path``: gives the file that the daemon runs, None while it runs another one in its place. ``requested``: takes requests for the main thread, whose wait ``wake`` ends."""

    def __init__(
        self,
        writer: Writer,
        clock: JudgedClock,
        sensors: Mapping[str, Sensor],
        status: Callable[[], Json],
        config_path: Callable[[], Path | None],
        requested: Requested,
        wake: Callable[[], None],
    ) -> None:
        self._writer = writer
        self._clock = clock
        self._sensors = sensors
        self._status = status
        self._config_path = config_path
        self._requested = requested
        self._wake = wake

    def handlers(self) -> Handlers:
        """What is done by the kind of request; the answers travel as they are."""
        return {
            PingRequest: self._ping,
            CommitRequest: self._commit,
            ReloadRequest: self._reload,
            StatusRequest: self._answer_status,
            ListenRequest: self._listen,
            ClockRequest: self._answer_clock,
        }

    def _ping(self, _: PingRequest) -> Json:
        return {"pid": os.getpid(), "version": __version__}

    def _commit(self, _: CommitRequest) -> Json:
        """Answers once everything received so far is committed."""
        answer_of(self._writer, self._writer.flush())
        return {"committed": self._writer.stats().committed}

    def _answer_status(self, _: StatusRequest) -> Json:
        return self._status()

    def _answer_clock(self, request: ClockRequest) -> Json:
        """What is thought of the clock; with ``believe`` its owner says that it is right, which is written down at once."""
        answer = answer_clock(self._clock, request)
        if request.believe:
            self._writer.status_changed()
            self._wake()
        return answer

    def _listen(self, request: ListenRequest) -> Json:
        """What passed over a sensor's port since the place given (none: from now on); see ``drivers.tap``."""
        sensor = self._sensors.get(request.sensor)
        if not isinstance(sensor, SensorThread):
            raise ValueError(f"no sensor {request.sensor!r} is running")
        following, missed, passed = sensor.tap.since(request.after)
        return {"next": following, "missed": missed, "passed": [[at, direction, data.hex()] for at, direction, data in passed]}

    def _reload(self, request: ReloadRequest) -> Json:
        """Answers with the outcome. Another file than the one that runs is refused: it would not be read."""
        runs = self._config_path()
        if request.path is not None and runs is not None and os.path.realpath(runs) != os.path.realpath(request.path):
            mistake = (
                f"the daemon runs {runs.absolute()}, not {request.path}; reload that one (-c {runs.absolute()}), or restart the daemon with"
                f" -c {request.path}"
            )
            return {"ok": False, "errors": [mistake]}
        pending = self._requested.ask_reload()
        self._wake()
        try:
            outcome = pending.result(ANSWER_S)
        except TimeoutError:
            raise OperationError(
                f"not done within {ANSWER_S:.0f} s: the main thread is busy; it may still be done, the events tell"
            ) from None
        if isinstance(outcome, ConfigChange):
            return {
                "ok": True, "errors": [], "outcome": outcome.message(), "restart_needed": list(outcome.restart_needed),
                "problems": list(outcome.problems),
            }  # fmt: skip
        return {"ok": False, "errors": outcome}
