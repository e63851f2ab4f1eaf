"""Answers about what people look after: alarms, the times in alarm, and changes of stored readings."""

from __future__ import annotations

from typing import Any

from sensorlogd.storage.alarms import changes, rows, states
from sensorlogd.storage.corrections import mend_rows, mend_state
from sensorlogd.storage.query.log_reader import LogReader
from sensorlogd.storage.series.stored import matches
from sensorlogd.web.answering.params import TimeForm, find_series

Json = dict[str, Any]
ALARM_STATES = ("all", "raised")


def alarms(log: LogReader, state: str, form: TimeForm) -> Json:
    """Every alarm of every series, the most urgent first. ``raised``: leave out those that are normal or pending."""
    shown = [row for row in states.by_urgency(log.conn) if state == "all" or row.shown not in ("normal", "pending")]
    return {"alarms": [rows.alarm_row(row, form) for row in shown]}


MENDS_MAX = 100


def mends(log: LogReader, patterns: list[str], since_us: int, until_us: int, form: TimeForm) -> Json:
    """The changes of stored readings in the range, newest first, at most ``MENDS_MAX``."""
    names = {
        series.id: series.name for series in (find_series(log, patterns, retired=True) if patterns else log.series(retired=True))
    }
    found = [
        mend for mend in mend_rows.all_mends(log.conn)
        if mend.series in names and mend.since_us < until_us and mend.until_us > since_us
    ]  # fmt: skip
    mended = [
        {
            "mend": mend.id,
            "series": names[mend.series],
            "made": form(mend.made_us),
            "since": form(mend.since_us),
            "until": form(mend.until_us),
            "what": mend.message(),
            "note": mend.note,
            "readings": mend.readings,
            "state": mend_state.state_of(log.conn, mend),
        }
        for mend in found[:MENDS_MAX]
    ]
    return {"mends": mended}


PERIODS_MAX = 5_000


def alarm_periods(log: LogReader, patterns: list[str], since_us: int, until_us: int, form: TimeForm) -> Json:
    """The times in alarm within the range; if there are more than ``PERIODS_MAX``, the newest."""
    found = [
        period
        for period in changes.periods(log.conn, since_us, until_us)
        if not patterns or any(matches(pattern, period.subject) for pattern in patterns)
    ]
    return {"periods": [rows.period_row(period, form) for period in found[-PERIODS_MAX:]]}
