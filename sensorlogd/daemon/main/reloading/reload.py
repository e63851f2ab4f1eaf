"""A reload: all or nothing. What can fail is done before anything is touched (``change``)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future

from sensorlogd.config.models import Config
from sensorlogd.daemon.main.components.alarms import Alarms
from sensorlogd.daemon.main.components.care import Care
from sensorlogd.daemon.main.components.pages import Pages
from sensorlogd.daemon.main.components.sensor_threads import SensorThreads
from sensorlogd.daemon.main.process.sdnotify import Notifier
from sensorlogd.daemon.main.reloading.change import ConfigChange, ReloadRefused, prepare
from sensorlogd.daemon.main.reloading.in_use import ConfigInUse
from sensorlogd.daemon.main.reloading.last_good import LastGood
from sensorlogd.daemon.writing.writer import Writer
from sensorlogd.event_kinds import EventKind

logger = logging.getLogger(__name__)


class Reload:
    """Takes over what has changed in the configuration file. For the main thread. ``load``: reads the file, or raises an error
    whose ``errors`` tell all mistakes. ``summary``: how the daemon is, in one line."""

    def __init__(
        self,
        load: Callable[[], Config],
        in_use: ConfigInUse,
        *,
        sensors: SensorThreads,
        pages: Pages,
        writer: Writer,
        alarms: Alarms,
        care: Care,
        last_good: LastGood,
        notifier: Notifier,
        summary: Callable[[], str],
    ) -> None:
        self.load = load
        self._in_use = in_use
        self._sensors = sensors
        self._pages = pages
        self._writer = writer
        self._alarms = alarms
        self._care = care
        self._last_good = last_good
        self._notifier = notifier
        self._summary = summary

    def run(self, waiting: list[Future[list[str] | ConfigChange]]) -> None:
        """Those who wait are answered whatever happens: what changed, or why nothing did."""
        self._notifier.reloading()
        outcome: list[str] | ConfigChange = ["cut off by a fault; the daemon's journal says more"]
        try:
            change = prepare(self._in_use.config, self.load, self._sensors.running, self._sensors.make)
        except ReloadRefused as refused:
            outcome = refused.problems
            self._report_refusal(refused.problems)
        else:
            self._make_change(change)
            outcome = change
        finally:
            self._notifier.ready(self._summary())
            for pending in waiting:
                pending.set_result(outcome)

    def _report_refusal(self, problems: list[str]) -> None:
        for problem in problems:
            logger.error("reload: %s", problem)
            self._writer.emit(EventKind.CONFIG_REJECTED, None, problem)
        logger.error("reload: rejected with %d errors; everything goes on as before", len(problems))
        self._in_use.refuse(problems)

    def _make_change(self, change: ConfigChange) -> None:
        """Stop what leaves, hand the new configuration to every part, and start what is new."""
        for part in change.restart_needed:
            message = f"changes under '{part}:' take effect at the next restart"
            logger.warning("reload: %s", message)
            self._writer.emit(EventKind.RESTART_NEEDED, None, message)
        for problem in change.problems:
            logger.warning("reload: %s", problem)
        self._sensors.remove(change.leaving)
        self._sensors.forget_unstarted(self._in_use.config)
        self._in_use.use(change.config)
        made = change.parts
        self._pages.use(made.pages)
        self._writer.use_specs(made.specs, made.retention, made.formulas)
        self._alarms.use(made.alarms)
        self._care.use(change.config)
        for name, thread in change.added.items():
            self._sensors.start(name, change.config.sensors[name], change.config, thread)
        logger.info("reload: %s", change.message())
        self._writer.emit(EventKind.CONFIG_RELOADED, None, change.message())
        self._last_good.keep(change.config)
