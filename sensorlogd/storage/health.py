"""How the daemon is, judged from what it wrote into the database: true when it is down, too."""

from __future__ import annotations

from typing import Any

from sensorlogd import times
from sensorlogd.storage.reader import Log

HEARTBEAT_US = 30_000_000  # the daemon writes its status every ten seconds, or with its commits if those are rarer


def daemon_state(facts: dict[str, Any], now: int) -> tuple[str, str]:
    """(state, explanation): running, stopped, crashed, hung or never started."""
    if not facts:
        return "never started", "no daemon has run on this database"
    age = now - int(facts.get("heartbeat_us", 0))
    if facts.get("clean_shutdown"):
        return "stopped", f"stopped cleanly {times.format_age(age)} ago"
    pid = int(facts.get("pid", 0))
    allowed = HEARTBEAT_US + 3 * int(facts.get("commit_interval_us", 0))
    if age <= allowed:
        return "running", f"pid {pid}, for {times.format_age(now - int(facts.get('started_us', now)))}"
    if _alive(pid):
        return "hung", f"pid {pid} has not written its status for {times.format_age(age)}; see 'sensorlogd events' and its log"
    return "crashed", f"pid {pid} ended without a clean stop; last sign of life {times.format_age(age)} ago"


def _alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return b"sensorlogd" in file.read()
    except OSError:
        return False


def newest_by_sensor(log: Log, now: int) -> dict[str, int]:
    """When each sensor's newest reading was, current to the last commit (the status tables are seconds older)."""
    newest: dict[str, int] = {}
    for reading in log.latest(log.series(), now):
        if reading is not None:
            newest[reading.series.sensor] = max(newest.get(reading.series.sensor, reading.ts_us), reading.ts_us)
    return newest


SILENCES_UNTIL_FAILED = 3  # heartbeats; then the daemon has opened the sensor anew at least once


def sensor_health(state: str, since_us: int, last_us: int | None, heartbeat_us: int, now: int) -> str:
    """One word for people: ok, stale, reconnecting, waiting, failed; finished, stopped and disabled as they are.

    ``state``: what the daemon wrote, ``since_us`` since when. ``last_us``: of the newest reading.
    """
    if state not in ("reading", "stale", "backing_off", "starting"):
        return state
    silence = now - (since_us if last_us is None or (state == "starting" and last_us < since_us) else last_us)
    if silence > SILENCES_UNTIL_FAILED * heartbeat_us:
        return "failed"
    if state == "starting":
        return "waiting"
    if silence > heartbeat_us or state == "stale":
        return "stale"
    return "reconnecting" if state == "backing_off" else "ok"
