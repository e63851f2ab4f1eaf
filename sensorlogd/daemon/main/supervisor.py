"""The main thread: makes every part, starts it, watches it, stops it.

Owns: the inbox, the writer, the sensors' threads, the coordinator, the control socket, the pages, the alarms, the care
(backups and signs of life).
Nothing here waits for the database, nor for anything that does.

Start: locks (``run_daemon``) -> writer -> sensor threads -> control socket -> READY=1. Sensors do not wait for a database that is
slow to open; their readings wait in the inbox. A part that cannot start costs itself only, and is tried again (``startables``).

Stop, in the order the data flows, under one deadline counted from the signal: sensor threads (no new readings) -> inbox closed (a
late one is refused, never lost in silence) -> aggregator (its work is repeated next time) -> backups, signs of life and alarms -> web process
(it would keep the database open) -> the writer is asked to end; while it drains, the control socket is closed -> the writer has
committed and closed the database, or spilled beside it what it could not.
"""

from __future__ import annotations

import functools
import logging
import os
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import wait

from sensorlogd import __version__
from sensorlogd.config.models import Config, SensorOptions
from sensorlogd.daemon.computing.computing import Computing
from sensorlogd.daemon.computing.recompute import RecomputeWorker
from sensorlogd.daemon.control.control_socket import ControlServer
from sensorlogd.daemon.control.handlers.alarms import LiveAlarmHandlers
from sensorlogd.daemon.control.handlers.daemon import DaemonHandlers
from sensorlogd.daemon.control.handlers.database import DatabaseHandlers
from sensorlogd.daemon.control.handlers.dispatch import Dispatch
from sensorlogd.daemon.control.handlers.saved_views import SavedViewHandlers
from sensorlogd.daemon.machine.machine_check import MachineCheck
from sensorlogd.daemon.main.components.alarms import Alarms
from sensorlogd.daemon.main.components.care import Care
from sensorlogd.daemon.main.components.pages import Pages
from sensorlogd.daemon.main.components.sensor_threads import SensorThreads
from sensorlogd.daemon.main.components.startables import Startables
from sensorlogd.daemon.main.process.lock import DatabaseLock, DataDirLock
from sensorlogd.daemon.main.process.sdnotify import Notifier, Watchdog
from sensorlogd.daemon.main.process.signals import Requested
from sensorlogd.daemon.main.reloading.in_use import ConfigInUse
from sensorlogd.daemon.main.reloading.last_good import LastGood
from sensorlogd.daemon.main.reloading.reload import Reload
from sensorlogd.daemon.main.status import Status
from sensorlogd.daemon.rollups.coordinator import Coordinator
from sensorlogd.daemon.sensing.build import Sensor, computed_sensors, formulas, make_sensor, retention_plan, sensor_specs
from sensorlogd.daemon.timekeeping.judged_clock import JudgedClock
from sensorlogd.daemon.writing.between_commits import work_kinds
from sensorlogd.daemon.writing.commits.commit import Report
from sensorlogd.daemon.writing.intake.inbox import Inbox
from sensorlogd.daemon.writing.recovery.opening import Opening
from sensorlogd.daemon.writing.writer import Writer, WriterSettings
from sensorlogd.event_kinds import EventKind, Kind
from sensorlogd.notation.durations import format_duration
from sensorlogd.processes.wake_pipe import WakePipe
from sensorlogd.storage import database
from sensorlogd.storage.maintenance.mover import Mover
from sensorlogd.storage.maintenance.retention import Retention, RetentionPlan
from sensorlogd.storage.maintenance.upkeep import Upkeep

logger = logging.getLogger(__name__)

STOP_WITHIN_S = 15.0  # all of it, counted from the signal
LAST_WORDS_S = 4.5  # what the writer needs after its own deadline: to spill, to say so, to close; on a slow card, too
FIRST_OPENING_S = 1.0  # so long sensor threads wait for the database, because it knows what time it is
OPENING_S = 4.0  # so long READY=1 waits for it: foreign or newer databases are found within milliseconds
WRITER_HUNG_S = 120.0
WATCH_EVERY_S = 0.9  # the sensors: there may be thousands


