"""What there is, and how it is at this moment: sensors, the newest readings, the daemon."""

from __future__ import annotations

from typing import Any

from sensorlogd.storage.query.health import ALIVE, daemon_state, newest_by_sensor, sensor_health
from sensorlogd.storage.query.log_reader import LogReader
from sensorlogd.storage.query.rows import reading_row
from sensorlogd.storage.series.stored import Series
from sensorlogd.web.answering.params import TimeForm, find_series

Json = dict[str, Any]


def sensors(log: LogReader, now_us: int, form: TimeForm, *, retired: bool = False) -> Json:
    """Every sensor with its state and its channels."""
    running = daemon_state(log.daemon(), now_us, log.path)[0] in ALIVE
    newest = newest_by_sensor(log, now_us)
    states = {state.sensor: state for state in log.sensors()}
    channels: dict[str, list[Series]] = {}
    for series in log.series(retired=retired):
        channels.setdefault(series.sensor, []).append(series)
    rows = []
    for name in sorted({*channels, *states}):
        state = states.get(name)
        last = newest.get(name, state.last_reading_us if state else None)
        word = state.state if state else "stopped"
        rows.append(
            {
                "sensor": name,
                "state": word if running else "not running",
                "health": sensor_health(word, state.since_us, last, state.heartbeat_us, now_us)
                if state and running
                else "not running",
                "since": form(state.since_us) if state and state.since_us else None,
                "last": None if last is None else form(last),
                "age_s": None if last is None else (now_us - last) / 1e6,
                "error": state.last_error if state else None,
                "counters": state.counters if state else {},
                "channels": [channel(series, form) for series in channels.get(name, [])],
            }
        )
    return {"sensors": rows}


def channel(series: Series, form: TimeForm) -> Json:
    """A channel in the answer to ``sensors`` (Channel of the API)."""
    return {
        "series": series.name,
        "channel": series.channel,
        "unit": series.unit,
        "kind": series.kind,
        "heartbeat_s": series.heartbeat_us / 1e6,
        "labels": series.labels,
        "decimals": series.decimals,
        "seen_decimals": series.seen_decimals,
        "valid": None if series.valid is None else list(series.valid),
        "retired": None if series.retired_us is None else form(series.retired_us),
    }


def latest(log: LogReader, patterns: list[str], now_us: int, form: TimeForm) -> Json:
    """The newest reading of each series that has any."""
    rows = []
    for reading in log.latest(find_series(log, patterns), now_us):
        if reading is not None:
            age = now_us - reading.ts_us
            row = reading_row(reading, form.zone) | {"time": form(reading.ts_us)}
            rows.append(row | {"age_s": age / 1e6, "state": "stale" if age > reading.series.heartbeat_us else "ok"})
    return {"latest": rows}


def status(log: LogReader, now_us: int, form: TimeForm, *, changes: bool = False) -> Json:
    """The daemon's facts as it wrote them, judged; the database's size; the sensors in short."""
    facts = log.daemon()
    state, explanation = daemon_state(facts, now_us, log.path)
    listed = sensors(log, now_us, form)["sensors"]
    sizes = log.file_sizes()
    return {
        "now": form(now_us),
        "daemon": facts | {"state_now": state, "explanation": explanation},
        "database": {"path": str(log.path), "bytes": sizes.database_bytes, "wal_bytes": sizes.wal_bytes},
        "sensors": [{key: row[key] for key in ("sensor", "state", "health", "last", "age_s", "error")} for row in listed],
        "config_errors": list(facts.get("config_errors") or []),
        "changes": changes,
    }


AGES = ("now", "age_s", "explanation")


def without_ages(value: Any) -> Any:
    """The answer without the ages in it, which change with every moment. Two answers that are equal without them get the same
    ETag."""
    if isinstance(value, dict):
        return {name: without_ages(part) for name, part in value.items() if name not in AGES}
    return [without_ages(part) for part in value] if isinstance(value, list) else value
