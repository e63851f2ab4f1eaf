"""The main thread: starts everything, watches it, reloads it, stops it.

Owns: the data directory's lock, the inbox, the writer, one ``Reader`` per sensor, the aggregation, the control socket, the
web process.

Start: lock -> writer -> readers -> control socket -> READY=1. Sensors do not wait for a database that is slow to open;
their readings wait in the inbox.

Stop, in the order the data flows, under one deadline: readers (no new readings) -> inbox closed (a late one is refused,
never lost in silence) -> aggregator (its work is repeated next time) -> web process (it would keep the database open) ->
writer drains, commits and closes the database.

Signals only set a flag and wake the main thread through a descriptor; what they mean is done in the loop.
"""

from __future__ import annotations

import logging
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from types import FrameType
from typing import Any

from sensorlogd import __version__
from sensorlogd.config.models import Config, SensorOptions
from sensorlogd.daemon.acts import Acts
from sensorlogd.daemon.aggregation import Aggregation
from sensorlogd.daemon.clock import Clock, ClockWatch
from sensorlogd.daemon.control import ControlServer
from sensorlogd.daemon.inbox import Inbox
from sensorlogd.daemon.lock import DataDirLock
from sensorlogd.daemon.reader import Reader
from sensorlogd.daemon.salvage import Salvage
from sensorlogd.daemon.sdnotify import Notifier
from sensorlogd.daemon.sensors import make_reader, retention_plan, sensor_specs
from sensorlogd.daemon.upkeep import Upkeep
from sensorlogd.daemon.web import WebProcess
from sensorlogd.daemon.writer import Writer, WriterSettings, WriterState
from sensorlogd.durations import format_duration
from sensorlogd.storage import status
from sensorlogd.storage.mover import Mover
from sensorlogd.storage.retention import Retention
from sensorlogd.web.settings import Settings

log = logging.getLogger(__name__)

STOP_READERS_S = 5.0
DRAIN_S = 60.0
WRITER_HUNG_S = 120.0
LAST_GOOD = "last-good.yaml"
DESCRIPTORS = 16_384


@dataclass(slots=True)
class _Wakeup:
    """A pipe that ends the main thread's wait; written by signal handlers and other threads."""

    read: int = -1
    write: int = -1

    def open(self) -> None:
        self.read, self.write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)

    def wake(self) -> None:
        try:
            os.write(self.write, b"w")
        except (BlockingIOError, OSError):
            return  # full: it is going to wake anyway; closed: there is nobody to wake

    def clear(self) -> None:
        try:
            while os.read(self.read, 4096):
                pass
        except BlockingIOError:
            return

    def close(self) -> None:
        for end in (self.read, self.write):
            os.close(end)
        self.read = self.write = -1


