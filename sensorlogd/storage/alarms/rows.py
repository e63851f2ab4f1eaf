"""Alarms as rows for people and programs: the same names in the CLI and over HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from sensorlogd.storage.alarms.changes import ChangeRow, Period
from sensorlogd.storage.alarms.states import AlarmRow
from sensorlogd.storage.query.rows import number

ALARM_COLUMNS = ("alarm", "series", "severity", "state", "since", "value", "unit", "condition", "raised", "note")
CHANGE_COLUMNS = ("time", "alarm", "series", "kind", "before", "after", "value", "detail")
DRAWN = ("value", "mean", "min", "max")  # kinds of conditions whose number is in the unit of the series

Show = Callable[[int], Any]  # a time


def alarm_row(row: AlarmRow, show: Show) -> dict[str, Any]:
    """``raised``: how often so far. ``last_raised``, ``until`` (of one that is shelved): times or None."""
    return {
        "alarm": row.name,
        "series": row.subject,
        "severity": row.severity,
        "state": row.shown,
        "since": show(row.since_us),
        "value": number(row.value),
        "unit": row.unit,
        "condition": row.condition,
        "limit": number(_limit(row, "when")),
        "clear_limit": number(_limit(row, "clear")),
        "raised": row.raises,
        "last_raised": show(row.raised_us) if row.raised_us else None,
        "until": None if row.shelved_until_us is None else show(row.shelved_until_us),
        "detail": row.detail,
        "note": row.note,
        "text": row.text,
    }


def _limit(row: AlarmRow, which: str) -> float | None:
    """The number of ``when`` or ``clear``, where it can be drawn over the values of the series."""
    try:
        kind, op, limit, *_ = json.loads(row.definition).get(which) or ("", "", 0.0)
    except (ValueError, AttributeError, TypeError):  # of another release
        return None
    return float(limit) if op and kind in DRAWN else None


def period_row(period: Period, show: Show) -> dict[str, Any]:
    return {
        "alarm": period.name,
        "series": period.subject,
        "since": show(period.since_us),
        "until": None if period.until_us is None else show(period.until_us),
    }


def change_row(change: ChangeRow, show: Show) -> dict[str, Any]:
    return {
        "time": show(change.ts_us),
        "alarm": change.name,
        "series": change.subject,
        "kind": change.kind,
        "before": change.before,
        "after": change.after,
        "value": number(change.value),
        "detail": change.detail,
    }
