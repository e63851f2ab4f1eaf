"""What the daemon says of itself: the rows of the status tables, and the answer to ``status`` on the control socket."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sensorlogd import __version__
from sensorlogd.storage.ingest import status
from sensorlogd.storage.maintenance import incidents

if TYPE_CHECKING:
    from sensorlogd.daemon.main.supervisor import Supervisor


def sensor_rows(daemon: Supervisor) -> list[status.SensorRow]:
    """The rows of ``sensor_status``. Any thread."""
    stored: Mapping[str, Mapping[str, int]] = daemon.writer.stats().per_sensor
    rows = []
    for name, sensor in list(daemon.config.sensors.items()):
        reader = daemon.readers.get(name)
        if reader is None:
            rows.append(status.SensorRow(name, "disabled" if not sensor.enabled else "stopped", 0, None, None, {}))
            continue
        now = reader.status()
        counters = {**now.counters, **stored.get(name, {})}
        rows.append(status.SensorRow(name, now.state.value, now.since_us, now.last_reading_us, now.last_error, counters))
    for name, reason in daemon.config.failed_sensors.items():
        rows.append(status.SensorRow(name, "failed", daemon.started_us, None, reason, {}))
    return rows


def daemon_facts(daemon: Supervisor) -> dict[str, Any]:
    """The keys of ``daemon_status``. Any thread."""
    stats, web = daemon.writer.stats(), daemon.web
    return {
        "pid": os.getpid(),
        "version": __version__,
        "started_us": daemon.started_us,
        "heartbeat_us": daemon.clock.now_us(),
        "config_path": str(daemon.config.path),
        "config_errors": daemon.problems,
        "from_last_good": daemon.from_last_good,
        "clean_shutdown": False,
        "commit_interval_us": daemon.config.storage.commit_interval,
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
        "clean_start": daemon.opening.clean_start,
        "given_up": stats.given_up,
        "inbox_depth": daemon.inbox.depth,
        "inbox_limit": daemon.inbox.limit,
        "rollup_runs": daemon.aggregation.runs,
        "rollup_state": daemon.aggregation.state.value,
        "rollup_error": daemon.aggregation.last_error,
        "clock_synchronised": not daemon.clock.flags_unsynced,
        "clock": daemon.clock.facts(),
        "work": daemon.writer.kept_work(),
        "incidents": len(incidents.all_incidents(daemon.path)),
        "parts": dict(daemon.parts.missing),
        **daemon.writer.wal(),
        "web_state": "off" if web is None else web.state.value,
        "web_url": "" if web is None else web.url,
        "web_error": "" if web is None else web.last_error,
        "web_restarts": 0 if web is None else max(web.restarts, 0),
    }


def summary(daemon: Supervisor, last_good: str) -> str:
    """One line: for systemd and the log."""
    states: dict[str, int] = {}
    for reader in list(daemon.readers.values()):
        state = reader.status().state.value
        states[state] = states.get(state, 0) + 1
    text = ", ".join(f"{count} {state}" for state, count in sorted(states.items())) or "no sensors"
    stats = daemon.writer.stats()
    text += f"; database {stats.state.value}"
    if stats.state_reason:
        text += f" ({stats.state_reason})"
    if daemon.problems:
        which = f"running from {last_good}" if daemon.from_last_good else "running as before the reload"
        text += f"; {which}: {len(daemon.problems)} errors in the configuration"
    return text