@dataclass(slots=True)
class _Asked:
    """What signals and the control socket asked for since the loop last looked."""

    stop: bool = False
    interrupts: int = 0
    reloads: list[Future[list[str]]] = field(default_factory=list)
    reload_by_signal: bool = False


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
        clock: Clock | None = None,
        pages: bool = True,
    ) -> None:
        self.config = config
        self.load = load
        self.problems = problems or []
        self.clock = clock or Clock()
        self.data_dir = config.data_dir()
        self.notifier = Notifier.from_environment()
        self.watch = ClockWatch(self.clock)
        self.readers: dict[str, Reader] = {}
        self.inbox = Inbox(config.storage.inbox_limit)
        self.pages = pages
        self.web: WebProcess | None = None
        self._use_pages(config)
        self._wakeup = _Wakeup()
        self._asked = _Asked()
        self._started_us = self.clock.now_us()
        self._gone: list[Reader] = []  # stopped by a reload but still hanging in their driver
        self._salvages: list[Salvage] = []
        self._status_line = ""

    # ---- life ------------------------------------------------------------------------------------------------------

    def run(self) -> int:
        """The whole life; returns the exit status (0, 1, or 78 for a database that must not be touched).

        Raises LockHeld when another daemon owns the data directory.
        """
        self.data_dir.mkdir(parents=True, exist_ok=True)
        # The writer gives the GIL away at every statement; a busy driver must not keep it for the default 5 ms each time.
        sys.setswitchinterval(0.001)
        _allow_descriptors()
        with DataDirLock(self.data_dir):
            self._wakeup.open()
            restore = self._take_signals()
            try:
                return self._run_locked()
            finally:
                restore()
                self._wakeup.close()

    def _run_locked(self) -> int:
        config = self.config
        path = config.database_path()
        path.parent.mkdir(parents=True, exist_ok=True)
        self.retention = Retention(zone=config.daemon.timezone)
        self.retention.plan(retention_plan(config))
        self.writer = Writer(
            WriterSettings(
                path=path,
                commit_interval_s=config.storage.commit_interval / 1e6,
                min_free_bytes=config.storage.min_free,
            ),
            self.inbox,
            sensor_specs(config),
            upkeep=Upkeep(Mover(), self.retention, when_full=config.storage.when_full),
            now_us=self.clock.now_us,
        )
        self.writer.sensor_rows = self._sensor_rows
        self.writer.daemon_facts = self._daemon_facts
        self.aggregation = Aggregation(
            self.writer, path, config.storage.rollup_interval / 1e6, config.daemon.timezone, self.clock.now_us
        )
        self.aggregation.wake = self._wakeup.wake
        control = ControlServer(
            self.data_dir,
            {
                "ping": self._do_ping,
                "commit": self._do_commit,
                "reload": self._do_reload,
                "status": self._do_status,
                "listen": self._do_listen,
                **Acts(self.writer, self.aggregation).handlers(),
            },
        )
        self.writer.emit("started", None, f"sensorlogd {__version__}, pid {os.getpid()}")
        for problem in self.problems:
            self.writer.emit("config_rejected", None, problem)
        for name, reason in config.failed_sensors.items():
            self.writer.emit("failed", name, reason)
            log.error("%s: %s", name, reason)
        self.writer.start()
        try:
            for name, sensor in config.sensors.items():
                self._start_reader(name, sensor)
            control.start()
            # Foreign or newer databases are found within milliseconds; anything slower is not waited for.
            self.writer.ready.wait(5.0)
            if self.writer.refusal() is None:
                if not self.problems:
                    self._keep_last_good()
                self.notifier.ready(self._summary())
                log.info("started: %s", self._summary())
                self._loop()
        finally:
            control.stop()
            self._stop()
        refusal = self.writer.refusal()
        if refusal is not None:
            log.critical("%s", refusal)
            return 78
        return 0

    def _loop(self) -> None:
        feed_every = self.notifier.watchdog_interval_s()
        feed_at = 0.0
        while not self._asked.stop:
            timeout = min(1.0, feed_every / 2) if feed_every else 1.0
            served = [] if self.web is None else self.web.waitables()
            ready = wait([self._wakeup.read, *self.aggregation.waitables(), *served], timeout)
            if self._wakeup.read in ready:
                self._wakeup.clear()
            self.aggregation.on_readable()
            self.aggregation.tick()
            if self.web is not None:
                before = self.web.state
                self.web.on_readable()
                self.web.tick()
                if self.web.state is not before:
                    self.writer.status_changed()
            self._look_at_clock()
            for reader in self.readers.values():
                reader.watch()
            while self.writer.set_aside:
                salvage = Salvage(self.writer.set_aside.popleft(), self.writer)
                self._salvages.append(salvage)
                salvage.start()
            if self._asked.reload_by_signal or self._asked.reloads:
                self._reload()
            now = time.monotonic()
            if feed_every and now >= feed_at and self._makes_progress(now):
                self.notifier.watchdog()
                feed_at = now + feed_every / 2
            line = self._summary()
            if line != self._status_line:
                self._status_line = line
                self.notifier.status(line)
            if self.writer.stats().state is WriterState.STOPPED:
                log.critical("the writer ended by itself; stopping so that a restart mends it")
                raise RuntimeError("the writer ended by itself")

    def _stop(self) -> None:
        """See the module for the order."""
        began = time.monotonic()
        log.info("stopping: %d sensors, %d readings to store", len(self.readers), self.inbox.depth)
        self.notifier.stopping()
        self.notifier.extend(int((STOP_READERS_S + DRAIN_S + 10) * 1e6))
        for salvage in self._salvages:
            salvage.stop()
        for reader in self.readers.values():
            reader.stop()
        for salvage in self._salvages:
            salvage.join()
        deadline = time.monotonic() + STOP_READERS_S
        for name, reader in self.readers.items():
            if not reader.join(max(deadline - time.monotonic(), 0.05)):
                log.warning("%s: the driver does not return; left behind", name)
        self.inbox.close()
        self.aggregation.stop()
        if self.web is not None:
            self.web.stop()
        self.writer.emit("stopped", None, f"after {format_duration(self.clock.now_us() - self._started_us)}")
        self.writer.stop(DRAIN_S)
        if not self.writer.join(DRAIN_S + 10):
            log.error("the writer does not end; leaving")
        stats = self.writer.stats()
        log.info("stopped in %.1f s; %d readings stored since start", time.monotonic() - began, stats.committed)

    # ---- sensors ---------------------------------------------------------------------------------------------------

    def _start_reader(self, name: str, sensor: SensorOptions) -> None:
        if not sensor.enabled:
            return
        reader = make_reader(name, sensor, self.config, self.inbox, self.clock, self.watch, self._emit)
        self.readers[name] = reader
        reader.start()

    def _emit(self, kind: str, sensor: str | None, detail: str) -> None:
        self.writer.emit(kind, sensor, detail)

    def _sensor_rows(self) -> list[status.SensorRow]:
        """The rows of ``sensor_status``; called on the writer thread."""
        stored = self.writer.stats().per_sensor
        rows = []
        for name, sensor in list(self.config.sensors.items()):
            reader = self.readers.get(name)
            if reader is None:
                rows.append(status.SensorRow(name, "disabled" if not sensor.enabled else "stopped", 0, None, None, {}))
                continue
            now = reader.status()
            counters = {**now.counters, **stored.get(name, {})}
            rows.append(status.SensorRow(name, now.state.value, now.since_us, now.last_reading_us, now.last_error, counters))
        for name, reason in self.config.failed_sensors.items():
            rows.append(status.SensorRow(name, "failed", self._started_us, None, reason, {}))
        return rows

    def _daemon_facts(self) -> dict[str, Any]:
        """The keys of ``daemon_status``; called on the writer thread."""
        stats = self.writer.stats()
        return {
            "pid": os.getpid(),
            "version": __version__,
            "started_us": self._started_us,
            "heartbeat_us": self.clock.now_us(),
            "config_path": str(self.config.path),
            "config_errors": self.problems,
            "clean_shutdown": False,
            "commit_interval_us": self.config.storage.commit_interval,
            "state": stats.state.value,
            "state_reason": stats.state_reason,
            "committed": stats.committed,
            "commits": stats.commits,
            "repeated": stats.repeated,
            "shifted": stats.shifted,
            "late": stats.late,
            "last_commit_us": stats.last_commit_us,
            "last_commit_ms": round(stats.last_commit_ms, 3),
            "commit_s": round(stats.commit_s, 6),
            "clean_start": self.writer.clean_start,
            "inbox_depth": self.inbox.depth,
            "inbox_limit": self.inbox.limit,
            "rollup_runs": self.aggregation.runs,
            "rollup_state": self.aggregation.state.value,
            "rollup_error": self.aggregation.last_error,
            "clock_synchronised": self.watch.synchronised,
            "web_state": "off" if self.web is None else self.web.state.value,
            "web_url": "" if self.web is None else self.web.url,
            "web_error": "" if self.web is None else self.web.last_error,
            "web_restarts": 0 if self.web is None else max(self.web.restarts, 0),
        }

    # ---- watching --------------------------------------------------------------------------------------------------

    def _makes_progress(self, now: float) -> bool:
        """Whether writer and inbox move; a hung aggregator is ended by ``Aggregation`` itself."""
        return now - self.writer.stats().beat_monotonic_s < WRITER_HUNG_S

    def _look_at_clock(self) -> None:
        step_us = self.watch.look()
        if step_us:
            detail = f"the wall clock was set {'forward' if step_us > 0 else 'back'} by {abs(step_us) / 1e6:.3f} s"
            log.warning("clock: %s", detail)
            self.writer.emit("clock_step", None, detail)
            self.aggregation.request()  # a clock behind the edge pulls the edge back at once

    def _summary(self) -> str:
        states: dict[str, int] = {}
        for reader in self.readers.values():
            state = reader.status().state.value
            states[state] = states.get(state, 0) + 1
        sensors = ", ".join(f"{count} {state}" for state, count in sorted(states.items())) or "no sensors"
        stats = self.writer.stats()
        text = f"{sensors}; database {stats.state.value}"
        if stats.state_reason:
            text += f" ({stats.state_reason})"
        if self.problems:
            text += f"; running from {LAST_GOOD}: {len(self.problems)} errors in the configuration"
        return text

    # ---- signals and requests --------------------------------------------------------------------------------------

    def _take_signals(self) -> Callable[[], None]:
        if threading.current_thread() is not threading.main_thread():
            return lambda: None

        def stop(number: int, _: FrameType | None) -> None:
            if number == signal.SIGINT:
                self._asked.interrupts += 1
                if self._asked.interrupts > 1:
                    os._exit(130)  # asked twice: leave at once; what is committed is safe
            self._asked.stop = True
            self._wakeup.wake()

        def reload(*_: object) -> None:
            self._asked.reload_by_signal = True
            self._wakeup.wake()

        before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
        before[signal.SIGHUP] = signal.signal(signal.SIGHUP, reload)

        def restore() -> None:
            for number, handler in before.items():
                signal.signal(number, handler)

        return restore

    def _do_ping(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"pid": os.getpid(), "version": __version__}

    def _do_commit(self, _: dict[str, Any]) -> dict[str, Any]:
        self.writer.flush().result(25.0)
        return {"committed": self.writer.stats().committed}

    def _do_status(self, _: dict[str, Any]) -> dict[str, Any]:
        sensors = [
            {"sensor": row.sensor, "state": row.state, "last_error": row.last_error, "counters": row.counters}
            for row in self._sensor_rows()
        ]
        return {"daemon": self._daemon_facts(), "sensors": sensors}

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
        """Validate first; a bad file changes nothing. Then restart only what changed."""
        waiting, self._asked.reloads = self._asked.reloads, []
        self._asked.reload_by_signal = False
        self.notifier.reloading()
        try:
            problems = self._reload_file()
        finally:
            self.notifier.ready(self._summary())
        for outcome in waiting:
            outcome.set_result(problems)

    def _reload_file(self) -> list[str]:
        try:
            new = self.load()
        except Exception as error:
            problems = [str(line) for line in getattr(error, "errors", None) or [error]]
            for problem in problems:
                log.error("reload: %s", problem)
            log.error("reload: rejected with %d errors; everything goes on as before", len(problems))
            self.problems = problems
            for problem in problems:
                self.writer.emit("config_rejected", None, problem)
            return problems
        old = self.config
        kept = {name for name, sensor in new.sensors.items() if name in self.readers and old.sensors.get(name) == sensor}
        for part in ("daemon", "storage"):
            if getattr(old, part) != getattr(new, part):
                message = f"changes under '{part}:' take effect at the next restart"
                log.warning("reload: %s", message)
                self.writer.emit("restart_needed", None, message)
        leaving = {name: reader for name, reader in self.readers.items() if name not in kept}
        for reader in leaving.values():
            reader.stop()
        deadline = time.monotonic() + STOP_READERS_S
        for name, reader in leaving.items():
            if not reader.join(max(deadline - time.monotonic(), 0.05)):
                log.warning("%s: the driver does not return; left behind", name)
                self._gone.append(reader)
            del self.readers[name]
        self.config = new
        self.problems = []
        self._use_pages(new)
        self.retention.plan(retention_plan(new))
        self.writer.replace_specs(sensor_specs(new))
        started = []
        for name, sensor in new.sensors.items():
            if name not in kept:
                self._start_reader(name, sensor)
                started.append(name)
        removed = sorted(set(leaving) - set(new.sensors))
        detail = f"started {', '.join(started) or 'none'}; removed {', '.join(removed) or 'none'}; kept {len(kept)}"
        log.info("reload: %s", detail)
        self.writer.emit("config_reloaded", None, detail)
        self._keep_last_good()
        return []

    def _use_pages(self, config: Config) -> None:
        """The web process of this configuration, in place of another one; the loop starts it."""
        settings = Settings.of(config) if self.pages and config.web.enabled else None
        if self.web is not None and self.web.settings != settings:
            self.web.stop()
            self.web = None
        if self.web is None and settings is not None:
            self.web = WebProcess(settings, self._emit)

    def _keep_last_good(self) -> None:
        """Remember the accepted configuration for a start at which the file is broken. Atomic."""
        target = self.data_dir / LAST_GOOD
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
            print(f"{target}: {error}", file=sys.stderr)
