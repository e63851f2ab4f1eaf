"""The main thread: starts every part (``build`` makes them), watches it, stops it.

Owns: the inbox, the writer, the sensors' threads, the coordinator, the control socket, the pages, the alarms, the care
(backups and signs of life).
Nothing here waits for the database, nor for anything that does.

Start: locks (``run_daemon``) -> writer -> sensor threads -> control socket -> READY=1. Sensors do not wait for a database that is
slow to open; their readings wait in the inbox. A part that cannot start costs itself only, and is tried again (``startables``).

Stop, in the order the data flows, under one deadline counted from the signal: sensor threads (no new readings) -> inbox
closed (a late one is refused, never lost in silence) -> aggregator (its work is repeated next time) -> backups, signs
of life and alarms -> web process (it would keep the database open) -> the writer is asked to end; while it drains, the
control socket is closed -> the writer has committed and closed the database, or spilled beside it what it could not.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable

from sensorlogd import __version__
from sensorlogd.daemon.main.build import DaemonParts
from sensorlogd.daemon.main.process.sdnotify import Watchdog
from sensorlogd.daemon.main.process.signals import Requested
from sensorlogd.event_kinds import EventKind
from sensorlogd.notation.durations import format_duration
from sensorlogd.processes.waiting import wait_readable
from sensorlogd.processes.wake_pipe import WakePipe
from sensorlogd.storage.schema.check import end_children

logger = logging.getLogger(__name__)

STOP_WITHIN_S = 15.0  # all of it, counted from the signal
LAST_WORDS_S = 4.5  # what the writer needs after its own deadline: to spill, to say so, to close; on a slow card, too
FIRST_OPENING_S = 1.0  # sensor threads wait this long for the database, because it knows what time it is
OPENING_S = 4.0  # READY=1 waits this long for it: foreign or newer databases are found within milliseconds
WRITER_HUNG_S = 120.0
WATCH_EVERY_S = 0.9  # the sensors: there may be thousands


class Supervisor:
    """Runs the parts of a daemon until told to stop; on the main thread, which is its own. ``requested``, ``wake``:
    what signals ask for, and what ends the wait of the loop."""

    def __init__(self, parts: DaemonParts, requested: Requested, wake: WakePipe) -> None:
        self._in_use = parts.in_use
        self._clock = parts.clock
        self._notifier = parts.notifier
        self._inbox = parts.inbox
        self._machine_check = parts.machine_check
        self._last_good = parts.last_good
        self._alarms = parts.alarms
        self._writer = parts.writer
        self._startables = parts.startables
        self._care = parts.care
        self._sensors = parts.sensors
        self._coordinator = parts.coordinator
        self._pages = parts.pages
        self._status = parts.status
        self._reload = parts.reload
        self._control = parts.control
        self._computed_sensors = parts.computed_sensors
        self._requested = requested
        self._wake = wake
        self._began_us = self._clock.monotonic_us()
        self._status_line = ""

    # ---- starting --------------------------------------------------------------------------------------------------

    def run(self) -> int:
        """Start all parts, run them until the end, and stop them. Returns the exit status, as ``run_daemon`` does."""
        self._report_start()
        self._writer.start()
        try:
            self._writer.ready.wait(FIRST_OPENING_S)
            if self._writer.refusal() is None:
                self._start_parts()
                self._loop()
        finally:
            self._stop_parts()
        refusal = self._writer.refusal()
        if refusal is not None:
            logger.critical("%s", refusal)
            return 78
        return 1 if self._writer.lost_at_end else 0

    def _report_start(self) -> None:
        self._writer.emit(EventKind.STARTED, None, f"sensorlogd {__version__}, pid {os.getpid()}")
        for problem in self._in_use.problems:
            self._writer.emit(EventKind.CONFIG_REJECTED, None, problem)
        for name, reason in self._in_use.config.failed_sensors.items():
            self._writer.emit(EventKind.FAILED, name, reason)
            logger.error("%s: %s", name, reason)

    def _start_parts(self) -> None:
        config = self._in_use.config
        self._sensors.start_all(config, self._computed_sensors)
        self._startables.start("the control socket", self._control.start)
        self._care.use(config)
        self._writer.ready.wait(OPENING_S)
        if not self._in_use.problems:
            self._last_good.keep(config)
        self._notifier.ready(self._status.summary())
        logger.info("started: %s", self._status.summary())
        self._startables.start("the check of this machine", self._machine_check.start)

    # ---- the loop --------------------------------------------------------------------------------------------------

    def _loop(self) -> None:
        """Serve all parts until told to stop, or until the database is refused. Raises RuntimeError if the writer ended by
        itself."""
        watchdog = Watchdog(self._notifier, self._makes_progress)
        timeout = min(1.0, watchdog.every_s / 2) if watchdog.every_s else 1.0
        watch_at = 0.0
        while not self._requested.stop:
            wait_readable([self._wake.read_end, *self._coordinator.waitables(), *self._pages.waitables()], timeout)
            self._wake.clear()
            self._coordinator.on_readable()
            self._coordinator.tick()
            self._pages.tick()
            self._poll_clock()
            self._startables.tick()
            if self._requested.reload:
                self._reload.run(self._requested.take_reloads())
            now = time.monotonic()
            watchdog.feed(now)
            if now >= watch_at:
                watch_at = now + WATCH_EVERY_S
                self._watch_sensors()
            if self._writer.refusal() is not None:
                return
            if not self._writer.is_alive():
                logger.critical("the writer ended by itself; stopping so that a restart mends it")
                raise RuntimeError("the writer ended by itself")

    def _makes_progress(self, now: float) -> bool:
        """Whether writer and inbox move; a hung aggregator is ended by ``Coordinator`` itself."""
        return now - self._writer.stats().beat_monotonic_s < WRITER_HUNG_S

    def _watch_sensors(self) -> None:
        self._sensors.watch()
        line = self._status.summary()
        if line != self._status_line:
            self._status_line = line
            self._notifier.status(line)

    def _poll_clock(self) -> None:
        changes = self._clock.poll()
        for change in changes:
            logger.warning("clock: %s", change.sentence)
            self._writer.emit(change.kind, None, change.sentence)
        if changes:
            self._coordinator.request()  # a clock that is before the edge pulls the edge back at once

    # ---- stopping --------------------------------------------------------------------------------------------------

    def _stop_parts(self) -> None:
        """Stop all parts, in the order that the module gives; if the writer does not end in time, end the process."""
        began = time.monotonic()
        deadline = (self._requested.stop_at if self._requested.stop else began) + STOP_WITHIN_S
        logger.info("stopping: %d sensors, %d readings to store", len(self._sensors.running), self._inbox.depth)
        _stop_safely("the notice to systemd", self._notify_stopping)
        _stop_safely("the hold of the alarms", self._alarms.hold)
        _stop_safely("the sensors", lambda: self._sensors.stop(deadline))
        _stop_safely("the inbox", self._inbox.close)
        _stop_safely("the aggregator", lambda: self._coordinator.stop(1.0))
        _stop_safely("backups and the sign of life", self._care.stop)
        _stop_safely("the alarms", self._alarms.stop)
        _stop_safely("the event of the stop", self._report_stop)
        _stop_safely("the pages", self._pages.stop)
        # What the control socket has asked of the writer is done or refused by the time it closes.
        self._writer.stop(max(deadline - time.monotonic() - LAST_WORDS_S, 0.5))
        _stop_safely("the control socket", lambda: self._control.stop(1.0))
        ended = self._writer.join(max(deadline - time.monotonic(), 1.0))
        logger.info("stopped in %.1f s; %d readings stored since start", time.monotonic() - began, self._writer.stats().committed)
        if not ended:
            self._leave_without_writer()

    def _notify_stopping(self) -> None:
        self._notifier.stopping()
        self._notifier.extend(int((STOP_WITHIN_S + 5) * 1e6))

    def _report_stop(self) -> None:
        self._writer.emit(EventKind.STOPPED, None, f"after {format_duration(self._clock.monotonic_us() - self._began_us)}")

    def _leave_without_writer(self) -> None:
        logger.error("the writer does not come back from the disk; leaving")
        self._writer.abandon()
        end_children()
        logging.shutdown()
        os._exit(1)


def _stop_safely(what: str, stop: Callable[[], None]) -> None:
    """Call ``stop``. A fault in it must not keep the writer from storing what it holds, so it is logged and the stop goes on."""
    try:
        stop()
    except Exception:
        logger.exception("stopping: %s failed; the stop goes on", what)
