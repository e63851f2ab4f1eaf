"""Alarms and notifications in ``/metrics``. ``ALERTS`` is the name under which Prometheus itself keeps alerts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sensorlogd.storage.alarms import notifications
from sensorlogd.storage.alarms import states as stored_states
from sensorlogd.storage.query.log_reader import LogReader
from sensorlogd.web import alerting

if TYPE_CHECKING:
    from prometheus_client.core import Metric


def families(log: LogReader) -> Iterator[Metric]:
    """The metric families of alarms; none if the log has no alarms."""
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

    rows = stored_states.by_urgency(log.conn)
    if not rows:
        return
    firing = Metric("ALERTS", "Alarms that are raised or pending.", "gauge")
    counts: dict[str, int] = {}
    for row in rows:
        counts[row.shown] = counts.get(row.shown, 0) + 1
        state = alerting.state(row)
        if state != alerting.INACTIVE:
            firing.add_sample("ALERTS", {**alerting.labels(row), "alertstate": state}, 1.0)
    states = GaugeMetricFamily("sensorlogd_alarms", "Alarms by state.", labels=["state"])
    for word, count in sorted(counts.items()):
        states.add_metric([word], float(count))
    sent = CounterMetricFamily("sensorlogd_notifications", "Notifications that are over.", labels=["target", "outcome"])
    waiting = GaugeMetricFamily("sensorlogd_notifications_waiting", "Notifications to be sent yet.", labels=["target"])
    for target, outcome, count in notifications.counts(log.conn):
        if outcome == notifications.WAITING:
            waiting.add_metric([target], float(count))
        else:
            sent.add_metric([target, outcome], float(count))
    yield from (firing, states, sent, waiting)
