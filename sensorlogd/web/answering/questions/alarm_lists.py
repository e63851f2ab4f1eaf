"""Alarms as they are, and the times in alarm."""

from __future__ import annotations

from typing import Any

from sensorlogd.storage.alarms import changes, rows, states
from sensorlogd.storage.query.log_reader import LogReader
from sensorlogd.storage.series.stored import matches
from sensorlogd.web.answering.params import TimeForm

Json = dict[str, Any]
ALARM_STATES = ("all", "raised")
MAX_PERIODS = 5_000


def alarms(log: LogReader, state: str, form: TimeForm) -> Json:
    """Every alarm of every series, the most urgent first. ``raised``: leave out those that are normal or pending."""
    shown = [row for row in states.by_urgency(log.conn) if state == "all" or row.shown not in ("normal", "pending")]
    return {"alarms": [rows.alarm_row(row, form) for row in shown]}


def alarm_periods(log: LogReader, patterns: list[str], since_us: int, until_us: int, form: TimeForm) -> Json:
    """The times in alarm within the range; if there are more than ``MAX_PERIODS``, the newest."""
    found = [
        period
        for period in changes.periods(log.conn, since_us, until_us)
        if not patterns or any(matches(pattern, period.subject) for pattern in patterns)
    ]
    return {"periods": [rows.period_row(period, form) for period in found[-MAX_PERIODS:]]}
