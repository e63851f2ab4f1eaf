"""``/metrics``: the daemon's own counters, for Prometheus and compatible collectors; with ``?values=1`` the newest values, too.

Everything is read from the database, so it is as old as the last status the daemon wrote (ten seconds; with a longer
``commit_interval`` that long). The text is OpenMetrics for whoever asks for it, else the format 0.0.4.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from starlette.datastructures import State
from starlette.requests import Request
from starlette.responses import Response

from sensorlogd.storage import watermarks
from sensorlogd.storage.ingest.status import StoredStatus
from sensorlogd.storage.query.health import ALIVE, daemon_state, newest_by_sensor, sensor_health
from sensorlogd.storage.query.log_reader import LogReader
from sensorlogd.web.answering.monitoring import alarm_metrics
from sensorlogd.web.answering.params import Params, find_series
from sensorlogd.web.answering.pool import Pool

if TYPE_CHECKING:
    from prometheus_client.core import Metric

    from sensorlogd.web.answering.live.stream import Hub
    from sensorlogd.web.workers.workers import Workers

PARAMETERS = ("values", "series")
# counters of a sensor that have a metric of their own; all others are losses and faults, told apart by a label
OWN = ("readings", "reconnects", "attempts", "suppressed")
STATES = ("ok", "waiting", "stale", "reconnecting", "failed", "finished", "stopped", "disabled", "not running")


async def metrics(request: Request) -> Response:
    """GET /metrics."""
    from prometheus_client.exposition import choose_encoder  # a dozen megabytes, for those who scrape only

    params = Params(request.query_params, PARAMETERS, "UTC")
    with_values, patterns = params.flag("values"), params.series(required=False)
    pool: Pool = request.app.state.pool
    families = await pool.run(
        lambda log: [
            *_daemon_metrics(log, params.now_us),
            *_sensor_metrics(log, params.now_us),
            *alarm_metrics.families(log),
            *(_value_metrics(log, patterns, params.now_us) if with_values else ()),
        ]
    )
    families += _web_metrics(request.app.state)
    encode, media_type = choose_encoder(request.headers.get("accept", ""))
    return Response(encode(_Collected(families)), headers={"Content-Type": media_type, "Cache-Control": "no-store"})


class _Collected:
    """Families in the form that the Prometheus encoder expects of a registry."""

    def __init__(self, families: list[Metric]) -> None:
        self.families = families

    def collect(self) -> list[Metric]:
        """For prometheus_client, which asks for it once for each exposition."""
        return self.families


def _daemon_metrics(log: LogReader, now_us: int) -> Iterator[Metric]:
    """The metrics of the daemon and its database."""
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, SummaryMetricFamily

    facts = log.daemon()
    state, _ = daemon_state(facts, now_us, log.path)
    seconds = 1e-6
    yield InfoMetricFamily("sensorlogd", "The daemon that wrote this log last.", {"version": str(facts.get("version", ""))})
    sizes = log.file_sizes()
    for name, text, value in (
        ("up", "Whether the daemon runs.", state in ALIVE),
        ("writing", "Whether the database accepts what is written.", state == "running" and facts.get("state") == "writing"),
        ("clean_start", "Whether the run before ended with the database closed.", facts.get("clean_start", True)),
        ("clock_synchronised", "Whether the clock of the machine is synchronised.", facts.get("clock_synchronised", False)),
        ("start_time_seconds", "When the daemon was started.", facts.get("started_us", 0) * seconds),
        ("inbox_readings", "Readings that wait for being stored.", facts.get("inbox_depth", 0)),
        ("inbox_limit_readings", "How many may wait.", facts.get("inbox_limit", 0)),
        ("database_bytes", "Size of the database.", sizes.database_bytes),
        ("wal_bytes", "Size of the write-ahead log.", sizes.wal_bytes),
        (
            "config_errors",
            "Mistakes in the configuration file, while an older one is used.",
            len(facts.get("config_errors") or []),
        ),
    ):
        yield GaugeMetricFamily(f"sensorlogd_{name}", text, float(value))
    if facts.get("last_commit_us"):
        age = max(now_us - max(int(facts["last_commit_us"]), int(facts.get("heartbeat_us", 0))), 0) * seconds
        yield GaugeMetricFamily("sensorlogd_last_commit_age_seconds", "Time since the last commit that is known of.", age)
    edge = watermarks.stored(log.conn).edge_us
    if edge:
        lag = max(now_us - edge, 0) * seconds
        yield GaugeMetricFamily("sensorlogd_rollup_lag_seconds", "How far the stored roll-ups are behind.", lag)
    yield SummaryMetricFamily(
        "sensorlogd_commit_duration_seconds", "Time that commits took.", facts.get("commits", 0), facts.get("commit_s", 0.0)
    )
    for name, text, value in (
        ("readings", "Readings stored since the daemon's start.", facts.get("committed", 0)),
        ("readings_repeated", "Readings that were stored already.", facts.get("repeated", 0)),
        ("readings_late", "Readings that arrived after their roll-up was computed.", facts.get("late", 0)),
        ("rollup_runs", "How often roll-ups were computed.", facts.get("rollup_runs", 0)),
        ("web_restarts", "How often the web process was restarted.", facts.get("web_restarts", 0)),
    ):
        yield CounterMetricFamily(f"sensorlogd_{name}", text, float(value))


def _sensor_metrics(log: LogReader, now_us: int) -> Iterator[Metric]:
    """The metrics of each sensor: what it counts, its newest reading, how it is."""
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, StateSetMetricFamily

    running = daemon_state(log.daemon(), now_us, log.path)[0] in ALIVE
    newest = newest_by_sensor(log, now_us)
    label = ["sensor"]
    readings = CounterMetricFamily("sensorlogd_sensor_readings", "Readings stored.", labels=label)
    reconnects = CounterMetricFamily("sensorlogd_sensor_reconnects", "How often the sensor was found again.", labels=label)
    attempts = CounterMetricFamily("sensorlogd_sensor_attempts", "How often opening it was tried.", labels=label)
    suppressed = CounterMetricFamily("sensorlogd_sensor_suppressed", "Readings within the deadband, not stored.", labels=label)
    faults = CounterMetricFamily(
        "sensorlogd_sensor_faults",
        "What went wrong, by kind: dropped, conflicts, too_old, bad lines ...",
        labels=["sensor", "kind"],
    )
    last = GaugeMetricFamily("sensorlogd_sensor_last_reading_time_seconds", "When the newest reading was.", labels=label)
    up = GaugeMetricFamily("sensorlogd_sensor_up", "Whether the sensor is well.", labels=label)
    states = StateSetMetricFamily("sensorlogd_sensor_state", "How the sensor is.", labels=label)
    for sensor in log.sensors():
        name = [sensor.sensor]
        for family, key in (
            (readings, "readings"),
            (reconnects, "reconnects"),
            (attempts, "attempts"),
            (suppressed, "suppressed"),
        ):
            family.add_metric(name, sensor.counters.get(key, 0))
        for kind in sorted(set(sensor.counters) - set(OWN)):
            faults.add_metric([*name, kind], sensor.counters[kind])
        newest_us = newest.get(sensor.sensor, sensor.last_reading_us)
        if newest_us is not None:
            last.add_metric(name, newest_us / 1e6)
        health = _health(sensor, newest_us, running, now_us)
        up.add_metric(name, float(health in ("ok", "finished")))
        states.add_metric(name, {state: state == health for state in STATES})
    yield from (readings, reconnects, attempts, suppressed, faults, last, up, states)


def _health(sensor: StoredStatus, newest_us: int | None, running: bool, now_us: int) -> str:
    if not running:
        return "not running"
    return sensor_health(sensor.state, sensor.since_us, newest_us, sensor.heartbeat_us, now_us)


def _value_metrics(log: LogReader, patterns: list[str], now_us: int) -> Iterator[Metric]:
    """The newest values. A series that is silent for longer than its heartbeat has none."""
    from prometheus_client.core import Metric

    family = Metric("sensorlogd_value", "The newest value of a series.", "gauge")
    for reading in log.latest(find_series(log, patterns), now_us):
        if reading is None or reading.value is None or now_us - reading.ts_us > reading.series.heartbeat_us:
            continue
        series = reading.series
        labels = {_legal_label(name): text for name, text in series.labels.items()}
        family.add_sample(
            "sensorlogd_value", labels | {"sensor": series.sensor, "channel": series.channel, "unit": series.unit}, reading.value
        )
    yield family


def _legal_label(name: str) -> str:
    name = re.sub(r"[^a-zA-Z0-9_]", "_", name)
    return f"_{name}" if name[:1].isdigit() else name


def _web_metrics(state: State) -> list[Any]:
    """The metrics of this process. ``state``: of the application."""
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    pool: Pool = state.pool
    workers: Workers = state.workers
    hub: Hub = state.hub
    return [
        GaugeMetricFamily("sensorlogd_web_viewers", "Who is watching the live stream.", len(hub.viewers)),
        CounterMetricFamily(
            "sensorlogd_web_refused",
            "Questions refused because too many were waiting.",
            pool.admission.refused + workers.admission.refused,
        ),
        CounterMetricFamily(
            "sensorlogd_web_viewers_let_go", "Live streams ended because too much waited for a slow viewer.", hub.let_go
        ),
        CounterMetricFamily(
            "sensorlogd_web_slow_readers", "Connections closed because their client did not read.", state.slow_clients.count
        ),
        CounterMetricFamily(
            "sensorlogd_web_denied", "Requests with a wrong token, or by a name that is not ours.", state.denials.count
        ),
        CounterMetricFamily(
            "sensorlogd_web_timeouts",
            "Questions ended because they took too long.",
            pool.admission.timeouts + workers.admission.timeouts,
        ),
        CounterMetricFamily("sensorlogd_web_cancelled", "Questions ended because their client had gone.", workers.cancelled),
        CounterMetricFamily(
            "sensorlogd_web_workers_replaced", "Workers that overstayed their time, or ended by themselves.", workers.replaced
        ),
        GaugeMetricFamily("sensorlogd_web_workers", "Processes that look for answers.", len(workers.pids())),
    ]
