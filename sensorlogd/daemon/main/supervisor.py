"""The main thread: starts everything, watches it, reloads it, stops it.

Owns: the locks of the data directory and of the database, the inbox, the writer, one ``Reader`` per sensor, the aggregation,
the control socket, the web process. Nothing here waits for the database, nor for anything that does.

Start: locks -> writer -> readers -> control socket -> READY=1. Sensors do not wait for a database that is slow to open;
their readings wait in the inbox. A part that cannot start costs itself only, and is tried again (``parts``).

Stop, in the order the data flows, under one deadline counted from the signal: readers (no new readings) -> inbox closed (a
late one is refused, never lost in silence) -> control socket -> aggregator (its work is repeated next time) -> web process
(it would keep the database open) -> writer drains, commits and closes the database, or spills beside it what it cannot.
"""

from __future__ import annotations

import logging
import os
import resource
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from sensorlogd import __version__
from sensorlogd.config.models import Config, SensorOptions
from sensorlogd.daemon.control import clock_request
from sensorlogd.daemon.control.control_socket import ControlServer, socket_path
from sensorlogd.daemon.control.operations import Acts
from sensorlogd.daemon.main import status
from sensorlogd.daemon.main.lock import DatabaseLock, DataDirLock
from sensorlogd.daemon.main.parts import Parts
from sensorlogd.daemon.main.reload import Change, ReloadRefused, prepare
from sensorlogd.daemon.main.sdnotify import Notifier
from sensorlogd.daemon.main.signals import Asked, Wakeup, take_signals
from sensorlogd.daemon.rollups.coordinator import Aggregation
from sensorlogd.daemon.sensing.build import make_reader, retention_plan, sensor_specs
from sensorlogd.daemon.sensing.sensor_thread import Reader
from sensorlogd.daemon.timekeeping.judged_clock import JudgedClock
from sensorlogd.daemon.web_process import WebProcess
from sensorlogd.daemon.writing import work_kinds
from sensorlogd.daemon.writing.commit import Report
from sensorlogd.daemon.writing.inbox import Inbox
from sensorlogd.daemon.writing.opening import Opening
from sensorlogd.daemon.writing.writer import Writer, WriterSettings
from sensorlogd.durations import format_duration
from sensorlogd.storage import database
from sensorlogd.storage.maintenance.mover import Mover
from sensorlogd.storage.maintenance.retention import Retention
from sensorlogd.storage.maintenance.upkeep import Upkeep
from sensorlogd.web.serving.settings import Settings

log = logging.getLogger(__name__)

STOP_WITHIN_S = 15.0  # all of it, counted from the signal
STOP_READERS_S = 4.0
LAST_WORDS_S = 4.5  # what the writer needs after its own deadline: to spill, to say so, to close; on a slow card, too
FIRST_OPENING_S = 1.0  # so long readers wait for the database, because it knows what time it is
OPENING_S = 4.0  # so long READY=1 waits for it: foreign or newer databases are found within milliseconds
WRITER_HUNG_S = 120.0
LOOK_EVERY_S = 0.9  # at sensors: there may be thousands
LAST_GOOD = "last-good.yaml"
DESCRIPTORS = 16_384


