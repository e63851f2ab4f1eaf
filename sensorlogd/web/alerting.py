"""Alarms in the shape of Prometheus' rules and alerts, for its read API and for ``/metrics``; Grafana shows them beside its own.

An alarm that is raised or has returned unacknowledged is ``firing`` or not by whether its condition holds: nobody's knowing
changes that. Muted ones are reported with the label ``shelved``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sensorlogd.notation.times import format_time
from sensorlogd.storage.alarms.states import AlarmRow

FIRING, PENDING, INACTIVE = "firing", "pending", "inactive"
_STATES = {"unacknowledged": FIRING, "acknowledged": FIRING, "pending": PENDING}


def state(row: AlarmRow) -> str:
    """The Prometheus state of an alarm: firing, pending or inactive."""
    return _STATES.get(row.state, INACTIVE)


def labels(row: AlarmRow) -> dict[str, str]:
    """The labels of an alert; those that are empty are left out. ``shelved`` is there only while it is."""
    sensor, _, channel = row.subject.partition(".")
    found = {"alertname": row.name, "severity": row.severity, "sensor": sensor, "channel": channel}
    return {key: value for key, value in found.items() if value} | ({"shelved": "true"} if row.shelved_until_at else {})


def alerts(rows: Iterable[AlarmRow]) -> dict[str, Any]:
    """The body of the answer to /alerts."""
    return {"alerts": [_alert_of_row(row) for row in rows if state(row) != INACTIVE]}


def rules(rows: Iterable[AlarmRow]) -> dict[str, Any]:
    """The body of the answer to /rules. Each alarm of the configuration is a rule; each series it is raised for is an alert."""
    by_name: dict[str, list[AlarmRow]] = {}
    for row in rows:
        by_name.setdefault(row.name, []).append(row)
    found = [_rule_of_alarm(name, some) for name, some in sorted(by_name.items())]
    return {"groups": [{"name": "sensorlogd", "file": "sensorlogd", "interval": 1, "limit": 0, "rules": found}] if found else []}


def _rule_of_alarm(name: str, rows: list[AlarmRow]) -> dict[str, Any]:
    """An alarm as a rule; its state is the worst of its series."""
    states = {state(row) for row in rows}
    worst = next((bad for bad in (FIRING, PENDING) if bad in states), INACTIVE)
    return {
        "type": "alerting",
        "name": name,
        "query": rows[0].condition,
        "duration": 0,
        "labels": {"severity": rows[0].severity},
        "annotations": {"summary": rows[0].text} if rows[0].text else {},
        "state": worst,
        "health": "ok",
        "alerts": [_alert_of_row(row) for row in rows if state(row) != INACTIVE],
    }


def _alert_of_row(row: AlarmRow) -> dict[str, Any]:
    value = "" if row.value is None else f"{row.value:g} {row.unit}".strip()
    summary = f"{row.subject}: {value} ({row.condition})" if value else row.detail or f"{row.subject}: {row.condition}"
    return {
        "labels": labels(row),
        "annotations": {"summary": summary} | ({"description": row.text} if row.text else {}),
        "state": state(row),
        "activeAt": format_time(row.raised_us if state(row) == FIRING else row.since_us, "UTC"),
        "value": "NaN" if row.value is None else f"{row.value:e}",
    }