class Supervisor:
    """Runs one configuration until told to stop; on the main thread, which is its own. Every part is made here, and started by
    ``run``.

    ``lock``, ``folder``: held by the caller; the writer sees to it that they stay so. ``load``: reads the configuration file again, for a reload; an error that it raises lists all mistakes in ``errors``.
    ``requested``, ``wake``: what signals ask for, and what ends the wait of the loop. ``problems``: why the daemon is running
    from last-good.yaml, if it is. ``pages``: whether the web process is started where the configuration says so.
    """

    def __init__(
        self,
        config: Config,
        load: Callable[[], Config],
        lock: DatabaseLock,
        folder: DataDirLock,
        requested: Requested,
        wake: WakePipe,
        *,
        problems: Sequence[str] = (),
        clock: JudgedClock | None = None,
        pages: bool = True,
    ) -> None:
        self.in_use = ConfigInUse(config, list(problems))
        self.clock = clock or JudgedClock()
        self.path = config.database_path()
        self.notifier = Notifier.from_environment()
        self.inbox = Inbox(config.storage.inbox_limit)
        self.machine_check = MachineCheck(lambda: self.in_use.config)
        self.last_good = LastGood(config.data_dir())
        self._requested = requested
        self._wake = wake
        self._began_us = self.clock.monotonic_us()
        self._status_line = ""
        self.alarms = Alarms(config, self.clock, self._emit, self.inbox.wake)
        # Before the writer: what is stored already may have something computed from it as soon as the database is open.
        self._computed = computed_sensors(config, self.clock, self._emit)
        self.computing = Computing(formulas(config, self._computed), self._emit)
        self.writer = self._make_writer(config, lock, folder)
        self.startables = Startables(self.writer.emit)
        self.care = Care(self.path, self.clock, self.writer, self.startables)
        self.sensors = SensorThreads(self._make_sensor, self.startables)
        self.coordinator = Coordinator(
            self.writer,
            self.path,
            config.storage.rollup_interval / 1e6,
            config.daemon.timezone,
            self.clock.safe_us,
            wake=wake.wake,
        )
        self.pages = Pages(self.writer.emit, self.writer.status_changed, wanted=pages)
        self.pages.use(config)
        self.status = self._make_status()
        self.reload = self._make_reload(load)
        self.control = self._make_control_server(config)

    # ---- building --------------------------------------------------------------------------------------------------

    def _make_writer(self, config: Config, lock: DatabaseLock, folder: DataDirLock) -> Writer:
        opening = Opening(
            self.path,
            sensor_specs(config),
            functools.partial(_make_upkeep, self.in_use, retention_plan(config)),
            self.clock,
            remembered=lock,
            folder=folder,
            min_free=config.storage.min_free,
        )
        return Writer(
            WriterSettings(
                path=self.path,
                commit_interval_s=config.storage.commit_interval / 1e6,
                min_free_bytes=config.storage.min_free,
            ),
            self.inbox,
            opening,
            self.clock,
            report=self._report,
            workers=[
                *work_kinds.workers(self.path),
                RecomputeWorker(self.computing, self.clock.now_us, 2 * config.storage.commit_interval + 1_000_000),
            ],
            rolls_up=self._roll_up,
            note_lost=lock.note_lost,
            watcher=self.alarms.keeper,
            computing=self.computing,
        )

    def _make_status(self) -> Status:
        return Status(
            started_us=self.clock.now_us(),
            path=self.path,
            in_use=self.in_use,
            clock=self.clock,
            writer=self.writer,
            coordinator=self.coordinator,
            sensors=self.sensors,
            pages=self.pages,
            startables=self.startables,
            machine_check=self.machine_check,
            alarms=self.alarms,
        )

    def _make_reload(self, load: Callable[[], Config]) -> Reload:
        return Reload(
            load,
            self.in_use,
            sensors=self.sensors,
            pages=self.pages,
            writer=self.writer,
            alarms=self.alarms,
            care=self.care,
            last_good=self.last_good,
            notifier=self.notifier,
            summary=self.status.summary,
        )

    def _make_control_server(self, config: Config) -> ControlServer:
        daemon = DaemonHandlers(
            self.writer, self.clock, self.sensors.running, self.status.answer, self._requested, self._wake.wake
        )
        dispatch = Dispatch(
            daemon.handlers(),
            DatabaseHandlers(self.writer, self.coordinator).handlers(),
            LiveAlarmHandlers(self.alarms.keeper, lambda: self.in_use.config).handlers(),
            SavedViewHandlers(config.data_dir()).handlers(),
        )
        return ControlServer(config.data_dir(), dispatch.by_name())

    def _emit(self, kind: Kind, sensor: str | None, detail: str) -> None:
        """Record an event, for parts that are made before the writer; called once all is built."""
        self.writer.emit(kind, sensor, detail)

    def _report(self) -> Report:
        """On the writer thread, once all is built."""
        return self.status.report()

    def _roll_up(self) -> None:
        """On the writer thread, once all is built."""
        self.coordinator.request()

    def _make_sensor(self, name: str, sensor: SensorOptions, config: Config) -> Sensor:
        return make_sensor(name, sensor, config, self.inbox, self.clock, self.writer.emit)

    # ---- starting --------------------------------------------------------------------------------------------------

    def run(self) -> int:
        """Start all parts, run them until the end, and stop them. Returns the exit status, as ``run_daemon`` does."""
        self._report_start()
        self.writer.start()
        try:
            self.writer.ready.wait(FIRST_OPENING_S)
            if self.writer.refusal() is None:
                self._start_parts()
                self._loop()
        finally:
            self._stop_parts()
        refusal = self.writer.refusal()
        if refusal is not None:
            logger.critical("%s", refusal)
            return 78
        return 1 if self.writer.lost_at_end else 0

    def _report_start(self) -> None:
        self.writer.emit(EventKind.STARTED, None, f"sensorlogd {__version__}, pid {os.getpid()}")
        for problem in self.in_use.problems:
            self.writer.emit(EventKind.CONFIG_REJECTED, None, problem)
        for name, reason in self.in_use.config.failed_sensors.items():
            self.writer.emit(EventKind.FAILED, name, reason)
            logger.error("%s: %s", name, reason)

    def _start_parts(self) -> None:
        config = self.in_use.config
        self.sensors.start_all(config, self._computed)
        self.startables.start("the control socket", self.control.start)
        self.care.use(config)
        self.writer.ready.wait(OPENING_S)
        if not self.in_use.problems:
            self.last_good.keep(config)
        self.notifier.ready(self.status.summary())
        logger.info("started: %s", self.status.summary())
        self.startables.start("the check of this machine", self.machine_check.start)

    # ---- the loop --------------------------------------------------------------------------------------------------

    def _loop(self) -> None:
        """Serve all parts until told to stop, or until the database is refused. Raises RuntimeError if the writer ended by
        itself."""
        watchdog = Watchdog(self.notifier, self._makes_progress)
        timeout = min(1.0, watchdog.every_s / 2) if watchdog.every_s else 1.0
        watch_at = 0.0
        while not self._requested.stop:
            wait([self._wake.read_end, *self.coordinator.waitables(), *self.pages.waitables()], timeout)
            self._wake.clear()
            self.coordinator.on_readable()
            self.coordinator.tick()
            self.pages.tick()
            self._poll_clock()
            self.startables.tick()
            if self._requested.reload:
                self.reload.run(self._requested.take_reloads())
            now = time.monotonic()
            watchdog.feed(now)
            if now >= watch_at:
                watch_at = now + WATCH_EVERY_S
                self._watch_sensors()
            if self.writer.refusal() is not None:
                return
            if not self.writer.is_alive():
                logger.critical("the writer ended by itself; stopping so that a restart mends it")
                raise RuntimeError("the writer ended by itself")

    def _makes_progress(self, now: float) -> bool:
        """Whether writer and inbox move; a hung aggregator is ended by ``Coordinator`` itself."""
        return now - self.writer.stats().beat_monotonic_s < WRITER_HUNG_S

    def _watch_sensors(self) -> None:
        self.sensors.watch()
        line = self.status.summary()
        if line != self._status_line:
            self._status_line = line
            self.notifier.status(line)

    def _poll_clock(self) -> None:
        changes = self.clock.poll()
        for change in changes:
            logger.warning("clock: %s", change.sentence)
            self.writer.emit(change.kind, None, change.sentence)
        if changes:
            self.coordinator.request()  # a clock behind the edge pulls the edge back at once

    # ---- stopping --------------------------------------------------------------------------------------------------

    def _stop_parts(self) -> None:
        """Stop all parts, in the order that the module gives; if the writer does not end in time, end the process."""
        began = time.monotonic()
        deadline = (self._requested.stop_at if self._requested.stop else began) + STOP_WITHIN_S
        logger.info("stopping: %d sensors, %d readings to store", len(self.sensors.running), self.inbox.depth)
        self.notifier.stopping()
        self.notifier.extend(int((STOP_WITHIN_S + 5) * 1e6))
        self.alarms.hold()
        self.sensors.stop(deadline)
        self.inbox.close()
        self.coordinator.stop(1.0)
        self.care.stop()
        self.alarms.stop()
        self.writer.emit(EventKind.STOPPED, None, f"after {format_duration(self.clock.monotonic_us() - self._began_us)}")
        self.pages.stop()
        # What the control socket has asked of the writer is done or refused by the time it closes.
        self.writer.stop(max(deadline - time.monotonic() - LAST_WORDS_S, 0.5))
        self.control.stop(1.0)
        ended = self.writer.join(max(deadline - time.monotonic(), 1.0))
        logger.info("stopped in %.1f s; %d readings stored since start", time.monotonic() - began, self.writer.stats().committed)
        if not ended:
            self._leave_without_writer()

    def _leave_without_writer(self) -> None:
        logger.error("the writer does not come back from the disk; leaving")
        self.writer.abandon()
        database.end_children()
        logging.shutdown()
        os._exit(1)


def _make_upkeep(in_use: ConfigInUse, plan: RetentionPlan) -> Upkeep:
    """Fresh for each opening of the database; on the writer thread. After a reload ``Opening`` gives it the newer plan,
    together with the sensors that it is for."""
    retention = Retention(zone=in_use.config.daemon.timezone)
    retention.use_plan(plan)
    return Upkeep(Mover(), retention, when_full=in_use.config.storage.when_full)