def _allow_descriptors() -> None:
    """A port takes three descriptors; the usual soft limit of 1024 would end at some three hundred ports."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(DESCRIPTORS, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class Supervisor:
    """Runs one configuration until told to stop.

    ``load``: reads the configuration file again and returns it, or raises ValueError-like errors whose ``lines`` tell
    all problems; used by reload. ``problems``: why the daemon is running from last-good.yaml, if it is. ``pages``: whether
    the web process is started where the configuration says so.
    """

    def __init__(
        self,
        config: Config,
        load: Callable[[], Config],
        *,
        problems: list[str] | None = None,
        clock: JudgedClock | None = None,
        pages: bool = True,
    ) -> None:
        self.config = config
        self.load = load
        self.problems = problems or []
        self.from_last_good = bool(problems)  # else problems are those of a reload that was refused
        self.clock = clock or JudgedClock()
        self.data_dir = config.data_dir()
        self.path = config.database_path()
        self.notifier = Notifier.from_environment()
        self.readers: dict[str, Reader] = {}
        self.inbox = Inbox(config.storage.inbox_limit)
        self.pages = pages
        self.web: WebProcess | None = None
        self.started_us = self.clock.now_us()
        self._began_us = self.clock.monotonic_us()
        self._wakeup = Wakeup()
        self._asked = Asked()
        self._gone: list[Reader] = []  # stopped by a reload but still hanging in their driver
        self._status_line = ""

    # ---- life ------------------------------------------------------------------------------------------------------

    def run(self) -> int:
        """The whole life; returns the exit status (0, 1, or 78 for a database that must not be touched).

        Raises LockHeld when another daemon owns the data directory or the database, OSError.
        """
        self.data_dir.mkdir(parents=True, exist_ok=True)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # The writer gives the GIL away at every statement; a busy driver must not keep it for the default 5 ms each time.
        sys.setswitchinterval(0.001)
        _allow_descriptors()
        with DataDirLock(self.data_dir), DatabaseLock(self.path, socket_path(self.data_dir)) as lock:
            self._wakeup.open()
            restore = take_signals(self._asked, self._wakeup.wake)
            try:
                self._build(lock)
                return self._run_built()
            finally:
                restore()
                self._wakeup.close()

    def _build(self, lock: DatabaseLock) -> None:
        """Every part, not started."""
        config = self.config
        self._retention = retention_plan(config)
        self.opening = Opening(
            self.path,
            sensor_specs(config),
            self._make_upkeep,
            self.clock,
            remembered=lock,
            min_free=config.storage.min_free,
        )
        self.writer = Writer(
            WriterSettings(
                path=self.path,
                commit_interval_s=config.storage.commit_interval / 1e6,
                min_free_bytes=config.storage.min_free,
            ),
            self.inbox,
            self.opening,
            self.clock,
            report=self._report,
            workers=work_kinds.workers(self.path),
            rolls_up=lambda: self.aggregation.request(),
            note_lost=lock.note_lost,
        )
        self.parts = Parts(self.writer.emit)
        self.aggregation = Aggregation(
            self.writer,
            self.path,
            config.storage.rollup_interval / 1e6,
            config.daemon.timezone,
            self.clock.safe_us,
            wake=self._wakeup.wake,
        )
        acts = Acts(self.writer, self.aggregation)
        requests = {
            "ping": self._do_ping,
            "commit": self._do_commit,
            "reload": self._do_reload,
            "status": self._do_status,
            "listen": self._do_listen,
            "clock": self._do_clock,
            **acts.handlers(),
        }
        self.control = ControlServer(self.data_dir, requests)
        self._use_pages(config)

    def _make_upkeep(self) -> Upkeep:
        """Fresh for each opening of the database; on the writer thread. After a reload ``Opening`` gives it the newer plan,
        together with the sensors that it is for."""
        retention = Retention(zone=self.config.daemon.timezone)
        retention.plan(self._retention)
        return Upkeep(Mover(), retention, when_full=self.config.storage.when_full)

    def _run_built(self) -> int:
        self.writer.emit("started", None, f"sensorlogd {__version__}, pid {os.getpid()}")
        for problem in self.problems:
            self.writer.emit("config_rejected", None, problem)
        for name, reason in self.config.failed_sensors.items():
            self.writer.emit("failed", name, reason)
            log.error("%s: %s", name, reason)
        made = {name: sensor for name, sensor in self.config.sensors.items() if sensor.enabled}
        self.writer.start()
        try:
            self.writer.ready.wait(FIRST_OPENING_S)
            if self.writer.refusal() is None:
                for name, sensor in made.items():
                    self._start_sensor(name, sensor)
                self.parts.start("the control socket", self.control.start)
                self.writer.ready.wait(OPENING_S)
                if not self.problems:
                    self._keep_last_good()
                self.notifier.ready(self._summary())
                log.info("started: %s", self._summary())
                self._loop()
        finally:
            self._stop()
        refusal = self.writer.refusal()
        if refusal is not None:
            log.critical("%s", refusal)
            return 78
        return 1 if self.writer.lost_at_end else 0

    def _loop(self) -> None:
        feed_every = self.notifier.watchdog_interval_s()
        feed_at = look_at = 0.0
        while not self._asked.stop:
            timeout = min(1.0, feed_every / 2) if feed_every else 1.0
            served = [] if self.web is None else self.web.waitables()
            wait([self._wakeup.read, *self.aggregation.waitables(), *served], timeout)
            self._wakeup.clear()
            self._look_at_children()
            self._look_at_clock()
            self.parts.tick()
            if self._asked.reload_by_signal or self._asked.reloads:
                self._reload()
            now = time.monotonic()
            if feed_every and now >= feed_at and self._makes_progress(now):
                self.notifier.watchdog()
                feed_at = now + feed_every / 2
            if now >= look_at:
                look_at = now + LOOK_EVERY_S
                self._look_at_sensors()
            if self.writer.refusal() is not None:
                return
            if not self.writer.is_alive():
                log.critical("the writer ended by itself; stopping so that a restart mends it")
                raise RuntimeError("the writer ended by itself")

    def _stop(self) -> None:
        """See the module for the order."""
        began = time.monotonic()
        deadline = (self._asked.stop_at if self._asked.stop else began) + STOP_WITHIN_S
        log.info("stopping: %d sensors, %d readings to store", len(self.readers), self.inbox.depth)
        self.notifier.stopping()
        self.notifier.extend(int((STOP_WITHIN_S + 5) * 1e6))
        for reader in self.readers.values():
            reader.stop()
        readers_until = min(time.monotonic() + STOP_READERS_S, deadline)
        for name, reader in self.readers.items():
            if not reader.join(max(readers_until - time.monotonic(), 0.05)):
                log.warning("%s: the driver does not return; left behind", name)
        self.inbox.close()
        self.aggregation.stop(1.0)
        self.writer.emit("stopped", None, f"after {format_duration(self.clock.monotonic_us() - self._began_us)}")
        if self.web is not None:
            self.web.stop(2.0)
        # What the control socket has asked of the writer is done or refused by the time it closes.
        self.writer.stop(max(deadline - time.monotonic() - LAST_WORDS_S, 0.5))
        self.control.stop(1.0)
        ended = self.writer.join(max(deadline - time.monotonic(), 1.0))
        stats = self.writer.stats()
        log.info("stopped in %.1f s; %d readings stored since start", time.monotonic() - began, stats.committed)
        if not ended:
            log.error("the writer does not come back from the disk; leaving")
            self.writer.abandon()
            database.end_children()
            logging.shutdown()
            os._exit(1)

    # ---- sensors ---------------------------------------------------------------------------------------------------

    def _start_sensor(self, name: str, sensor: SensorOptions) -> None:
        self._start_made(name, sensor, [])

    def _start_made(self, name: str, sensor: SensorOptions, made: list[Reader]) -> None:
        """``made``: a reader that is used at the first try, if there is one."""

        def start() -> None:
            reader = made.pop() if made else self._make_reader(name, sensor, self.config)
            try:
                reader.start()
            except RuntimeError:  # no thread to be had
                reader.join()
                raise
            self.readers[name] = reader

        self.parts.start(f"sensor {name}", start)

    def _make_reader(self, name: str, sensor: SensorOptions, config: Config) -> Reader:
        return make_reader(name, sensor, config, self.inbox, self.clock, self._emit)

    def _emit(self, kind: str, sensor: str | None, detail: str) -> None:
        self.writer.emit(kind, sensor, detail)

    def _report(self) -> Report:
        """On the writer thread."""
        return Report(status.sensor_rows(self), status.daemon_facts(self))

    # ---- watching --------------------------------------------------------------------------------------------------

    def _makes_progress(self, now: float) -> bool:
        """Whether writer and inbox move; a hung aggregator is ended by ``Aggregation`` itself."""
        return now - self.writer.stats().beat_monotonic_s < WRITER_HUNG_S

    def _look_at_sensors(self) -> None:
        for reader in self.readers.values():
            reader.watch()
        line = self._summary()
        if line != self._status_line:
            self._status_line = line
            self.notifier.status(line)

    def _look_at_children(self) -> None:
        self.aggregation.on_readable()
        self.aggregation.tick()
        if self.web is not None:
            before = self.web.state
            self.web.on_readable()
            self.web.tick()
            if self.web.state is not before:
                self.writer.status_changed()

    def _look_at_clock(self) -> None:
        changes = self.clock.look()
        for change in changes:
            log.warning("clock: %s", change.sentence)
            self.writer.emit(change.kind, None, change.sentence)
        if changes:
            self.aggregation.request()  # a clock behind the edge pulls the edge back at once

    def _summary(self) -> str:
        return status.summary(self, LAST_GOOD)

    # ---- requests --------------------------------------------------------------------------------------------------

    def _do_ping(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"pid": os.getpid(), "version": __version__}

    def _do_commit(self, _: dict[str, Any]) -> dict[str, Any]:
        self.writer.flush().result(25.0)
        return {"committed": self.writer.stats().committed}

    def _do_status(self, _: dict[str, Any]) -> dict[str, Any]:
        sensors = [
            {"sensor": row.sensor, "state": row.state, "last_error": row.last_error, "counters": row.counters}
            for row in status.sensor_rows(self)
        ]
        return {"daemon": status.daemon_facts(self), "sensors": sensors}

    def _do_clock(self, request: dict[str, Any]) -> dict[str, Any]:
        """What is thought of the clock; with ``believe`` its owner says that it is right, which is written down at once."""
        answer = clock_request.handler(self.clock)(request)
        if request.get("believe"):
            self.writer.status_changed()
            self._wakeup.wake()
        return answer

    def _do_listen(self, request: dict[str, Any]) -> dict[str, Any]:
        """What passed over a sensor's port since the place given (none: from now on); see ``drivers.tap``."""
        reader = self.readers.get(str(request.get("sensor")))
        if reader is None:
            raise ValueError(f"no sensor {request.get('sensor')!r} is running")
        after = request.get("after")
        following, missed, passed = reader.tap.since(None if after is None else int(after))
        return {"next": following, "missed": missed, "passed": [[at, direction, data.hex()] for at, direction, data in passed]}

    def _do_reload(self, _: dict[str, Any]) -> dict[str, Any]:
        outcome: Future[list[str]] = Future()
        self._asked.reloads.append(outcome)
        self._wakeup.wake()
        problems = outcome.result(25.0)
        return {"ok": not problems, "errors": problems}

    # ---- reload ----------------------------------------------------------------------------------------------------

    def _reload(self) -> None:
        """All or nothing; see ``reload``."""
        waiting, self._asked.reloads = self._asked.reloads, []
        self._asked.reload_by_signal = False
        self.notifier.reloading()
        problems = ["cut off by a fault; the daemon's log tells more"]
        try:
            change = prepare(self.config, self.load, self.readers, self._make_reader)
        except ReloadRefused as refused:
            problems = refused.problems
            self._refuse_reload(problems)
        else:
            self._use(change)
            problems = []
        finally:
            self.notifier.ready(self._summary())
            for outcome in waiting:
                outcome.set_result(problems)

    def _refuse_reload(self, problems: list[str]) -> None:
        for problem in problems:
            log.error("reload: %s", problem)
            self.writer.emit("config_rejected", None, problem)
        log.error("reload: rejected with %d errors; everything goes on as before", len(problems))
        self.problems = problems

    def _use(self, change: Change) -> None:
        for part in change.restart_needed:
            message = f"changes under '{part}:' take effect at the next restart"
            log.warning("reload: %s", message)
            self.writer.emit("restart_needed", None, message)
        for reader in change.leaving.values():
            reader.stop()
        deadline = time.monotonic() + STOP_READERS_S
        for name, reader in change.leaving.items():
            if not reader.join(max(deadline - time.monotonic(), 0.05)):
                log.warning("%s: the driver does not return; left behind", name)
                self._gone.append(reader)
            del self.readers[name]
        for name in self.config.sensors:  # what could not be started so far is made anew, or not wanted any more
            self.parts.forget(f"sensor {name}")
        self.config = change.config
        self.problems = []
        self.from_last_good = False
        self._use_pages(change.config)
        self.writer.use_specs(sensor_specs(change.config), retention_plan(change.config))
        for name, reader in change.fresh.items():
            self._start_made(name, change.config.sensors[name], [reader])
        log.info("reload: %s", change.tell())
        self.writer.emit("config_reloaded", None, change.tell())
        self._keep_last_good()

    def _use_pages(self, config: Config) -> None:
        """The web process of this configuration, in place of another one; the loop starts it."""
        settings = Settings.of(config) if self.pages and config.web.enabled else None
        if self.web is not None and self.web.settings != settings:
            self.web.stop(2.0)
            self.web = None
        if self.web is None and settings is not None:
            self.web = WebProcess(settings, self._emit)

    def _keep_last_good(self) -> None:
        """Remember the accepted configuration for a start at which the file is broken. Atomic."""
        target: Path = self.data_dir / LAST_GOOD
        temporary = target.with_suffix(".new")
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(self.config.snapshot())
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(target)
        except OSError as error:
            log.warning("%s could not be written: %s", target, error)
