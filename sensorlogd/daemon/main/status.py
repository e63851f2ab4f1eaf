"""What the daemon says of itself: the rows of the status tables, and the answer to ``status`` on the control socket."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sensorlogd import __version__
from sensorlogd.daemon.machine.machine_check import MachineCheck
from sensorlogd.daemon.main.components.alarms import Alarms
from sensorlogd.daemon.main.components.pages import Pages
from sensorlogd.daemon.main.components.sensor_threads import SensorThreads
from sensorlogd.daemon.main.components.startables import Startables
from sensorlogd.daemon.main.reloading import last_good
from sensorlogd.daemon.main.reloading.in_use import ConfigInUse
from sensorlogd.daemon.rollups.coordinator import Coordinator
from sensorlogd.daemon.timekeeping.judged_clock import JudgedClock
from sensorlogd.daemon.writing.commits.commit import Report
from sensorlogd.daemon.writing.writer import Writer
from sensorlogd.notation.plurals import plural
from sensorlogd.storage.ingest import status
from sensorlogd.storage.maintenance import incidents


@dataclass(slots=True)
class KnownIncidents:
    """How many incidents lie beside the database at ``path``. ``count``: as it was when the writer last looked."""

    path: Path
    count: int = 0

    def look(self) -> None:
        """Reads the disk, so only the writer does it."""
        self.count = len(incidents.all_incidents(self.path))


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """Asks the parts of the daemon how they are. Any thread, but for ``report``; nothing else here waits for the disk."""

    started_us: int
    incidents: KnownIncidents
    in_use: ConfigInUse
    clock: JudgedClock
    writer: Writer
    coordinator: Coordinator
    sensors: SensorThreads
    pages: Pages
    startables: Startables
    machine_check: MachineCheck
    alarms: Alarms

    def report(self) -> Report:
        """What the status tables are to say. On the writer thread."""
        self.incidents.look()
        return Report(self.sensor_rows(), self.daemon_facts())

    def answer(self) -> dict[str, Any]:
        """The answer to the request ``status``. Every counter of a sensor comes with the last example of what it counted."""
        sensors = []
        for row in self.sensor_rows():
            thread = self.sensors.running.get(row.sensor)
            sensors.append(
                {
                    "sensor": row.sensor,
                    "state": row.state,
                    "last_error": row.last_error,
                    "counters": row.counters,
                    "examples": thread.examples() if thread is not None else {},
                }
            )
        return {"daemon": self.daemon_facts(), "sensors": sensors}

    def sensor_rows(self) -> list[status.SensorRow]:
        """The rows of ``sensor_status``."""
        stored: Mapping[str, Mapping[str, int]] = self.writer.stats().per_sensor
        rows = []
        for name, sensor in list(self.in_use.config.sensors.items()):
            thread = self.sensors.running.get(name)
            if thread is None:
                rows.append(status.SensorRow(name, "disabled" if not sensor.enabled else "stopped", 0, None, None, {}))
                continue
            now = thread.status()
            counters = {**now.counters, **stored.get(name, {})}
            rows.append(status.SensorRow(name, now.state.value, now.since_us, now.last_reading_us, now.last_error, counters))
        for name, reason in self.in_use.config.failed_sensors.items():
            rows.append(status.SensorRow(name, "failed", self.started_us, None, reason, {}))
        return rows

    def daemon_facts(self) -> dict[str, Any]:
        """The keys of ``daemon_status``."""
        return {
            "pid": os.getpid(),
            "version": __version__,
            "started_us": self.started_us,
            "heartbeat_us": self.clock.now_us(),
            **self._configuration_facts(),
            "clean_shutdown": False,
            **self._writer_facts(),
            "rollup_runs": self.coordinator.runs,
            "rollup_state": self.coordinator.state.value,
            "rollup_error": self.coordinator.last_error,
            "clock_synchronised": not self.clock.flags_unsynced,
            "clock": self.clock.facts(),
            "work": self.writer.kept_work(),
            "incidents": self.incidents.count,
            "parts": dict(self.startables.missing),
            "alarms": self.alarms.facts(),
            **self.writer.wal(),
            **self.pages.facts(),
        }

    def _configuration_facts(self) -> dict[str, Any]:
        config = self.in_use.config
        return {
            "config_path": str(config.path.absolute()),
            "config_errors": self.in_use.problems,
            "from_last_good": self.in_use.from_last_good,
            "findings": self.machine_check.findings,
            "commit_interval_us": config.storage.commit_interval,
        }

    def _writer_facts(self) -> dict[str, Any]:
        stats = self.writer.stats()
        return {
            "state": stats.state.value,
            "state_reason": stats.state_reason,
            "blocked_since_us": stats.blocked_since_us,
            "committed": stats.committed,
            "commits": stats.commits,
            "repeated": stats.repeated,
            "shifted": stats.shifted,
            "late": stats.late,
            "last_commit_us": stats.last_commit_us,
            "last_commit_ms": round(stats.last_commit_ms, 3),
            "commit_s": round(stats.commit_s, 6),
            "clean_start": self.writer.clean_start,
            "given_up": stats.given_up,
            "inbox_depth": self.writer.inbox.depth,
            "inbox_limit": self.writer.inbox.limit,
        }

    def summary(self) -> str:
        """One line: for systemd and the journal."""
        states = Counter(thread.status().state.value for thread in list(self.sensors.running.values()))
        text = ", ".join(f"{count} {state}" for state, count in sorted(states.items())) or "no sensors"
        stats = self.writer.stats()
        text += f"; database {stats.state.value}"
        if stats.state_reason:
            text += f" ({stats.state_reason})"
        if self.in_use.problems:
            which = f"running from {last_good.NAME}" if self.in_use.from_last_good else "running as before the reload"
            text += f"; {which}: {len(self.in_use.problems)} {plural(len(self.in_use.problems), 'error')} in the configuration"
        return text
