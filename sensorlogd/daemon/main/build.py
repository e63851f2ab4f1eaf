"""Makes all parts of the daemon from one configuration, and connects them. Nothing is started here."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

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
from sensorlogd.daemon.main.components.pages import Pages, page_settings
from sensorlogd.daemon.main.components.sensor_threads import SensorThreads
from sensorlogd.daemon.main.components.startables import Startables
from sensorlogd.daemon.main.process.lock import DatabaseLock, DataDirLock
from sensorlogd.daemon.main.process.sdnotify import Notifier
from sensorlogd.daemon.main.process.signals import Requested
from sensorlogd.daemon.main.reloading.in_use import ConfigInUse
from sensorlogd.daemon.main.reloading.last_good import LastGood
from sensorlogd.daemon.main.reloading.reload import Reload
from sensorlogd.daemon.main.status import KnownIncidents, Status
from sensorlogd.daemon.rollups.coordinator import Coordinator
from sensorlogd.daemon.sensing.build import Sensor, computed_sensors, formulas, make_sensor, retention_plan, sensor_specs
from sensorlogd.daemon.timekeeping.judged_clock import JudgedClock
from sensorlogd.daemon.writing.between_commits import work_kinds
from sensorlogd.daemon.writing.build import WriterParts, WriterSettings
from sensorlogd.daemon.writing.commits.commit import Report
from sensorlogd.daemon.writing.intake.inbox import Inbox
from sensorlogd.daemon.writing.recovery.opening import Opening
from sensorlogd.daemon.writing.writer import Writer
from sensorlogd.event_kinds import Kind
from sensorlogd.processes.wake_pipe import WakePipe
from sensorlogd.storage.maintenance.mover import Mover
from sensorlogd.storage.maintenance.retention import Retention, RetentionPlan
from sensorlogd.storage.maintenance.upkeep import Upkeep


class DaemonParts:
    """The parts of one daemon, made and not started; the supervisor starts, runs and stops them.

    ``lock``, ``folder``: held by the caller; the writer sees to it that they stay so. ``load``: reads the configuration
    file again, for a reload; an error that it raises lists all mistakes in ``errors``. ``requested``, ``wake``: what
    signals ask for, and what ends the wait of the supervisor's loop. ``problems``: why the daemon is running from
    last-good.yaml, if it is. ``pages``: whether the web process is started where the configuration says so."""

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
        self.inbox = Inbox(config.storage.inbox_limit, self.clock.corrected)
        self.machine_check = MachineCheck(lambda: self.in_use.config)
        self.last_good = LastGood(config.data_dir())
        self.alarms = Alarms(config, self.clock, self._emit, self.inbox.wake)
        # Before the writer: what is stored already may have something computed from it as soon as the database is open.
        self.computed_sensors = computed_sensors(config, self.clock, self._emit)
        self.computing = Computing(formulas(config, self.computed_sensors), self._emit)
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
        self.pages.use(page_settings(config))
        self.status = self._make_status()
        self.reload = self._make_reload(load)
        self.control = self._make_control_server(config, requested, wake)

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
        settings = WriterSettings(
            path=self.path,
            commit_interval_s=config.storage.commit_interval / 1e6,
            min_free_bytes=config.storage.min_free,
        )
        parts = WriterParts(
            settings,
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
        return Writer(parts)

    def _make_status(self) -> Status:
        return Status(
            started_us=self.clock.now_us(),
            incidents=KnownIncidents(self.path),
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

    def _make_control_server(self, config: Config, requested: Requested, wake: WakePipe) -> ControlServer:
        daemon = DaemonHandlers(
            self.writer,
            self.clock,
            self.sensors.running,
            self.status.answer,
            lambda: None if self.in_use.from_last_good else self.in_use.config.path,
            requested,
            wake.wake,
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


def _make_upkeep(in_use: ConfigInUse, plan: RetentionPlan) -> Upkeep:
    """Fresh for each opening of the database; on the writer thread. After a reload ``Opening`` gives it the newer plan,
    together with the sensors that it is for."""
    retention = Retention(zone=in_use.config.daemon.timezone)
    retention.use_plan(plan)
    return Upkeep(Mover(), retention, when_full=in_use.config.storage.when_full)
